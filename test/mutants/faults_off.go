package mutants

// offFaults are of how a machine is known to be off.
var offFaults = []Fault{
	{
		Name: "silence is off at once", File: "pkg/policy/standing.go",
		Old: "if now.Before(s.silentBy()) {", New: "if false && now.Before(s.silentBy()) {", Laws: []int{5},
	},
	{
		Name: "who never answered is taken for silent", File: "pkg/policy/standing.go",
		Old: "case s.committed() && s.Answered != 0 && s.Silent != 0:", New: "case s.committed() && s.Silent != 0:", Laws: []int{5},
	},
	{
		Name: "who was silent before it committed is off at once", File: "pkg/policy/standing.go",
		Old: "max(s.Silent, s.Committed).Add(OffMargin)", New: "s.Silent.Add(OffMargin)", Laws: []int{5},
	},
	{
		Name: "who is silent and has not committed is off", File: "pkg/policy/standing.go",
		Old: "case s.committed() && s.Answered", New: "case s.Answered", Laws: []int{5},
	},
	{
		Name: "who answers is off when its time is over", File: "pkg/policy/standing.go",
		Old: "	case s.answers(now):\n		return OffNot\n", New: "", Laws: []int{5},
	},
	{
		Name: "who boots is not waited for", File: "pkg/policy/standing.go",
		Old: "s.Attached || s.Alive != 0 && now.Before(s.aliveUntil())", New: "s.Attached", Laws: []int{5},
	},
	{
		Name: "no margin for who can't be probed", File: "pkg/policy/standing.go",
		Old: "takes := s.StopTime + OffMargin", New: "takes := s.StopTime", Laws: []int{5},
	},
	{
		Name: "a dead switch is taken for dead machines", File: "master/probing.go",
		Old: "case r.answer == probe.Unknown || h.deaf(now):", New: "case r.answer == probe.Unknown:", Laws: []int{5},
	},
	{
		Name: "what nobody could ask is taken for silence", File: "master/probing.go",
		Old: "case r.answer == probe.Unknown || h.deaf(now):", New: "case h.deaf(now):", Laws: []int{5},
	},
	{
		Name: "who went with the master's own machine is forgotten", File: "master/recovery.go",
		Old: "	v.fell(old)\n", New: "", Laws: []int{5},
	},
	{
		Name: "who may still be going down is off since the cut", File: "pkg/policy/standing.go",
		Old: "case timed && now.After(by) && s.Cut != 0", New: "case s.Cut != 0", Laws: []int{5},
	},
	{
		Name: "who was heard since the cut is off since then", File: "pkg/policy/standing.go",
		Old: " && !max(s.Heard, s.Answered, s.Committed).After(s.Cut):", New: ":",
	},
	{
		Name: "another boot forgets who is off since the cut", File: "master/recovery_fell.go",
		Old: "cut := was.Cut != 0 ||", New: "cut := false ||",
	},
	{
		Name: "a master's next run forgets who is off since the cut", File: "master/waiting.go",
		Old: "committed: up.Committed, cut: up.Cut,", New: "committed: up.Committed,",
	},
	{
		Name: "nobody remembers what was to be cut", File: "master/seal_keep.go",
		Old: "	s.cuts(cuts)\n	return s.file.Set(s.seal)", New: "	return s.file.Set(s.seal)",
	},
	{
		Name: "nobody looks whether who was cut off is up", File: "master/probing.go",
		Old: "case n.cut != 0 && s.Off(now):", New: "case false:",
	},
	{
		Name: "nobody is told that the last one is back", File: "master/history/reporter.go",
		Old: "if o.told && o.late != nil && !o.amended && !o.waits() {", New: "if false {",
	},
	{
		Name: "who came back late is told of at each start", File: "master/history/reporter.go",
		Old: "		o.amended = o.amended || o.late != nil && !o.waits()\n", New: "",
	},
	{
		Name: "another machine's answer counts", File: "master/probing.go",
		Old: "if n == nil || n.from != r.at {", New: "if n == nil {", Laws: []int{5},
	},
	{
		Name: "nobody is asked before it goes", File: "master/probing.go",
		Old: "if !outage || n.answered != 0 {", New: "if true {",
	},
	{
		Name: "a restarted master knows of no answer", File: "master/waiting.go",
		Old: "reach: reach{answered: up.Answered}", New: "reach: reach{}",
	},
	{
		Name: "a link's end makes a stop time shorter", File: "master/stops.go",
		Old: "!m.Sure && (wrote == nil || m.Takes <= wrote.AsDuration())", New: "m.Takes == 0", Laws: []int{5},
	},
	{
		Name: "a stop time without a margin", File: "master/proof/stops.go",
		Old: "percentile(probed) + policy.OffMargin, true", New: "percentile(probed), true", Laws: []int{5},
	},
	{
		Name: "a crash forgets the measured stop time", File: "pkg/node/restore.go",
		Old: "if d.measured = min(max(0, k.StopTime), stopMost); d.measured > 0 {", New: "if d.measured > 0 {",
	},
	{
		Name: "silence takes the measured stop time back", File: "pkg/node/stoptime.go",
		Old: "if u.Link != power.LinkUp {", New: "if false {",
	},
	{
		Name: "a port without carrier says that all are dead", File: "pkg/probe/probe.go",
		Old: "if i.Flags&net.FlagRunning == 0 {", New: "if false {", Laws: []int{5},
	},
	{
		Name: "an address that nobody asked for is a dead machine", File: "pkg/probe/probe.go",
		Old: "asked := err == nil && p.echoes[to]", New: "asked := err == nil", Laws: []int{5},
	},
	{
		Name: "old proof is proof", File: "pkg/probe/probe.go",
		Old: "n.state == proved && n.confirmed <= fresh", New: "n.state == proved",
	},
	{
		Name: "a container without an init runs an agent", File: "pkg/virt/virt.go",
		Old: "if !p.Container || p.Init ||", New: "if true || p.Init ||",
	},
	{
		Name: "a refused power-off is forced", File: "pkg/shutdown/command.go",
		Old: "	helper.drop()\n", New: "	helper.fire()\n", Laws: []int{3},
	},
	{
		Name: "what ends a hanging shutdown is not told of the acceptance", File: "pkg/shutdown/command.go",
		Old: "		helper.fire()\n", New: "",
	},
	{
		Name: "a shutdown is asked for before its end is ready", File: "pkg/shutdown/forceoff.go",
		Old: "	case <-ready:\n	case", New: "	default:\n	case",
	},
	{
		Name: "an answer that is lost is a refusal", File: "pkg/shutdown/logind.go",
		Old: "err != nil && (l.going == nil || !l.going(ctx))", New: "err != nil", Laws: []int{7},
	},
}
