package master

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// reportsArrive is how long a report of an attached node may be under way.
const reportsArrive = 200 * time.Millisecond

var errDrillTime = errors.New("the time for all hooks together was up")

// Examine asks every node whether it would go down and come back, side by side, and
// with drill makes each run its drill hooks. It ends when the caller hangs up, and so
// do the hooks.
func (s controlService) Examine(ctx context.Context, req *upsv1.ExamineRequest) (*upsv1.ExamineResponse, error) {
	m := s.m
	if req.GetDrill() {
		m.event("master/"+m.cfg.Name, "drill", "all nodes are examined, with their drill hooks, by "+api.PeerFrom(ctx).Name)
	}
	seen := m.lan.seen()
	all := m.hub.examinees(&seen)
	exams := make([]*upsv1.NodeExam, len(all))
	var wg sync.WaitGroup
	for i, x := range all {
		wg.Go(func() { exams[i] = m.examine(ctx, x, req.GetDrill()) })
	}
	wg.Wait()
	// What was found is on its way by the nodes' reports, and belongs to the answer.
	t := time.NewTimer(reportsArrive)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	out := &upsv1.ExamineResponse{Status: m.status()}
	for _, n := range out.GetStatus().GetNodes() {
		i := slices.IndexFunc(all, func(x examinee) bool { return x.Name == n.GetName() })
		if i < 0 {
			out.Nodes = append(out.Nodes, &upsv1.NodeExam{Name: n.GetName(), Error: "it has only just joined; ask again"})
			continue
		}
		if exams[i].GetAnswer() != nil && all[i].host {
			exams[i].Answer.Node = n
		}
		out.Nodes = append(out.Nodes, exams[i])
	}
	return out, nil
}

// examine asks one node.
func (m *Master) examine(ctx context.Context, x examinee, drill bool) *upsv1.NodeExam {
	keys := m.authority.Load()
	switch {
	case x.host:
		return &upsv1.NodeExam{Name: x.Name, Answer: m.host.examine(ctx, drill)}
	case x.why != "":
		return &upsv1.NodeExam{Name: x.Name, Error: x.why}
	case keys == nil:
		return &upsv1.NodeExam{Name: x.Name, Error: errNoKeys.Error()}
	}
	return api.ExamineNode(ctx, x.Asked, drill, trust.DialTLS(keys.Identity(), trust.RoleNode.ServerName()), m.dial)
}

// examine asks the own host's driver.
func (h *host) examine(ctx context.Context, drill bool) *upsv1.ExamineNodeResponse {
	ctx, cancel := context.WithTimeoutCause(ctx, api.DrillLimit, errDrillTime)
	defer cancel()
	e := h.driver.Examine(ctx, drill)
	out := &upsv1.ExamineNodeResponse{CannotPowerOff: e.Cannot, LeftOut: e.NotRun}
	for _, r := range e.Ran {
		out.Ran = append(out.Ran, api.FromHook(r.Name, r.Err, r.Took))
	}
	return out
}

// examinee is a node to be asked, or why it can't be.
type examinee struct {
	api.Asked
	why  string
	host bool
}

// examinees returns every node.
func (h *hub) examinees(seen *api.Seen) []examinee {
	asked := map[string]api.Asked{}
	for _, a := range h.askable(seen) {
		asked[a.Name] = a
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []examinee
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		x := examinee{Asked: api.Asked{Name: name, Addresses: asked[name].Addresses}, host: n.host}
		switch {
		case n.host || len(x.Addresses) > 0:
		case n.link == power.LinkUp:
			x.why = "it is attached and can't be asked: set listen in its agent.toml"
		case n.link == power.LinkAway:
			x.why = "its agent was stopped, and nobody knows where to ask it"
		case n.ever:
			x.why = "it is out of touch, and nobody knows where to ask it"
		default:
			x.why = "it has not attached since this master started"
		}
		out = append(out, x)
	}
	return out
}
