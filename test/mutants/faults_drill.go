package mutants

// drillFaults let a drill hurt, or outlive what ends it.
var drillFaults = []Fault{
	{
		Name: "a shadow does not believe what is pretended", File: "pkg/policy/shadow.go",
		Old: "p.State.Drill = false", New: "p.State.Drill = true",
	},
	{
		Name: "a shadow asks for its power-off in earnest", File: "pkg/node/drill_hooks.go",
		Old: "found := d.inspect(limited)\n\t\td.post(", New: "found := d.inspect(limited)\n\t\t_ = d.o.Chain[0].PowerOff(limited)\n\t\td.post(", Laws: []int{11},
	},
	{
		Name: "what is pretended reaches the machine", File: "pkg/node/drill.go",
		Old: "feeds := power.NewFeeds(d.o.Settings.Need, d.o.Settings.Feeds, d.o.Settings.ObeySim)", New: "feeds := d.feeds", Laws: []int{11},
	},
	{
		Name: "hooks that are not marked are run in a drill", File: "pkg/node/drill_hooks.go",
		Old: "if h.Drill && slices.Contains(h.On, next.event) {", New: "if slices.Contains(h.On, next.event) {", Laws: []int{11},
	},
	{
		Name: "a real failure does not end a node's part in a drill", File: "pkg/node/drill.go",
		Old: "case d.inEarnest():\n\t\td.endRehearsal(errReality)\n\t\treturn", New: "case false:", Laws: []int{11},
	},
	{
		Name: "a drill begins in the very message that tells of a failure", File: "pkg/node/drill.go",
		Old: "if d.inEarnest() {\n\t\td.refuseRehearsal(errEarnest)", New: "if false {\n\t\td.refuseRehearsal(errEarnest)", Laws: []int{11},
	},
	{
		Name: "a drill outlives the contact with its master", File: "pkg/node/run.go",
		Old: "u.Drill = Drill{} ", New: "u.Drill = old.Drill ", Laws: []int{11},
	},
	{
		Name: "a drill goes on though nobody tells of it", File: "pkg/node/drill.go",
		Old: "r.back || said.ID != r.report.ID ||", New: "r.back ||", Laws: []int{11},
	},
	{
		Name: "a drill has no end of its own", File: "pkg/node/drill.go",
		Old: "said.ID != r.report.ID || !now.Before(said.Until)", New: "said.ID != r.report.ID", Laws: []int{11},
	},
	{
		Name: "a drill that is over begins again", File: "pkg/node/drill.go",
		Old: "d.rehearsed[offer.ID] = offer.Until", New: "d.rehearsed[offer.ID] = 0",
	},
	{
		Name: "the pretended power never comes back", File: "pkg/node/drill.go",
		Old: "state.Status, state.Last, state.Since, state.Outage, state.Reason = power.OK, power.OK, now, \"\", \"\"", New: "state.Status, state.Last, state.Since = power.Fail, power.Fail, now",
	},
	{
		Name: "a real failure does not end the master's drill", File: "master/hub.go",
		Old: "if rec.state.Known().OnBattery() {", New: "if false {", Laws: []int{11},
	},
	{
		Name: "a drill begins on battery", File: "master/drill.go",
		Old: "case known.OnBattery():", New: "case false:", Laws: []int{11},
	},
	{
		Name: "two drills at a time", File: "master/drill.go",
		Old: "if h.drill != nil {\n\t\treturn \"\", ", New: "if false {\n\t\treturn \"\", ",
	},
	{
		Name: "a drill outlives whoever asked for it", File: "master/drill.go",
		Old: "\t\th.forgetDrill(id)\n", New: "", Laws: []int{11},
	},
	{
		Name: "nobody is late in a drill", File: "master/drill_hub.go",
		Old: "return x.report.GetGoes().AsDuration() > x.planned+drillSlack", New: "return false",
	},
	{
		Name: "nobody is waited for in a drill", File: "master/drill_hub.go",
		Old: "s.Present, s.Attached = x != nil && there, x != nil && there", New: "s.Present, s.Attached = x == nil && there, x == nil && there",
	},
}
