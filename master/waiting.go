package master

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// standing is what of a node matters only to those who wait for it.
type standing struct {
	committed power.Uptime // when it asked for its power-off, while it has
	lost      power.Uptime // when its link ended
	seen      bool         // this master saw its link end
	before    *upState     // attached to the master before, and not yet to this one
	cut       power.Uptime // when this master was up again after it went to cut its load; 0: it didn't
	reach
}

// note keeps when a node committed.
func (s *standing) note(was, is *upsv1.NodeReport, now power.Uptime) {
	gone := upsv1.Phase_PHASE_COMMITTED
	switch {
	case is.GetPhase() < gone:
		s.committed = 0
	case was.GetPhase() < gone || s.committed == 0:
		s.committed = now.Add(-is.GetPhaseAge().AsDuration())
	}
}

// ended keeps when a node's link ended.
func (s *standing) ended(now power.Uptime) { s.lost, s.seen = now, true }

// graph returns who waits for whom. h.mu is held.
func (h *hub) graph() *policy.Waits {
	if h.waits == nil {
		var all []policy.Waiter
		for _, n := range h.nodes {
			all = append(all, policy.Waiter{Name: n.name, Role: n.role, Feeds: n.feeds, WaitFor: n.waitFor, Host: n.host})
		}
		h.waits = policy.NewWaits(all)
	}
	return h.waits
}

// awaited returns who of those that n waits for is still up. h.mu is held.
func (h *hub) awaited(n *nodeRecord, now power.Uptime) policy.Awaited {
	if n == nil || len(n.waitFor) == 0 {
		return policy.Awaited{}
	}
	var on []policy.Standing
	_, outage := h.outageBegan()
	for _, name := range h.graph().On(n.name) {
		// The host goes to have its UPSes cut: whoever lives on without them stays.
		if o := h.nodes[name]; !n.host || !outage || !h.member(o, now).Survives(h.sources()) {
			on = append(on, h.standingOf(o))
		}
	}
	return policy.StillUp(now, n.waitLimit, h.graph().Depth(n.name), on)
}

// standingOf returns how a node stands for those who wait for it. h.mu is held.
func (h *hub) standingOf(n *nodeRecord) policy.Standing {
	s := policy.Standing{
		Name: n.name, Attached: n.host || n.session != nil, Phase: api.ToPhase(n.report.GetPhase()),
		Committed: n.committed, Heard: n.heard, StopTime: n.report.GetStopTime().AsDuration(),
		Answered: n.answered, Silent: n.silent, Alive: n.alive, Cut: n.cut,
	}
	if was := n.before; was != nil {
		s.Phase, s.StopTime, s.Heard = was.Phase, was.StopTime, was.Heard
		if was.Outage != "" && was.Phase < policy.Committed && h.wasThere(n) {
			s.Alive = 0 // it need not boot: nobody told it to go
		}
	}
	if d := n.report.GetDeadline(); d != nil && (s.Phase == policy.Grace || s.Phase == policy.Waiting) {
		s.Goes, s.Timed = n.heard.Add(d.AsDuration()), true
	}
	if d := h.stopTime(n); d > 0 {
		s.StopTime = d
	}
	s.Present = s.Attached || h.wasThere(n) || n.committed != 0
	return s
}

// wasThere reports whether a node that is not attached was so when the outage began, or
// since; of one that only the master before has heard also while no UPS is read yet.
// h.mu is held.
func (h *hub) wasThere(n *nodeRecord) bool {
	began, outage := h.outageBegan()
	if b := n.before; b != nil {
		return slices.ContainsFunc(h.ups, func(u upsRecord) bool {
			return u.state.Known() == power.Unknown || u.state.Outage != "" && (b.Outage == "" || b.Outage == u.state.Outage)
		})
	}
	return outage && n.seen && !n.lost.Before(began)
}

// outageBegan returns when the oldest outage that goes on began. h.mu is held.
func (h *hub) outageBegan() (began power.Uptime, is bool) {
	for _, u := range h.ups {
		if u.state.Outage != "" && (!is || u.state.OutageSince.Before(began)) {
			began, is = u.state.OutageSince, true
		}
	}
	return began, is
}

// waitProblems returns what is wrong with whom n waits for. h.mu is held.
func (h *hub) waitProblems(n *nodeRecord) []health.Problem {
	var ps []health.Problem
	var circles []string
	for _, c := range h.graph().Cycles(n.name) {
		circles = append(circles, fmt.Sprintf("%s, so %s does not wait for %s", strings.Join(c, " waits for "), n.name, c[1]))
	}
	if len(circles) > 0 {
		ps = append(ps, health.Problem{Name: health.WaitCycle, Text: strings.Join(circles, "; ") + ": take one of them out of a wait_for"})
	}
	if words := h.unknownWords(n); len(words) > 0 {
		ps = append(ps, health.Problem{Name: health.WaitNobody, Text: fmt.Sprintf(
			"wait_for names %s, and this rack has nobody of that name or role: correct it, or let that machine join", strings.Join(words, ", "))})
	}
	return ps
}

// unknownWords returns the words of n's list that mean nobody. Where n has feeds of
// another master too, they may mean somebody there; a role may be that of a node that
// has not been heard yet. h.mu is held.
func (h *hub) unknownWords(n *nodeRecord) []string {
	for _, f := range n.feeds {
		if master, _, _ := strings.Cut(f, "/"); master != h.name {
			return nil
		}
	}
	unheard := false
	for _, o := range h.nodes {
		unheard = unheard || !o.ever
	}
	return slices.DeleteFunc(slices.Clone(h.graph().Nobody(n.name)), func(w string) bool {
		return unheard && strings.HasPrefix(w, "role:")
	})
}

// inOutage reports whether any UPS is in one.
func (h *hub) inOutage() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, is := h.outageBegan()
	return is
}

// wakeWaiters makes those take the newest state who wait for anybody. h.mu is held.
func (h *hub) wakeWaiters() {
	for _, n := range h.nodes {
		switch {
		case len(n.waitFor) == 0:
		case n.session != nil:
			poke(n.session.wake)
		case n.wake != nil:
			poke(n.wake)
		}
	}
}

// upState is what a restarted master must know of a node that was attached: until it
// is heard anew it is not taken for off.
type upState struct {
	Role      string        `json:"role"`
	Feeds     []string      `json:"feeds"`
	WaitFor   []string      `json:"wait_for"`
	Phase     policy.Phase  `json:"phase"`
	Committed power.Uptime  `json:"committed"`
	Attached  bool          `json:"attached"`
	Heard     power.Uptime  `json:"heard"`
	StopTime  time.Duration `json:"stop_time"`
	From      string        `json:"from"`
	Answered  power.Uptime  `json:"answered"`
	Cut       power.Uptime  `json:"cut,omitempty"`
	// Outage is the one that it was there in, as a master of another boot left it; empty:
	// of this boot.
	Outage string `json:"outage,omitempty"`
}

// upNow returns those who are attached, or were in this outage and have not gone.
// h.mu is held.
func (h *hub) upNow() map[string]upState {
	up := map[string]upState{}
	for name, n := range h.nodes {
		switch {
		case n.host:
		case n.before != nil:
			b := *n.before
			b.Answered = n.answered
			up[name] = b
		case n.session != nil || h.wasThere(n):
			up[name] = upState{
				Role: n.role, Feeds: n.feeds, WaitFor: n.waitFor, Attached: n.session != nil, Heard: n.heard,
				Phase: api.ToPhase(n.report.GetPhase()), Committed: n.committed, StopTime: n.report.GetStopTime().AsDuration(),
				From: n.from, Answered: n.answered,
			}
		}
	}
	return up
}

// restoreUp makes those known who were attached to the master before on this boot. The
// roster may not have been read yet.
func (h *hub) restoreUp(s runState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, up := range s.Up {
		if up.Attached {
			up.Heard, up.Attached = h.now(), false // it would have been heard until now
		}
		h.recall(name, up)
	}
}

// recall makes known what an earlier run knew of a node that this one has not heard. h.mu
// is held.
func (h *hub) recall(name string, up upState) {
	if h.nodes[name] == nil {
		h.nodes[name] = &nodeRecord{name: name}
	}
	if n := h.nodes[name]; !n.host && n.session == nil && !n.ever {
		n.role, n.feeds, n.waitFor, n.from = up.Role, up.Feeds, up.WaitFor, up.From
		n.standing = standing{before: &up, committed: up.Committed, cut: up.Cut, reach: reach{answered: up.Answered}}
		h.waits = nil
	}
}

// woken notes that a node was told to start: it may be up before it attaches.
func (h *hub) woken(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[name]; n != nil && n.session == nil {
		n.alive = h.now()
	}
}
