package master

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/master/proof"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// hub is what the master knows now. Its mutex is held for copying only: never
// across I/O, a wait, or a call out.
type hub struct {
	now   func() power.Uptime
	event func(history.Event) // told outside the mutex; never blocks
	save  func()              // what a restart must know has changed; likewise
	name  string              // the master's, as feeds bear it

	mu       sync.Mutex // guards everything that follows
	ups      []upsRecord
	nodes    map[string]*nodeRecord
	waits    *policy.Waits             // who waits for whom; nil: to be looked at anew
	fleet    policy.Fleet              // whether the own host is about to go
	stops    map[string]proof.StopTime // of the nodes, as measured
	watchers map[chan struct{}]bool    // woken by any change
	drill    *drill                    // the one that is on; nil: none
}

// upsRecord is one UPS as the hub knows it.
type upsRecord struct {
	name     string
	state    power.State
	snapshot power.QualifierSnapshot
	battery  power.Battery // as of the last look
	record   power.BatteryRecord
	disabled disabling
	told     bool // by its runner
	cable    string
	lines    []string
	problems []health.Problem
}

// nodeRecord is one node: on the roster, attached or not.
type nodeRecord struct {
	name      string
	role      string
	version   string
	address   string // where it can be asked itself; empty: nowhere
	from      string // where it attached from, without a port; empty: not known
	boot      string
	host      bool // the master's own host, fed by the hub itself
	link      power.Link
	ever      bool // heard at all since this master started
	heard     power.Uptime
	report    *upsv1.NodeReport
	hello     *upsv1.Hello  // the last; of the own host made from its configuration
	order     policy.Order  // people's
	byOrder   bool          // it committed by people's order
	orderOf   string        // the boot of the node that a shutdown order is for
	sent      string        // the boot in which people told it to shut down
	claim     string        // who else asked to join under this name; empty: nobody
	claimed   power.Uptime  // when
	standing                // for those who wait for it
	waitFor   []string      // whom it waits for, as configured there
	waitLimit time.Duration // and for how long after a commit
	feeds     []string      // the last that it named
	session   *session      // the stream it is attached by, nil if none
	wake      chan struct{} // size one: states or the order changed
}

// session is one attached stream. The newest of a node is the only one that counts.
type session struct {
	node     string
	wake     chan struct{} // size one: send the full state again
	replaced chan struct{} // closed when a newer stream of the same node came
	removed  chan struct{} // closed when the node was struck off
}

func newHub(now func() power.Uptime, event func(history.Event)) *hub {
	return &hub{now: now, event: event, save: func() {}, nodes: map[string]*nodeRecord{}, watchers: map[chan struct{}]bool{}}
}

// addUPS makes a UPS known, blind. Called before anything runs.
func (h *hub) addUPS(name, cable string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ups = append(h.ups, upsRecord{name: name, cable: cable, state: power.State{Reason: "not read yet"}})
}

// expect makes a node known that is on the roster and may attach.
func (h *hub) expect(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nodes[name] == nil {
		h.nodes[name] = &nodeRecord{name: name}
		h.waits = nil
	}
	h.wakeWatchers()
}

// setUPS tells everybody a UPS's state. It reports whether the state changed;
// where nothing did, nobody is woken.
func (h *hub) setUPS(rec upsRecord) (changed bool) {
	var was power.State
	var nodes []history.NodeThen
	h.mu.Lock()
	for i := range h.ups {
		if h.ups[i].name != rec.name {
			continue
		}
		was, rec.cable = h.ups[i].state, h.ups[i].cable
		same := slices.Equal(h.ups[i].lines, rec.lines) && slices.Equal(h.ups[i].problems, rec.problems) &&
			percent(h.ups[i].battery) == percent(rec.battery)
		ordered := h.ups[i].disabled != rec.disabled
		h.ups[i] = rec
		if rec.state.Known().OnBattery() {
			h.drillEnds(rec.name + " is on battery")
		}
		if rec.state.Outage != "" && rec.state.Outage != was.Outage {
			nodes = h.nodesNow()
		}
		if changed = ordered || differs(was, rec.state); changed {
			h.wakeSessions()
		}
		if changed || !same {
			h.wakeWatchers()
		}
	}
	h.mu.Unlock()
	if was.Status != rec.state.Status {
		h.event(stateEvent(rec.name, was, rec.state, nodes))
	}
	return changed
}

// differs reports whether b says anything new after a. The debt that shrinks while
// on mains is not news.
func differs(a, b power.State) bool {
	if a.Outage == "" && b.Outage == "" {
		a.Debt, b.Debt = 0, 0
	}
	return a != b
}

// attach begins a node's session; an older one of the same node ends.
func (h *hub) attach(name, address string, hello *upsv1.Hello, report *upsv1.NodeReport) *session {
	s := &session{node: name, wake: make(chan struct{}, 1), replaced: make(chan struct{}), removed: make(chan struct{})}
	h.mu.Lock()
	n := h.nodes[name]
	if n == nil {
		n = &nodeRecord{name: name}
		h.nodes[name] = n
	}
	if n.session != nil {
		close(n.session.replaced)
	}
	if n.order.Kind == policy.OrderShutdown && n.orderOf != hello.GetBootId() {
		n.order = policy.Order{} // it went down and came back: the order was obeyed
	}
	n.session, n.link, n.address = s, power.LinkUp, address
	n.hello = hello
	n.role, n.version, n.boot = hello.GetRole(), hello.GetVersion(), hello.GetBootId()
	n.waitFor, n.waitLimit, n.standing = hello.GetWaitFor(), hello.GetWaitLimit().AsDuration(), standing{}
	h.waits = nil
	h.mu.Unlock()
	h.event(linkEvent(name, history.LinkUp, "attached", hello.GetBootId(), report, h.now()))
	h.report(s, report)
	h.save()
	return s
}

// remove forgets a node that was struck off, and ends its session.
func (h *hub) remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.nodes[name]
	if n == nil || n.host {
		return
	}
	if n.session != nil {
		close(n.session.removed)
	}
	delete(h.nodes, name)
	h.waits = nil
	h.wakeSessions() // the others are told whom to let in no more
	h.wakeWatchers()
}

// admitted makes a key that has just joined the only one of its name: whoever is
// attached under it has another key and goes.
func (h *hub) admitted(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[name]; n != nil {
		n.claim = ""
		if n.session != nil {
			close(n.session.removed)
			n.session, n.link = nil, power.LinkLost
			n.ended(h.now())
		}
		h.wakeWatchers()
	}
}

// claimed notes that somebody else asked to join under a node's name.
func (h *hub) claimed(name, from string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[name]; n != nil {
		n.claim, n.claimed = from, h.now()
		h.wakeWatchers()
	}
}

// detach ends a session; where it is still the node's own, the node is lost, or
// away when it said so.
func (h *hub) detach(s *session, why string) {
	h.mu.Lock()
	n := h.nodes[s.node]
	mine := n != nil && n.session == s
	leaving := mine && n.report.GetLeaving()
	if mine {
		n.session, n.link = nil, power.LinkLost
		if leaving {
			n.link = power.LinkAway
		}
		n.ended(h.now())
		h.wakeWaiters()
		h.wakeWatchers()
	}
	h.mu.Unlock()
	h.save()
	switch {
	case leaving:
		h.event(linkEvent(s.node, history.LinkOff, "said that it goes", "", nil, h.now()))
	case mine:
		h.event(linkEvent(s.node, history.LinkLost, "lost: "+why, "", nil, h.now()))
	}
}

// report takes a node's full present state. A session that is not the node's
// newest is not listened to.
func (h *hub) report(s *session, r *upsv1.NodeReport) {
	h.mu.Lock()
	n := h.nodes[s.node]
	if n == nil || n.session != s || r == nil {
		h.mu.Unlock()
		return
	}
	api.BoundReport(r, s.node)
	events := h.take(n, r)
	h.mu.Unlock()
	if len(events) > 0 {
		h.save()
	}
	for _, e := range events {
		h.event(e)
	}
}

// hostReport is report for the master's own host.
func (h *hub) hostReport(name string, r *upsv1.NodeReport) {
	h.mu.Lock()
	events := h.take(h.nodes[name], r)
	h.mu.Unlock()
	for _, e := range events {
		h.event(e)
	}
}

// take stores r and says what people want to know of the change. h.mu is held.
func (h *hub) take(n *nodeRecord, r *upsv1.NodeReport) (events []history.Event) {
	was := n.report
	n.report, n.heard, n.ever = r, h.now(), true
	n.note(was, r, n.heard)
	n.noteOrdered(was, r)
	// One that has just started knows none yet, and lives on what it did before.
	if f := r.GetFeeds(); len(f) > 0 && !slices.Equal(n.feeds, f) {
		n.feeds, h.waits = f, nil
	}
	if r.GetPhase() == upsv1.Phase_PHASE_DONE && n.order.Kind == policy.OrderShutdown {
		n.order = policy.Order{} // obeyed
	}
	if was.GetPhase() != r.GetPhase() {
		events = append(events, phaseEvent(n.name, was, r, n.heard))
		h.wakeWaiters()
	}
	h.wakeWatchers()
	return events
}

// feedFor returns all that a node on this master's own host needs to know.
func (h *hub) feedFor(name string) node.Update {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.nodes[name]
	u := node.Update{Link: power.LinkUp, Order: h.order(n), Awaited: h.awaited(n, h.now())}
	if n != nil {
		u.StopTime = h.stopTime(n)
	}
	for _, ups := range h.ups {
		u.UPS = append(u.UPS, node.NamedState{Name: ups.name, State: ups.state})
	}
	return u
}

// silent returns how long s has not been heard.
func (h *hub) silent(s *session) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[s.node]; n != nil {
		return h.now().Sub(n.heard)
	}
	return 0 // struck off: its stream is told by itself
}

// watch returns a channel that is woken by any change, until stop is called.
func (h *hub) watch() (wake chan struct{}, stop func()) {
	wake = make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[wake] = true
	return wake, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, wake)
	}
}

// wakeSessions makes every attached stream, and the own host, take the newest
// state. h.mu is held.
func (h *hub) wakeSessions() {
	for _, n := range h.nodes {
		if n.session != nil {
			poke(n.session.wake)
		}
		if n.wake != nil {
			poke(n.wake)
		}
	}
}

// follow calls look now and whenever something has changed, until ctx ends. Between two
// looks lies what it returns: a rack whose every heartbeat is a change costs no more.
func (h *hub) follow(ctx context.Context, look func() (pause time.Duration)) error {
	wake, stop := h.watch()
	defer stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		pause.Reset(look())
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// look wakes the lookers-on: something that they ask for elsewhere has changed.
func (h *hub) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeWatchers()
}

// wakeWatchers wakes the lookers-on. h.mu is held.
func (h *hub) wakeWatchers() {
	for w := range h.watchers {
		poke(w)
	}
}

// poke wakes whoever waits on a channel of size one; it is never waited for.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
