package power

import "time"

// Status is what one UPS is believed to be doing. The numbers cross the wire and
// lie on disk: they are written out and never change.
type Status uint8

// The statuses, from the zero value, which means blind, to the worst.
const (
	Unknown Status = 0 // blind: nobody can say
	OK      Status = 1 // on mains
	Fail    Status = 2 // on battery
	BatLow  Status = 3 // on battery, and the battery is nearly empty
)

// String returns the status's name as people, hooks and the wire's JSON know it.
func (s Status) String() string {
	switch s {
	case OK:
		return "OK"
	case Fail:
		return "FAIL"
	case BatLow:
		return "BATLOW"
	default:
		return "UNKNOWN"
	}
}

// OnBattery reports whether s is known and not on mains.
func (s Status) OnBattery() bool { return s == Fail || s == BatLow }

// State is the full present state of one UPS. State travels, never an edge: a
// lost, doubled or late one does no harm, because the next says everything again.
// Moments are this machine's own [Uptime]; package api turns them into ages for
// the wire and back.
type State struct {
	// Status is what is believed now.
	Status Status
	// Since is when Status began, by the line and not by when it was believed.
	Since Uptime
	// Last is the last Status that was not Unknown, and Status itself when not
	// blind. Unknown means that nothing was ever known.
	Last Status
	// Outage is the id of the present outage, which lasts from the first FAIL to
	// the OK that ends it, blind spells included. Empty when there is none.
	Outage string
	// OutageSince is the outage's first FAIL. Meaningless when Outage is empty.
	OutageSince Uptime
	// Debt is the battery seconds spent and not yet recharged: at OutageSince
	// during an outage, else as of now.
	Debt time.Duration
	// Runtime is how long a full battery is expected to last; 0 means unknown.
	Runtime time.Duration
	// HasLow says whether this cable can say "battery low" at all.
	HasLow bool
	// WeakBattery says that the UPS reported a low or worn battery while on mains.
	WeakBattery bool
	// Drill marks a pretended outage. It can't halt a machine.
	Drill bool
	// Sim marks a state made by an operator on a "sim" port. It can't halt a
	// machine unless that machine's owner set obey_sim.
	Sim bool
	// Reason says why Status is Unknown, for people. Empty otherwise.
	Reason string
}

// Known returns the status that decisions rest on: Status, or Last while blind.
func (s State) Known() Status {
	if s.Status == Unknown {
		return s.Last
	}
	return s.Status
}
