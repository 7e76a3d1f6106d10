package policy

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// attempts is how far the power-off is.
type attempts struct {
	attempt  int   // the one that is out, or comes next
	asked    bool  // it is out, unanswered
	ever     bool  // one was ever out in this process
	hooks    bool  // the commit hooks have not ended
	askBy    clock // when to ask: hooks that never end, or back-off
	answerBy clock // when to give up on the answer
	backOff  time.Duration
}

// beginAttempts prepares a new commit. Attempt numbers go on where the last commit
// left them, at the next full round, so that no late answer to that one fits.
func (m *Machine) beginAttempts() {
	next := 0
	if m.ever {
		next = (m.attempt/m.cfg.Methods + 1) * m.cfg.Methods
	}
	m.attempts = attempts{
		attempt: next, ever: m.ever, hooks: true,
		askBy: at(m.now.Add(hooksLimit)), backOff: firstBackOff,
	}
}

// endAttempts forgets what was asked; only that something was is kept.
func (m *Machine) endAttempts() {
	m.attempts = attempts{attempt: m.attempt, ever: m.ever}
	m.set(health.PowerOffRefused, false, "")
}

func (m *Machine) noteHooksDone() {
	if m.phase == Committed && m.hooks {
		m.hooks, m.askBy = false, at(m.now)
		if !m.shutdownStands() {
			m.askBy = m.notBeforeHeard(m.askBy)
		}
	}
}

// ask asks for the power-off when it is time to.
func (m *Machine) ask() {
	if m.answerBy.passed(m.now) {
		m.noteRefused(Refused{Attempt: m.attempt, Method: "the method", Why: "no answer"})
	}
	if m.asked || !m.askBy.passed(m.now) {
		return
	}
	m.hooks, m.asked, m.ever, m.askBy = false, true, true, clock{}
	m.answerBy = at(m.now.Add(answerLimit))
	m.do(PowerOff{Attempt: m.attempt, Reason: m.reason})
}

// noteRefused goes on to the next method, with a pause after each full round. An
// answer to an older attempt is ignored.
func (m *Machine) noteRefused(in Refused) {
	if m.phase != Committed || !m.asked || in.Attempt != m.attempt {
		return
	}
	m.set(health.PowerOffRefused, true, in.Method+" did not accept the power-off ("+in.Why+
		"): this machine keeps trying; shut it down by hand if the power is still out")
	m.asked, m.answerBy = false, clock{}
	m.attempt++
	wait := time.Duration(0)
	if m.attempt%m.cfg.Methods == 0 {
		wait = m.backOff
		m.backOff = min(2*m.backOff, lastBackOff)
		if m.known == power.BatLow {
			wait = firstBackOff // law 6: BATLOW outranks back-off
		}
	}
	m.askBy = at(m.now.Add(wait))
}

// noteAccepted: the system is going down, whatever this machine thought by then.
func (m *Machine) noteAccepted(in Accepted) {
	switch {
	case m.phase == Done:
	case !m.ever:
		m.impossible("a power-off was accepted that was never asked")
	case m.phase == Committed:
		m.becomeDone(in.Method + " accepted the power-off")
	default:
		m.becomeDone(in.Method + " had accepted the power-off before it was taken back")
	}
}
