package memrack

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Wire is a UPS at a serial port in memory, by a cable of the catalogue. It begins on
// mains, with its plug in. [Wire.Open] is how a master opens the port.
//
// It has no goroutine: what takes time is done by timers, and at the latest when
// somebody looks. What is random hangs on the seed and the operation's own numbers
// alone, so that a story of which steps are left out is else the same.
type Wire struct {
	cable  line.Cable
	driver Driver
	seed   uint64

	mu                    sync.Mutex // guards all that follows
	battery, low, replace bool       // what the UPS is
	bounced, glitched     bool       // its contacts say otherwise for a moment
	parted                line.Lines // the inputs whose pins are apart
	in                    line.Lines // the inputs when last looked at
	counts                line.Counters
	out                   line.Lines // the outputs
	moves                 []Output
	orders                []Order
	raised                bool // an open has raised both outputs in this life of the port
	gone                  bool // the adapter is out of the computer
	user                  *wirePort
	due                   []wireStep
	timer                 *time.Timer
}

// Driver is what the driver of a port can't do.
type Driver struct {
	NoHints    bool // it can't wait for a change
	NoCounters bool
	Cached     bool // it answers from a memory that starts empty
}

// Output is a change of a port's outputs.
type Output struct {
	At     time.Time
	Levels line.Lines
	// Program: who opened the port by [Wire.Open] set it; else the kernel raised it at
	// an open, it fell with the adapter or the computer, or somebody meddled.
	Program bool
}

// wireStep is something that happens to a wire later.
type wireStep struct {
	at   time.Time
	kind wireKind // a new operation takes the place of what is left of one of its kind
	do   func()
}

type wireKind int

const (
	pins wireKind = iota
	bounces
	glitches
)

// NewWire returns a UPS on a wire.
func NewWire(c line.Cable, d Driver, seed uint64) *Wire {
	w := &Wire{cable: c, driver: d, seed: seed}
	w.in = w.inputs()
	return w
}

// Set makes the UPS be on battery or mains, and its battery low or not.
func (w *Wire) Set(onBattery, low bool) { w.change(func() { w.battery, w.low = onBattery, low }) }

// Replace makes the UPS ask for a new battery or not.
func (w *Wire) Replace(on bool) { w.change(func() { w.replace = on }) }

// Bounce makes the contact that says on battery change n times within d before it
// says again what is true.
func (w *Wire) Bounce(d time.Duration, n int) {
	r := w.random(d, n)
	w.change(func() {
		w.forget(bounces)
		w.bounced = false
		for range n {
			w.later(bounces, time.Duration(r.Int64N(int64(max(1, d)))), func() { w.bounced = !w.bounced })
		}
		w.later(bounces, d, func() { w.bounced = false })
	})
}

// Glitch makes the UPS say low for d, whatever is true.
func (w *Wire) Glitch(d time.Duration) {
	w.change(func() {
		w.forget(glitches)
		w.glitched = true
		w.later(glitches, d, func() { w.glitched = false })
	})
}

// Pull pulls the plug out of the port, its pins parting in any order, gap apart; 0:
// all at once.
func (w *Wire) Pull(gap time.Duration) {
	w.pins(gap, func(l line.Lines) { w.parted |= l })
}

// Plug puts the plug back, pin after pin as [Wire.Pull].
func (w *Wire) Plug(gap time.Duration) {
	w.pins(gap, func(l line.Lines) { w.parted &^= l })
}

// pins moves the pins, the last of them together with those that mean nothing.
func (w *Wire) pins(gap time.Duration, move func(line.Lines)) {
	r := w.random(gap, 0)
	w.change(func() {
		w.forget(pins)
		var order []line.Lines
		if gap > 0 {
			for _, l := range w.counted() {
				if w.cable.Reads()&l != 0 {
					order = append(order, l)
				}
			}
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		for i, l := range order {
			w.later(pins, time.Duration(i)*gap, func() { move(l) })
		}
		w.later(pins, time.Duration(max(0, len(order)-1))*gap, func() { move(line.Inputs) })
	})
}

// Unplug takes the adapter out of the computer: reading and opening fail.
func (w *Wire) Unplug() {
	w.change(func() {
		w.gone = true
		w.dark()
		if w.user != nil {
			w.user.lose()
		}
	})
}

// Replug puts an adapter back: another port behind the same path.
func (w *Wire) Replug() {
	w.change(func() {
		if w.gone {
			w.gone, w.counts = false, line.Counters{}
		}
	})
}

// HostOff takes the computer's power: its outputs fall, and are raised by the first
// open after it.
func (w *Wire) HostOff() { w.change(w.dark) }

// Meddle is another program that has the port open too and sets its outputs.
func (w *Wire) Meddle(outputs line.Lines) {
	w.change(func() { w.drive(outputs&line.Outputs, false) })
}

// dark lets the outputs fall, which no program did. w.mu is held.
func (w *Wire) dark() {
	w.drive(0, false)
	w.raised = false
}

// Outputs returns every change of the outputs.
func (w *Wire) Outputs() []Output {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.moves)
}

// Strays returns the changes by which who has the port open took the outputs away from the cable's
// idle levels: what law 4 forbids.
func (w *Wire) Strays() []Output {
	return slices.DeleteFunc(w.Outputs(), func(o Output) bool { return !o.Program || o.Levels == w.cable.Idle() })
}

// Used reports whether somebody has the port open.
func (w *Wire) Used() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.user != nil
}

// Pulled is what a cable makes of a plug that is pulled out of the computer while the
// UPS is on mains.
type Pulled struct {
	// Ends is what it says with all pins apart; UNKNOWN: it is blind.
	Ends power.Status
	// Fail: on its way there, or in the end, it can say on battery; BatLow: and low.
	Fail, BatLow bool
}

// WhenPulled returns what the cable makes of it: an open wire is low. It is written
// apart from what decodes a cable.
func WhenPulled(c line.Cable) Pulled {
	p := Pulled{Ends: power.OK, Fail: c.OnBattery.Low}
	p.BatLow = p.Fail && c.LowBattery.Low
	switch {
	case c.Present.Wired() && !c.Present.Low, p.Fail && c.Bypass.Low:
		p.Ends = power.Unknown
	case p.BatLow:
		p.Ends = power.BatLow
	case p.Fail:
		p.Ends = power.Fail
	}
	return p
}

// random returns what an operation with these numbers draws from.
func (w *Wire) random(d time.Duration, n int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(d)+uint64(n))) //nolint:gosec // a story, not a secret
}

// change changes the wire and lets its port see that.
func (w *Wire) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass()
	f()
	w.look()
	w.pass() // what is due at once
}

// later has do done in d. w.mu is held.
func (w *Wire) later(kind wireKind, d time.Duration, do func()) {
	w.due = append(w.due, wireStep{time.Now().Add(d), kind, do})
	slices.SortStableFunc(w.due, func(a, b wireStep) int { return a.at.Compare(b.at) })
}

// forget drops what is left of an operation. w.mu is held.
func (w *Wire) forget(kind wireKind) {
	w.due = slices.DeleteFunc(w.due, func(s wireStep) bool { return s.kind == kind })
}

// pass does what is due and has the rest done in time. w.mu is held.
func (w *Wire) pass() {
	now := time.Now()
	for len(w.due) > 0 && !w.due[0].at.After(now) {
		at := w.due[0].at
		for len(w.due) > 0 && w.due[0].at.Equal(at) { // at once is one change
			w.due[0].do()
			w.due = w.due[1:]
		}
		w.look()
	}
	switch {
	case len(w.due) == 0:
		return
	case w.timer == nil:
		w.timer = time.AfterFunc(w.due[0].at.Sub(now), func() { w.change(func() {}) })
	default:
		w.timer.Reset(w.due[0].at.Sub(now))
	}
}

// inputs returns what the inputs are. w.mu is held.
func (w *Wire) inputs() line.Lines {
	c := w.cable
	if c.Idle()&^w.out != 0 {
		return 0 // no supply, no contact
	}
	var in line.Lines
	for _, s := range []struct {
		line.Term
		on bool
	}{{c.OnBattery, w.battery != w.bounced}, {c.LowBattery, w.low || w.glitched}, {c.Present, true}, {c.Replace, w.replace}, {c.Bypass, false}} {
		if s.on != s.Low {
			in |= s.Line
		}
	}
	return in &^ w.parted
}

// counted are the inputs in the order of the counters.
func (w *Wire) counted() [4]line.Lines {
	return [4]line.Lines{line.CTS, line.DSR, line.RI, line.DCD}
}

// look counts what changed on the inputs and wakes who waits. As on a 16550 the rise
// of RI is neither counted nor wakes anybody. w.mu is held.
func (w *Wire) look() {
	now := w.inputs()
	changed := now ^ w.in
	w.in = now
	if w.gone {
		return
	}
	for i, l := range w.counted() {
		if changed&l == 0 || l == line.RI && now&l != 0 {
			continue
		}
		w.counts[i]++
		if w.user != nil {
			w.user.hint(l)
		}
	}
}

// drive moves the outputs, which the UPS sees: a kill would begin or end here. w.mu is
// held.
func (w *Wire) drive(levels line.Lines, program bool) {
	if levels == w.out {
		return
	}
	w.out = levels
	w.moves = append(w.moves, Output{time.Now(), levels, program})
	if len(w.cable.Kill.Set) > 0 {
		w.order(program && w.kills(levels))
	}
	w.look()
}
