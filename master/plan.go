package master

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// planPause keeps a rack whose every heartbeat is a change from being looked at all the
// time, and planShare one of hundreds from costing more than a twentieth of a processor.
const (
	planPause = time.Second
	planShare = 20
)

// planning foresees what would come of each UPS if the mains failed now, anew whenever
// what it rests on has changed. Nobody waits for it.
type planning struct {
	m     *Master
	facts map[string]planFacts // by UPS

	mu   sync.Mutex // guards what follows
	made power.Uptime
	plan policy.Plan
	bad  []health.Found // what the last plan that was made on mains had wrong
}

// planFacts is what the configuration says of a UPS.
type planFacts struct {
	reserve time.Duration
	cuts    bool
}

func newPlanning(m *Master) *planning {
	p := &planning{m: m, facts: map[string]planFacts{}}
	for _, u := range m.cfg.UPS {
		p.facts[u.Name] = planFacts{u.Battery.LowReserve, wired(u.Port) && u.Cable.Kill.Exists()}
	}
	return p
}

// String names the task.
func (p *planning) String() string { return "plan" }

// Run looks whenever something has changed, until ctx ends.
func (p *planning) Run(ctx context.Context) error {
	var last policy.PlanRack
	return p.m.hub.follow(ctx, func() time.Duration {
		began := time.Now()
		r := p.rack()
		if is := coarse(r); !reflect.DeepEqual(is, last) {
			last = is
			p.keep(r.Now, policy.NewPlan(r))
		}
		return max(planPause, planShare*time.Since(began))
	})
}

func (p *planning) keep(now power.Uptime, plan policy.Plan) {
	p.mu.Lock()
	if p.made, p.plan = now, plan; !plan.GoingOn {
		p.bad = tooShort(plan)
	}
	p.mu.Unlock()
	p.m.hub.look() // there is more to tell now
}

// coarse returns r without what changes at every beat and changes no plan by more than
// some seconds.
func coarse(r policy.PlanRack) policy.PlanRack {
	const second = power.Uptime(time.Second)
	r.Now = 0
	r.UPS, r.Nodes = slices.Clone(r.UPS), slices.Clone(r.Nodes)
	for i := range r.UPS {
		s := &r.UPS[i].State
		s.Debt = s.Debt.Round(10 * time.Second)
		if s.Outage == "" {
			s.Since = 0
		}
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		n.Standing.Heard, n.Standing.Answered, n.Standing.Silent = 0, 0, 0
		n.Standing.Goes = (n.Standing.Goes + second/2) / second
		n.Standing.Committed /= second
		n.Since /= second
		if n.Standing.Phase == policy.Idle {
			n.Since = 0
		}
	}
	return r
}

// rack returns the rack as it is now.
func (p *planning) rack() policy.PlanRack {
	r := p.m.hub.planRack(p.facts)
	p.m.proving.measured(r.Nodes)
	return r
}

// planRack returns what a plan is made of.
func (h *hub) planRack(facts map[string]planFacts) policy.PlanRack {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := policy.PlanRack{Now: h.now()}
	for _, u := range h.ups {
		f := facts[u.name]
		if u.battery.ReserveLearned {
			f.reserve = u.battery.Reserve
		}
		r.UPS = append(r.UPS, policy.PlanUPS{Name: u.name, Feed: h.name + "/" + u.name, State: u.state, Reserve: f.reserve, CanCut: f.cuts})
	}
	for _, n := range h.nodes {
		r.Nodes = append(r.Nodes, h.planNode(n))
	}
	slices.SortFunc(r.Nodes, func(a, b policy.PlanNode) int { return strings.Compare(a.Name, b.Name) })
	return r
}

// planNode returns what a plan needs of a node. h.mu is held.
func (h *hub) planNode(n *nodeRecord) policy.PlanNode {
	m := h.member(n, h.now())
	c := m.Config
	c.Margin, c.Methods, c.NeverGoes = policy.OffMargin, len(n.report.GetMethods()), m.DryRun
	need := m.Need
	if need == 0 {
		need = len(n.feeds)
	}
	return policy.PlanNode{
		Waiter: policy.Waiter{Name: n.name, Role: n.role, Feeds: slices.Clone(n.feeds), WaitFor: slices.Clone(n.waitFor), Host: n.host},
		Config: c, Need: need, Order: h.peoples(n), Standing: m.Standing, Spoken: m.Told,
		Since: n.heard.Add(-n.report.GetPhaseAge().AsDuration()),
	}
}

// measured says whose stop times were.
func (p *proving) measured(nodes []policy.PlanNode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range nodes {
		nodes[i].Measured = p.proofs.Nodes[nodes[i].Name].Measured().Sure
	}
}

// fill says in st what was foreseen.
func (p *planning) fill(st *upsv1.MasterStatus) {
	now := p.m.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.plan.UPS {
		u := api.FromPlanResult(r)
		if p.plan.GoingOn && !u.GetAfterLow() {
			for _, d := range []**durationpb.Duration{&u.End, &u.LastOff, &u.Cut} {
				if *d != nil {
					*d = durationpb.New(max(0, (*d).AsDuration()-now.Sub(p.made)))
				}
			}
		}
		st.Plans = append(st.Plans, u)
	}
}

// found returns the UPSes whose batteries are too short for what is planned. An outage
// neither adds to them nor ends them: it is too late then.
func (p *planning) found() []health.Found {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bad
}

// tooShort returns the UPSes whose batteries are expected to end before all are off.
func tooShort(plan policy.Plan) []health.Found {
	var out []health.Found
	for _, r := range plan.UPS {
		if !r.HasMargin || r.Margin >= 0 || r.AfterLow {
			continue
		}
		out = append(out, health.Found{On: "ups/" + r.UPS, Problem: health.Problem{Name: health.PlanNegative, Text: fmt.Sprintf(
			"if the power failed now, %s would be off only %s after the battery's expected end: shorten grace or stop_time there, or of those it waits for; upsctl plan tells who does what when",
			r.Tight, (-r.Margin).Round(time.Second))}})
	}
	return out
}

// Plan foresees what would happen if the mains failed now.
func (s controlService) Plan(_ context.Context, req *upsv1.PlanRequest) (*upsv1.PlanResponse, error) {
	r := s.m.planning.rack()
	for _, name := range req.GetUps() {
		if !slices.ContainsFunc(r.UPS, func(u policy.PlanUPS) bool { return u.Name == name }) {
			var known []string
			for _, u := range r.UPS {
				known = append(known, u.Name)
			}
			return nil, api.Error(codes.NotFound, fmt.Errorf("there is no UPS %q; this master's are %q", name, known))
		}
	}
	r.Fails = req.GetUps()
	return api.FromPlan(policy.NewPlan(r)), nil
}
