package master

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// upsStates returns every UPS for the wire, as of now. h.mu is held.
func (h *hub) upsStates(now power.Uptime) []*upsv1.UpsState {
	var out []*upsv1.UpsState
	for _, u := range h.ups {
		p := api.FromState(u.name, u.state, now)
		p.Cable, p.Lines = u.cable, u.lines
		if u.state.Last != power.Unknown { // else nobody has ever heard of it
			api.FillBattery(p, u.battery)
		}
		p.Disabled = u.disabled.wire(now)
		out = append(out, p)
	}
	return out
}

// response returns all that an attached node needs to know, as of now.
func (h *hub) response(s *session, master string, tempo time.Duration) *upsv1.AttachResponse {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	r := &upsv1.AttachResponse{Master: master, Ups: h.upsStates(now), Heartbeat: durationpb.New(tempo)}
	if n := h.nodes[s.node]; n != nil {
		r.Order = api.FromOrder(h.order(n), now)
		if d := h.stopTime(n); d > 0 {
			r.StopTime = durationpb.New(d)
		}
		if len(n.waitFor) > 0 {
			r.Awaited = api.FromAwaited(h.awaited(n, now), now)
		}
		r.Drill = h.drillMessage(n, now)
	}
	return r
}

// status fills st with everything the hub knows, as of now.
func (h *hub) status(st *upsv1.MasterStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	st.Ups = h.upsStates(now)
	st.Drill = h.drillStatus(now)
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		ns := &upsv1.NodeStatus{Name: n.name, Role: n.role, Link: api.FromLink(n.link), IsMasterHost: n.host, Report: &upsv1.NodeReport{}}
		ns.Off, ns.Virtualization = api.FromOff(h.standingOf(n).OffAs(now)), n.hello.GetVirtualization()
		if n.report != nil {
			ns.Report = proto.CloneOf(n.report)
		}
		if n.ever {
			quiet := max(0, now.Sub(n.heard))
			if !n.host {
				ns.LastHeard = durationpb.New(quiet)
			}
			api.AgeReport(ns.Report, quiet)
		}
		st.Nodes = append(st.Nodes, ns)
		st.Problems = append(st.Problems, ns.Report.GetProblems()...)
	}
}

// found returns everything that is wrong with the UPSes and with what this master
// knows of its nodes.
func (h *hub) found() []health.Found {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	var out []health.Found
	for _, u := range h.ups {
		out = append(out, health.On("ups/"+u.name, u.problems)...)
	}
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		out = append(out, health.On("node/"+name, h.nodeProblems(h.nodes[name], now))...)
	}
	return out
}

// reported returns what the nodes themselves say is wrong with them.
func (h *hub) reported() []health.Found {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []health.Found
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		for _, p := range h.nodes[name].report.GetProblems() {
			out = append(out, health.Found{On: "node/" + name, Problem: health.Problem{Name: p.GetName(), Text: p.GetText()}})
		}
	}
	return out
}

// states returns what each UPS says now.
func (h *hub) states() []node.NamedState {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []node.NamedState
	for _, u := range h.ups {
		out = append(out, node.NamedState{Name: u.name, State: u.state})
	}
	return out
}

// phases returns where each node stands that has said so.
func (h *hub) phases() map[string]upsv1.Phase {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]upsv1.Phase{}
	for name, n := range h.nodes {
		if n.report != nil {
			out[name] = n.report.GetPhase()
		}
	}
	return out
}

// askable returns the nodes that can be asked themselves: where they attached from,
// and where they announce themselves.
func (h *hub) askable(seen *api.Seen) []api.Asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []api.Asked
	for _, n := range h.nodes {
		where := seen.Addresses(n.name)
		if n.address != "" && !slices.Contains(where, n.address) {
			where = append([]string{n.address}, where...)
		}
		if len(where) > 0 && !n.host {
			out = append(out, api.Asked{Name: n.name, Addresses: where})
		}
	}
	return out
}

// claimStays is for how long a second claimant for a name is a problem.
const claimStays = 24 * time.Hour

// onBattery reports whether any UPS was last known to be. h.mu is held.
func (h *hub) onBattery() bool {
	return slices.ContainsFunc(h.ups, func(u upsRecord) bool { return u.state.Known().OnBattery() })
}

// nodeProblems returns what the master itself has to say of a node. h.mu is held.
func (h *hub) nodeProblems(n *nodeRecord, now power.Uptime) []health.Problem {
	var ps []health.Problem
	if n.claim != "" && now.Sub(n.claimed) < claimStays {
		ps = append(ps, health.Problem{Name: health.SecondClaimant, Text: fmt.Sprintf(
			"%s ago somebody at %s asked to join under this name and was refused; if it is this machine set up anew: upsctl token create --replace %s",
			now.Sub(n.claimed).Round(time.Second), n.claim, n.name)})
	}
	ps = append(ps, h.waitProblems(n)...)
	went := n.report.GetPhase() >= upsv1.Phase_PHASE_COMMITTED
	switch {
	case n.host || n.link == power.LinkUp || n.link == power.LinkAway:
	case went && h.onBattery(): // as it should
	case went:
		ps = append(ps, health.Problem{Name: health.NodeLost, Text: fmt.Sprintf(
			"it went down and was last heard %s ago; it has not come back: switch it on", now.Sub(n.heard).Round(time.Second))})
	case !n.ever:
		ps = append(ps, health.Problem{Name: health.NodeLost, Text: "it has not attached since this master started; start upsagent there"})
	default:
		ps = append(ps, health.Problem{Name: health.NodeLost, Text: fmt.Sprintf(
			"it was last heard %s ago; if it is running it hears of no power failure: look at upsagent and the network there",
			now.Sub(n.heard).Round(time.Second))})
	}
	return ps
}

// phaseName returns a phase from the wire as people know it.
func phaseName(p upsv1.Phase) string {
	return strings.TrimPrefix(p.String(), "PHASE_")
}
