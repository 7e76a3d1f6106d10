package master

import (
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// ofMaster reports whether a feed is one of that master's UPSes.
func ofMaster(feed, master string) bool { return strings.HasPrefix(feed, master+"/") }

// drillEnds ends the drill before its time, if one is on. h.mu is held.
func (h *hub) drillEnds(why string) {
	d := h.drill
	if d == nil || d.ended != "" {
		return
	}
	d.ended = why
	h.drillBack(d)
}

// drillBack lets the pretended power come back. h.mu is held.
func (h *hub) drillBack(d *drill) {
	d.back, d.backAt = true, h.now()
	h.wakeSessions()
	h.wakeWatchers()
}

// forgetDrill makes an end of a drill, however it stands.
func (h *hub) forgetDrill(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drill != nil && h.drill.id == id {
		h.drill = nil
		h.wakeSessions()
		h.wakeWatchers()
	}
}

// drillFor returns what the own host is to pretend.
func (h *hub) drillFor(name string) node.Drill {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, now := h.drill, h.now()
	if d == nil || d.back || d.nodes[name] == nil {
		return node.Drill{}
	}
	return node.Drill{ID: d.id, UPS: d.states(now), Awaited: h.drillAwaited(h.nodes[name], now), Until: d.until}
}

// drillMessage returns what an attached node is to pretend; nil: nothing. h.mu is held.
func (h *hub) drillMessage(n *nodeRecord, now power.Uptime) *upsv1.Drill {
	d := h.drill
	if d == nil || d.back || d.nodes[n.name] == nil {
		return nil
	}
	var ups []*upsv1.UpsState
	for _, u := range d.states(now) {
		ups = append(ups, api.FromState(u.Name, u.State, now))
	}
	return api.FromDrill(d.id, ups, h.drillAwaited(n, now), d.until, now)
}

// drillAwaited returns who of those that n waits for would still be up. h.mu is held.
func (h *hub) drillAwaited(n *nodeRecord, now power.Uptime) policy.Awaited {
	if len(n.waitFor) == 0 {
		return policy.Awaited{}
	}
	var on []policy.Standing
	for _, name := range h.graph().On(n.name) {
		on = append(on, h.drillStanding(h.nodes[name], now))
	}
	return policy.StillUp(now, n.waitLimit, h.graph().Depth(n.name), on)
}

// drillStanding is standingOf in a drill: who is not there or takes no part is not
// waited for, and who would have asked for its power-off is off its stop time and the
// margin later. h.mu is held.
func (h *hub) drillStanding(n *nodeRecord, now power.Uptime) policy.Standing {
	x, there := h.drill.nodes[n.name], n.host || n.session != nil
	s := policy.Standing{Name: n.name, Heard: now, StopTime: n.report.GetStopTime().AsDuration()}
	s.Present, s.Attached = x != nil && there, x != nil && there
	steps := x.steps(h.drill.id)
	if len(steps) == 0 {
		return s
	}
	is := steps[len(steps)-1]
	if s.Phase = api.ToPhase(is.GetPhase()); s.Phase == policy.Committed {
		s.Committed = h.drill.began.Add(is.GetAfter().AsDuration())
		s.Attached = false // nobody probes it, so it is off by its time
	}
	return s
}

// steps are the phases that a node told of in a drill.
func (x *drilled) steps(id string) []*upsv1.DrillStep {
	if x == nil || x.report.GetId() != id {
		return nil
	}
	return x.report.GetSteps()
}

// drillReport takes what an attached node says of a drill.
func (h *hub) drillReport(s *session, r *upsv1.DrillReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[s.node]; n != nil && n.session == s {
		h.takeDrill(s.node, r)
	}
}

// hostDrillReport is drillReport for the own host.
func (h *hub) hostDrillReport(name string, r *upsv1.DrillReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.takeDrill(name, r)
}

// takeDrill keeps a node's part in the drill that is on, or in another master's.
// h.mu is held.
func (h *hub) takeDrill(name string, r *upsv1.DrillReport) {
	if h.drill == nil || r == nil || h.drill.nodes[name] == nil {
		return
	}
	api.BoundDrillReport(r)
	x := h.drill.nodes[name]
	if r.GetId() == h.drill.id && x.answered == 0 {
		x.answered = max(h.now().Sub(h.drill.began), 1)
	}
	if x.report.GetId() == h.drill.id && r.GetId() != h.drill.id {
		return // it has begun another's since
	}
	was := len(x.steps(h.drill.id))
	x.report = r
	if len(x.steps(h.drill.id)) != was {
		h.wakeSessions() // some may wait for it
	}
	h.wakeWatchers()
}

// stepDrill lets a drill go on by the time, and says how it stands and when to look
// again.
func (h *hub) stepDrill(id string) (*upsv1.DrillResponse, power.Uptime) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, now := h.drill, h.now()
	if d == nil || d.id != id {
		return &upsv1.DrillResponse{Id: id, Over: true, Ended: "nobody knows of it any more"}, now
	}
	next := d.until
	switch {
	case d.back:
	case !now.Before(d.until):
		h.drillBack(d)
	case d.low != 0 && now.Before(d.low):
		next = d.low
	case d.low != 0 && !d.lowTold:
		d.lowTold = true
		h.wakeSessions()
	}
	over := false
	if d.back {
		settle := drillSettle
		if d.ended != "" {
			settle = drillHurry
		}
		next = d.backAt.Add(settle)
		over = !now.Before(next) || !h.drillGoesOn(d)
	}
	return h.drillResult(d, over), next
}

// drillGoesOn reports whether somebody's last word is still to come. h.mu is held.
func (h *hub) drillGoesOn(d *drill) bool {
	for name, x := range d.nodes {
		n := h.nodes[name]
		if n != nil && (n.host || n.session != nil) && x.report.GetId() == d.id && !x.report.GetOver() {
			return true
		}
	}
	return false
}

// drillResult is what came of a drill so far. h.mu is held.
func (h *hub) drillResult(d *drill, over bool) *upsv1.DrillResponse {
	out := &upsv1.DrillResponse{Id: d.id, Over: over, Ended: d.ended}
	if d.low != 0 {
		out.Low = durationpb.New(d.low.Sub(d.began))
	}
	for _, name := range slices.Sorted(maps.Keys(d.nodes)) {
		x, n := d.nodes[name], h.nodes[name]
		r := &upsv1.DrillNode{Name: name, Missing: drillMissing(n, x, d.id)}
		if x.report.GetId() == d.id {
			r.Report, r.Answered = x.report, durationpb.New(x.answered)
		}
		if x.goes {
			r.Planned = durationpb.New(x.planned)
		}
		if n != nil {
			r.Methods = n.report.GetMethods()
		}
		r.Late = r.GetMissing() == "" && x.late(d, h.now())
		out.Nodes = append(out.Nodes, r)
	}
	return out
}

// drillMissing says why a node has no part in a drill; empty: it has.
func drillMissing(n *nodeRecord, x *drilled, id string) string {
	switch {
	case n == nil:
		return "it was removed from the rack"
	case x.report.GetId() == id && x.report.GetLeftOut() != "" && len(x.report.GetSteps()) == 0:
		return x.report.GetLeftOut()
	case x.report.GetId() == id:
		return ""
	case x.report.GetId() != "" && !x.report.GetOver():
		return "it takes part in another master's drill; try again when that is over"
	case n.host || n.session != nil:
		return "it is attached and did not answer; is its software older?"
	case n.link == power.LinkAway:
		return "its agent was stopped"
	case n.ever:
		return "it is out of touch: it would not hear of a failure either"
	default:
		return "it has not attached since this master started"
	}
}

// late reports whether a node's time is up later than foreseen, as far as can be said
// at now.
func (x *drilled) late(d *drill, now power.Uptime) bool {
	if !x.goes || x.report.GetLeftOut() != "" {
		return false
	}
	if x.report.GetGoes() == nil {
		return d.ended == "" && now.Sub(d.began) > x.heardBy(d)+drillSlack
	}
	return x.report.GetGoes().AsDuration() > x.planned+drillSlack
}

// heardBy is when a node must know at the latest that it goes.
func (x *drilled) heardBy(d *drill) time.Duration {
	if d.low != 0 {
		return d.low.Sub(d.began)
	}
	return 0
}

// drillStatus is the drill for people who look; nil: none is on. h.mu is held.
func (h *hub) drillStatus(now power.Uptime) *upsv1.DrillStatus {
	d := h.drill
	if d == nil {
		return nil
	}
	all := slices.Sorted(maps.Keys(d.nodes))
	out := &upsv1.DrillStatus{Id: d.id, By: d.by, Nodes: all[:min(len(all), 8)], Count: uint32(len(all))}
	if !d.back {
		out.Left = durationpb.New(max(0, d.until.Sub(now)))
	}
	return out
}
