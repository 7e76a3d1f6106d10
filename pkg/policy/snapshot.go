package policy

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// Snapshot is what a machine knows that its next process on the same boot needs.
// The zero value is a machine that knows nothing.
type Snapshot struct {
	Phase     Phase         `json:"phase"`
	Since     power.Uptime  `json:"since"`
	Reason    string        `json:"reason"`
	Known     power.Status  `json:"known"`
	State     power.State   `json:"state"`
	Link      power.Link    `json:"link"`
	Outage    bool          `json:"outage"`
	OutageAt  power.Uptime  `json:"outage_at"`
	FirstFail power.Uptime  `json:"first_fail"`
	Allowance time.Duration `json:"allowance"`
	Deadline  clock         `json:"deadline"`
	Low       bool          `json:"low"`
	Away      clock         `json:"away"`
	Anew      clock         `json:"anew"`
	Silent    clock         `json:"silent"`
	Blind     clock         `json:"blind"`
	Order     Order         `json:"order"`
	OrderAt   power.Uptime  `json:"order_at"`
	Awaited   Awaited       `json:"awaited"`
	WaitEnd   clock         `json:"wait_end"`
	WaitLow   clock         `json:"wait_low"`
	ByOrder   bool          `json:"by_order"`
}

// Snapshot returns what m knows, as of the last step.
func (m *Machine) Snapshot() Snapshot {
	return Snapshot{
		Phase: m.phase, Since: m.since, Reason: m.reason, Known: m.known, State: m.power.State, Link: m.power.Link,
		Outage: m.outage, OutageAt: m.outageAt, FirstFail: m.firstFail, Allowance: m.allowance,
		Deadline: m.deadline, Low: m.low, Away: m.away, Anew: m.anew, Silent: m.silent, Blind: m.blind,
		Order: m.order, OrderAt: m.orderAt,
		Awaited: m.awaited, WaitEnd: m.waitEnd, WaitLow: m.waitLow,
		ByOrder: m.byOrder,
	}
}

// Restore makes a new m go on where s was, with the same deadlines, link or no
// link, and returns what to do about it. The snapshot must be of this boot; the
// caller checks.
//
// The link is as after a goodbye: a restart is one, so this node may be out of
// contact for 2 minutes, counted from the first of several restarts. A node that
// had committed commits again, hooks included, if what made it go still stands:
// whether the system had been asked is not known, and asking twice does no harm.
// The power may have come back while nobody listened, so a countdown that ended in
// between waits for the master's word, for 5 s at most; not after BATLOW.
// One that was DONE stays so: the system accepted, and this is still its boot.
func (m *Machine) Restore(now power.Uptime, s Snapshot) []Action {
	m.begin(now)
	m.power = Power{State: s.State}
	m.shown, m.reason = m.power, s.Reason
	m.known, m.outage, m.outageAt, m.firstFail = s.Known, s.Outage, s.OutageAt, s.FirstFail
	m.allowance, m.deadline, m.low = s.Allowance, s.Deadline, s.Low
	m.silent, m.blind, m.order, m.orderAt = s.Silent, s.Blind, s.Order, s.OrderAt
	m.noteAwaited(s.Awaited)
	m.waitEnd, m.waitLow, m.byOrder = s.WaitEnd, s.WaitLow, s.ByOrder
	m.away, m.anew = at(m.now), s.Anew // of several restarts the first counts
	if !m.anew.Set {
		m.anew = at(m.now.Add(firstWord))
	}
	if s.Link != power.LinkUp {
		m.away = s.Away
	}
	switch s.Phase {
	case Held, Grace, Waiting, Done:
		m.resume(s.Phase, s.Reason)
	case Committed:
		if m.wanted() || m.shutdownStands() {
			m.beginAttempts()
			m.resume(Committed, s.Reason)
			m.do(Hooks{EventCommit})
		}
	case Idle, PhaseUnknown:
	default:
		m.impossible("the state file names a phase that does not exist")
	}
	if m.phase == s.Phase {
		m.since = s.Since
	}
	m.run()
	return m.out
}

// resume sets the phase in which the process before this one was.
func (m *Machine) resume(p Phase, reason string) {
	m.phase, m.reason = p, reason
	next := m.target()
	m.do(Moved{
		From: Idle, To: p, Reason: "after a restart: " + reason,
		Deadline: next.At, Timed: next.Set,
	})
}
