package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// tell adds an event.
func (p *planner) tell(at power.Uptime, e PlanEvent) {
	e.At, e.AfterLow = p.since(at)
	p.out = append(p.out, e)
}

// tellUPS says what the UPSes do at this moment. Whatever it is, all hear of it.
func (p *planner) tellUPS() {
	for _, u := range p.ups {
		if !u.fails {
			continue
		}
		say := func(kind PlanKind, text string) {
			p.tell(p.now, PlanEvent{UPS: u.Name, Kind: kind, Text: text})
			u.said, p.all = kind, true
		}
		if u.said == "" {
			say(PlanFail, p.failText(u))
		}
		if u.said == PlanFail && u.low.passed(p.now) {
			say(PlanLow, "its battery is low: "+words(u.Reserve)+" are left")
		}
		if u.said != PlanEmpty && u.end.passed(p.now) {
			say(PlanEmpty, "its battery is expected to be empty")
		}
	}
	if h := p.host; h != nil && h.off.passed(p.now) && !h.saidOff {
		p.all = true // nobody hears anything any more
	}
}

func (p *planner) failText(u *playedUPS) string {
	text := "its mains fail"
	if u.State.Known().OnBattery() {
		text = "on battery for " + words(p.now.Sub(u.state.OutageSince)) + " now"
	}
	switch left := u.end.At.Sub(p.now); {
	case u.end.Set && left <= 0:
		return text + "; its battery should be empty"
	case u.end.Set:
		return text + "; its battery is expected to last " + words(left)
	default:
		return text + "; nobody knows how long its battery lasts"
	}
}

// tellNodes says what became of the nodes at this moment.
func (p *planner) tellNodes() {
	for _, n := range p.nodes {
		say := func(kind PlanKind, text string) { p.tell(p.now, PlanEvent{Node: n.Name, Kind: kind, Text: text}) }
		if n.m != nil {
			p.tellPhase(n, say)
		}
		if n.off.passed(p.now) && !n.saidOff {
			n.saidOff = true
			say(PlanOff, "off")
		}
		if p.dies(n).passed(p.now) && !n.lost && !n.off.passed(p.now) && (n.m != nil || n.off.Set) {
			n.lost = true
			say(PlanLost, "loses its power while it runs")
		}
	}
}

// tellCuts says which loads are cut at this moment: whoever is off is so before. An empty
// battery cuts by itself.
func (p *planner) tellCuts() {
	for _, u := range p.ups {
		if u.cut.passed(p.now) && !u.saidCut && !u.end.passed(p.now) {
			u.saidCut = true
			p.tell(p.now, PlanEvent{UPS: u.Name, Kind: PlanCut, Text: "the load is cut"})
		}
	}
}

// tellPhase says where a machine stands, if that is news.
func (p *planner) tellPhase(n *playedNode, say func(PlanKind, string)) {
	is := n.m.phase
	if is == Done {
		is = Committed
	}
	if is == n.phase && !(p.now == p.start && is != Idle) || n.phase == Committed {
		return
	}
	n.phase = is
	next := n.m.target()
	until := func(form string) string {
		if !next.Set {
			return ""
		}
		return fmt.Sprintf(form, words(next.At.Sub(p.now)))
	}
	switch is {
	case Grace:
		if !next.Set {
			say(PlanGrace, "goes when the battery is low")
			return
		}
		say(PlanGrace, until("counts down %s"))
	case Held:
		say(PlanHeld, "held by "+n.m.order.By+until(" for %s"))
	case Waiting:
		say(PlanWaiting, "its time is up; waits for "+short(n.m.awaited)+until(", %s at most"))
	case Committed:
		text := "shuts down: " + n.m.why()
		if n.m.shutdownStands() {
			text = "shuts down: told to by " + n.m.order.By
		}
		if n.Config.NeverGoes {
			text = "would shut down, and stays: a dry run"
		}
		say(PlanCommit, text)
	default:
	}
}

// short names three of those who are waited for at most.
func short(a Awaited) string {
	const names = 3
	if more := len(a.Up) - names; more > 0 {
		a.Up, a.More = a.Up[:names], a.More+more
	}
	return a.String()
}

// warnings say what was assumed and what can't be foreseen.
func (p *planner) warnings() []string {
	var out []string
	for _, u := range p.ups {
		lived := false
		for _, n := range p.nodes {
			lived = lived || n.m != nil && n.livesOn(u)
		}
		add := func(text string) { out = append(out, "ups "+u.Name+": "+text) }
		switch {
		case !u.fails || !lived:
			continue
		case u.state.Runtime == 0 && u.state.HasLow:
			add("nobody knows how long its battery lasts, so it is only known what comes after \"battery low\"; write runtime into [ups.battery], or wait for an outage that lasts until then")
		case u.state.Runtime == 0:
			add("nobody knows how long its battery lasts, and its cable can't say \"battery low\"; write runtime into [ups.battery]")
		}
		if u.State.Status == power.Unknown && !u.State.Last.OnBattery() {
			add("it can't be read now: while that lasts nobody hears of a power failure")
		}
		if len(u.blocked) > 0 {
			add("it is not cut, because nobody can say when " + list(u.blocked) + " will be off: what has shut down starts again only when it is switched on")
		}
		if u.State.WeakBattery {
			add("it says that its battery is low or worn: it lasts shorter than foreseen")
		}
	}
	if p.host == nil {
		out = append(out, "nobody shuts the master's own host down: it runs until the battery is empty; add [node] to master.toml")
	}
	return append(out, p.nodeWarnings()...)
}

func (p *planner) nodeWarnings() []string {
	var out, unmeasured, dry, sim []string
	why := map[string][]string{}
	var reasons []string
	for _, n := range p.nodes {
		switch {
		case n.why != "":
			if why[n.why] == nil {
				reasons = append(reasons, n.why)
			}
			why[n.why] = append(why[n.why], n.Name)
			continue
		case n.m == nil:
			continue
		case n.m.ignored:
			sim = append(sim, n.Name)
			continue
		case n.Config.NeverGoes:
			dry = append(dry, n.Name)
			continue
		}
		if !n.Measured {
			unmeasured = append(unmeasured, n.Name+" ("+words(n.Config.StopTime)+")")
		}
		if feeds := p.foreign(n); len(feeds) > 0 {
			out = append(out, fmt.Sprintf("%s lives on %s too, of which this master knows nothing: taken to do as its own does", n.Name, strings.Join(feeds, ", ")))
		}
	}
	for _, r := range reasons {
		out = append(out, list(why[r])+": "+r)
	}
	add := func(names []string, text string) {
		if len(names) > 0 {
			out = append(out, list(names)+": "+text)
		}
	}
	add(sim, "the UPS is a pretended one, which is not obeyed")
	add(dry, "a dry run: it stays until the battery is empty")
	add(unmeasured, "how long it takes to shut down was never measured; its stop_time is believed")
	return out
}

// list names five at most.
func list(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// tooTight says which UPSes leave too little time after BATLOW.
func (p Plan) tooTight() []string {
	var out []string
	for _, u := range p.UPS {
		if u.HasLowMargin && u.LowMargin < 0 {
			out = append(out, fmt.Sprintf("ups %s: were its battery low at once, it would be empty %s before the last machine is off", u.UPS, words(-u.LowMargin)))
		}
	}
	return out
}

// result sums up what was played.
func (p *planner) result() Plan {
	out := Plan{GoingOn: p.going}
	for _, u := range p.ups {
		out.UPS = append(out.UPS, p.resultOf(u))
	}
	out.Events = p.out
	out.Warnings = p.warnings()
	return out
}

// resultOf sums up what comes of one UPS.
func (p *planner) resultOf(u *playedUPS) PlanResult {
	r := PlanResult{UPS: u.Name}
	if !u.fails {
		return r
	}
	var last, tight clock
	for _, n := range p.nodes {
		if !n.livesOn(u) || n.Config.NeverGoes {
			continue
		}
		if n.off.Set && (!last.Set || n.off.At.After(last.At)) {
			last, r.Last = n.off, n.Name
		}
		dies := p.dies(n)
		if !dies.Set || !n.off.Set {
			continue
		}
		if m := dies.At.Sub(n.off.At).Round(time.Millisecond); !tight.Set || m < r.Margin {
			tight, r.Margin, r.HasMargin, r.Tight = dies, m, true, n.Name
		}
	}
	cut := clock{u.cut.At, u.saidCut}
	from := p.start
	for _, c := range []clock{last, cut, u.end} {
		if p.low.Set && c.Set && !c.At.Before(p.low.At) {
			r.AfterLow, from = true, p.low.At
		}
	}
	rel := func(at power.Uptime) time.Duration { return at.Sub(from).Round(time.Millisecond) }
	if last.Set {
		r.LastOff = rel(last.At)
	}
	if cut.Set {
		r.Cut, r.HasCut = rel(u.cut.At), true
	}
	if u.end.Set {
		r.End, r.HasEnd = rel(u.end.At), true
	}
	return r
}
