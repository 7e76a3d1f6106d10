package agent

import (
	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// states returns what a master's UPSes say, received at now.
func states(all []*upsv1.UpsState, now power.Uptime) []node.NamedState {
	var out []node.NamedState
	for _, u := range all {
		out = append(out, node.NamedState{Name: u.GetName(), State: api.ToState(u, now)})
	}
	return out
}

// toDrill returns what a master pretends, received at now.
func toDrill(p *upsv1.Drill, now power.Uptime) node.Drill {
	if p.GetId() == "" {
		return node.Drill{}
	}
	id, awaited, until := api.ToDrill(p, now)
	return node.Drill{ID: id, UPS: states(p.GetUps(), now), Awaited: awaited, Until: until}
}

// steadyDrill keeps the moments of one and the same drill that only arrived sooner or
// later: see [steady].
func steadyDrill(is *node.Drill, was node.Drill, now power.Uptime) {
	if is.ID != was.ID {
		return
	}
	steady(is.UPS, was.UPS)
	is.Awaited.Limit = sameLimit(is.Awaited.Limit, was.Awaited.Limit, now)
	is.Until = sameLimit(is.Until, was.Until, now)
}

// attachRequest is all that this node says now.
func (a *Agent) attachRequest() *upsv1.AttachRequest {
	return &upsv1.AttachRequest{Report: a.report(), Drill: api.FromDrillReport(a.driver.Snapshot().Drill)}
}
