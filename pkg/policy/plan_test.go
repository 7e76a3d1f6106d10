package policy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// planned is a rack that tests change: web1, db1 which waits for it, and the master's
// host, which waits for all; a minute to shut down; 20 minutes of battery.
type planned struct{ policy.PlanRack }

const planNow = power.Uptime(10 * time.Hour)

func plannedRack() *planned {
	p := &planned{policy.PlanRack{Now: planNow, UPS: []policy.PlanUPS{plannedUPS("main", 20*time.Minute)}}}
	p.Nodes = []policy.PlanNode{
		plannedNode("web1", 5*time.Minute),
		plannedNode("db1", 2*time.Minute, "web1"),
		plannedNode("rack1", 10*time.Minute, "*"),
	}
	p.Nodes[2].Host = true
	return p
}

func plannedUPS(name string, runtime time.Duration) policy.PlanUPS {
	return policy.PlanUPS{
		Name: name, Feed: "rack1/" + name, Reserve: 2 * time.Minute, CanCut: true,
		State: power.State{Status: power.OK, Last: power.OK, HasLow: true, Runtime: runtime},
	}
}

func plannedNode(name string, grace time.Duration, waitFor ...string) policy.PlanNode {
	c := standard()
	c.Grace, c.Margin, c.WaitFor = grace, policy.OffMargin, len(waitFor) > 0
	return policy.PlanNode{
		Waiter: policy.Waiter{Name: name, WaitFor: waitFor, Feeds: []string{"rack1/main"}}, Config: c, Need: 1, Spoken: true, Measured: true,
		Standing: policy.Standing{Name: name, Attached: true, Present: true, Phase: policy.Idle, Heard: planNow, StopTime: time.Minute},
	}
}

func (p *planned) node(name string) *policy.PlanNode {
	for i := range p.Nodes {
		if p.Nodes[i].Name == name {
			return &p.Nodes[i]
		}
	}
	panic("no node " + name)
}

// fail puts a UPS on battery for that long.
func (p *planned) fail(age time.Duration) {
	s := &p.UPS[0].State
	s.Status, s.Last, s.Outage, s.OutageSince, s.Since = power.Fail, power.Fail, "b-1", p.Now.Add(-age), p.Now.Add(-age)
}

// text is a plan as a test compares it.
func planText(p policy.Plan) string {
	var b strings.Builder
	when := func(at time.Duration, low bool) string {
		if low {
			return "low+" + at.String()
		}
		return at.String()
	}
	for _, e := range p.Events {
		if e.Kind != policy.PlanGrace {
			fmt.Fprintf(&b, "%s %s %s: %s\n", when(e.At, e.AfterLow), e.Kind, e.UPS+e.Node, e.Text)
		}
	}
	for _, u := range p.UPS {
		fmt.Fprintf(&b, "%s: last %s", u.UPS, u.Last)
		for _, d := range []struct {
			name string
			at   time.Duration
			is   bool
		}{{"off", u.LastOff, u.Last != ""}, {"end", u.End, u.HasEnd}, {"cut", u.Cut, u.HasCut}, {"margin", u.Margin, u.HasMargin}, {"low margin", u.LowMargin, u.HasLowMargin}} {
			if d.is {
				fmt.Fprintf(&b, ", %s %s", d.name, d.at)
			}
		}
		b.WriteString("\n")
	}
	for _, w := range p.Warnings {
		b.WriteString("note: " + w + "\n")
	}
	return b.String()
}

// planFile has what is foreseen of each of planTests.
const planFile = "testdata/plan/stories.txt"

// TestPlan compares what is foreseen with what an owner has read and found right. Node's
// countdowns are left out.
func TestPlan(t *testing.T) {
	var b strings.Builder
	for _, tt := range planTests() {
		p := plannedRack()
		tt.change(p)
		fmt.Fprintf(&b, "# %s\n%s\n", tt.name, planText(policy.NewPlan(p.PlanRack)))
	}
	if *rewrite {
		if err := os.WriteFile(planFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(planFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("something else is foreseen (-file +plan); if it is meant, go test -rewrite:\n%s", diff)
	}
}

type planTest struct {
	name   string
	change func(p *planned)
}
