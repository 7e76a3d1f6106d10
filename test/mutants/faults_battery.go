package mutants

// batteryFaults are wrong beliefs about a battery, and what is left of them over a boot.
var batteryFaults = []Fault{
	{
		Name: "low for a moment teaches", File: "pkg/power/learn.go",
		Old: "q.now.Sub(w.lowAt) >= lowLasts", New: "true",
	},
	{
		Name: "an outage that nobody saw begin teaches", File: "pkg/power/learn.go",
		Old: "case saw && !q.cfg.Pretended && q.ledger.assumed == 0:", New: "case true:",
	},
	{
		Name: "a suspect cable teaches", File: "pkg/power/learn.go",
		Old: "case !w.whole || q.Cable().Suspect || q.doubted:", New: "case !w.whole:",
	},
	{
		Name: "a blind outage teaches", File: "pkg/power/qualifier.go",
		Old: "q.seeing, q.state.Reason = false, reason\n\tq.watched = watched{}", New: "q.seeing, q.state.Reason = false, reason",
	},
	{
		Name: "the first outage is believed that says a battery lasts longer", File: "pkg/power/ledger.go",
		Old: "len(l.toLow) < sure", New: "false",
	},
	{
		Name: "the longest span counts most", File: "pkg/power/battery.go",
		Old: "cmp.Compare(a.Took, b.Took)", New: "cmp.Compare(b.Took, a.Took)",
	},
	{
		Name: "a battery in debt teaches more", File: "pkg/power/ledger.go",
		Old: "before < restedDebt || debt < now", New: "before < restedDebt || now >= 0",
	},
	{
		Name: "the runtime changes within an outage", File: "pkg/power/qualifier.go",
		Old: "s.Debt, s.Runtime = q.outageDebt, q.outageFull", New: "s.Debt = q.outageDebt", Laws: []int{1},
	},
	{
		Name: "a boot ends an outage", File: "pkg/power/learn.go",
		Old: "if q.state.Last == Unknown && r.Outage != \"\" {", New: "if false {",
	},
	{
		Name: "an old outage goes on after mains", File: "pkg/power/qualifier.go",
		Old: "q.old = nil // the power was back: whatever comes is another outage", New: "_ = q.old", Laws: []int{3},
	},
	{
		Name: "after a boot the battery is full", File: "pkg/power/learn.go",
		Old: "l.Set(owed + max(0, r.Debt))", New: "l.Set(owed)",
	},
	{
		Name: "without a record the battery is full", File: "pkg/power/ledger.go",
		Old: "l.debt = l.scale() / 2", New: "l.debt = 0",
	},
	{
		Name: "without a record the battery is empty", File: "pkg/power/ledger.go",
		Old: "l.debt = l.scale() / 2", New: "l.debt = l.scale()",
	},
	{
		Name: "a guess makes the jump rule end", File: "pkg/power/qualifier.go",
		Old: "q.edgeDebt-q.ledger.assumed < restedDebt", New: "q.edgeDebt < restedDebt", Laws: []int{2},
	},
	{
		Name: "a battery that was switched off counts as dead", File: "pkg/power/ledger.go",
		Old: "if died || d > l.Reserve() {", New: "if true {",
	},
	{
		Name: "an outage goes on for a host that it put down", File: "master/battery.go",
		Old: "if b.old.Going {", New: "if false {", Laws: []int{3},
	},
	{
		Name: "what a disk has late is written over", File: "master/battery.go",
		Old: "if b.late == nil { // else it would be all that is left", New: "if true {", Laws: []int{10},
	},
	{
		Name: "a UPS on battery is disabled", File: "master/disable.go",
		Old: "if err := u.fed(); err != nil {\n\t\treturn err\n\t}\n\tu.off = d", New: "u.off = d", Laws: []int{2},
	},
	{
		Name: "a restart ends an order not to look", File: "master/state.go",
		Old: "s.Disabled[u.name] = u.disabled", New: "_ = u.disabled",
	},
	{
		Name: "a UPS whose order not to look is over is not looked at", File: "master/disable.go",
		Old: "\tif u.off.By != \"\" && (!timed || u.off.Until.Before(next)) {", New: "\tif false {",
	},
	{
		Name: "a hold that comes too late says it is on", File: "master/control.go",
		Old: "(n.host || n.session != nil) && isGoing(n.report)", New: "false",
	},
}
