package node

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// checkEvery is how often the power-off methods and the hooks are checked.
	checkEvery = time.Hour
	// healthEvery is how often the disks' own word is heard.
	healthEvery = 5 * time.Second
	// minWait keeps a deadline that stays in the past from turning the loop into a
	// busy one.
	minWait = time.Millisecond
)

// Run drives the machine until ctx ends. A power-off that was asked for by then
// is seen to its answer, within its own limits; hooks that run are left to finish.
// It may be called once.
func (d *Driver) Run(ctx context.Context) error {
	defer close(d.over)
	d.hello()
	d.restore(ctx)
	go d.tellPeople(ctx)
	checks := time.NewTicker(checkEvery)
	defer checks.Stop()
	health := time.NewTicker(healthEvery)
	defer health.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	d.check(ctx)
	for {
		d.turn()
		d.arm(timer)
		select {
		case <-ctx.Done():
			d.stopRehearsal()
			d.flying.Wait()
			return nil
		case <-d.wake:
		case <-timer.C:
		case <-health.C:
			d.health()
		case <-checks.C:
			d.check(ctx)
		}
	}
}

// hello says what the owner should know from the start.
func (d *Driver) hello() {
	if d.o.Settings.dryRun() {
		d.o.Log.Warn("dry run: this machine will not be powered off", "method", "none")
	}
}

// turn handles everything that waits.
func (d *Driver) turn() {
	for {
		updates, posts := d.take()
		for _, u := range updates {
			d.update(u)
		}
		for _, f := range posts {
			f()
		}
		if d.undecided && !d.o.Now().Before(d.heard) {
			d.decide(power.LinkUp)
		}
		if at, ok := d.m.Deadline(); ok && !d.o.Now().Before(at) {
			d.step(policy.Tick{})
		}
		if len(updates)+len(posts) == 0 {
			break
		}
	}
	d.rehearse()
	d.tellProblems()
	d.publish()
	d.save()
}

func (d *Driver) take() ([]Update, []func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var updates []Update
	for _, m := range d.masters {
		updates = append(updates, d.updates[m])
	}
	clear(d.updates)
	posts := d.posts
	d.masters, d.posts = nil, nil
	return updates, posts
}

// arm sets the timer to the next moment at which something is due.
func (d *Driver) arm(t *time.Timer) {
	at, ok := d.due()
	if !ok {
		t.Stop()
		return
	}
	t.Reset(max(at.Sub(d.o.Now()), minWait))
}

// step gives the machine one input and carries out what it answers.
func (d *Driver) step(in policy.Input) {
	for _, a := range d.m.Step(d.o.Now(), in) {
		d.act(a)
	}
}

// update merges what a master says into the whole picture.
func (d *Driver) update(u Update) {
	old := d.told[u.Master]
	if u.Link != power.LinkUp {
		u.Order, u.Awaited = old.Order, old.Awaited // silence takes nothing back
		u.Drill = Drill{}                           // but what was only pretended
		if _, known := d.silent[u.Master]; !known {
			d.silent[u.Master] = d.o.Now()
		}
	} else {
		delete(d.silent, u.Master)
	}
	if len(u.UPS) == 0 {
		u.UPS = old.UPS
	}
	u.StopTime = stopTold(u, old)
	d.told[u.Master] = u
	for _, s := range u.UPS {
		d.feed(u.Master+"/"+s.Name, s.State, u.Link)
	}
	for _, s := range old.UPS {
		if !slices.ContainsFunc(u.UPS, func(n NamedState) bool { return n.Name == s.Name }) {
			gone := s.State
			gone.Status, gone.Last, gone.Reason = power.Unknown, s.State.Known(), "its master no longer has it"
			d.feed(u.Master+"/"+s.Name, gone, u.Link)
		}
	}
	d.ambiguity()
	if u.Link == power.LinkUp {
		d.ordered = true
		if d.heard == 0 {
			d.heard = d.o.Now().Add(hearing)
		}
	}
	d.measure()
	d.decide(u.Link)
}

// hearing is how long a driver waits, from the first contact with a master, for feeds
// that were named and not heard of yet: a session needs 5 s at most, and a master some
// seconds to read its UPS; a switch may need longer to boot than the machine. Else the
// first to be heard of would decide, and a machine that boots on one good feed of two
// would go down again because of the other.
const hearing = 10 * time.Second

// decide gives the machine what its feeds come to; link is the contact where there is
// no feed of ours.
func (d *Driver) decide(link power.Link) {
	state, best := d.feeds.Combined()
	if len(d.feeds.Names()) > 0 {
		link = best
	}
	if d.undecided = d.feeds.Undecided() && d.o.Now().Before(d.heard); d.undecided {
		state = power.State{Reason: "not all feeds of this machine were heard of yet"}
	}
	p, order := policy.Power{State: state, Link: link}, d.strongest()
	// What is ordered is not known: an order from before a crash stands. Nor does anybody
	// know whether what goes with a master's host feeds this machine.
	if !d.ordered || d.undecided && order.Kind == policy.OrderEnd {
		d.step(p)
		return
	}
	d.step(policy.News{Power: p, Order: order, Awaited: d.awaited()})
}

// forget begins anew without a master.
func (d *Driver) forget(master string) error {
	v := d.m.View()
	if v.Phase == policy.Committed || v.Phase == policy.Done || v.Power.State.Known().OnBattery() {
		return ErrOnBattery
	}
	for _, p := range v.Problems {
		d.wentAway(p)
	}
	d.m = policy.NewMachine(d.config())
	d.feeds = power.NewFeeds(d.o.Settings.Need, d.o.Settings.Feeds, d.o.Settings.ObeySim)
	delete(d.told, master)
	delete(d.silent, master)
	clear(d.states)
	d.ordered = false
	d.o.Log.Info("a master is forgotten; this node begins anew", "node", d.o.Name, "master", master)
	d.ambiguity()
	for _, name := range slices.Sorted(maps.Keys(d.told)) {
		d.update(d.told[name])
	}
	return nil
}

func (d *Driver) feed(name string, s power.State, l power.Link) {
	d.states[name] = d.feeds.Update(name, s, l)
}

// strongest returns the order that outranks the other masters'; of two holds, the
// one that lasts longer.
func (d *Driver) strongest() policy.Order {
	var best policy.Order
	for _, m := range slices.Sorted(maps.Keys(d.told)) {
		o := d.told[m].Order
		if cmp.Or(cmp.Compare(o.Kind, best.Kind), cmp.Compare(o.Until, best.Until)) > 0 {
			best = o
		}
	}
	return best
}

// awaited returns who is still up by the word of all masters. Of one that is silent
// while another is heard nobody's end would be heard: wait_limit counts from its last
// word. The machine sees to it itself where all are.
func (d *Driver) awaited() policy.Awaited {
	var all policy.Awaited
	for _, m := range slices.Sorted(maps.Keys(d.told)) {
		a := d.told[m].Awaited
		if since, lost := d.silent[m]; lost && len(d.silent) < len(d.told) && a.Open {
			a.Open, a.Limit = false, max(a.Limit, since.Add(d.o.Settings.WaitLimit))
		}
		all.Up = append(all.Up, a.Up...)
		all.More += a.More
		all.Limit, all.Depth, all.Open = max(all.Limit, a.Limit), max(all.Depth, a.Depth), all.Open || a.Open
	}
	slices.Sort(all.Up)
	all.Up = slices.Compact(all.Up)
	return all
}

// lives returns the feeds that this machine lives on: those that were named, else those
// that were heard of.
func (d *Driver) lives() []string {
	if named := d.o.Settings.Feeds; len(named) > 0 {
		return slices.Sorted(slices.Values(named))
	}
	return d.feeds.Names()
}

// deciding returns the name of the feed whose state decides, as far as it can be
// told from the others.
func (d *Driver) deciding() string {
	state, _ := d.feeds.Combined()
	for _, name := range d.feeds.Names() {
		if d.states[name] == state {
			return name
		}
	}
	return ""
}

// publish makes the present snapshot everybody's.
func (d *Driver) publish() {
	view := d.m.View()
	s := Snapshot{
		Name:     d.o.Name,
		At:       d.o.Now(),
		View:     view,
		Feeds:    d.lives(),
		UPS:      d.deciding(),
		StopTime: d.stopTime(),
		Wake:     d.ways(),
		Problems: d.problems.entries,
		Drill:    d.rehearsal.report,
	}
	earnest := d.inEarnest()
	d.mu.Lock()
	old := d.snapshot
	d.snapshot, d.hooking = s, d.hooks.busy()
	d.drills.note(earnest)
	d.mu.Unlock()
	if old.At = s.At; reflect.DeepEqual(old, s) {
		return
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// kept is what the state file holds.
type kept struct {
	Boot    string          `json:"boot"`
	Machine policy.Snapshot `json:"machine"`
	// StopTime is this machine's, as measured.
	StopTime time.Duration `json:"stop_time"`
}

// save hands the machine's state to the state file, if it is new.
func (d *Driver) save() {
	if d.o.State == nil {
		return
	}
	b, err := json.Marshal(kept{d.o.BootID, d.m.Snapshot(), d.measured})
	if err != nil {
		d.o.Log.Error("cannot encode the state of this node", "err", err)
		return
	}
	if slices.Equal(b, d.saved) {
		return
	}
	d.saved = b
	d.o.State.Put(json.RawMessage(b))
}
