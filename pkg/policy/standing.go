package policy

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// Standing is how a node that others wait for stands, as its master knows it.
type Standing struct {
	Name string
	// Attached: it is heard now. Present: it is, or it was when the outage began or
	// since; outside an outage the same as Attached.
	Attached, Present bool
	// Phase is its last, Committed when it asked for its power-off, where it has.
	Phase     Phase
	Committed power.Uptime
	// Heard is its last word.
	Heard power.Uptime
	// Goes is when it goes by its last word; meaningful if Timed.
	Goes  power.Uptime
	Timed bool
	// StopTime is how long it takes to be off once asked.
	StopTime time.Duration

	// Answered is when it last answered a probe; 0: it never did since it attached, and
	// its silence says nothing.
	Answered power.Uptime
	// Silent is since when it was probed in vain; 0: its last probe was answered, or
	// there was none, or nobody could ask.
	Silent power.Uptime
	// Alive is since when it answers although it had counted as off: it boots; 0: it
	// doesn't.
	Alive power.Uptime
	// Cut is when its master was up again after its own machine had gone to cut the load
	// that this node lives on; 0: not on this boot, or not that load.
	Cut power.Uptime
}

// OffMargin is for how long a node that was seen to answer must be silent to count as
// off: its network stops before its guests and disks do. It is kept as well between the
// moment at which a node that nobody can probe should be off and the moment at which it
// counts as off.
const OffMargin = 30 * time.Second

// OffState is how a node is known to be off. The numbers cross the wire.
type OffState uint8

// The ways to be off.
const (
	OffNot     OffState = 0 // it is up, or nobody can say that it isn't
	OffProbed  OffState = 1 // it has gone silent to probes that it answered before
	OffAssumed OffState = 2 // nobody can probe it, and it has had all the time it takes
	OffCut     OffState = 3 // its power was to be cut, and it has not been heard or seen since
	OffAbsent  OffState = 4 // it was not there in this outage
)

// answerStays is how long an answer counts as present: some probes.
const answerStays = 10 * time.Second

// How returns how a machine is known to be off, in a word; empty: it is up, nobody can say,
// or it was not there.
func (o OffState) How() string {
	switch o {
	case OffProbed:
		return "probed"
	case OffAssumed:
		return "assumed"
	case OffCut:
		return "cut"
	default:
		return ""
	}
}

// String returns the state as people know it.
func (o OffState) String() string {
	switch {
	case o == OffAbsent:
		return "not there"
	case o.How() == "":
		return ""
	default:
		return "off (" + o.How() + ")"
	}
}

// Off reports whether a node counts as off.
func (s Standing) Off(now power.Uptime) bool { return s.OffAs(now) != OffNot }

// OffAs returns how a node is known to be off. Its link's end proves nothing: that comes
// early in a shutdown.
func (s Standing) OffAs(now power.Uptime) OffState {
	by, timed := s.OffBy()
	switch {
	case s.Attached || s.Alive != 0 && now.Before(s.aliveUntil()):
		return OffNot
	case !s.Present:
		return OffAbsent
	case s.answers(now):
		return OffNot
	case s.committed() && s.Answered != 0 && s.Silent != 0:
		if now.Before(s.silentBy()) {
			return OffNot
		}
		return OffProbed
	case timed && now.After(by) && s.Cut != 0 && !max(s.Heard, s.Answered, s.Committed).After(s.Cut):
		return OffCut
	case timed && now.After(by):
		return OffAssumed
	default:
		return OffNot
	}
}

// OffBy returns when a node that nobody can probe counts as off: when it has been
// committed, or should have gone by its last word, for its stop time and [OffMargin].
// Of one that is heard and has not committed, or has no deadline, nobody can say: not ok.
func (s Standing) OffBy() (by power.Uptime, ok bool) {
	takes := s.StopTime + OffMargin
	switch {
	case s.committed():
		return s.Committed.Add(takes), true
	case s.Timed && !s.Attached:
		return s.Goes.Add(takes), true
	default:
		return 0, false
	}
}

// silentBy returns when its silence will have lasted. One that went silent before it
// committed was out of reach, not off.
func (s Standing) silentBy() power.Uptime { return max(s.Silent, s.Committed).Add(OffMargin) }

// aliveUntil returns until when one that boots counts as up: in that time it attaches,
// or could be down again.
func (s Standing) aliveUntil() power.Uptime { return s.Alive.Add(s.StopTime) }

// answers reports whether it answers probes now.
func (s Standing) answers(now power.Uptime) bool {
	return s.Answered != 0 && s.Silent == 0 && now.Before(s.Answered.Add(answerStays))
}

func (s Standing) committed() bool { return s.Phase == Committed || s.Phase == Done }
