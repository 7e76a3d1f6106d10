package policy

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// Shadow lives through a pretended outage in a machine's place: it decides as the
// machine would, and can only tell of it. Of what a machine asks for it lets nothing
// out but hooks, so no drill can halt anything (law 11).
type Shadow struct {
	m      *Machine
	report DrillReport
}

// DrillReport is what came of a node's part in a drill.
type DrillReport struct {
	// ID is the drill's; empty: there was none.
	ID string
	// Began is the pretended outage's first FAIL; until that decides anything here, when
	// the drill was heard of.
	Began power.Uptime
	// Steps are the phases that the machine would have gone through.
	Steps []DrillStep
	// Goes is when its time would be up: it would go then, or begin to wait for
	// others. Meaningful if Timed.
	Goes  power.Uptime
	Timed bool
	// Asked: it came to the point where the power-off would have been asked for.
	Asked bool
	// Ran are the drill hooks that were run; LeftAside is what else would have been.
	Ran       []DrillHook
	LeftAside []string
	// Method is by what it would have powered off, where Asked, and Cannot why that
	// could not have been; empty: it could.
	Method, Cannot string
	// LeftOut says why the node took no part, or not to the end; empty: it did.
	LeftOut string
	// Over: its part is over, hooks included.
	Over bool
}

// DrillStep is a phase in a drill.
type DrillStep struct {
	Phase  Phase
	At     power.Uptime
	Reason string
}

// DrillHook is how a hook ended that a drill ran.
type DrillHook struct {
	Event Event
	Name  string
	// Error is why it failed; empty: it did not.
	Error string
	Took  time.Duration
}

// stepsMax bounds what is told of one drill: mains that come and go all the time
// would make a report without an end.
const stepsMax = 64

// NewShadow returns the shadow of a machine with configuration c, which begins as that
// stands: on what it lives, and held or not.
func NewShadow(now power.Uptime, c Config, id string, real Power, order Order) *Shadow {
	s := &Shadow{m: NewMachine(c), report: DrillReport{ID: id, Began: now}}
	s.step(now, News{Power: real, Order: order})
	return s
}

// Step gives the shadow what happens to it and returns the events whose hooks are to
// be run. A pretended state is as good as a real one here, and nowhere else.
func (s *Shadow) Step(now power.Uptime, in Input) []Event {
	switch in := in.(type) {
	case Power:
		return s.step(now, unmasked(in))
	case News:
		in.Power = unmasked(in.Power)
		return s.step(now, in)
	default:
		return s.step(now, in)
	}
}

func unmasked(p Power) Power {
	p.State.Drill = false
	return p
}

func (s *Shadow) step(now power.Uptime, in Input) []Event {
	var events []Event
	for _, a := range s.m.Step(now, in) {
		switch a := a.(type) {
		case Moved:
			s.moved(a)
		case Hooks:
			if a.Event != EventProblem && a.Event != EventClear {
				events = append(events, a.Event)
			}
		case PowerOff:
			s.report.Asked = true
		default: // nothing else leaves a shadow
		}
	}
	v := s.m.View()
	if s.m.outage {
		s.report.Began = s.m.firstFail
	}
	if v.Phase == Grace {
		s.report.Goes, s.report.Timed = v.Deadline, v.Timed
	}
	return events
}

func (s *Shadow) moved(a Moved) {
	if (a.To == Waiting || a.To == Committed) && (a.From == Grace || !s.report.Timed) {
		s.report.Goes, s.report.Timed = s.m.now, true
	}
	if len(s.report.Steps) < stepsMax {
		s.report.Steps = append(s.report.Steps, DrillStep{Phase: a.To, At: s.m.now, Reason: a.Reason})
	}
}

// Deadline returns when Step must be called with Tick, if no input comes before.
func (s *Shadow) Deadline() (power.Uptime, bool) { return s.m.Deadline() }

// View returns where the machine would stand.
func (s *Shadow) View() View { return s.m.View() }

// Report returns what came of it so far; of hooks the shadow knows nothing.
func (s *Shadow) Report() DrillReport {
	return s.report.Clone()
}

// Clone returns a copy that shares nothing with r.
func (r DrillReport) Clone() DrillReport {
	r.Steps, r.Ran, r.LeftAside = slices.Clone(r.Steps), slices.Clone(r.Ran), slices.Clone(r.LeftAside)
	return r
}
