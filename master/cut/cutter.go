package cut

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// otherBlind is how long past its time a UPS that can't be seen is waited for: its
	// port may come back. The machine's own goes on without it then.
	otherBlind = 10 * time.Second
	// otherLimit is how long past its time it is waited for at all, whatever it does.
	otherLimit = 2 * time.Minute
	// slack is added to a kill's time: nobody's clock is exact, and a UPS that wants 5 s
	// ignores 4.99.
	slack = 250 * time.Millisecond
	// ownBlind is how long a machine that can't see its own UPS stays like this. A
	// battery that was to be cut is empty by then, so what still runs is on mains:
	// nobody stays down (law 7).
	ownBlind = time.Hour
)

// Kind is what is to be done at a port, or with the machine.
type Kind int

// What there is to do.
const (
	Assert  Kind = iota + 1 // set the outputs to Levels, which begins the kill
	Break                   // begin a break
	Send                    // send Data, as often as the wire takes it
	Release                 // end what was begun: break off, outputs at Levels
	Reboot                  // the machine: there is mains, or nothing left to wait for
	Halt                    // the machine: it is no UPS's business any more
)

// String returns the word for it.
func (k Kind) String() string {
	if k < Assert || k > Halt {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return [...]string{"assert", "break", "send", "release", "reboot", "halt"}[k-1]
}

// Action is one thing to do now.
type Action struct {
	Do     Kind
	UPS    int // index of the seal's UPS
	Levels line.Lines
	Data   []byte
	Why    string // for people; empty: it goes on as before
}

// Cutter decides when to cut what. It is pure and has one user.
type Cutter struct {
	units []unit
	end   power.Uptime // 0: none
	over  bool
}

// unit is one UPS.
type unit struct {
	Sealed
	index int
	look  look
	phase phase
	since power.Uptime // of the phase
	wired bool         // the kill is on the wire; meaningful while killing
}

type phase int

const (
	waiting phase = iota // nothing was begun, or the port was lost over it
	killing              // the kill is asserted
	obeying              // it was held long enough, the UPS may take its time
	done                 // another machine's UPS: it had its kill
)

// New returns a Cutter for a good seal. From end on it gives up: what was begun is
// released and the machine goes down, or up if there is mains. 0: it never gives up.
func New(s Seal, end power.Uptime) *Cutter {
	c := &Cutter{end: end}
	for i, u := range s.UPS {
		c.units = append(c.units, unit{Sealed: u, index: i})
	}
	return c
}

// Step takes one reading per UPS of the seal, in its order, and returns what to do,
// in this order. After [Reboot] or [Halt] there is nothing more to do.
func (c *Cutter) Step(now power.Uptime, rs []Reading) []Action {
	if c.over {
		return nil
	}
	var acts []Action
	for i := range c.units {
		u := &c.units[i]
		u.look.take(now, rs[i], u.phase == killing && !u.Cable.ReadsInKill())
		acts = append(acts, u.advance(now, rs[i].Open)...)
	}
	if c.end != 0 && !now.Before(c.end) {
		return append(acts, c.giveUp(now)...)
	}
	acts = append(acts, c.begin(now, false)...)
	if !c.othersThrough(now) {
		return acts
	}
	if on := c.ownMains(now); on != nil || !c.has(own) {
		return append(acts, c.leave(on)...)
	}
	if c.noBattery(now) {
		return append(acts, c.disbelieve()...)
	}
	return append(acts, c.begin(now, true)...)
}

// advance ends what has lasted long enough.
func (u *unit) advance(now power.Uptime, open bool) []Action {
	k, lasted := u.Cable.Kill, now.Sub(u.since)
	switch {
	case u.phase == killing && !open:
		u.become(waiting, now) // its outputs are idle again when it is back
	case u.phase == killing && u.look.mains(now):
		return []Action{u.release(now, fmt.Sprintf("UPS %s: mains are back; released", u.Name))}
	case u.phase == killing && lasted >= u.length():
		return []Action{u.release(now, fmt.Sprintf("UPS %s: told for %v; it may take %v", u.Name, u.length(), k.Delay))}
	case u.phase == killing && len(k.Send) > 0:
		return []Action{{Do: Send, UPS: u.index, Data: k.Send}}
	case u.phase == obeying && lasted >= k.Delay:
		u.become(waiting, now)
		if !u.Own {
			u.phase = done
		}
	}
	return nil
}

// length is how long the kill is held; of its two times one is 0.
func (u *unit) length() time.Duration { return u.Cable.Kill.Hold + u.Cable.Kill.Break + slack }

func (u *unit) become(p phase, now power.Uptime) { u.phase, u.since = p, now }

func (u *unit) release(now power.Uptime, why string) Action {
	u.become(obeying, now)
	return Action{Do: Release, UPS: u.index, Levels: u.Cable.Idle(), Why: why}
}

// may reports whether this UPS's own conditions for a kill are met: its nodes are
// off, and its lines say battery now (laws 4, 5).
func (u *unit) may(now power.Uptime) bool {
	return u.phase == waiting && u.Cable.Kill.Exists() && !now.Before(u.NotBefore) && u.look.battery(now)
}

// begin begins the kill of every UPS that may be cut now, of the machine's own or of the
// others.
func (c *Cutter) begin(now power.Uptime, own bool) (acts []Action) {
	for i := range c.units {
		if u := &c.units[i]; u.Own == own && u.may(now) {
			acts = append(acts, u.begin(now))
		}
	}
	return acts
}

// begin begins the kill.
func (u *unit) begin(now power.Uptime) Action {
	u.become(killing, now)
	u.wired = false
	a := Action{Do: Assert, UPS: u.index, Levels: u.Cable.Asserted(), Why: fmt.Sprintf("UPS %s: cutting the load", u.Name)}
	switch k := u.Cable.Kill; {
	case k.Break > 0:
		a.Do = Break
	case len(k.Send) > 0:
		a.Do, a.Data = Send, k.Send
	}
	return a
}

// Begun says that what begins a kill is on the wire, at the latest: its time counts from
// now, for a port may take up to a second for a call.
func (c *Cutter) Begun(ups int, now power.Uptime) {
	if u := &c.units[ups]; u.phase == killing && !u.wired {
		u.since, u.wired = now, true
	}
}

// through reports whether the machine's own UPS need not wait for this one.
func (u *unit) through(now power.Uptime) bool {
	switch {
	case u.phase == obeying || u.phase == done || !u.Cable.Kill.Exists():
		return true
	case u.phase == killing:
		return false
	case u.look.mains(now): // it is not cut at all
		return true
	}
	late := now.Sub(u.NotBefore)
	return late >= otherLimit || late >= otherBlind && u.look.blind(now) >= otherBlind
}

func (c *Cutter) othersThrough(now power.Uptime) bool {
	for i := range c.units {
		if u := &c.units[i]; !u.Own && !u.through(now) {
			return false
		}
	}
	return true
}

// has reports whether any UPS is like this.
func (c *Cutter) has(like func(unit) bool) bool { return slices.ContainsFunc(c.units, like) }

func own(u unit) bool { return u.Own }

// busy: the machine's own UPS was told, and may yet obey.
func busy(u unit) bool { return u.Own && (u.phase == killing || u.phase == obeying) }

// ownMains returns a UPS that the machine lives on and that is on mains.
func (c *Cutter) ownMains(now power.Uptime) *unit {
	for i := range c.units {
		if u := &c.units[i]; u.Own && u.look.mains(now) {
			return u
		}
	}
	return nil
}

// noBattery reports whether each of the machine's own UPSes has not been seen for long,
// or should be empty whatever it says: a cable that was pulled out reads as on battery.
func (c *Cutter) noBattery(now power.Uptime) bool {
	return !c.has(func(u unit) bool {
		return u.Own && u.look.blind(now) < ownBlind && (u.EmptyBy == 0 || now.Before(u.EmptyBy))
	})
}

// disbelieve ends it because no battery can have lasted so long. No kill is begun any more,
// and one that may yet be obeyed is waited for.
func (c *Cutter) disbelieve() []Action {
	if c.has(busy) {
		return nil
	}
	c.over = true
	return []Action{{Do: Reboot, Why: "this machine still runs, so it is on no battery: up again, whatever the lines say"}}
}

// leave ends it: a reboot for the mains, else a halt. A UPS that was told may obey
// until its delay is over, and would cut a machine that boots.
func (c *Cutter) leave(on *unit) []Action {
	switch {
	case on == nil:
		c.over = true
		return []Action{{Do: Halt, Why: "every UPS had its turn, and this machine lives on none of them"}}
	case c.has(busy):
		return nil
	}
	c.over = true
	return []Action{upAgain(on)}
}

// upAgain is a reboot because of a UPS that is on mains.
func upAgain(on *unit) Action {
	return Action{Do: Reboot, Why: fmt.Sprintf("UPS %s is on mains: up again instead of down", on.Name)}
}

// giveUp ends it because the time is over.
func (c *Cutter) giveUp(now power.Uptime) (acts []Action) {
	for i := range c.units {
		if u := &c.units[i]; u.phase == killing {
			acts = append(acts, u.release(now, fmt.Sprintf("UPS %s: no time left; released", u.Name)))
		}
	}
	c.over = true
	if on := c.ownMains(now); on != nil && !c.has(busy) {
		return append(acts, upAgain(on))
	}
	return append(acts, Action{Do: Halt, Why: "no time left"})
}

// Deadline returns when something happens by time alone; false: nothing does.
func (c *Cutter) Deadline(now power.Uptime) (power.Uptime, bool) {
	var at []power.Uptime
	if c.end != 0 {
		at = append(at, c.end)
	}
	for i := range c.units {
		u := &c.units[i]
		switch {
		case u.phase == killing:
			at = append(at, u.since.Add(u.length()))
		case u.phase == obeying:
			at = append(at, u.since.Add(u.Cable.Kill.Delay))
		case u.phase == waiting && now.Before(u.NotBefore):
			at = append(at, u.NotBefore)
		}
	}
	if c.over || len(at) == 0 {
		return 0, false
	}
	return slices.Min(at), true
}

// Says returns what is waited for, for people.
func (c *Cutter) Says(now power.Uptime) string {
	var parts []string
	for i := range c.units {
		parts = append(parts, fmt.Sprintf("UPS %s: %s", c.units[i].Name, c.units[i].says(now)))
	}
	return strings.Join(parts, "; ")
}

func (u *unit) says(now power.Uptime) string {
	switch {
	case u.phase == killing:
		return "being told to cut the load"
	case u.phase == obeying:
		return fmt.Sprintf("told, it may take %v", u.Cable.Kill.Delay)
	case u.phase == done:
		return "told"
	case u.look.is == mains:
		return "on mains"
	case u.look.is == nothing:
		return "can't be read"
	case !u.Cable.Kill.Exists():
		return "on battery, and its cable can't cut the load; waiting for mains"
	case now.Before(u.NotBefore):
		return "on battery; waiting until everybody on it is off"
	case u.Own:
		return "on battery; it comes last"
	}
	return "on battery"
}
