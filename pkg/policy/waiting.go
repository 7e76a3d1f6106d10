package policy

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// limit returns until when the node is waited for: wait_limit from its commit, or from
// its last word where it is lost, and never shorter than its stop time. open: neither
// has happened, its time is not up.
func (s Standing) limit(wait time.Duration) (until power.Uptime, open bool) {
	wait = max(wait, s.StopTime)
	switch {
	case s.Alive != 0 && !s.Attached:
		return s.aliveUntil(), false
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
