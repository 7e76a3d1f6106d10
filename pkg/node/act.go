package node

import (
	"context"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// recordWait is how long a hook or a power-off waits for the records before it
// (law 12). The recorder promises the same; a promise is not a limit.
const recordWait = time.Second

// The names of the driver's records.
const (
	recordPhase    = "phase"
	recordProblem  = "problem"
	recordClear    = "clear"
	recordPowerOff = "poweroff"
	recordHook     = "hook"
)

// phaseRecord is a change of phase, on disk before it is acted on.
type phaseRecord struct {
	Node   string       `json:"node"`
	From   string       `json:"from"`
	To     string       `json:"to"`
	Reason string       `json:"reason"`
	State  string       `json:"state"`
	Outage string       `json:"outage,omitempty"`
	At     power.Uptime `json:"at"`
	// Deadline is when the next thing happens by itself; absent: nothing does.
	Deadline *power.Uptime `json:"deadline,omitempty"`
}

type problemRecord struct {
	Node string `json:"node"`
	Name string `json:"name"`
	Text string `json:"text,omitempty"`
}

type powerOffRecord struct {
	Node    string `json:"node"`
	Method  string `json:"method"`
	Attempt int    `json:"attempt"`
	What    string `json:"what"` // asked, accepted, refused, cancelled
	Why     string `json:"why,omitempty"`
}

type hookRecord struct {
	Node  string `json:"node"`
	Event string `json:"event"`
	Hook  string `json:"hook"`
	Drill bool   `json:"drill,omitempty"`
	Error string `json:"error,omitempty"`
}

// act carries out one action of the machine. It never blocks: what is slow goes
// on elsewhere.
func (d *Driver) act(a policy.Action) {
	switch a := a.(type) {
	case policy.Moved:
		d.moved(a)
	case policy.Say:
		d.say(a)
	case policy.Hooks:
		d.happened(a.Event)
	case policy.PowerOff:
		d.powerOff(a)
	case policy.Cancel:
		d.cancelPowerOff()
	case policy.Raise:
		d.cameUp(a.Problem)
	case policy.Clear:
		d.wentAway(health.Problem{Name: a.Name})
	}
}

func (d *Driver) moved(a policy.Moved) {
	now, state := d.o.Now(), d.real()
	r := phaseRecord{
		Node: d.o.Name, From: a.From.String(), To: a.To.String(), Reason: a.Reason,
		State: state.Status.String(), Outage: state.Outage, At: now,
	}
	args := []any{"node", d.o.Name, "from", r.From, "to", r.To, "reason", a.Reason}
	if a.Timed {
		r.Deadline = &a.Deadline
		args = append(args, "deadline", a.Deadline.Sub(now).Round(time.Millisecond).String())
	}
	d.o.Log.Info("phase", args...)
	d.record(recordPhase, r)
}

// real returns the state that the machine acts on: never a pretended one (law 11).
func (d *Driver) real() power.State { return d.m.Snapshot().State }

// record gives a record to the journal.
func (d *Driver) record(kind string, v any) {
	if d.o.Journal == nil {
		return
	}
	d.records = append(pending(d.records), d.o.Journal.Record(kind, v))
}

// pending returns those that are not closed.
func pending(all []<-chan struct{}) []<-chan struct{} {
	var open []<-chan struct{}
	for _, c := range all {
		select {
		case <-c:
		default:
			open = append(open, c)
		}
	}
	return open
}

// awaitRecords returns when all of them are closed, or after 1 s.
func awaitRecords(records []<-chan struct{}) {
	t := time.NewTimer(recordWait)
	defer t.Stop()
	for _, c := range records {
		select {
		case <-c:
		case <-t.C:
			return
		}
	}
}

const (
	// wallsMax bounds the messages that wait for slow terminals: one outage's worth.
	wallsMax = 16
	// wallLimit bounds one of them; wall(1) itself gives a terminal 300 s.
	wallLimit = 5 * time.Second
)

func (d *Driver) say(a policy.Say) {
	d.o.Log.Warn("say", "node", d.o.Name, "text", a.Text)
	select {
	case d.walls <- a.Text:
	default:
		d.o.Log.Warn("cannot tell the people logged in: their terminals don't keep up")
	}
}

// tellPeople takes messages to the terminals, one after the other.
func (d *Driver) tellPeople(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case text := <-d.walls:
			if d.o.Wall != nil {
				limited, cancel := context.WithTimeout(ctx, wallLimit)
				d.o.Wall(limited, text)
				cancel()
			}
		}
	}
}
