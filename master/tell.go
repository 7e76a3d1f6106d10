package master

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// lookPause keeps a rack whose every heartbeat is a change from being looked at
	// all the time; nobody who is told notices it.
	lookPause = 200 * time.Millisecond
	// lookEvery is how often is looked without a change: a disk says nothing by
	// itself.
	lookEvery = 5 * time.Second
)

// notice is one thing that people are told of, by the rack's hooks and alarms.
type notice struct {
	event   policy.Event
	on      string // "ups/main", "node/web1", "master/rack1"
	problem string // its name, for problem and clear
	status  power.Status
	outage  string
	text    string
}

// state is the power's, as hooks are told; what is not about a UPS says nothing of it.
func (n notice) state() string {
	if n.status == power.Unknown && !strings.HasPrefix(n.on, "ups/") {
		return ""
	}
	return n.status.String()
}

// teller looks at the whole rack and tells people of what changed: the power, what
// each node does, and what is wrong. It decides nothing, and nobody waits for it.
type teller struct {
	name  string // this master's
	hub   *hub
	now   func() power.Uptime
	found func() []health.Found       // what this master finds wrong
	event func(on, kind, text string) // for the journal; never blocks
	to    []func(notice)              // whom to tell; none blocks

	mu       sync.Mutex // guards registry
	registry health.Registry

	// What was told last: Run's own.
	ups    map[string]power.State
	phases map[string]upsv1.Phase
}

func (m *Master) newTeller(to ...func(notice)) *teller {
	return &teller{
		name: m.cfg.Name, hub: m.hub, now: m.now, found: m.found, event: m.event, to: to,
		ups: map[string]power.State{}, phases: map[string]upsv1.Phase{},
	}
}

// String names the task.
func (t *teller) String() string { return "teller" }

// Run looks whenever something changed, until ctx ends.
func (t *teller) Run(ctx context.Context) error {
	wake, stop := t.hub.watch()
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		timer.Reset(t.look())
		pause.Reset(lookPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look tells what changed since the last look, and returns when to look again.
func (t *teller) look() time.Duration {
	now := t.now()
	t.tellPower(now)
	t.tellPhases()
	all := append(t.found(), t.hub.reported()...)
	t.mu.Lock()
	notices := t.registry.Step(now, all)
	due, timed := t.registry.Deadline()
	t.mu.Unlock()
	for _, n := range notices {
		to := notice{event: policy.EventProblem, on: n.On, problem: n.Name, text: n.Name + ": " + n.Text}
		switch n.What {
		case health.Stays:
			to.text = n.Name + ", since " + config.FormatDuration(now.Sub(n.Since).Round(time.Hour)) + ": " + n.Text
		case health.Cleared:
			to.event, to.text = policy.EventClear, n.Name
		}
		t.event(n.On, string(to.event), to.text)
		t.tell(to)
	}
	if timed {
		return max(0, min(lookEvery, due.Sub(now)))
	}
	return lookEvery
}

// entries says since when each of these is wrong.
func (t *teller) entries(found []health.Found, now power.Uptime) []health.Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []health.Entry
	for _, f := range found {
		e := health.Entry{Found: f, Since: now}
		if since, ok := t.registry.Since(f.On, f.Name); ok {
			e.Since = since
		}
		out = append(out, e)
	}
	return out
}

// tellPower tells of each UPS that says something else than at the last look. That
// one is blind is a problem, not an event.
func (t *teller) tellPower(now power.Uptime) {
	for _, u := range t.hub.states() {
		was, is := t.ups[u.Name], u.State
		if is.Status == power.Unknown || is.Status == was.Status {
			continue
		}
		t.ups[u.Name] = is
		n := notice{on: "ups/" + u.Name, status: is.Status, outage: is.Outage}
		switch {
		case is.Status == power.BatLow:
			n.event, n.text = policy.EventBatLow, "the battery is low"
		case is.Status == power.Fail && was.Status != power.BatLow:
			n.event, n.text = policy.EventFail, "the power failed, on battery"
		case is.Status == power.OK && was.Status.OnBattery():
			n.event, n.outage = policy.EventOK, was.Outage
			n.text = fmt.Sprintf("the power is back, after %s on battery", now.Sub(was.OutageSince).Round(time.Second))
		default:
			continue
		}
		if is.Sim || is.Drill {
			n.text += " (pretended)"
		}
		t.tell(n)
	}
}

// tellPhases tells of each node that does something else than at the last look.
func (t *teller) tellPhases() {
	for name, is := range t.hub.phases() {
		was := t.phases[name]
		t.phases[name] = is
		n := notice{on: "node/" + name}
		switch {
		case is == was:
			continue
		case is == upsv1.Phase_PHASE_GRACE:
			n.event, n.text = policy.EventGrace, "counting down"
		case is == upsv1.Phase_PHASE_COMMITTED, is == upsv1.Phase_PHASE_DONE && was != upsv1.Phase_PHASE_COMMITTED:
			n.event, n.text = policy.EventCommit, "going down now"
		case was >= upsv1.Phase_PHASE_GRACE && was <= upsv1.Phase_PHASE_COMMITTED && is < upsv1.Phase_PHASE_GRACE:
			n.event, n.text = policy.EventCancel, "stays up"
		default:
			continue
		}
		t.tell(n)
	}
}

// report tells the story of an outage that is over.
func (t *teller) report(outage, text string) {
	t.tell(notice{event: policy.EventReport, on: "master/" + t.name, outage: outage, text: text})
}

// tell hands n to everybody who is told.
func (t *teller) tell(n notice) {
	for _, f := range t.to {
		f(n)
	}
}
