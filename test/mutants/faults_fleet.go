package mutants

// fleetFaults are ends that come wrongly, and cuts that come too early.
var fleetFaults = []Fault{
	{
		Name: "the end comes when the host has gone", File: "pkg/policy/fleet.go",
		Old: "const endLead = 10 * time.Second", New: "const endLead = 0 * time.Second", Laws: []int{5},
	},
	{
		Name: "the end is taken back when the host waits anew", File: "pkg/policy/fleet.go",
		Old: "f.ending = f.ending || near", New: "f.ending = near", Laws: []int{5},
	},
	{
		Name: "the end goes on after the outage", File: "pkg/policy/fleet.go",
		Old: "case host.DryRun || host.Ordered || !slices.ContainsFunc(ups, Source.failing):", New: "case host.DryRun || host.Ordered:", Laws: []int{3},
	},
	{
		Name: "a host in a dry run ends its rack", File: "pkg/policy/fleet.go",
		Old: "case host.DryRun || host.Ordered ||", New: "case host.Ordered ||", Laws: []int{11},
	},
	{
		Name: "a host that people shut down ends its rack", File: "pkg/policy/fleet.go",
		Old: "case host.DryRun || host.Ordered ||", New: "case host.DryRun ||", Laws: []int{2},
	},
	{
		Name: "one good feed is enough for everybody", File: "pkg/policy/fleet.go",
		Old: "return live >= need", New: "return live >= min(need, 1)", Laws: []int{5},
	},
	{
		Name: "who says that its power is good is believed whatever it lives on", File: "pkg/policy/fleet.go",
		Old: "case i < 0 && m.Good:", New: "case m.Good:", Laws: []int{5},
	},
	{
		Name: "a node of unknown feeds is not counted", File: "pkg/policy/fleet.go",
		Old: "if m.Host || m.lives(ups, true) || len(m.Feeds) > 0 && !slices", New: "if m.Host || m.lives(ups, true) || !slices", Laws: []int{5},
	},
	{
		Name: "a pretended UPS feeds somebody", File: "pkg/policy/fleet.go",
		Old: "!(earnest && ups[i].pretended())", New: "!(earnest && ups[i].State.Drill)", Laws: []int{5},
	},
	{
		Name: "a pretended outage cuts", File: "pkg/policy/fleet.go",
		Old: "if !u.failing() || u.pretended() {", New: "if !u.failing() {", Laws: []int{11},
	},
	{
		Name: "a node in a dry run counts as off", File: "pkg/policy/fleet.go",
		Old: "case m.DryRun:\n\t\treturn 0, false", New: "case m.DryRun && !m.Present:\n\t\treturn 0, false", Laws: []int{5},
	},
	{
		Name: "hooks that still run count as stop time", File: "pkg/policy/fleet.go",
		Old: "max(max(m.Committed, m.Heard).Add(takes)", New: "max(m.Committed.Add(takes)", Laws: []int{5},
	},
	{
		Name: "who answers is cut off all the same", File: "pkg/policy/fleet.go",
		Old: "if !m.answers(now) {", New: "if !m.answers(now) || m.Present {", Laws: []int{5},
	},
	{
		Name: "who has heard nothing of the outage does not block the cut", File: "pkg/policy/fleet.go",
		Old: "case !m.Told || m.Phase == Idle ||", New: "case !m.Told ||", Laws: []int{5},
	},
	{
		Name: "a goodbye is not counted", File: "pkg/policy/fleet.go",
		Old: "silent := from.Add(goodbye)", New: "silent := from", Laws: []int{5},
	},
	{
		Name: "the waits of others are not counted", File: "pkg/policy/fleet.go",
		Old: "return max(due, silent).Add(max(m.Config.WaitLimit, stop))", New: "return max(due, silent)", Laws: []int{5},
	},
	{
		Name: "the end takes the place of what people ordered", File: "master/orders.go",
		Old: "func (h *hub) peoples(n *nodeRecord) policy.Order {", New: "func (h *hub) peoples(n *nodeRecord) policy.Order {\n\tif h.fleet.Ending() {\n\t\treturn policy.Order{Kind: policy.OrderEnd}\n\t}", Laws: []int{10},
	},
	{
		Name: "the end outranks a shutdown", File: "master/fleet.go",
		Old: "if o.Kind != policy.OrderShutdown && h.fleet.Ending()", New: "if h.fleet.Ending()",
	},
	{
		Name: "a shutdown by people is forgotten when it is done", File: "master/fleet.go",
		Old: "case policy.Done:\n\t\treturn n.byOrder", New: "case policy.Done:\n\t\treturn false", Laws: []int{5},
	},
	{
		Name: "nobody is woken by the end", File: "master/fleet.go",
		Old: "h.wakeSessions()\n\th.wakeWatchers()\n\ttext", New: "h.wakeWatchers()\n\ttext", Laws: []int{5},
	},
}

// sealFaults are seals that stand when they must not, or are missing.
var sealFaults = []Fault{
	{
		Name: "nobody is waited for before the seal", File: "master/seal.go",
		Old: "	s.awaitEnds(ctx)\n", New: "", Laws: []int{5},
	},
	{
		Name: "a refused power-off leaves its seal", File: "master/seal.go",
		Old: "		s.seal = nil\n		n = s.put()\n", New: "\t\ts.seal = nil\n", Laws: []int{4},
	},
	{
		Name: "the job timeout is not lifted", File: "master/seal.go",
		Old: "	s.lifted(ctx, true)\n", New: "", Laws: []int{5},
	},
	{
		Name: "the nodes hear that power is back before the seal does", File: "master/ups_make.go",
		Old: "		m.seals.before(rec.name, rec.state)\n", New: "", Laws: []int{5},
	},
	{
		Name: "a seal may be shortened", File: "master/seal_make.go",
		Old: "old.NotBefore = max(old.NotBefore, next.NotBefore)", New: "old.NotBefore = next.NotBefore", Laws: []int{5},
		Lives: "who is known better later is off at the latest then; it is the safe side of what nobody can play",
	},
	{
		Name: "after the power-off was accepted power does not change the seal", File: "master/seal_make.go",
		Old: "case next.Outage != old.Outage || slices.Contains(s.back, old.Outage):", New: "case old.Outage == \"\":", Laws: []int{5},
	},
	{
		Name: "a leftover seal stays", File: "master/seal_keep.go",
		Old: "removed := s.adopted != nil && s.seal == nil", New: "removed := false", Laws: []int{4},
	},
	{
		Name: "a seal whose power-off was accepted does not outlive a restart", File: "master/seal_keep.go",
		Old: "case s.hub.hostDone():", New: "case s.hub.hostDone() && s.boot == \"\":", Laws: []int{7},
	},
	{
		Name: "a seal that is no good is not told", File: "master/seal_keep.go",
		Old: "case refused != nil:", New: "case refused != nil && seal != nil:",
	},
	{
		Name: "a seal never ends", File: "master/seal_keep.go",
		Old: "s.taken, s.seal, put = false, nil, true", New: "s.taken = true", Laws: []int{4},
	},
	{
		Name: "the lift is done where systemd is not init", File: "pkg/shutdown/jobtimeout.go",
		Old: "os.Lstat(dir); errors.Is(err, fs.ErrNotExist)", New: "os.Lstat(dir); err == nil && errors.Is(err, fs.ErrNotExist)",
	},
	{
		Name: "a boot of the master forgets who had not asked", File: "master/recovery_fell.go",
		Old: "\t\tcase !a.Committed:\n", New: "\t\tcase !a.Committed && now > 0:\n\t\t\tcontinue\n\t\tcase !a.Committed:\n", Laws: []int{5},
	},
	{
		Name: "the others hear of the outage before the master knows who went", File: "master/recovery.go",
		Old: "if l, soon := inTime(late); soon {", New: "if l, soon := inTime(late); soon && v.late != nil {", Laws: []int{5},
	},
	{
		Name: "who had not asked when the master died counts as one that boots", File: "master/waiting.go",
		Old: "if was.Outage != \"\" && was.Phase < policy.Committed && h.wasThere(n) {", New: "if false {", Laws: []int{5},
	},
	{
		Name: "who was woken and has not attached is off", File: "master/waiting.go",
		Old: "\t\tn.alive = h.now()\n", New: "", Laws: []int{5},
	},
	{
		Name: "the host waits for who lives on", File: "master/waiting.go",
		Old: "if o := h.nodes[name]; !n.host || !outage ||", New: "if o := h.nodes[name]; n.host || !outage ||",
	},
}
