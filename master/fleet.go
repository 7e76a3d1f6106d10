package master

import (
	"fmt"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// kindFleet is the kind of event that tells what a master makes its whole rack do.
const kindFleet = "fleet"

// sources returns this master's UPSes as the fleet's rules know them. h.mu is held.
func (h *hub) sources() []policy.Source {
	var all []policy.Source
	for _, u := range h.ups {
		all = append(all, policy.Source{Name: h.name + "/" + u.name, State: u.state})
	}
	return all
}

// member returns a node as the fleet's rules know it. h.mu is held.
func (h *hub) member(n *nodeRecord, now power.Uptime) policy.Member {
	m := policy.Member{
		Standing: h.standingOf(n), Feeds: n.feeds, Host: n.host, Ordered: n.ordered(),
		DryRun: slices.Equal(n.report.GetMethods(), []string{shutdown.MethodNone}),
		Told:   n.hello.GetPolicy() != nil,
	}
	m.Good = m.Attached && api.ToStatus(n.report.GetStatus()) == power.OK
	m.Config, m.Need = n.policy()
	if n.host {
		m.Awaits = len(h.awaited(n, now).Up) > 0
	}
	return m
}

// policy returns how a node decides, and how many of its feeds it needs; 0: all. Where
// several are in sight and none is named the first that fails counts.
func (n *nodeRecord) policy() (policy.Config, int) {
	cfg, need := api.ToPolicy(n.hello)
	if slices.ContainsFunc(n.report.GetProblems(), func(p *upsv1.Problem) bool { return p.GetName() == health.Feeds }) {
		need = 0
	}
	return cfg, need
}

// noteOrdered keeps whether people made a node commit: when it is done their order is
// over, and it still was not the power.
func (n *nodeRecord) noteOrdered(was, is *upsv1.NodeReport) {
	gone := upsv1.Phase_PHASE_COMMITTED
	if is.GetPhase() < gone || was.GetPhase() < gone {
		n.byOrder = is.GetPhase() >= gone && n.order.Kind == policy.OrderShutdown
	}
}

// ordered reports whether it is people who make a node go, and not the power.
func (n *nodeRecord) ordered() bool {
	switch api.ToPhase(n.report.GetPhase()) {
	case policy.Committed:
		return n.byOrder && n.order.Kind == policy.OrderShutdown
	case policy.Done:
		return n.byOrder
	default:
		return n.order.Kind == policy.OrderShutdown
	}
}

// ownHost returns this master's own host; nil: nobody shuts it down. h.mu is held.
func (h *hub) ownHost() *nodeRecord {
	for _, n := range h.nodes {
		if n.host {
			return n
		}
	}
	return nil
}

// stepFleet looks whether the own host is about to go, makes everybody hear of it that it
// is or is no more, and returns what is to be told. h.mu is held.
func (h *hub) stepFleet() []history.Event {
	n := h.ownHost()
	if n == nil {
		return nil
	}
	now, was := h.now(), h.fleet.Ending()
	if h.fleet.Step(now, h.member(n, now), h.sources()) == was {
		return nil
	}
	h.wakeSessions()
	h.wakeWatchers()
	text := "this host is about to go: the time of everybody is up who lives on what goes with it"
	if was {
		text = "this host stays up, and who has not gone counts on by itself"
	}
	return []history.Event{{On: "master/" + h.name, Kind: kindFleet, Text: text}}
}

// tickFleet is stepFleet when time has passed; it returns for how long nothing is due.
func (h *hub) tickFleet() (next time.Duration, timed bool) {
	h.mu.Lock()
	events := h.stepFleet()
	if n := h.ownHost(); n != nil {
		now := h.now()
		due, is := h.fleet.Deadline(h.member(n, now))
		next, timed = due.Sub(now), is && due.After(now)
	}
	h.mu.Unlock()
	for _, e := range events {
		h.event(e)
	}
	return next, timed
}

// order returns what is wanted of a node now: what people want, and before the own host
// goes its end, to which holds yield. h.mu is held.
func (h *hub) order(n *nodeRecord) policy.Order {
	o := h.peoples(n)
	if o.Kind != policy.OrderShutdown && h.fleet.Ending() && h.fleet.Ends(h.member(n, h.now()), h.sources()) {
		return policy.Order{Kind: policy.OrderEnd, By: h.name}
	}
	return o
}

// lingering returns who has the order end, is heard, and has not committed; and whether
// the own host goes at all.
func (h *hub) lingering() (names []string, ending bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, ups := h.now(), h.sources()
	for _, n := range h.nodes {
		if m := h.member(n, now); m.Attached && m.Phase < policy.Committed && h.fleet.Ends(m, ups) {
			names = append(names, n.name)
		}
	}
	slices.Sort(names)
	return names, h.fleet.Ending()
}

// cuts returns when each UPS that is really on battery may be cut, by the power alone:
// nothing while people make the own host go. h.mu is held.
func (h *hub) cuts() []policy.Cut {
	host := h.ownHost()
	if host == nil || host.ordered() {
		return nil
	}
	var members []policy.Member
	now := h.now()
	for _, n := range h.nodes {
		members = append(members, h.member(n, now))
	}
	return policy.Cuts(now, members, h.sources())
}

// cutWords says in words when a UPS will be cut.
func cutWords(c policy.Cut, now power.Uptime) string {
	switch {
	case len(c.Blocked) > 0:
		return fmt.Sprintf("%s is not cut: nobody can say when %s will be off", c.UPS, policy.Awaited{Up: c.Blocked})
	case c.Last == "":
		return fmt.Sprintf("%s may be cut at once: everybody is off", c.UPS)
	default:
		return fmt.Sprintf("%s may be cut in %s, when %s is off", c.UPS, c.NotBefore.Sub(now).Round(time.Second), c.Last)
	}
}
