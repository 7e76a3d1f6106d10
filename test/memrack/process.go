package memrack

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// machine is what a daemon runs on, from one boot to its end.
type machine struct {
	boot string
	off  shutdown.Executor // how it is powered off
	disk *Disk             // nil: files lie in the test's folder

	mu     sync.Mutex
	born   time.Time // when it was switched on
	asleep time.Time // since when it is suspended; zero: it is not
}

// now is the machine's clock. It counts the time asleep, but nobody sees it move
// before the machine is awake.
func (m *machine) now() power.Uptime {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.asleep.IsZero() {
		return power.Uptime(m.asleep.Sub(m.born))
	}
	return power.Uptime(time.Since(m.born))
}

// fs is the disk as a program sees it that starts now.
func (m *machine) fs() journal.FS {
	if m.disk == nil {
		return nil
	}
	return m.disk.FS()
}

// suspend stops the machine's clock for those who look.
func (m *machine) suspend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asleep = time.Now()
}

// resume returns how long the machine was asleep.
func (m *machine) resume() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := time.Since(m.asleep)
	m.asleep = time.Time{}
	return d
}

// process is a daemon's tasks.
type process struct {
	cancel context.CancelCauseFunc
	done   chan error
}

// run runs a daemon's tasks without its signals.
func run(tasks []daemon.Task) *process {
	ctx, cancel := context.WithCancelCause(context.Background())
	g, ctx := errgroup.WithContext(ctx)
	for _, t := range tasks {
		g.Go(func() error { return t.Run(ctx) })
	}
	p := &process{cancel: cancel, done: make(chan error, 1)}
	go func() { p.done <- g.Wait() }()
	return p
}

// stop ends the tasks with that cause and waits for them; twice is once.
func (p *process) stop(cause error) {
	if p != nil && p.cancel != nil {
		p.cancel(cause)
		<-p.done
		p.cancel = nil
	}
}
