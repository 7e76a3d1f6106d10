package cut_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// tick is how often the shell reads.
const tick = 50 * time.Millisecond

// fakeUPS is a UPS on a cable: what it does when, and what its port reads.
type fakeUPS struct {
	cable    line.Cable
	mainsAt  func(power.Uptime) bool
	portLost func(power.Uptime) bool // nil: never
	out      line.Lines
	brk      bool
	sends    bool
}

func (u *fakeUPS) reading(now power.Uptime) cut.Reading {
	if u.portLost != nil && u.portLost(now) {
		u.out, u.brk, u.sends = u.cable.Idle(), false, false
		return cut.Reading{}
	}
	return cut.Reading{Open: true, Signals: u.cable.Decode(u.inputs(now) | u.out)}
}

// inputs are what its contacts make of the lines.
func (u *fakeUPS) inputs(now power.Uptime) line.Lines {
	var in line.Lines
	powered := true // the contacts live on the outputs that are held high
	for _, d := range u.cable.Drive {
		powered = powered && (d.Low || u.out&d.Line != 0)
	}
	for _, s := range []struct {
		line.Term
		on bool
	}{{u.cable.OnBattery, !u.mainsAt(now)}, {u.cable.LowBattery, false}, {u.cable.Present, true}, {u.cable.Bypass, false}} {
		if powered && s.Wired() && s.on != s.Low {
			in |= s.Line
		}
	}
	return in
}

// deed is an action, and when.
type deed struct {
	At power.Uptime
	cut.Action
}

func (d deed) String() string {
	return fmt.Sprintf("%7.2fs %s ups %d %s %x (%s)", time.Duration(d.At).Seconds(), d.Do, d.UPS, d.Levels, d.Data, d.Why)
}

// complainer is a test or a rapid one.
type complainer interface {
	Helper()
	Errorf(format string, args ...any)
}

// world plays a Cutter against its UPSes.
type world struct {
	t    complainer
	seal cut.Seal
	ups  []*fakeUPS
	now  power.Uptime
	c    *cut.Cutter
	told []deed // Send only the first time
}

// play runs until the end or the moment, whichever is first, and holds laws 4 and 5.
func (w *world) play(until power.Uptime) []deed {
	w.t.Helper()
	if w.c == nil {
		w.c = cut.New(w.seal, 0)
		for _, u := range w.ups {
			u.out = u.cable.Idle()
		}
	}
	for w.now.Before(until) {
		rs := make([]cut.Reading, len(w.ups))
		for i, u := range w.ups {
			rs[i] = u.reading(w.now)
		}
		for _, a := range w.c.Step(w.now, rs) {
			if w.do(a) {
				return w.told
			}
		}
		next := w.now.Add(tick)
		if at, ok := w.c.Deadline(w.now); ok && at.Before(next) && at.After(w.now) {
			next = at
		}
		w.now = next
	}
	return w.told
}

// do carries an action out and reports whether it was the last.
func (w *world) do(a cut.Action) bool {
	w.t.Helper()
	more := a.Do == cut.Send && w.ups[a.UPS].sends
	if !more {
		w.told = append(w.told, deed{w.now, a})
	}
	if a.Do == cut.Reboot || a.Do == cut.Halt {
		for i, u := range w.ups {
			if u.out != u.cable.Idle() || u.brk || u.sends {
				w.t.Errorf("law 4: UPS %d is left with %s, break %v", i, u.out, u.brk)
			}
		}
		return true
	}
	u, s := w.ups[a.UPS], w.seal.UPS[a.UPS]
	switch {
	case a.Do == cut.Release:
		u.out, u.brk, u.sends = a.Levels, false, false
	case !more && u.mainsAt(w.now):
		w.t.Errorf("law 4: %s begun on mains at %v", a.Do, time.Duration(w.now))
	case !more && w.now.Before(s.NotBefore):
		w.t.Errorf("law 5: %s %v before its time", a.Do, s.NotBefore.Sub(w.now))
	}
	switch a.Do {
	case cut.Assert:
		u.out = a.Levels
	case cut.Break:
		u.brk = true
	case cut.Send:
		u.sends = true
	}
	return false
}

// one is a world of one UPS, the machine's own, that may be cut from 10 s on.
func one(t testing.TB, c line.Cable, mainsAt func(power.Uptime) bool) *world {
	return &world{t: t, ups: []*fakeUPS{{cable: c, mainsAt: mainsAt}}, seal: cut.Seal{
		Boot: "b1", Expires: at(1000), UPS: []cut.Sealed{{Name: "main", Outage: "o1", Port: "/dev/ttyS0", Cable: c, NotBefore: at(10), Own: true}},
	}}
}

// always and never are mains.
func never(power.Uptime) bool  { return false }
func always(power.Uptime) bool { return true }

// from is mains that come back then.
func from(s float64) func(power.Uptime) bool {
	return func(now power.Uptime) bool { return !now.Before(at(s)) }
}

// killers are the catalogue's cables that can cut the load.
func killers(t testing.TB) []line.Cable {
	t.Helper()
	all := slices.DeleteFunc(line.Catalogue(), func(c line.Cable) bool { return !c.Kill.Exists() })
	if len(all) < 20 {
		t.Fatalf("only %d cables have a kill", len(all))
	}
	return all
}
