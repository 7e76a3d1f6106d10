//go:build linux && (amd64 || arm64)

package vtty

import (
	"bytes"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// More kinds of events, of a port with a [UPS].
const (
	LoadOff Kind = "load off" // the UPS cut the load
	LoadOn  Kind = "load on"  // it fed it again
)

// End is an end of the cable.
type End int

// The ends of a cable.
const (
	AtComputer End = iota + 1 // the plug at the port
	AtUPS                     // the plug at the UPS
)

// sendGap is how long a kill by data may fall silent and still count as going on.
const sendGap = time.Second

// UPS is a UPS behind a port, wired to it by a cable. It starts on mains with a
// full battery. Its contacts live on the outputs that the cable drives high, if it
// drives any: while one of those is low, every input reads low. Its load goes off
// when the cable's kill condition has held for its time while on battery, and on
// again when the mains are back.
type UPS struct {
	t     *TTY
	cable line.Cable
	hold  time.Duration // of the kill; for a break its length

	// All below: t.mu.
	battery, low, replace, bypass bool

	load    bool
	end     End        // where the cable is out
	parted  line.Lines // the inputs that are out
	kill    *time.Timer
	since   time.Time   // when the present kill began
	cutting *time.Timer // the kill is accepted, the UPS takes its Delay
	sending time.Time   // when the present kill by data began
	heard   time.Time   // when it was last heard
}

// NewUPS wires a UPS to the port by the cable.
func NewUPS(t *TTY, c line.Cable) *UPS {
	u := &UPS{t: t, cable: c, hold: c.Kill.Hold, load: true}
	if c.Kill.Break > 0 {
		u.hold = c.Kill.Break
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peer = u
	u.look()
	return u
}

// SetHold makes the UPS obey a kill after d in place of the time its cable names.
// Zero is a UPS that obeys the shortest pulse, as the Back-UPS 600 does.
func (u *UPS) SetHold(d time.Duration) {
	u.t.mu.Lock()
	defer u.t.mu.Unlock()
	u.hold = d
}

// Mains makes the mains fail or return.
func (u *UPS) Mains(on bool) {
	u.set(func() {
		u.battery = !on
		if on && !u.load && u.cutting == nil {
			u.load = true
			u.t.record(Event{Kind: LoadOn}, u.t.out)
		}
	})
}

// Low makes the battery low or not.
func (u *UPS) Low(on bool) { u.set(func() { u.low = on }) }

// Replace makes the UPS ask for a new battery or not.
func (u *UPS) Replace(on bool) { u.set(func() { u.replace = on }) }

// Bypass makes the UPS feed the load past itself or not.
func (u *UPS) Bypass(on bool) { u.set(func() { u.bypass = on }) }

// Pull pulls one end of the cable out, and returns when it is out. Its inputs part
// one after the other, gap apart, in the given order or else in that of their pins;
// without a gap all at once. Pulled at the computer every input reads low; pulled at
// the UPS, what the cable's loops make of it, or where they aren't known no contact
// is closed any more and the inputs read as on mains.
func (u *UPS) Pull(end End, gap time.Duration, order ...line.Lines) {
	u.set(func() { u.end = end })
	u.pins(gap, order, func(l line.Lines) { u.parted |= l })
}

// Plug puts the cable back, pin after pin as [UPS.Pull] does.
func (u *UPS) Plug(gap time.Duration, order ...line.Lines) {
	u.pins(gap, order, func(l line.Lines) { u.parted &^= l })
}

// LoadOn reports whether the UPS feeds its load.
func (u *UPS) LoadOn() bool {
	u.t.mu.Lock()
	defer u.t.mu.Unlock()
	return u.load
}

// Killing reports whether outputs at the levels l tell a UPS on this cable to cut
// its load.
func Killing(c line.Cable, l line.Lines) bool {
	return len(c.Kill.Set) > 0 && !slices.ContainsFunc(c.Kill.Set, func(t line.Term) bool { return !t.In(l) })
}

// set changes the UPS and lets it act on that.
func (u *UPS) set(change func()) {
	u.t.mu.Lock()
	defer u.t.mu.Unlock()
	change()
	u.look()
}

// pins moves the pins, the last of them together with all that is left.
func (u *UPS) pins(gap time.Duration, order []line.Lines, move func(line.Lines)) {
	if len(order) == 0 {
		order = []line.Lines{line.DCD, line.DSR, line.CTS, line.RI} // pins 1, 6, 8, 9 of a DB9
	}
	if gap > 0 {
		for _, l := range order {
			if u.wired()&l == 0 {
				continue
			}
			u.set(func() { move(l) })
			select {
			case <-time.After(gap):
			case <-u.t.done:
			}
		}
	}
	u.set(func() { move(line.Inputs) })
}

// terms returns the cable's signals with what the UPS says on each.
func (u *UPS) terms() []says {
	c := &u.cable
	return []says{
		{c.OnBattery, u.battery}, {c.LowBattery, u.low}, {c.Present, true},
		{c.Replace, u.replace}, {c.Bypass, u.bypass},
	}
}

type says struct {
	line.Term
	on bool
}

// wired returns the inputs that this cable has.
func (u *UPS) wired() line.Lines {
	var l line.Lines
	for _, s := range u.terms() {
		l |= s.Line
	}
	return l
}

// wires returns what the inputs read. t.mu is held.
func (u *UPS) wires() line.Lines {
	for _, d := range u.cable.Drive {
		if !d.Low && u.t.out&d.Line == 0 {
			return 0 // no supply, no contact
		}
	}
	var in, rest line.Lines
	for _, s := range u.terms() {
		if s.on != s.Low {
			in |= s.Line
		}
		if s.Low && s.Term != u.cable.Present {
			rest |= s.Line
		}
	}
	switch r := u.cable.PulledAtUPS(); {
	case u.end == AtComputer:
		rest = 0
	case r.Known:
		rest = r.Lines
	}
	return in&^u.parted | rest&u.parted
}

// look is called whenever anything changed that the UPS can see or that it is.
// t.mu is held.
func (u *UPS) look() {
	u.t.setInputs(u.wires())
	asserted := u.battery && u.parted == 0 &&
		(Killing(u.cable, u.t.out) && u.t.pty != nil || u.cable.Kill.Break > 0 && u.t.brk)
	switch {
	case asserted && u.hold == 0:
		u.obey()
	case asserted && u.kill == nil:
		u.since = time.Now()
		u.kill = u.after(u.hold, func() { u.kill = nil; u.obey() })
	case !asserted && u.kill != nil:
		u.kill.Stop()
		u.kill = nil
		if time.Since(u.since) >= u.hold { // the timer was late
			u.obey()
		}
	}
}

// hear is called with what was sent to the UPS. t.mu is held.
func (u *UPS) hear(data []byte) {
	k := u.cable.Kill.Send
	if len(k) == 0 || !bytes.Contains(data, k) || !u.battery || u.parted != 0 {
		return
	}
	now := time.Now()
	if now.Sub(u.heard) > sendGap {
		u.sending = now
	}
	u.heard = now
	if now.Sub(u.sending) >= u.hold {
		u.obey()
	}
}

// obey begins to cut the load. From here on nothing stops it, not even the mains.
// t.mu is held.
func (u *UPS) obey() {
	if !u.load || u.cutting != nil {
		return
	}
	cut := func() {
		u.load = false
		u.t.record(Event{Kind: LoadOff}, u.t.out)
		if !u.battery {
			u.load = true
			u.t.record(Event{Kind: LoadOn}, u.t.out)
		}
	}
	if u.cable.Kill.Delay == 0 {
		cut()
		return
	}
	u.cutting = u.after(u.cable.Kill.Delay, func() { u.cutting = nil; cut() })
}

// after runs f, which finds t.mu held, in d unless its timer is stopped before.
func (u *UPS) after(d time.Duration, f func()) *time.Timer {
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		u.t.mu.Lock()
		defer u.t.mu.Unlock()
		if timer == u.kill || timer == u.cutting { // else stopped while it waited for the lock
			f()
		}
	})
	return timer
}

// stop stops the UPS's timers. t.mu is held.
func (u *UPS) stop() {
	for _, timer := range []*time.Timer{u.kill, u.cutting} {
		if timer != nil {
			timer.Stop()
		}
	}
	u.kill, u.cutting = nil, nil
}
