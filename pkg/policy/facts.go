package policy

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// facts is what a node knows, by its inputs.
type facts struct {
	power   Power        // with the last real state, and the newest contact
	shown   Power        // as given
	known   power.Status // the last real status that was not UNKNOWN
	ignored bool         // the newest state is pretended and does not count
	began   bool         // in this very step: an outage began, or its BATLOW
	ended   bool         // in this very step: a reason to go went away

	// The node's own outage: from the first FAIL it sees to the OK it sees.
	outage    bool
	outageAt  power.Uptime // when the node saw it
	firstFail power.Uptime // when it began
	allowance time.Duration
	deadline  clock // moves only earlier within one outage
	low       bool  // BATLOW was seen in it

	away   clock // since when there is no contact that may be excused
	anew   clock // until then a restart may still learn that the power is back
	silent clock // since when nothing is heard or seen
	blind  clock // blind_limit is over: when to go

	order   Order
	orderAt power.Uptime // when an order of its kind came

	awaited Awaited
	waitEnd clock // the end of WAITING by wait_limit
	waitLow clock // the end of WAITING by wait_limit_batlow
}

// notePower takes the full present picture.
func (m *Machine) notePower(in Power) {
	if in == (Power{}) && m.power.Link == power.LinkNone {
		return // a process that has heard nothing yet knows nothing new
	}
	switch in.Link {
	case power.LinkNone: // not heard yet: noteTime counts
	case power.LinkUp:
		m.away = clock{}
	case power.LinkLost:
		// A stream that breaks after a goodbye is the goodbye.
		if m.power.Link == power.LinkNone {
			m.away = clock{}
		}
	case power.LinkAway:
		if !m.away.Set {
			m.away = at(m.now)
		}
	}
	m.shown, m.power.Link = in, in.Link
	if in.Link == power.LinkUp && in.State.Status != power.Unknown {
		m.anew = clock{}
	}
	m.ignored = m.pretended(in.State)
	if m.ignored {
		return // no news: what was real before still holds
	}
	m.power.State = in.State
	switch in.State.Known() {
	case power.Unknown: // never known: what this node knew itself still holds
	case power.OK:
		m.noteOK()
	case power.Fail:
		m.noteFail(in.State)
	case power.BatLow:
		m.noteFail(in.State)
		m.noteLow()
	}
}

func (m *Machine) noteOK() {
	m.known = power.OK
	if !m.outage {
		return
	}
	m.outage, m.low, m.deadline, m.allowance = false, false, clock{}, 0
	m.ended = true
	m.hook(EventOK)
}

// noteFail opens the node's outage, if it is not open, and fixes its deadline.
func (m *Machine) noteFail(s power.State) {
	m.known = power.Fail
	if m.outage {
		return
	}
	m.outage, m.began, m.outageAt, m.firstFail = true, true, m.now, m.now
	if s.Outage != "" {
		m.firstFail = min(s.OutageSince, m.now)
	}
	m.allowance = m.grace(s)
	m.deadline = clock{}
	if !m.waitsForLow(s) {
		m.deadline = at(m.firstFail.Add(m.allowance))
	}
	m.hook(EventFail)
}

// noteLow brings the deadline of the open outage nearer.
func (m *Machine) noteLow() {
	m.known = power.BatLow
	if m.phase == Committed && !m.hooks && m.askBy.Set && m.askBy.At.After(m.now.Add(firstBackOff)) {
		m.askBy = at(m.now) // law 6: it outranks back-off
	}
	if m.low {
		return
	}
	m.low = true
	m.deadline = m.deadline.earlier(at(m.now.Add(m.cfg.BatLowGrace)))
	if m.phase == Waiting {
		m.waitLow = m.lowLimit()
	}
	m.began = true
	m.hook(EventBatLow)
}

func (m *Machine) noteOrder(in Order) {
	if in.Kind != m.order.Kind {
		m.orderAt = m.now
	}
	m.order = in
}

// noteTime finds what became true by the passing of time alone.
func (m *Machine) noteTime() {
	if m.power.Link == power.LinkNone && !m.away.Set && !m.silent.Set {
		m.away = at(m.now)
	}
	if m.heard() {
		m.silent = clock{}
		if m.blind.Set {
			m.blind, m.ended = clock{}, true
		}
		return
	}
	if !m.silent.Set {
		m.silent = at(m.now)
		if m.away.Set && m.sees() {
			m.silent = at(m.away.At.Add(goodbye))
		}
	}
	if b := m.blindUntil(); b.passed(m.now) {
		m.blind = at(m.now.Add(m.cfg.BatLowGrace))
	}
	if m.outage && m.known == power.BatLow {
		m.deadline = m.deadline.earlier(at(m.now)) // law 2: go now
	}
}

// heard reports whether somebody can see the power and tell this node.
func (m *Machine) heard() bool { return m.inContact() && m.sees() }

// sees reports whether the newest real state is not blind.
func (m *Machine) sees() bool { return m.power.State.Status != power.Unknown }

// pretended reports whether s is one that this node does not obey (law 11).
func (m *Machine) pretended(s power.State) bool { return s.Drill || s.Sim && !m.cfg.ObeySim }

// inContact reports whether there is contact, or its absence is excused.
func (m *Machine) inContact() bool {
	return m.power.Link == power.LinkUp || m.away.Set && m.now.Before(m.away.At.Add(goodbye))
}

// blindUntil returns when the owner's blind_limit will be over.
func (m *Machine) blindUntil() clock {
	running := m.silent.Set && m.known == power.OK && !m.blind.Set
	return clock{m.silent.At.Add(m.cfg.BlindLimit), running && m.cfg.BlindLimit > 0}
}

// wanted reports whether the power, or the lack of news of it, makes this node go.
func (m *Machine) wanted() bool { return m.outage || m.blind.Set || m.endStands() }

// endStands reports whether the master's host is about to go. The same master, or
// another feed's, saying that the power is good contradicts it and outranks it; and
// where the outage is only pretended its end is too.
func (m *Machine) endStands() bool {
	return m.order.Kind == OrderEnd && !m.ignored && (m.known != power.OK || !m.sees())
}

// shutdownStands reports whether somebody ordered this node down.
func (m *Machine) shutdownStands() bool { return m.order.Kind == OrderShutdown }

// holdStands reports whether a hold has been ordered and has not expired.
func (m *Machine) holdStands() bool {
	return m.order.Kind == OrderHold && m.now.Before(m.order.Until)
}

// holding reports whether a hold stands and nothing outranks it.
func (m *Machine) holding() bool {
	return m.holdStands() && !(m.outage && (m.known == power.BatLow || m.silent.Set))
}

// goes returns when this node's time is up; meaningful while wanted.
func (m *Machine) goes() clock {
	var c clock
	if m.outage {
		c = m.outageGoes()
	}
	c = c.earlier(m.blind)
	if m.endStands() {
		c = c.earlier(at(m.orderAt))
	}
	return m.notBeforeHeard(c)
}

// notBeforeHeard returns c, or the moment by which a process that has just taken over
// will have heard the power, if that is later. The battery's end waits for nobody.
func (m *Machine) notBeforeHeard(c clock) clock {
	if c.Set && m.anew.Set && m.known != power.BatLow {
		c.At = max(c.At, m.anew.At)
	}
	return c
}

// outageGoes returns when the outage makes this node go. In silence lost_limit
// stands in for a deadline that is not there, because grace is "batlow" or a hold
// stands; a node that is held does not go sooner for it than without the hold.
func (m *Machine) outageGoes() clock {
	if !m.silent.Set || m.known == power.BatLow {
		return m.deadline
	}
	from := max(m.silent.At, m.outageAt)
	switch {
	case m.holdStands():
		lost := max(from, m.orderAt).Add(m.cfg.LostLimit)
		return at(max(lost, m.deadline.At))
	case !m.deadline.Set:
		return at(from.Add(m.cfg.LostLimit))
	default:
		return m.deadline
	}
}

// waitsForLow reports whether this node waits for BATLOW on such a feed.
func (m *Machine) waitsForLow(s power.State) bool { return m.cfg.GraceBatLow && s.HasLow }

// grace returns the allowance for an outage that begins with state s; 0 where it
// has none because this node waits for BATLOW.
func (m *Machine) grace(s power.State) time.Duration {
	if m.waitsForLow(s) {
		return 0
	}
	left := m.cfg.Grace - s.Debt
	if s.Runtime > 0 {
		left = min(m.cfg.Grace, s.Runtime-s.Debt-m.cfg.StopTime-m.cfg.Margin)
	}
	return max(left, min(m.cfg.Grace, m.cfg.GraceMin))
}

// needs returns how long a battery must last for all of this node's grace.
func (m *Machine) needs(s power.State) time.Duration {
	if m.waitsForLow(s) {
		return 0
	}
	return m.cfg.Grace + m.cfg.StopTime + m.cfg.Margin
}

// startWaiting sets the limits of WAITING and reports whether there is anybody to
// wait for. Nobody is waited for who was not named as still up.
func (m *Machine) startWaiting() bool {
	m.waitEnd, m.waitLow = at(m.now.Add(m.cfg.WaitLimit)), clock{}
	if m.low {
		m.waitLow = m.lowLimit()
	}
	return m.awaiting()
}

// lowLimit returns the end of WAITING by wait_limit_batlow, from now on: each of the
// chain of waiters below this node has as long.
func (m *Machine) lowLimit() clock {
	return at(m.now.Add(m.cfg.WaitLimitBatLow * time.Duration(max(1, m.awaited.Depth))))
}

func (m *Machine) awaiting() bool {
	return m.cfg.WaitFor && len(m.awaited.Up) > 0 && !m.waitUntil().passed(m.now)
}

// waitUntil returns when WAITING ends in any case; not set: at BATLOW.
func (m *Machine) waitUntil() clock {
	end := m.waitEnd
	switch {
	case m.awaited.Open:
		end = m.openEnd()
	case m.awaited.Limit != 0:
		end = at(m.awaited.Limit)
	}
	return m.notBeforeHeard(end.earlier(m.waitLow))
}

// openEnd returns until when somebody is waited for whose time is not up: until
// BATLOW, or where that can't be said until the battery's expected end less this
// machine's own stop time. Where that is not known either, where nothing more is
// heard, and where the master's host is about to go, wait_limit counts.
func (m *Machine) openEnd() clock {
	var end clock
	switch s := m.power.State; {
	case m.outage && s.HasLow:
	case m.outage && s.Runtime > 0:
		end = at(m.firstFail.Add(s.Runtime - s.Debt - m.cfg.StopTime))
	default:
		end = m.waitEnd
	}
	if m.silent.Set {
		end = end.earlier(at(max(m.waitEnd.At, m.silent.At.Add(m.cfg.WaitLimit))))
	}
	if m.endStands() {
		end = end.earlier(at(max(m.waitEnd.At, m.orderAt.Add(m.cfg.WaitLimit))))
	}
	if end.Set {
		end.At = max(end.At, m.awaited.Limit)
	}
	return end
}

func (m *Machine) noteAwaited(in Awaited) {
	in.Up = slices.Clone(in.Up)
	m.awaited = in
}
