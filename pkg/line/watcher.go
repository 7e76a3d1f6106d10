package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"
)

// How often the lines are read, and how patient the Watcher is.
const (
	// netPoll reads the lines even if no hint ever comes: the wait for a change
	// hangs on some drivers although the lines are right.
	netPoll = time.Second
	// fastPoll is used where no hint can be had: a rising RI wakes nobody, and
	// some drivers can't wait for a change at all.
	fastPoll = 50 * time.Millisecond
	// recheck is when the lines are read again after a hint or a change: an edge
	// may fall between the reading and the moment the next wait has begun.
	recheck = 10 * time.Millisecond
	// settling is how long a driver with a memory that starts empty is given to
	// fill it.
	settling = 3 * time.Second
	// vainHints in a row, with nothing changed, are a driver whose wait for a
	// change does not wait: it is then polled.
	vainHints = 50
	// retryMin and retryMax bound the time between two attempts to open.
	retryMin = 200 * time.Millisecond
	retryMax = 5 * time.Second
	// idleTries is how often outputs that read wrong are set right in a row; a
	// driver that can't tell its outputs reads wrong for ever.
	idleTries = 3
)

// Sample is what a port's lines are at one moment. State, not an edge: the newest
// says everything.
type Sample struct {
	// Lines are the lines that are high, outputs included. 0 while blind.
	Lines Lines
	// Pulses counts changes of lines that matter which were over before they
	// could be read, summed since the Watcher was made.
	Pulses uint32
	// Err is nil, or says why the port is blind and what to do about it.
	Err error
}

// WatcherOptions says which port to watch and for which cable.
type WatcherOptions struct {
	Path  string // of the port; a link such as /dev/serial/by-id/… is resolved at every open
	Cable Cable  // valid
	Log   *slog.Logger
	// Open opens the port; File, OnOpen and OnEnd are then unused. Nil: this system's
	// serial port at Path is opened.
	Open Opener
	// File is the port, open already and held by the service manager across a
	// restart. The Watcher takes it over. Nil: open Path.
	File *os.File
	// OnOpen is given each newly opened port so that it can be stored; the file is
	// valid until OnOpen returns. Nil: nobody stores it.
	OnOpen func(*os.File)
	// OnEnd is given the port when Run ends because its context did, still open, so
	// that the next Watcher needs to open nothing. The file is its receiver's. Nil:
	// the port is closed.
	OnEnd func(*os.File)
}

// Watcher keeps one port open, its outputs at the cable's idle levels, and tells
// what its lines are. Only the goroutine in Run touches the port.
type Watcher struct {
	options WatcherOptions
	samples chan Sample
	last    Sample // what was published, blind or not
	pulses  uint32

	// For a [Probe]; nil: nobody wants it.
	trace  func(Sample)    // is given each sample, none left out
	orders chan driveOrder // other levels for the outputs
}

// driveOrder wants the outputs at other levels from now on.
type driveOrder struct {
	levels Lines
	done   chan<- error // has room for one
}

// NewWatcher returns a Watcher that does nothing until Run.
func NewWatcher(o WatcherOptions) *Watcher {
	return &Watcher{
		options: o,
		samples: make(chan Sample, 1),
		last:    Sample{Err: errors.New("not opened yet")},
	}
}

// String names the Watcher.
func (w *Watcher) String() string { return "line " + w.options.Path }

// Samples returns the channel of samples. It holds one, the newest; it is never
// closed.
func (w *Watcher) Samples() <-chan Sample { return w.samples }

// Run watches the port until ctx is done and then returns nil. A port that can't
// be opened or gets lost is a blind [Sample], and another attempt later. At the
// end the port is left as it is: parked, every output at its level.
func (w *Watcher) Run(ctx context.Context) error {
	file := w.options.File
	failures := 0
	for ctx.Err() == nil {
		began := time.Now()
		err := w.session(ctx, file)
		file = nil
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > retryMax {
			failures = 0
		}
		w.blind(err)
		pause(ctx, retryAfter(failures))
		failures++
	}
	if file != nil && w.options.OnEnd != nil {
		w.options.OnEnd(file) // it ended before it had begun
	}
	return nil
}

// retryAfter returns how long to wait after so many failures in a row: doubling,
// capped, and a random half of it, so that ports of one hub do not march in step.
func retryAfter(failures int) time.Duration {
	d := min(retryMin<<min(failures, 10), retryMax)
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// open opens the port, or takes it over.
func (w *Watcher) open(file *os.File) (Opened, error) {
	if w.options.Open != nil {
		return w.options.Open(w.options.Path, w.options.Cable)
	}
	return openPort(w.options, file)
}

// session opens the port and watches it until it is lost or ctx is done.
func (w *Watcher) session(ctx context.Context, file *os.File) error {
	o, err := w.open(file)
	if err != nil {
		return err
	}
	defer o.Port.Close()
	w.options.Log.Info("port open", "port", w.options.Path, "cable", w.options.Cable.Name)
	err = w.watch(ctx, o)
	if p, ok := o.Port.(interface{ duplicate(string) *os.File }); ok && err == nil && w.options.OnEnd != nil {
		if f := p.duplicate(w.options.Path); f != nil {
			w.options.OnEnd(f)
		}
	}
	return err
}

// blind publishes why nothing can be read, and logs it when the reason is new.
func (w *Watcher) blind(err error) {
	if w.last.Err == nil || w.last.Err.Error() != err.Error() {
		w.options.Log.Warn("port blind", "port", w.options.Path, "err", err)
	}
	w.publish(Sample{Err: err, Pulses: w.pulses})
}

// publish puts s into the mailbox in place of what lies there. Run's goroutine is
// the only sender, so the last send can't block.
func (w *Watcher) publish(s Sample) {
	w.last = s
	if w.trace != nil {
		w.trace(s)
	}
	select {
	case <-w.samples:
	default:
	}
	w.samples <- s
}

// watch reads the port at every hint and at least once in netPoll.
func (w *Watcher) watch(ctx context.Context, o Opened) error {
	reads := w.options.Cable.Reads()
	e := edges{reads: reads}
	var err error
	if e.last, e.seen, err = read(o.Port, e.last); err != nil {
		return err
	}
	settled := time.Now()
	if o.Cache != "" {
		settled = settled.Add(settling)
		w.publish(Sample{Pulses: w.pulses, Err: fmt.Errorf("%w: %s answers from memory until a line changes; wait %v", ErrSettling, o.Cache, settling)})
	} else {
		w.publish(Sample{Lines: e.seen, Pulses: w.pulses})
	}

	hints, vain, tries := o.Hints, 0, 0
	timer := time.NewTimer(recheck)
	defer timer.Stop()
	for {
		hinted := false
		select {
		case <-ctx.Done():
			return nil
		case d := <-w.orders:
			w.options.Cable.Drive = holding(d.levels)
			d.done <- o.Port.Drive(d.levels)
		case <-timer.C:
		case _, hinted = <-hints:
			if !hinted {
				hints = nil
			}
		}
		counts, lines, err := read(o.Port, e.last)
		if err != nil {
			return err
		}
		changed := lines != e.seen || counts != e.last
		w.pulses += e.step(counts, lines)
		tries = w.keepIdle(o.Port, lines, tries)
		if changed || !time.Now().Before(settled) {
			settled = time.Time{}
			w.tell(Sample{Lines: lines, Pulses: w.pulses})
		}
		if vain++; changed || !hinted {
			vain = 0
		}
		if vain == vainHints {
			hints = nil
		}
		timer.Reset(interval(hints != nil && reads&RI == 0, settled.IsZero(), changed || hinted))
	}
}

// interval returns when to read next.
func interval(hinting, settled, busy bool) time.Duration {
	switch {
	case busy:
		return recheck
	case hinting && settled:
		return netPoll
	default:
		return fastPoll
	}
}

// read reads the counters first: an edge between the two readings is then seen
// before it is counted, and no pulse is made up. Counters that can't be read stand
// still at last.
func read(p Handle, last Counters) (Counters, Lines, error) {
	counts, ok := p.Counters()
	if !ok {
		counts = last
	}
	lines, err := p.Levels()
	return counts, lines, err
}

// tell publishes s if it differs from what was told last.
func (w *Watcher) tell(s Sample) {
	if w.last.Err != nil || w.last != s {
		w.publish(s)
	}
}

// keepIdle sets the outputs right if another program has changed them, and
// returns how often in a row that was needed.
func (w *Watcher) keepIdle(p Handle, lines Lines, tries int) int {
	idle := w.options.Cable.Idle()
	if lines&Outputs == idle {
		return 0
	}
	if tries >= idleTries {
		return tries
	}
	if tries == 0 {
		w.options.Log.Warn("another program changed the outputs of the port; setting them back",
			"port", w.options.Path, "were", (lines & Outputs).String(), "idle", idle.String())
	}
	if err := p.Drive(idle); err != nil {
		w.options.Log.Warn("cannot set the outputs", "port", w.options.Path, "err", err)
	}
	return tries + 1
}
