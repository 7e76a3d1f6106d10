package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// queueMax bounds the records that wait for a disk that refuses; an outage makes
// a dozen.
const queueMax = 1024

// DroppedName names the record that a Writer writes by itself when the disk works
// again: {"count": N} records were lost because too many were waiting.
const DroppedName = "journal-dropped"

// WriterOptions are what a [Writer] works with.
type WriterOptions struct {
	// Path is the journal's file.
	Path string
	// Boot names this boot.
	Boot string
	// Now returns the time since boot; nil: since the Writer was made.
	Now func() time.Duration
	// Mark names the entries that are kept when there is too much: see [Options].
	Mark func(Entry) bool
	// FS is where the file lies; nil: the real disk.
	FS FS
	// Log takes trouble and its end.
	Log *slog.Logger
}

// Writer owns a journal in a goroutine of its own. It is a task: nothing is
// written before Run. All other methods may be called by anyone at any time and
// never block.
type Writer struct {
	opts WriterOptions
	disk disk
	j    *Journal // only in Run's goroutine

	ring ring

	mu      sync.Mutex
	queue   []*pending
	dropped int
	growing error // why there is no new file in place of a full one
	ended   bool
}

// pending is a record on its way to the disk.
type pending struct {
	entry Entry
	slot  int // in the ring
	once  sync.Once
	done  chan struct{}
	timer *time.Timer
}

func (p *pending) release() { p.once.Do(func() { close(p.done) }) }

// NewWriter returns a Writer that has not begun to run.
func NewWriter(o WriterOptions) *Writer {
	if o.Now == nil {
		start := time.Now()
		o.Now = func() time.Duration { return time.Since(start) }
	}
	return &Writer{
		opts: o,
		disk: newDisk(o.Path, "outages are not recorded", o.Log),
		ring: newRing(),
	}
}

// String returns the task's name.
func (w *Writer) String() string { return "journal" }

// Run writes what is recorded until ctx ends, and what was recorded before that
// if the disk takes it within 1 s.
func (w *Writer) Run(ctx context.Context) error {
	w.disk.run(ctx, w.drain, func() {
		if w.j != nil {
			_ = w.j.Close() // a process may outlive its writer
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, p := range w.queue {
		p.release()
	}
	return nil
}

// Record takes a record. The channel is closed when the record is on disk, when
// writing it failed, or when that has lasted 1 s; at once if the disk is known to
// hang. A record that failed is tried again while there is room for it. v is
// encoded before Record returns.
func (w *Writer) Record(name string, v any) <-chan struct{} {
	p := &pending{done: make(chan struct{})}
	data, err := json.Marshal(v)
	if err != nil {
		w.opts.Log.Error("cannot encode a record", "name", name, "err", err)
		p.release()
		return p.done
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	// Under the lock: the order of At is the order on disk.
	p.entry = Entry{Boot: w.opts.Boot, At: w.opts.Now(), Wall: time.Now(), Name: name, Data: data}
	p.slot = w.ring.add(p.entry)
	switch {
	case w.ended:
		p.release()
		return p.done
	case len(w.queue) >= queueMax:
		w.dropped++
		p.release()
		return p.done
	}
	w.queue = append(w.queue, p)
	if w.disk.stuck() {
		p.release()
	} else {
		p.timer = time.AfterFunc(patience, p.release)
	}
	w.disk.poke()
	return p.done
}

// Err says what is wrong with the disk now, and what that costs; nil: nothing.
func (w *Writer) Err() error {
	err := w.disk.trouble()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.dropped > 0 {
		// No count: a text that changes with each record would be told each time.
		return fmt.Errorf("%w, and too many wait by now, so the newest are lost", err)
	}
	if err == nil {
		err = w.growing
	}
	return err
}

// Follow calls fn with the newest last entries in memory, up to 512, and then
// with each new one until ctx ends or fn returns an error, which Follow returns.
// It runs in the caller's goroutine. Who is too slow misses the oldest; nobody
// waits for a follower. With follow false it returns after the newest.
// An entry not yet on disk has Seq 0.
func (w *Writer) Follow(ctx context.Context, last int, follow bool, fn func(Entry) error) error {
	return w.ring.follow(ctx, last, follow, fn)
}

// Read reads what is on disk, in the caller's goroutine and for as long as the disk
// takes: see the function [Read].
func (w *Writer) Read(fn func(Entry) error) error {
	return readOn(orReal(w.opts.FS), w.opts.Path, fn)
}

// drain writes the queue up to the first failure.
func (w *Writer) drain() error {
	if err := w.ensureOpen(); err != nil {
		w.disk.note(err)
		w.releaseAll()
		return err
	}
	for {
		p, dropped := w.next()
		if p == nil {
			return nil
		}
		w.disk.begin()
		e, err := w.j.Append(p.entry)
		if err != nil {
			_ = w.j.Close()
			w.j = nil
			w.disk.note(err)
			w.releaseAll()
			return err
		}
		w.disk.note(nil)
		w.written(p, e, dropped)
	}
}

func (w *Writer) ensureOpen() error {
	if w.j != nil {
		return nil
	}
	var old []Entry
	j, err := open(w.opts.Path, Options{Mark: w.opts.Mark, FS: w.opts.FS}, func(e Entry) {
		if old = append(old, e); len(old) > 2*ringSize {
			old = append(old[:0], old[len(old)-ringSize:]...)
		}
	})
	if err != nil {
		return err
	}
	w.j = j
	w.ring.preload(old)
	return nil
}

// next returns the oldest record, or one that tells of the dropped ones when all
// others are written.
func (w *Writer) next() (p *pending, dropped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) > 0 {
		return w.queue[0], 0
	}
	if w.dropped == 0 {
		return nil, 0
	}
	e := Entry{Boot: w.opts.Boot, At: w.opts.Now(), Wall: time.Now(), Name: DroppedName,
		Data: fmt.Appendf(nil, `{"count":%d}`, w.dropped)}
	return &pending{entry: e, slot: w.ring.add(e), done: make(chan struct{})}, w.dropped
}

func (w *Writer) written(p *pending, e Entry, dropped int) {
	trouble := w.j.Trouble()
	w.mu.Lock()
	defer w.mu.Unlock()
	if trouble != nil && w.growing == nil {
		w.opts.Log.Warn("the journal's files are not in order", "err", trouble)
	}
	w.growing = trouble
	w.ring.numbered(p.slot, e.Seq)
	if dropped > 0 {
		w.opts.Log.Warn("records were lost while the disk did not work", "file", w.opts.Path, "count", dropped)
		w.dropped -= dropped
		return
	}
	w.queue = w.queue[1:]
	if p.timer != nil {
		p.timer.Stop()
	}
	p.release()
}

// releaseAll lets go of everybody who waits: their records failed, for now.
func (w *Writer) releaseAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.queue {
		if p.timer != nil {
			p.timer.Stop()
		}
		p.release()
	}
}
