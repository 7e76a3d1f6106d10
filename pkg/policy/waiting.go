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
	// Seen: its master saw its link end after the commit, and not its own end.
	Seen bool
	// Heard is its last word.
	Heard power.Uptime
	// Goes is when it goes by its last word; meaningful if Timed.
	Goes  power.Uptime
	Timed bool
	// StopTime is how long it takes to be off once asked.
	StopTime time.Duration
}

// offMargin is kept between the moment at which a node that nobody sees should be off
// and the moment at which it counts as off.
const offMargin = 30 * time.Second

// Off reports whether a node counts as off: its link ended after its commit, or its own
// deadline has long passed without a word, or it was not there when the outage began.
// It is a guess; what can be probed will be known better.
func (s Standing) Off(now power.Uptime) bool {
	switch {
	case s.Attached:
		return false
	case !s.Present:
		return true
	case s.committed():
		return s.Seen || now.After(s.Committed.Add(s.StopTime+offMargin))
	default:
		return s.Timed && now.After(s.Goes.Add(s.StopTime+offMargin))
	}
}

func (s Standing) committed() bool { return s.Phase == Committed || s.Phase == Done }

// limit returns until when the node is waited for: wait_limit from its commit, or from
// its last word where it is lost, and never shorter than its stop time. open: neither
// has happened, its time is not up.
func (s Standing) limit(wait time.Duration) (until power.Uptime, open bool) {
	wait = max(wait, s.StopTime)
	switch {
	case s.committed():
		return s.Committed.Add(wait), false
	case !s.Attached:
		return s.Heard.Add(wait), false
	default:
		return 0, true
	}
}

// StillUp returns who of those that a node waits for is still up, and until when the
// slowest may be waited for; wait is the node's wait_limit, depth its [Waits.Depth].
func StillUp(now power.Uptime, wait time.Duration, depth int, on []Standing) Awaited {
	a := Awaited{Depth: depth}
	for _, s := range on {
		if s.Off(now) {
			continue
		}
		a.Up = append(a.Up, s.Name)
		until, open := s.limit(wait)
		a.Open = a.Open || open
		if !open {
			a.Limit = max(a.Limit, until, 1) // 0 would be none
		}
	}
	return a
}
