package policy

import (
	"slices"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// nextPhases says which phase may follow which.
func nextPhases(from Phase) []Phase {
	switch from {
	case Idle:
		return []Phase{Held, Grace, Committed, Done}
	case Held:
		return []Phase{Idle, Grace, Committed, Done}
	case Grace:
		return []Phase{Idle, Held, Waiting, Committed, Done}
	case Waiting:
		return []Phase{Idle, Held, Committed, Done}
	case Committed:
		return []Phase{Idle, Done}
	case Done:
		return []Phase{Idle}
	default:
		return nil
	}
}

func (m *Machine) stepIdle() {
	switch {
	case m.shutdownStands():
		m.becomeCommitted("shutdown ordered by " + m.order.By)
	case m.holding():
		m.becomeHeld()
	case m.wanted():
		m.becomeGrace(m.why())
	}
}

func (m *Machine) stepHeld() {
	switch {
	case m.shutdownStands():
		m.becomeCommitted("shutdown ordered by " + m.order.By)
	case m.ended:
		m.cancelTo("power is back")
	case m.holding():
		if m.began {
			m.say(m.why() + "; this machine is held by " + m.order.By)
		}
	case m.wanted() && m.holdStands():
		m.becomeGrace(m.why() + ", which outranks the hold by " + m.order.By)
	case m.wanted():
		m.becomeGrace("the hold is over: " + m.why())
	default:
		m.becomeIdle("the hold is over")
	}
}

func (m *Machine) stepGrace() {
	switch {
	case m.shutdownStands():
		m.becomeCommitted("shutdown ordered by " + m.order.By)
	case !m.wanted():
		m.cancelTo("power is back")
	case m.holding():
		m.becomeHeld()
	case m.goes().passed(m.now) && m.startWaiting():
		m.becomeWaiting(m.why())
	case m.goes().passed(m.now):
		m.becomeCommitted(m.why())
	default:
		m.countDown()
	}
}

func (m *Machine) stepWaiting() {
	switch {
	case m.shutdownStands():
		m.becomeCommitted("shutdown ordered by " + m.order.By)
	case !m.wanted():
		m.cancelTo("power is back")
	case m.holding():
		m.becomeHeld()
	case m.awaiting():
	case len(m.awaited.Up) == 0:
		m.becomeCommitted("those waited for are off")
	default:
		m.becomeCommitted("waited long enough for " + m.awaited.String())
	}
}

// stepCommitted goes on while there is a reason to. An order that was taken back
// leaves the outage's own time, if that is not up yet.
func (m *Machine) stepCommitted() {
	switch {
	case m.shutdownStands():
		m.ask()
	case m.wanted() && (!m.byOrder || m.goes().passed(m.now)):
		m.byOrder = false
		m.ask()
	case m.byOrder || !m.ended:
		m.do(Cancel{})
		m.cancelTo("the order was taken back")
	default:
		m.do(Cancel{})
		m.cancelTo("power is back")
	}
}

func (m *Machine) stepDone() {
	switch {
	case m.cfg.NeverGoes && m.known == power.OK && !m.wanted() && !m.shutdownStands():
		m.becomeIdle("power is good, and this machine never goes")
	case m.ended && !m.toldLate:
		m.toldLate = true
		m.say("power is back, but the system has accepted the power-off: it goes down")
	}
	m.ended = false
}

func (m *Machine) becomeIdle(reason string) {
	m.endAttempts()
	m.ended = false
	m.move(Idle, reason)
}

// cancelTo ends a countdown, or a commit, or a hold through an outage.
func (m *Machine) cancelTo(reason string) {
	m.becomeIdle(reason)
	m.say(reason + ": this machine stays up")
	m.do(Hooks{EventCancel})
}

func (m *Machine) becomeHeld() {
	m.move(Held, "held by "+m.order.By)
	m.say("held by " + m.order.By + " for " + words(m.order.Until.Sub(m.now)))
}

func (m *Machine) becomeGrace(reason string) {
	m.move(Grace, reason)
	m.announce(reason)
	m.do(Hooks{EventGrace})
}

func (m *Machine) becomeWaiting(reason string) {
	m.move(Waiting, reason+"; waiting for "+m.awaited.String())
}

func (m *Machine) becomeCommitted(reason string) {
	m.beginAttempts()
	m.byOrder, m.toldLate = m.shutdownStands(), false
	m.move(Committed, reason)
	m.say("this machine shuts down now: " + reason)
	m.do(Hooks{EventCommit})
}

func (m *Machine) becomeDone(reason string) {
	m.endAttempts()
	m.move(Done, reason)
	m.say(reason)
}

// move changes the phase and says so. One that the table does not have is a fault
// of this package: it is told, and done all the same, because a machine that stops
// working protects nobody.
func (m *Machine) move(to Phase, reason string) {
	from := m.phase
	if !slices.Contains(nextPhases(from), to) {
		m.impossible("from " + from.String() + " to " + to.String())
	}
	m.phase, m.since, m.reason = to, m.now, reason
	next := m.target()
	m.do(Moved{From: from, To: to, Reason: reason, Deadline: next.At, Timed: next.Set})
}
