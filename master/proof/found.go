package proof

import (
	"fmt"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// Facts is what the configuration says of a UPS.
type Facts struct {
	Name      string
	Real      bool // it has a port, and not a pretended one
	Low, Kill bool // its cable can say "battery low", and cut the load
}

// Found is what the proofs themselves say: what was never proved, and what was disproved.
// hook: the master has one that wakes machines.
func (p *Proofs) Found(master string, ups []Facts, hook bool, nodes []Node) []health.Found {
	var out []health.Found
	add := func(on, name, text string) {
		out = append(out, health.Found{On: on, Problem: health.Problem{Name: name, Text: text}})
	}
	for _, u := range ups {
		if !u.Real {
			continue
		}
		if u.Low && p.UPS[u.Name].LowWall.IsZero() {
			add("ups/"+u.Name, health.NeverLow, "it was never seen to say that its battery is low, so nobody knows whether that wire works")
		}
		if u.Kill && p.UPS[u.Name].KillWall.IsZero() {
			add("ups/"+u.Name, health.KillUnproved, "its cable can cut the load, and nobody has seen it do so")
		}
	}
	for _, n := range nodes {
		proof := p.Nodes[n.Name]
		if proof.Outages == 0 {
			add("node/"+n.Name, health.Unproved, "it was never seen through an outage")
		}
		if proof.BackWall.IsZero() && !n.Stays() && !noWay(ups, hook, n) {
			add("node/"+n.Name, health.WayBackUnproved, "it was never seen to come back after an outage")
		}
	}
	if p.Dark != nil {
		add("master/"+master, health.NetworkNotOnUPS, fmt.Sprintf(
			"when the mains failed (%s) the links of all nodes broke within seconds, so the network is not on the UPS: put the switch, and whatever else lies between, on it; the next outage through which links live ends this",
			p.Dark.Format(time.DateTime)))
	}
	return out
}

// NoWayBack returns the nodes that nothing would start again; hook: there is one that
// wakes machines.
func NoWayBack(ups []Facts, hook bool, nodes []Node) []health.Found {
	var out []health.Found
	for _, n := range nodes {
		if !noWay(ups, hook, n) {
			continue
		}
		text := "its [wake] names no method, or none that can be armed, so nothing would start it after an outage"
		switch {
		case slices.Contains(n.Wake, policy.WakeHook):
			text = `it comes back by a hook, and no [[hook]] of master.toml has on = ["wake"]`
		case len(n.Wake) > 0:
			text = "it comes back by the UPS's own power cycle only, and no cable of its UPSes can cut the load"
		}
		out = append(out, health.Found{On: "node/" + n.Name, Problem: health.Problem{
			Name: health.NoWayBack, Text: text + "; write method = [\"wol\"] in its [wake], or rtc, or a hook",
		}})
	}
	return out
}

// noWay reports whether nothing would start a node again, as far as this master can
// say: what it has not heard of, and other masters' UPSes, have the benefit of doubt.
func noWay(ups []Facts, hook bool, n Node) bool {
	works := func(way string) bool { return way != policy.WakeCycle && (way != policy.WakeHook || hook) }
	if !n.Ever || len(n.Methods) == 0 || n.Stays() || slices.ContainsFunc(n.Wake, works) {
		return false
	}
	cuts := func(u Facts) bool { return u.Kill && slices.Contains(n.UPS, u.Name) }
	cycles := slices.Contains(n.Wake, policy.WakeCycle) && slices.ContainsFunc(ups, cuts)
	return len(n.Wake) == 0 || !n.Foreign && !cycles
}
