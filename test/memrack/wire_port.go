package memrack

import (
	"fmt"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// fills is how long a driver with a memory that starts empty takes to fill it.
const fills = time.Second

// wirePort is a wire's port in somebody's hands. All of it: wire.mu.
type wirePort struct {
	w     *Wire
	since time.Time
	reads line.Lines // whose changes wake who waits
	hints chan struct{}
	mute  bool // hints is closed
	lost  bool
}

var _ line.Handle = (*wirePort)(nil)

// OpenWires returns what opens the wires by their paths.
func OpenWires(wires map[string]*Wire) line.Opener {
	return func(path string, c line.Cable) (line.Opened, error) {
		if w := wires[path]; w != nil {
			return w.Open(path, c)
		}
		return line.Opened{}, missing(path)
	}
}

func missing(path string) error {
	return fmt.Errorf("cannot open %s: %w; plug the adapter in", path, line.ErrMissing)
}

// Open is a [line.Opener]. The first open raises both outputs, as a kernel does;
// later ones find them as they were left, which parking the port or the service
// manager sees to.
func (w *Wire) Open(path string, c line.Cable) (line.Opened, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass()
	switch {
	case w.gone:
		return line.Opened{}, missing(path)
	case w.user != nil:
		return line.Opened{}, fmt.Errorf("cannot open %s: %w; stop that program", path, &line.HeldError{})
	}
	if !w.raised {
		w.drive(line.Outputs, false)
		w.raised = true
	}
	w.drive(c.Idle(), true)
	p := &wirePort{w: w, since: time.Now(), reads: c.Reads(), hints: make(chan struct{}, 1)}
	if w.driver.NoHints {
		p.deafen()
	}
	w.user = p
	o := line.Opened{Port: p, Hints: p.hints}
	if w.driver.Cached {
		o.Cache = "memory"
	}
	return o, nil
}

// Levels implements line.Handle.
func (p *wirePort) Levels() (line.Lines, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.pass()
	switch {
	case p.lost:
		return 0, fmt.Errorf("%w; check the adapter and its plug", line.ErrLost)
	case p.w.driver.Cached && time.Since(p.since) < fills:
		return p.w.out, nil
	}
	return p.w.in | p.w.out, nil
}

// Counters implements line.Handle.
func (p *wirePort) Counters() (line.Counters, bool) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.pass()
	return p.w.counts, !p.w.driver.NoCounters && !p.lost
}

// Drive implements line.Handle.
func (p *wirePort) Drive(outputs line.Lines) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.lost {
		return line.ErrLost
	}
	p.w.drive(outputs&line.Outputs, true)
	return nil
}

// Close implements line.Handle.
func (p *wirePort) Close() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.lose()
}

// hint tells that a line has changed. One that was not taken yet says it all.
func (p *wirePort) hint(l line.Lines) {
	if p.mute || p.reads&l == 0 {
		return
	}
	select {
	case p.hints <- struct{}{}:
	default:
	}
}

// deafen ends the hints.
func (p *wirePort) deafen() {
	if !p.mute {
		p.mute = true
		close(p.hints)
	}
}

// lose ends the port for its user, and what was being sent.
func (p *wirePort) lose() {
	if !p.lost && len(p.w.cable.Kill.Set) == 0 {
		p.w.order(false)
	}
	p.lost = true
	p.deafen()
	if p.w.user == p {
		p.w.user = nil
	}
}
