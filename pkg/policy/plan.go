package policy

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// PlanRack is everything that a plan is made of: a rack as its master knows it now.
type PlanRack struct {
	Now power.Uptime
	UPS []PlanUPS
	// Nodes are all of the roster, and the master's own host.
	Nodes []PlanNode
	// Fails names the UPSes whose mains fail; none: all. In an outage it means nothing.
	Fails []string
	// LowAtOnce: the battery is worse than anybody thinks and low from the beginning.
	LowAtOnce bool
}

// PlanUPS is one UPS in it.
type PlanUPS struct {
	// Name is the UPS's own, Feed the one by which nodes live on it, "MASTER/UPS".
	Name, Feed string
	State      power.State
	// Reserve is how long the battery lasts after BATLOW.
	Reserve time.Duration
	// CanCut: its cable can cut the load.
	CanCut bool
}

// PlanNode is one node in it.
type PlanNode struct {
	Waiter
	// Config is how it decides, as far as its master was told.
	Config Config
	// Need is how many of its feeds must live.
	Need  int
	Order Order
	// Standing is what is known of it; Since is when its phase began.
	Standing Standing
	Since    power.Uptime
	// Spoken: it has said how it decides. Measured: its stop time was.
	Spoken, Measured bool
}

// PlanKind is what happens in a [PlanEvent]. The words cross the wire.
type PlanKind string

// The kinds.
const (
	PlanFail    PlanKind = "fail"    // a UPS goes on battery
	PlanLow     PlanKind = "low"     // its battery is low
	PlanEmpty   PlanKind = "empty"   // its battery is expected to be empty
	PlanCut     PlanKind = "cut"     // the load is cut
	PlanGrace   PlanKind = "grace"   // a node counts down
	PlanHeld    PlanKind = "held"    // somebody holds it
	PlanWaiting PlanKind = "waiting" // it waits for those who must be off first
	PlanCommit  PlanKind = "commit"  // it shuts down
	PlanOff     PlanKind = "off"     // it is off, at the latest
	PlanLost    PlanKind = "lost"    // it loses its power while it runs
)

// Plan is what would happen if the mains failed now and stayed away, or in an outage
// what will. Every shutdown lasts as long as its stop time says, so that the true ones
// are sooner and not later.
type Plan struct {
	// GoingOn: there is an outage already.
	GoingOn bool
	// Events are in order.
	Events []PlanEvent
	// UPS has one for each of the rack's, in its order.
	UPS []PlanResult
	// Warnings say what was assumed and what can't be foreseen, for people.
	Warnings []string
}

// PlanEvent is one thing that happens.
type PlanEvent struct {
	// At counts from now; with AfterLow from BATLOW, of which nobody can say when it
	// comes.
	At       time.Duration
	AfterLow bool
	// UPS or Node is whom it happens to.
	UPS, Node string
	Kind      PlanKind
	Text      string
}

// PlanResult is what comes of one UPS. Times are as in [PlanEvent]; each is
// meaningful if the flag below it is set.
type PlanResult struct {
	UPS string
	// Margin is from the last machine's being off to the battery's expected end.
	Margin    time.Duration
	HasMargin bool
	// Tight is whose margin that is.
	Tight string
	// End is the battery's expected one.
	End    time.Duration
	HasEnd bool
	// LastOff is when the last machine on it is off, which is Last.
	LastOff time.Duration
	Last    string // empty: nobody goes
	// Cut is when the load is cut.
	Cut    time.Duration
	HasCut bool
	// LowMargin is what Margin would be were the battery low at once.
	LowMargin    time.Duration
	HasLowMargin bool
	// AfterLow: these times count from BATLOW; negative ones are before it.
	AfterLow bool
}

// Negative reports whether a machine would lose its power while it runs.
func (p Plan) Negative() bool {
	return slices.ContainsFunc(p.UPS, func(u PlanResult) bool { return u.HasMargin && u.Margin < 0 })
}

// NewPlan foresees what comes of r: every node's own [Machine], stepped through its
// deadlines in virtual time, with the same feeds, waits and orders as in earnest. It
// changes nothing of r.
func NewPlan(r PlanRack) Plan {
	p := newPlanner(r)
	p.play()
	out := p.result()
	if r.LowAtOnce {
		return out
	}
	r.LowAtOnce = true
	low := newPlanner(r)
	low.play()
	for i, u := range low.result().UPS {
		if r.UPS[i].State.HasLow {
			out.UPS[i].LowMargin, out.UPS[i].HasLowMargin = u.Margin, u.HasMargin
		}
	}
	out.Warnings = append(out.Warnings, out.tooTight()...)
	return out
}
