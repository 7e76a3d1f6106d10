package policy_test

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// planTests are racks, each with one thing changed.
func planTests() []planTest {
	return []planTest{
		{"all is known", func(*planned) {}},
		{"a short battery", func(p *planned) { p.UPS[0].State.Runtime = 4 * time.Minute }},
		{"a battery in debt", func(p *planned) { p.UPS[0].State.Debt = 12 * time.Minute }},
		{"nobody knows the battery", func(p *planned) { p.UPS[0].State.Runtime = 0 }},
		{"nobody knows the battery, and somebody waits for its end", func(p *planned) {
			p.UPS[0].State.Runtime = 0
			p.node("web1").Config.GraceBatLow = true
		}},
		{"nobody knows anything of the battery", func(p *planned) {
			p.UPS[0].State.Runtime, p.UPS[0].State.HasLow = 0, false
		}},
		{"grace is batlow, and the battery known", func(p *planned) { p.node("web1").Config.GraceBatLow = true }},
		{"a hold", func(p *planned) {
			p.node("web1").Order = policy.Order{Kind: policy.OrderHold, By: "ann", Until: p.Now.Add(30 * time.Minute)}
		}},
		{"a shutdown is ordered", func(p *planned) {
			p.node("web1").Order = policy.Order{Kind: policy.OrderShutdown, By: "ann"}
		}},
		{"a dry run", func(p *planned) { p.node("web1").Config.NeverGoes = true }},
		{"the host goes first", func(p *planned) {
			p.node("rack1").Config.Grace, p.node("rack1").Config.WaitFor, p.node("rack1").WaitFor = time.Minute, false, nil
		}},
		{"no host", func(p *planned) { p.Nodes = p.Nodes[:2] }},
		{"the host is a dry run", func(p *planned) {
			p.node("rack1").Config.NeverGoes, p.node("rack1").Config.Grace = true, time.Minute
		}},
		{"a node has no contact", func(p *planned) {
			p.node("web1").Standing.Attached, p.node("web1").Standing.Present = false, false
		}},
		{"an older agent", func(p *planned) { p.node("web1").Spoken = false }},
		{"a pretended UPS", func(p *planned) {
			p.UPS[0].State.Sim = true
			p.node("web1").Config.ObeySim, p.node("rack1").Config.ObeySim = true, true
		}},
		{"nobody can read the UPS", func(p *planned) { p.UPS[0].State.Status = power.Unknown }},
		{"stop times that were never measured", func(p *planned) {
			p.node("web1").Measured, p.node("db1").Measured = false, false
		}},
		{"a weak battery", func(p *planned) { p.UPS[0].State.WeakBattery = true }},
		{"an outage goes on", func(p *planned) {
			p.fail(3 * time.Minute)
			n := p.node("db1")
			n.Standing.Phase, n.Since = policy.Waiting, p.Now.Add(-time.Minute)
			n = p.node("web1")
			n.Standing.Phase, n.Standing.Timed, n.Standing.Goes, n.Since = policy.Grace, true, p.Now.Add(100*time.Second), p.Now.Add(-3*time.Minute)
		}},
		{"an outage with one gone and one lost", func(p *planned) {
			p.fail(6 * time.Minute)
			n := p.node("web1")
			n.Standing.Attached, n.Standing.Phase, n.Standing.Committed = false, policy.Done, p.Now.Add(-30*time.Second)
			n = p.node("db1")
			n.Standing.Attached, n.Standing.Phase, n.Standing.Heard, n.Since = false, policy.Waiting, p.Now.Add(-time.Minute), p.Now.Add(-4*time.Minute)
		}},
		{"an outage with one gone that still answers probes", func(p *planned) {
			p.fail(6 * time.Minute)
			s := &p.node("web1").Standing
			s.Attached, s.Phase, s.Committed, s.Answered = false, policy.Done, p.Now.Add(-30*time.Second), p.Now.Add(-time.Second)
			n := p.node("db1")
			n.Standing.Phase, n.Since = policy.Waiting, p.Now.Add(-4*time.Minute)
		}},
		{"the battery is low", func(p *planned) {
			p.fail(3 * time.Minute)
			p.UPS[0].State.Status, p.UPS[0].State.Last, p.UPS[0].State.Since = power.BatLow, power.BatLow, p.Now.Add(-time.Second)
		}},
		{"the battery should be empty", func(p *planned) { p.fail(time.Hour) }},
		{"two UPSes, of which one node needs one", func(p *planned) {
			p.UPS = append(p.UPS, plannedUPS("spare", 10*time.Minute))
			p.node("web1").Feeds = []string{"rack1/main", "rack1/spare"}
			p.node("db1").Feeds = []string{"rack1/spare"}
		}},
		{"two UPSes, and one can't say low", func(p *planned) {
			p.UPS = append(p.UPS, plannedUPS("spare", 0))
			p.UPS[0].State.Runtime, p.UPS[1].State.HasLow = 0, false
			p.node("web1").Config.GraceBatLow = true
			p.node("db1").Feeds = []string{"rack1/spare"}
		}},
		{"two UPSes, and only one fails", func(p *planned) {
			p.UPS = append(p.UPS, plannedUPS("spare", 10*time.Minute))
			p.node("web1").Feeds = []string{"rack1/main", "rack1/spare"}
			p.Fails = []string{"main"}
		}},
		{"another master's UPS too", func(p *planned) {
			p.node("web1").Feeds = []string{"rack1/main", "rack2/main"}
			p.node("db1").Feeds = []string{"rack2/main"}
		}},
	}
}
