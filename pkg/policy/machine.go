package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// goodbye is how long a master that said goodbye may be away before that
	// counts as a lost link (law 2). The same is given to a link that never was,
	// because a process that has just started has not had time for one.
	goodbye = 2 * time.Minute
	// firstWord is how long a restarted process may take to hear from its master: a
	// session gives a first state as long, and needs milliseconds where all is well.
	firstWord = 5 * time.Second
	// firstBackOff and lastBackOff bound the pause after each full round of
	// refused methods; it doubles in between and never ends.
	firstBackOff = time.Second
	lastBackOff  = time.Minute
	// hooksLimit and answerLimit catch a caller that breaks its promise to answer
	// Hooks(commit) and PowerOff: both are far longer than a caller takes that
	// keeps it.
	hooksLimit  = 10 * time.Minute
	answerLimit = time.Minute
)

// Machine is the whole behaviour of one node: what it does about its power.
//
// It works by facts. Each input changes what is known (the last known status, the
// outage, for how long nothing was heard, the order that stands); then the step
// function of the present phase looks at all of it, again and again until the
// phase stays. So each input may come in each phase, twice, or late.
//
// Three things can make a node go, each with its own deadline: the outage, whose
// deadline is fixed when the node first sees it and moves only earlier until OK
// ends it; silence (blind, or without contact), whose deadline is withdrawn when
// the state is heard and seen again; and an order.
type Machine struct {
	cfg    Config
	now    power.Uptime
	phase  Phase
	since  power.Uptime // when that began; 0: at the boot
	reason string
	out    []Action

	facts
	attempts
	problems map[string]health.Problem
	said     clock         // the going that the people were last told
	nextSay  time.Duration // the time left at which they are told again; 0: not
	byOrder  bool          // the present commit is by an order, not by the power
	toldLate bool          // it was said that power came back too late
}

// clock is a moment, if set.
type clock struct {
	At  power.Uptime `json:"at"`
	Set bool         `json:"set"`
}

func at(u power.Uptime) clock { return clock{u, true} }

func (c clock) passed(now power.Uptime) bool { return c.Set && !now.Before(c.At) }

// earlier returns the earlier of both; one that is not set never comes.
func (c clock) earlier(d clock) clock {
	if !c.Set || d.Set && d.At.Before(c.At) {
		return d
	}
	return c
}

// NewMachine returns a machine in IDLE that knows nothing yet.
func NewMachine(c Config) *Machine {
	m := &Machine{phase: Idle, problems: map[string]health.Problem{}}
	m.cfg = c.normal()
	return m
}

// Configure replaces the configuration. An outage that has begun keeps its deadline.
func (m *Machine) Configure(now power.Uptime, c Config) []Action {
	m.cfg = c.normal()
	return m.Step(now, m.shown)
}

// Step takes one input and returns what to do about it, in order.
func (m *Machine) Step(now power.Uptime, in Input) []Action {
	m.begin(now)
	switch in := in.(type) {
	case Power:
		m.notePower(in)
	case Order:
		m.noteOrder(in)
	case News:
		m.noteAwaited(in.Awaited)
		m.noteOrder(in.Order)
		m.notePower(in.Power)
	case Awaited:
		m.noteAwaited(in)
	case HooksDone:
		m.noteHooksDone()
	case Refused:
		m.noteRefused(in)
	case Accepted:
		m.noteAccepted(in)
	case Resumed:
		m.say("this machine was asleep for " + words(in.Asleep))
	case Tick:
	default:
		m.impossible("an input of an unknown kind")
	}
	m.run()
	return m.out
}

func (m *Machine) begin(now power.Uptime) {
	m.now = max(now, m.now)
	m.out, m.began, m.ended = nil, false, false
}

// run lets the phases look at the facts until the phase stays.
func (m *Machine) run() {
	m.noteTime()
	m.noteProblems()
	// The longest way is HELD, IDLE, GRACE, WAITING, COMMITTED; more steps mean
	// that two phases disagree about the same facts.
	for range 8 {
		before := m.phase
		m.step()
		if m.phase == before {
			return
		}
	}
	m.impossible("the phases do not agree about " + m.phase.String())
}

func (m *Machine) step() {
	switch m.phase {
	case Idle:
		m.stepIdle()
	case Held:
		m.stepHeld()
	case Grace:
		m.stepGrace()
	case Waiting:
		m.stepWaiting()
	case Committed:
		m.stepCommitted()
	case Done:
		m.stepDone()
	default:
		m.impossible("no such phase: " + m.phase.String())
		m.phase = Idle
	}
}

// Deadline returns when Step must be called with Tick, if no input comes before.
func (m *Machine) Deadline() (power.Uptime, bool) {
	next := m.blindUntil()
	if m.away.Set && m.inContact() {
		next = next.earlier(at(m.away.At.Add(goodbye)))
	}
	if m.holdStands() {
		next = next.earlier(at(m.order.Until))
	}
	switch m.phase {
	case Grace:
		d := m.goes()
		next = next.earlier(d)
		if d.Set && m.nextSay > 0 {
			next = next.earlier(at(d.At.Add(-m.nextSay)))
		}
	case Waiting:
		next = next.earlier(m.waitUntil())
	case Committed:
		next = next.earlier(m.askBy).earlier(m.answerBy)
	default: // nothing ends by itself
	}
	return next.At, next.Set
}

// View is what a machine shows of itself.
type View struct {
	Phase  Phase
	Since  power.Uptime // when the phase began; 0: at the boot
	Reason string
	Power  Power
	// Deadline is when the next thing happens by itself: in HELD the hold's end,
	// in GRACE and WAITING the node's going. Meaningful if Timed.
	Deadline power.Uptime
	Timed    bool
	// Allowance is the present outage's; outside one, the configured grace. 0
	// with GraceBatLow on a feed that has a low line.
	Allowance time.Duration
	HeldBy    string
	HeldUntil power.Uptime
	// WaitingOn names those who are waited for; WaitingMore is how many there are
	// besides.
	WaitingOn   []string
	WaitingMore int
	// Problems are sorted by name.
	Problems []health.Problem
}

// View returns what the machine shows, as of the last step.
func (m *Machine) View() View {
	next := m.target()
	v := View{
		Phase: m.phase, Since: m.since, Reason: m.reason, Power: m.shown,
		Deadline: next.At, Timed: next.Set, Allowance: m.allowance,
	}
	if !m.outage {
		v.Allowance = m.grace(m.power.State)
	}
	if m.phase == Held {
		v.HeldBy, v.HeldUntil = m.order.By, m.order.Until
	}
	if m.phase == Waiting {
		v.WaitingOn, v.WaitingMore = slices.Clone(m.awaited.Up), m.awaited.More
	}
	for _, p := range m.problems {
		v.Problems = append(v.Problems, p)
	}
	slices.SortFunc(v.Problems, func(a, b health.Problem) int { return strings.Compare(a.Name, b.Name) })
	return v
}

// target returns when the next thing happens by itself in the present phase.
func (m *Machine) target() clock {
	switch m.phase {
	case Held:
		return at(m.order.Until)
	case Grace:
		return m.goes()
	case Waiting:
		return m.waitUntil()
	default:
		return clock{}
	}
}
