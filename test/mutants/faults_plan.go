package mutants

// planFaults foresee what does not happen.
var planFaults = []Fault{
	{
		Name: "a plan knows of nobody who is waited for", File: "pkg/policy/plan_play.go",
		Old: "if len(n.on) == 0 {", New: "if len(n.on) >= 0 {",
	},
	{
		Name: "in a plan whoever has gone is off at once", File: "pkg/policy/plan_play.go",
		Old: "s.Attached = n.Config.NeverGoes || n.Host", New: "s.Attached, s.Present = n.Config.NeverGoes || n.Host, false",
	},
	{
		Name: "in a plan the host tells nobody that it goes", File: "pkg/policy/plan_play.go",
		Old: "if n.Order.Kind != OrderShutdown && p.fleet.Ending()", New: "if n.Order.Kind == OrderShutdown && p.fleet.Ending()",
	},
	{
		Name: "in a plan the load is cut when the host is off", File: "pkg/policy/plan_play.go",
		Old: "clock{max(h.off.At, c.NotBefore), len(c.Blocked) == 0}", New: "clock{h.off.At, len(c.Blocked) == 0}", Laws: []int{5},
	},
	{
		Name: "in a plan the load is cut under one of whom nobody knows", File: "pkg/policy/plan_play.go",
		Old: "c.NotBefore), len(c.Blocked) == 0}", New: "c.NotBefore), true}", Laws: []int{5},
	},
	{
		Name: "whoever waits for somebody does so no longer once the host goes", File: "pkg/policy/fleet.go",
		Old: "at = m.waits(m.Goes, heard, stop)", New: "at = m.Goes", Laws: []int{5},
	},
	{
		Name: "a plan thinks a battery full that is in debt", File: "pkg/policy/plan_world.go",
		Old: "max(0, s.Runtime-s.Debt)", New: "max(0, s.Runtime)",
	},
	{
		Name: "a plan believes in a low line that the cable does not have", File: "pkg/policy/plan_play.go",
		Old: "if u.fails && u.state.HasLow && !u.low.Set {", New: "if u.fails && !u.low.Set {",
	},
	{
		Name: "a plan begins an outage anew", File: "pkg/policy/plan_world.go",
		Old: "if s.Outage == \"\" {", New: "if true {", Laws: []int{1},
	},
	{
		Name: "the margin is the best machine's", File: "pkg/policy/plan_tell.go",
		Old: "!tight.Set || m < r.Margin", New: "!tight.Set || m > r.Margin",
	},
	{
		Name: "the margin is that of the first feed to end", File: "pkg/policy/plan_world.go",
		Old: "ends[len(ends)-need]", New: "ends[0]",
	},
	{
		Name: "a plan is never made anew", File: "master/plan.go",
		Old: "s.Debt = s.Debt.Round(10 * time.Second)", New: "*s = power.State{}",
	},
	{
		Name: "an outage takes back that the battery is too short", File: "master/plan.go",
		Old: "!plan.GoingOn {", New: "true {",
	},
}
