package policy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// drawRack draws a rack of up to six nodes and the master's host on one or two UPSes,
// in peace, everybody attached.
func drawRack(t *rapid.T) policy.PlanRack {
	seconds := func(label string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, label)) * time.Second
	}
	r := policy.PlanRack{Now: planNow}
	names := []string{"main", "spare"}[:rapid.IntRange(1, 2).Draw(t, "upses")]
	for _, name := range names {
		u := plannedUPS(name, 0)
		if rapid.Bool().Draw(t, "runtime known") {
			u.State.Runtime = seconds("runtime", 60, 3600)
		}
		u.State.HasLow, u.State.Debt, u.Reserve = rapid.Bool().Draw(t, "low"), seconds("debt", 0, 600), seconds("reserve", 0, 300)
		r.UPS = append(r.UPS, u)
	}
	for i := range rapid.IntRange(1, 7).Draw(t, "nodes") {
		n := plannedNode(fmt.Sprintf("n%d", i), seconds("grace", 1, 900))
		n.Standing.StopTime = seconds("stop", 1, 200)
		n.Config.GraceBatLow = rapid.IntRange(0, 4).Draw(t, "batlow") == 0
		n.Config.WaitLimit = seconds("wait limit", 0, 200)
		n.Config.NeverGoes = rapid.IntRange(0, 9).Draw(t, "dry run") == 0
		n.Feeds = []string{"rack1/" + rapid.SampledFrom(names).Draw(t, "feed")}
		for range rapid.IntRange(0, 2).Draw(t, "waits") {
			n.WaitFor = append(n.WaitFor, rapid.SampledFrom([]string{"*", "n0", "n1", "n2", "n3", "nobody"}).Draw(t, "for"))
		}
		n.Config.WaitFor = len(n.WaitFor) > 0
		n.Host = i == 0 && rapid.Bool().Draw(t, "host")
		r.Nodes = append(r.Nodes, n)
	}
	return r
}

// happened returns when a thing happened to a node.
func happened(p policy.Plan, node string, kind policy.PlanKind) (policy.PlanEvent, bool) {
	i := slices.IndexFunc(p.Events, func(e policy.PlanEvent) bool { return e.Node == node && e.Kind == kind })
	if i < 0 {
		return policy.PlanEvent{}, false
	}
	return p.Events[i], true
}

// What is foreseen ends, is in order, does not depend on the order of names, and changes
// nothing of what it is made of.
func TestPlanIsAFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRack(t)
		same := r
		same.UPS, same.Nodes = slices.Clone(r.UPS), slices.Clone(r.Nodes)
		p := policy.NewPlan(r)
		if d := cmp.Diff(same, r); d != "" {
			t.Fatalf("the rack was changed: %s", d)
		}
		slices.Reverse(same.Nodes)
		if d := cmp.Diff(p, policy.NewPlan(same)); d != "" {
			t.Fatalf("the order of the nodes matters: %s", d)
		}
		var last policy.PlanEvent
		for _, e := range p.Events {
			if last.AfterLow && !e.AfterLow || last.AfterLow == e.AfterLow && e.At < last.At {
				t.Fatalf("%+v comes after %+v", e, last)
			}
			last = e
		}
	})
}

// Everybody who hears of it and is no dry run goes, and is off its stop time later.
func TestPlanLeavesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRack(t)
		p := policy.NewPlan(r)
		for _, n := range r.Nodes {
			commit, goes := happened(p, n.Name, policy.PlanCommit)
			off, ends := happened(p, n.Name, policy.PlanOff)
			switch {
			case !goes:
				t.Fatalf("%s never goes:\n%s", n.Name, planText(p))
			case n.Config.NeverGoes != !ends:
				t.Fatalf("%s: off is %v, a dry run %v:\n%s", n.Name, ends, n.Config.NeverGoes, planText(p))
			case ends && commit.AfterLow == off.AfterLow && off.At-commit.At != n.Standing.StopTime:
				t.Fatalf("%s goes at %s and is off at %s, with a stop time of %s", n.Name, commit.At, off.At, n.Standing.StopTime)
			}
		}
	})
}

// Nobody goes later than its grace, with what it may wait: until those below it are off,
// or for its wait_limit after they went. The one it waits for may itself wait for BATLOW.
func TestPlanKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRack(t)
		p := policy.NewPlan(r)
		var waiters []policy.Waiter
		for _, n := range r.Nodes {
			waiters = append(waiters, n.Waiter)
		}
		waits := policy.NewWaits(waiters)
		for _, n := range r.Nodes {
			commit, _ := happened(p, n.Name, policy.PlanCommit)
			if commit.AfterLow {
				continue // until then nobody can say anything
			}
			var bound time.Duration
			state := stateOf(r, n)
			if bound = n.Config.Grace; n.Config.GraceBatLow && state.HasLow {
				bound = state.Runtime // at BATLOW at the latest, where that is known
				if bound == 0 {
					bound = 24 * time.Hour
				}
			}
			for _, name := range waits.On(n.Name) {
				below, goes := happened(p, name, policy.PlanCommit)
				if below.AfterLow || !goes {
					bound = 24 * time.Hour
				}
				i := slices.IndexFunc(r.Nodes, func(o policy.PlanNode) bool { return o.Name == name })
				stop := r.Nodes[i].Standing.StopTime
				bound = max(bound, below.At) + max(n.Config.WaitLimit, stop)
			}
			if commit.At > bound+n.Config.WaitLimit {
				t.Fatalf("%s goes at %s, later than %s:\n%s", n.Name, commit.At, bound, planText(p))
			}
			if least := min(n.Config.Grace, n.Config.GraceMin); commit.At < least && !hurried(r, p, commit) {
				t.Fatalf("%s goes at %s, although nothing hurries it:\n%s", n.Name, commit.At, planText(p))
			}
		}
	})
}

// hurried reports whether something may have made a node go sooner: a battery that was
// low by then, or a master's host, which tells the others when it is about to go.
func hurried(r policy.PlanRack, p policy.Plan, at policy.PlanEvent) bool {
	return slices.ContainsFunc(r.Nodes, func(n policy.PlanNode) bool { return n.Host }) ||
		slices.ContainsFunc(p.Events, func(e policy.PlanEvent) bool {
			return e.Kind == policy.PlanLow && e.At <= at.At && e.AfterLow == at.AfterLow
		})
}

// stateOf returns what the only UPS of a node says.
func stateOf(r policy.PlanRack, n policy.PlanNode) power.State {
	i := slices.IndexFunc(r.UPS, func(u policy.PlanUPS) bool { return u.Feed == n.Feeds[0] })
	return r.UPS[i].State
}

// A margin is what lies between the last machine's being off and the battery's end.
func TestPlanMarginIsOfTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRack(t)
		p := policy.NewPlan(r)
		for i, u := range p.UPS {
			var last time.Duration
			for _, n := range r.Nodes {
				if off, is := happened(p, n.Name, policy.PlanOff); is && n.Feeds[0] == r.UPS[i].Feed && !off.AfterLow {
					last = max(last, off.At)
				}
			}
			full := r.UPS[i].State.Runtime - r.UPS[i].State.Debt
			if !u.HasMargin || u.AfterLow || r.UPS[i].State.Runtime == 0 {
				continue
			}
			if u.End != max(0, full) || u.LastOff != last || u.Margin != u.End-last {
				t.Fatalf("of %s is told end %s, last off %s, margin %s; it is %s, %s:\n%s", u.UPS, u.End, u.LastOff, u.Margin, full, last, planText(p))
			}
		}
	})
}

// Without waits a machine keeps its margin if the battery lasts for its least grace, for
// its shutdown and for the margin, and nothing else puts it off.
func TestPlanWithoutWaitsIsInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRack(t)
		for i := range r.Nodes {
			n := &r.Nodes[i]
			n.WaitFor, n.Config.WaitFor, n.Config.GraceBatLow = nil, false, false
		}
		p := policy.NewPlan(r)
		for _, n := range r.Nodes {
			s := stateOf(r, n)
			need := min(n.Config.Grace, n.Config.GraceMin) + n.Standing.StopTime + n.Config.Margin
			off, is := happened(p, n.Name, policy.PlanOff)
			if left := s.Runtime - s.Debt; s.Runtime > 0 && is && left >= need && off.At > left-n.Config.Margin {
				t.Fatalf("%s is off at %s, and its battery ends at %s:\n%s", n.Name, off.At, left, planText(p))
			}
		}
	})
}

// The load is cut after everybody who lives on it is off, also who was left to itself when
// the master's host went; that host cuts it as its last act.
func TestLaw05PlanCutsLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRack(t)
		r.LowAtOnce = rapid.Bool().Draw(t, "low at once")
		p := policy.NewPlan(r)
		for _, cut := range p.Events {
			if cut.Kind != policy.PlanCut {
				continue
			}
			for _, n := range r.Nodes {
				off, is := happened(p, n.Name, policy.PlanOff)
				lives := !n.Host && slices.ContainsFunc(r.UPS, func(u policy.PlanUPS) bool { return u.Name == cut.UPS && u.Feed == n.Feeds[0] })
				if lives && (!is || off.AfterLow && !cut.AfterLow || off.AfterLow == cut.AfterLow && off.At > cut.At) {
					t.Fatalf("%s is cut at %s, and %s is off at %s:\n%s", cut.UPS, cut.At, n.Name, off.At, planText(p))
				}
			}
		}
	})
}
