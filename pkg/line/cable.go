package line

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// Kill is what makes the UPS cut the load. At most one of Set, Break and Send is
// used; all empty: this cable can't cut the load.
type Kill struct {
	Set   []Term        // output levels to assert
	Break time.Duration // break on TxD for this long
	Send  []byte        // bytes to transmit, again and again for Hold
	Hold  time.Duration // how long to assert Set or to go on with Send
	Delay time.Duration // how long the UPS may take to obey
}

// DefaultKillDelay is how long a UPS may take to obey when its cable doesn't say.
// The slowest seen took 50 to 90 s (NUT issue 83).
const DefaultKillDelay = 120 * time.Second

// Exists reports whether there is a way to cut the load at all.
func (k Kill) Exists() bool { return len(k.Set) > 0 || k.Break > 0 || len(k.Send) > 0 }

// Cable says which line means what, with which polarity, which outputs are held
// from open on, and what cuts the load. Data, never code.
type Cable struct {
	Name    string
	Aliases []string // every other row of the sources that means the same thing
	Title   string
	Source  string
	Notes   string

	OnBattery  Term
	LowBattery Term
	Present    Term
	Replace    Term
	Bypass     Term
	Drive      []Term // output levels held from open on; an output not named is low
	// Loops are the inputs that the cable itself ties or pulls to a level from
	// the computer's own outputs, so that they stay while its UPS end is out.
	// Nil: not known. Empty: none.
	Loops []Term
	Kill  Kill
}

// Idle returns the output levels held from open on: those that Drive wants high.
func (c Cable) Idle() Lines { return high(c.Drive) & Outputs }

// Reads returns the inputs that mean something on this cable.
func (c Cable) Reads() Lines {
	return c.OnBattery.Line | c.LowBattery.Line | c.Present.Line | c.Replace.Line | c.Bypass.Line
}

// HasLow reports whether the cable can say "battery low" at all.
func (c Cable) HasLow() bool { return c.LowBattery.Wired() }

// Parkable reports whether the port may be put at speed B0, at which the kernel
// lets DTR and RTS fall until they are set again. It may not if some way of
// lowering the outputs that stand high, one at a time or together, is what cuts
// the load.
func (c Cable) Parkable() bool {
	// Lowering can reach every subset of Idle. One of them meets Kill.Set exactly
	// if all that the kill wants high stands high already.
	return len(c.Kill.Set) == 0 || high(c.Kill.Set)&^c.Idle() != 0
}

// Decode returns what the UPS says with its inputs at these levels. It is blind
// if the levels can't come from a UPS that is plugged in. Pulses is left at 0.
func (c Cable) Decode(in Lines) power.Signals {
	if c.Present.Wired() && !c.Present.In(in) {
		return power.Signals{Blind: true, Reason: "no plug: the cable says so on " + c.Present.Line.String() + "; check both ends of it"}
	}
	s := power.Signals{
		OnBattery: c.OnBattery.In(in),
		Low:       c.LowBattery.In(in),
		Replace:   c.Replace.In(in),
		Bypass:    c.Bypass.In(in),
	}
	// A load that is fed past the UPS is not on its battery, so with both wires in
	// place one of them is always high. All low together is a pulled plug.
	if s.OnBattery && s.Bypass && in&c.Reads() == 0 {
		return power.Signals{Blind: true, Reason: "all lines low, which says on battery and bypass at once; check both ends of the cable"}
	}
	return s
}

// PulledReadsLow reports whether a cable that is being pulled out can read as on
// battery and low, at least while its pins part one after the other: both then
// mean something while low, whatever else the cable has against it.
func (c Cable) PulledReadsLow() bool {
	return c.OnBattery.Wired() && c.OnBattery.Low && c.LowBattery.Wired() && c.LowBattery.Low
}

// Reading is what a cable reads as in some situation, for people.
type Reading struct {
	Known   bool // false: it depends on parts of the cable that nobody wrote down
	Lines   Lines
	Signals power.Signals
}

// PulledAtComputer returns what the port reads as with nothing plugged in: a
// receiver takes an open wire as low (TIA-232-F, 2.5, fail-safe).
func (c Cable) PulledAtComputer() Reading {
	return Reading{Known: true, Signals: c.Decode(0)}
}

// PulledAtUPS returns what the port reads as with the cable still plugged into
// the computer. Known is false where the cable's own loops are not on record.
func (c Cable) PulledAtUPS() Reading {
	if c.Loops == nil {
		return Reading{}
	}
	in := high(c.Loops)
	return Reading{Known: true, Lines: in, Signals: c.Decode(in)}
}

// Silent reports whether the reading looks like mains, so that nobody can see
// that there is no UPS behind it.
func (r Reading) Silent() bool { return r.Known && !r.Signals.Blind && !r.Signals.OnBattery }

// String returns the reading in words.
func (r Reading) String() string {
	s := r.Signals
	switch {
	case !r.Known:
		return "not known: it depends on pull-ups inside the cable"
	case s.Blind:
		return "unknown, which is told: " + s.Reason
	case s.OnBattery && s.Low:
		return "on battery and battery low"
	case s.OnBattery:
		return "on battery"
	case s.Low:
		return "on mains with a weak battery: an outage can't be seen"
	default:
		return "on mains: nothing can be seen, not even that the cable is out"
	}
}

// clone returns a copy that shares no memory with c.
func (c Cable) clone() Cable {
	c.Aliases = slices.Clone(c.Aliases)
	c.Drive = slices.Clone(c.Drive)
	c.Loops = slices.Clone(c.Loops)
	c.Kill.Set = slices.Clone(c.Kill.Set)
	c.Kill.Send = slices.Clone(c.Kill.Send)
	return c
}
