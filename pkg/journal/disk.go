package journal

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// patience is how long a write may take before others go on without it: law 12
	// gives an attempt 1 s.
	patience = time.Second
	// retryEvery is how often a disk that refused is tried again: often enough for
	// people who make room, seldom enough for the log.
	retryEvery = 5 * time.Second
)

// disk runs the slow half of a Writer or a Saver: one goroutine that may hang,
// watched from outside.
type disk struct {
	path string
	cost string // what is lost meanwhile, for people
	log  *slog.Logger
	wake chan struct{} // size 1: there is work

	mu   sync.Mutex
	busy time.Time // when the present operation began; zero: none
	err  error     // of the last operation
}

func newDisk(path, cost string, log *slog.Logger) disk {
	return disk{path: path, cost: cost, log: log, wake: make(chan struct{}, 1)}
}

// run calls work whenever there is some, again after a while if it failed, and
// once more at the end, and then end. It does not wait for a disk that hangs: the goroutine
// stays behind, stuck in the kernel, where nobody can get it out.
func (d *disk) run(ctx context.Context, work func() error, end func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d.once(work); ctx.Err() == nil; d.once(work) {
			d.wait(ctx)
		}
		d.once(work) // what came while the last was being done
		end()
	}()
	<-ctx.Done()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		d.log.Warn("stopped without waiting for the disk", "file", d.path)
	}
}

func (d *disk) wait(ctx context.Context) {
	var retry <-chan time.Time
	if d.failed() {
		t := time.NewTimer(retryEvery)
		defer t.Stop()
		retry = t.C
	}
	select {
	case <-d.wake:
	case <-retry:
	case <-ctx.Done():
	}
}

// once does the work and notes how it went.
func (d *disk) once(work func() error) {
	d.begin()
	d.note(work())
}

// note says how an operation of the disk went; only a change is logged. Work that
// lets go of who waits for it notes first, so that they find the reason.
func (d *disk) note(err error) {
	d.mu.Lock()
	before := d.err
	d.busy, d.err = time.Time{}, err
	d.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		d.log.Error("the disk does not take it", "err", err, "cost", d.cost)
	case err == nil && before != nil:
		d.log.Info("the disk works again", "file", d.path)
	}
}

// begin marks the start of one operation of the disk.
func (d *disk) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = time.Now()
}

// poke says that there is work. It never blocks.
func (d *disk) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *disk) failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err != nil
}

// stuck reports whether the disk is known to hang.
func (d *disk) stuck() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.busy.IsZero() && time.Since(d.busy) >= patience
}

// trouble says what is wrong now, in words for the owner; nil: nothing.
func (d *disk) trouble() error {
	if d.stuck() {
		return fmt.Errorf("cannot write %s: the disk does not answer; protection goes on, but %s", d.path, d.cost)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return fmt.Errorf("%w; protection goes on, but %s", d.err, d.cost)
	}
	return nil
}
