package policy

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Input is one thing that happened to a node. Every input is level, never an
// edge, where the world allows it: giving the same one twice does no harm.
type Input interface{ input() }

// The inputs.
type (
	// Power is the full present picture of what this node lives on: the combined
	// state of its feeds and the contact with who tells it.
	Power struct {
		State power.State
		Link  power.Link
	}

	// Order is what an operator or the fleet wants of this node now. The zero
	// value means nothing is wanted, which also releases a hold.
	Order struct {
		Kind OrderKind
		// By says who, for people.
		By string
		// Until is when a hold expires; every hold does.
		Until power.Uptime
	}

	// News is a Power, an Order and an Awaited that were said in one breath, and are
	// looked at together: a hold that comes with a failure, or power that comes back
	// with the hold's release, would do harm if the one were acted on before the other.
	News struct {
		Power   Power
		Order   Order
		Awaited Awaited
	}

	// Awaited is who of wait_for is still up. The zero value is nobody.
	Awaited struct {
		// Up names them; More is how many there are besides.
		Up   []string
		More int
		// Limit is the moment until which the slowest of those may be waited for who
		// have committed or are lost; 0: there is none of them, and wait_limit counts
		// from this node's own deadline.
		Limit power.Uptime
		// Open: the time of one of them is not up. That one is waited for until BATLOW.
		Open bool
		// Depth is how long the chain of waiters below this node is; 0 counts as 1.
		Depth int
	}

	// HooksDone says that the hooks of the commit have ended, or ran out of time.
	HooksDone struct{}

	// Refused says that the power-off method did not accept. Attempt is the one
	// of the PowerOff it answers; an answer to an older attempt is ignored.
	Refused struct {
		Attempt int
		Method  string
		Why     string
	}

	// Accepted says that the operating system has accepted the power-off.
	Accepted struct {
		Attempt int
		Method  string
	}

	// Resumed says that this machine was suspended for Asleep. Uptime counts time
	// asleep, so ages have grown by themselves; the machine says it and looks at
	// its deadlines.
	Resumed struct{ Asleep time.Duration }

	// Tick says that time has passed and nothing else happened.
	Tick struct{}
)

func (Power) input()     {}
func (Order) input()     {}
func (News) input()      {}
func (Awaited) input()   {}
func (HooksDone) input() {}
func (Refused) input()   {}
func (Accepted) input()  {}
func (Resumed) input()   {}
func (Tick) input()      {}

// OrderKind is what is wanted of a node. The numbers cross the wire.
type OrderKind uint8

// The orders.
const (
	OrderNone     OrderKind = 0 // nothing is wanted
	OrderHold     OrderKind = 1 // do not go, until Order.Until
	OrderEnd      OrderKind = 2 // the master's host is about to go: your time is up
	OrderShutdown OrderKind = 3 // shut down now
)

// String returns the order's name.
func (k OrderKind) String() string {
	switch k {
	case OrderHold:
		return "hold"
	case OrderEnd:
		return "end"
	case OrderShutdown:
		return "shutdown"
	default:
		return "none"
	}
}

// Action is one thing the caller must do. Actions are carried out in the order
// in which Step returned them.
type Action interface{ action() }

// The actions.
type (
	// Moved says that the phase changed: one log line, one journal record, one
	// report to the master.
	Moved struct {
		From, To Phase
		Reason   string
		// Deadline is when the next thing happens by itself; meaningful if Timed.
		Deadline power.Uptime
		Timed    bool
	}

	// Say tells the people on this machine (wall) and the log. Left is how long
	// until this node goes, where Timed.
	Say struct {
		Text  string
		Left  time.Duration
		Timed bool
	}

	// Hooks asks for the local hooks of Event to be run. For [EventCommit] the
	// caller answers with HooksDone, always, at the latest when their limits are up.
	Hooks struct {
		Event Event
	}

	// PowerOff asks for power-off method Attempt modulo the length of the chain.
	// It comes after the records before it are on disk, or their writing failed or
	// lasted 1 s. The caller answers with Accepted or Refused.
	PowerOff struct {
		Attempt int
		Reason  string
	}

	// Cancel takes back a power-off that was asked for and not accepted.
	Cancel struct{}

	// Raise says that something weakens the protection; Clear that it is over.
	// Raising what is raised already, with the same text, is not done.
	Raise struct{ Problem health.Problem }

	// Clear ends the problem of that name.
	Clear struct{ Name string }
)

func (Moved) action()    {}
func (Say) action()      {}
func (Hooks) action()    {}
func (PowerOff) action() {}
func (Cancel) action()   {}
func (Raise) action()    {}
func (Clear) action()    {}

// Event is what a hook can be run on, as the configuration's "on" names it.
type Event string

// The events.
const (
	EventFail    Event = "fail"
	EventBatLow  Event = "batlow"
	EventOK      Event = "ok"
	EventGrace   Event = "grace"
	EventCancel  Event = "cancel"
	EventCommit  Event = "commit"
	EventProblem Event = "problem"
	EventClear   Event = "clear"
	EventReport  Event = "report"
	EventWake    Event = "wake" // on a master: a node is to be switched on
)

// Phase is where a node stands. The numbers cross the wire and lie on disk: they
// are written out and never change.
type Phase uint8

// The phases.
const (
	PhaseUnknown Phase = 0 // not said
	Idle         Phase = 1 // nothing to do
	Held         Phase = 2 // somebody said: do not go
	Grace        Phase = 3 // on battery, counting down
	Waiting      Phase = 4 // time is up, waiting for those who must be off first
	Committed    Phase = 5 // power-off asked
	Done         Phase = 6 // power-off accepted by the operating system
)

// String returns the phase's name as people and the wire's JSON know it.
func (p Phase) String() string {
	switch p {
	case Idle:
		return "IDLE"
	case Held:
		return "HELD"
	case Grace:
		return "GRACE"
	case Waiting:
		return "WAITING"
	case Committed:
		return "COMMITTED"
	case Done:
		return "DONE"
	default:
		return "UNKNOWN"
	}
}
