package policy

import (
	"slices"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// playedUPS is a UPS of a plan.
type playedUPS struct {
	PlanUPS
	state power.State // in the outage, its status aside
	fails bool
	low   clock // when it says so
	end   clock // when its battery is expected to be empty
	said  PlanKind
	cut   clock
	// blocked are those because of whom it is not cut.
	blocked []string
	saidCut bool
}

// playedNode is a node of a plan.
type playedNode struct {
	PlanNode
	m         *Machine // nil: it takes no part
	why       string   // it takes none, and has not gone either
	feeds     *power.Feeds
	on        []*playedNode // whom it waits for
	stands    Standing      // as those see it who wait for it
	told      Awaited
	wanted    Order
	phase     Phase // the last that was told
	gone      bool  // it was off from the beginning
	committed clock
	off       clock // at the latest
	saidOff   bool
	lost      bool // told that it lost its power
}

// newUPS returns how a UPS goes on from now; going: there is an outage.
func (p *planner) newUPS(u PlanUPS, going bool) *playedUPS {
	out := &playedUPS{PlanUPS: u, state: u.State}
	out.fails = len(p.in.Fails) == 0 || slices.Contains(p.in.Fails, u.Name)
	if going {
		out.fails = u.State.Known().OnBattery()
	}
	if !out.fails {
		return out
	}
	s := &out.state
	s.Reason = ""
	if s.Outage == "" {
		s.Outage, s.OutageSince, s.Since = "plan", p.now, p.now
	}
	if s.Runtime > 0 {
		// What should be empty by now is so at any moment, unless it would say so before.
		left := power.Uptime(0)
		if going && s.HasLow {
			left = power.Uptime(u.Reserve)
		}
		out.end = at(max(p.now+left, s.OutageSince.Add(max(0, s.Runtime-s.Debt))))
		if s.HasLow {
			out.low = at(max(p.now, out.end.At.Add(-u.Reserve)))
		}
	}
	switch {
	case s.Known() == power.BatLow:
		out.setLow(s.Since)
	case p.in.LowAtOnce && s.HasLow:
		out.setLow(p.now)
	}
	return out
}

// setLow says when the battery was low; what its UPS says outranks what was reckoned.
func (u *playedUPS) setLow(since power.Uptime) {
	u.low, u.end = at(since), at(since.Add(u.Reserve))
}

// at returns what the UPS says at that moment.
func (u *playedUPS) at(now power.Uptime) power.State {
	s := u.state
	if !u.fails {
		return s
	}
	s.Status = power.Fail
	if u.low.passed(now) {
		s.Status, s.Since = power.BatLow, u.low.At
	}
	s.Last = s.Status
	return s
}

// enter makes a node go on from now, or says why it takes no part.
func (p *planner) enter(n *playedNode) {
	s := n.Standing
	n.Config.StopTime = s.StopTime
	n.feeds = power.NewFeeds(n.Need, n.Feeds, n.Config.ObeySim)
	switch {
	case s.committed() && !n.Config.NeverGoes:
		n.phase, n.committed = Committed, at(s.Committed)
		n.off = at(max(p.now, s.Committed.Add(s.StopTime)))
		if n.gone = s.Off(p.now); n.gone {
			n.off = at(p.now)
		}
	case !s.Attached && !s.Present:
		n.why = "has no contact and would hear nothing"
	case !n.Spoken:
		n.why = "has not said how it decides (an older agent)"
	case !p.onOurs(n.PlanNode):
		n.why = "lives on other masters' UPSes only"
	default:
		n.m = NewMachine(n.Config)
		p.resume(n)
	}
}

// resume makes the machine go on where its node says that it is. Of all other phases
// what is to be known follows from the state and the order.
func (p *planner) resume(n *playedNode) {
	s := n.Standing
	if s.Phase != Grace && s.Phase != Waiting {
		return
	}
	state, _ := p.power(n)
	from := Snapshot{
		Phase: s.Phase, Since: n.Since, Known: power.Fail, State: state, Link: power.LinkUp,
		Outage: true, OutageAt: n.Since, FirstFail: state.OutageSince,
	}
	switch {
	case s.Phase == Waiting:
		from.Deadline, from.WaitEnd = at(n.Since), at(n.Since.Add(n.Config.WaitLimit))
		from.Awaited = p.awaited(n)
	case s.Timed:
		from.Deadline = at(s.Goes)
	}
	n.m.Restore(p.now, from)
	n.phase = s.Phase
}

// onOurs reports whether a node lives on any UPS of this rack.
func (p *planner) onOurs(n PlanNode) bool {
	return len(n.Feeds) == 0 || slices.ContainsFunc(p.ups, func(u *playedUPS) bool { return slices.Contains(n.Feeds, u.Feed) })
}

// livesOn reports whether a node lives on u, alone or not.
func (n *playedNode) livesOn(u *playedUPS) bool {
	return len(n.Feeds) == 0 || slices.Contains(n.Feeds, u.Feed)
}

// foreign returns the node's feeds that are another master's.
func (p *planner) foreign(n *playedNode) []string {
	return slices.DeleteFunc(slices.Clone(n.Feeds), func(f string) bool {
		return slices.ContainsFunc(p.ups, func(u *playedUPS) bool { return u.Feed == f })
	})
}

// power returns what the node lives on at that moment. Of another master's UPSes
// nothing is known: they do what its first here does.
func (p *planner) power(n *playedNode) (power.State, power.Link) {
	link := power.LinkUp
	if p.silent(n) {
		link = power.LinkLost
	}
	var first *power.State
	for _, u := range p.ups {
		if !n.livesOn(u) {
			continue
		}
		s := u.at(p.heard(n))
		if first == nil {
			first = &s
		}
		n.feeds.Update(u.Feed, s, link)
	}
	for _, f := range p.foreign(n) {
		n.feeds.Update(f, *first, link)
	}
	return n.feeds.Combined()
}

// silent reports whether a node has no contact: it had none from the beginning, or the
// master's host is off.
func (p *planner) silent(n *playedNode) bool {
	return !n.Host && (!n.Standing.Attached || p.host != nil && p.host.off.passed(p.now))
}

// heard returns the moment whose news are the node's newest.
func (p *planner) heard(n *playedNode) power.Uptime {
	switch {
	case n.Host:
		return p.now
	case !n.Standing.Attached:
		return min(p.start, p.now)
	case p.host != nil && p.host.off.Set:
		return min(p.now, p.host.off.At)
	default:
		return p.now
	}
}

// dies returns when too few of a node's feeds are left, as far as anybody can say: one
// of which nobody knows counts as dead from the beginning.
func (p *planner) dies(n *playedNode) clock {
	need := max(1, n.Need)
	if n.feeds.Ambiguous() {
		need = len(p.ups)
	}
	var ends []power.Uptime
	for _, u := range p.ups {
		switch {
		case !n.livesOn(u):
		case !u.fails:
			need--
		case u.end.Set:
			ends = append(ends, u.end.At)
		}
	}
	slices.Sort(ends)
	if need < 1 || need > len(ends) {
		return clock{}
	}
	return at(ends[len(ends)-need])
}
