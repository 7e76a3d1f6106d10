package mutants

// policyFaults are wrong decisions of one machine.
var policyFaults = []Fault{
	{
		Name: "a cancel is dropped: OK ends no outage", File: "pkg/policy/facts.go",
		Old: "m.outage, m.low, m.deadline, m.allowance = false, false, clock{}, 0", New: "m.low = false", Laws: []int{3},
	},
	{
		Name: "the cancel hooks are not run", File: "pkg/policy/phases.go",
		Old: "m.do(Hooks{EventCancel})", New: "_ = EventCancel", Laws: []int{3},
	},
	{
		Name: "OK leaves a power-off that was asked", File: "pkg/policy/phases.go",
		Old: "case m.wanted() && (!m.byOrder ||", New: "case (!m.byOrder ||", Laws: []int{3},
	},
	{
		Name: "OK takes the decision back, but not the power-off", File: "pkg/policy/phases.go",
		Old: "default:\n\t\tm.do(Cancel{})", New: "default:", Laws: []int{3},
	},
	{
		Name: "cancel after accepted", File: "pkg/policy/phases.go",
		Old: "case m.cfg.NeverGoes && m.known == power.OK", New: "case m.known == power.OK", Laws: []int{3},
	},
	{
		Name: "accepted is not believed once OK came", File: "pkg/policy/attempts.go",
		Old: `m.becomeDone(in.Method + " had accepted the power-off before it was taken back")`, New: "_ = in.Method", Laws: []int{3},
	},
	{
		Name: "the deadline moves later in one outage", File: "pkg/policy/facts.go",
		Old: "m.known = power.Fail\n\tif m.outage {", New: "m.known = power.Fail\n\tif m.outage && m.low {", Laws: []int{2},
	},
	{
		Name: "BATLOW moves the deadline later", File: "pkg/policy/facts.go",
		Old: "m.deadline = m.deadline.earlier(at(m.now.Add(m.cfg.BatLowGrace)))", New: "m.deadline = at(m.now.Add(m.cfg.BatLowGrace))", Laws: []int{6},
	},
	{
		Name: "age ignored: the outage begins when it is heard of", File: "pkg/policy/facts.go",
		Old: "m.firstFail = min(s.OutageSince, m.now)", New: "m.firstFail = max(s.OutageSince, m.now)", Laws: []int{1},
	},
	{
		Name: "debt ignored where the runtime is unknown", File: "pkg/policy/facts.go",
		Old: "left := m.cfg.Grace - s.Debt", New: "left := m.cfg.Grace",
	},
	{
		Name: "debt ignored where the runtime is known", File: "pkg/policy/facts.go",
		Old: "s.Runtime-s.Debt-m.cfg.StopTime", New: "s.Runtime-m.cfg.StopTime",
	},
	{
		Name: "no time is left for the machine to stop", File: "pkg/policy/facts.go",
		Old: "s.Runtime-s.Debt-m.cfg.StopTime-m.cfg.Margin", New: "s.Runtime-s.Debt-m.cfg.Margin",
	},
	{
		Name: "the least grace is more than the grace", File: "pkg/policy/facts.go",
		Old: "return max(left, min(m.cfg.Grace, m.cfg.GraceMin))", New: "return max(left, m.cfg.GraceMin)",
	},
	{
		Name: "grace batlow waits for a line that the cable does not have", File: "pkg/policy/facts.go",
		Old: "return m.cfg.GraceBatLow && s.HasLow", New: "return m.cfg.GraceBatLow", Laws: []int{6},
	},
	{
		Name: "hold goes over BATLOW", File: "pkg/policy/facts.go",
		Old: "(m.known == power.BatLow || m.silent.Set))", New: "m.silent.Set)", Laws: []int{6},
	},
	{
		Name: "a hold never expires", File: "pkg/policy/facts.go",
		Old: "return m.order.Kind == OrderHold && m.now.Before(m.order.Until)", New: "return m.order.Kind == OrderHold",
	},
	{
		Name: "goodbye taken as off: it excuses for ever", File: "pkg/policy/facts.go",
		Old: "m.away.Set && m.now.Before(m.away.At.Add(goodbye))", New: "m.away.Set", Laws: []int{2},
	},
	{
		Name: "a goodbye is a lost link at once", File: "pkg/policy/facts.go",
		Old: "m.power.Link == power.LinkUp || m.away.Set && m.now.Before(m.away.At.Add(goodbye))", New: "m.power.Link == power.LinkUp", Laws: []int{2},
	},
	{
		Name: "each goodbye begins the two minutes anew", File: "pkg/policy/facts.go",
		Old: "case power.LinkAway:\n\t\tif !m.away.Set {", New: "case power.LinkAway:\n\t\tif m.now > 0 {", Laws: []int{2},
	},
	{
		Name: "link lost while OK begins a countdown", File: "pkg/policy/facts.go",
		Old: "running && m.cfg.BlindLimit > 0", New: "running", Laws: []int{2},
	},
	{
		Name: "link lost while FAIL stops the countdown", File: "pkg/policy/facts.go",
		Old: "return m.outage || m.blind.Set", New: "return m.outage && !m.silent.Set || m.blind.Set", Laws: []int{2},
	},
	{
		Name: "link lost after BATLOW is waited out", File: "pkg/policy/facts.go",
		Old: "m.deadline = m.deadline.earlier(at(m.now)) // law 2", New: "// law 2", Laws: []int{2, 6},
	},
	{
		Name: "lost_limit never begins where there is no deadline", File: "pkg/policy/facts.go",
		Old: "return at(from.Add(m.cfg.LostLimit))", New: "return clock{At: from}", Laws: []int{2},
	},
	{
		Name: "a blind UPS's last state is not believed", File: "pkg/policy/facts.go",
		Old: "switch in.State.Known() {", New: "switch in.State.Status {", Laws: []int{2},
	},
	{
		Name: "a drill halts machines", File: "pkg/policy/facts.go",
		Old: "return s.Drill || s.Sim && !m.cfg.ObeySim", New: "return s.Sim && !m.cfg.ObeySim", Laws: []int{11},
	},
	{
		Name: "a sim state halts whoever hears it", File: "pkg/policy/facts.go",
		Old: "return s.Drill || s.Sim && !m.cfg.ObeySim", New: "return s.Drill", Laws: []int{11},
	},
	{
		Name: "an order to end goes by a pretended state", File: "pkg/policy/facts.go",
		Old: "m.order.Kind == OrderEnd && !m.ignored && ", New: "m.order.Kind == OrderEnd && ", Laws: []int{11},
	},
	{
		Name: "an order to end halts machines on mains", File: "pkg/policy/facts.go",
		Old: "&& (m.known != power.OK || !m.sees())", New: "",
	},
	{
		Name: "nobody is waited for", File: "pkg/policy/phases.go",
		Old: "m.goes().passed(m.now) && m.startWaiting():", New: "m.goes().passed(m.now) && m.startWaiting() && false:", Laws: []int{5},
	},
	{
		Name: "waiting has no end", File: "pkg/policy/facts.go",
		Old: "len(m.awaited.Up) > 0 && !m.waitUntil().passed(m.now)", New: "len(m.awaited.Up) > 0", Laws: []int{6},
	},
	{
		Name: "silence does not bound the waiting", File: "pkg/policy/facts.go",
		Old: "at(max(m.waitEnd.At, m.silent.At.Add(m.cfg.WaitLimit)))", New: "clock{}", Laws: []int{2},
	},
	{
		Name: "a chain of waiters has as long after BATLOW as one", File: "pkg/policy/facts.go",
		Old: "time.Duration(max(1, m.awaited.Depth))", New: "1",
	},
	{
		Name: "two wait for each other", File: "pkg/policy/waits.go",
		Old: "e.from, map[string]bool{}); back != nil {", New: "e.from, map[string]bool{}); false && back != nil {",
	},
	{
		Name: "a slow machine is waited for no longer than a quick one", File: "pkg/policy/waiting.go",
		Old: "wait = max(wait, s.StopTime)", New: "",
	},
	{
		Name: "BATLOW does not shorten the waiting", File: "pkg/policy/facts.go",
		Old: "if m.phase == Waiting {", New: "if m.phase == Done {", Laws: []int{6},
	},
	{
		Name: "a refused power-off is not tried again", File: "pkg/policy/attempts.go",
		Old: "m.askBy = at(m.now.Add(wait))", New: "m.askBy = clock{At: m.now.Add(wait)}", Laws: []int{10},
	},
	{
		Name: "the next method of the chain is left out", File: "pkg/policy/attempts.go",
		Old: "m.attempt++", New: "m.attempt += m.cfg.Methods", Laws: []int{10},
	},
	{
		Name: "back-off over BATLOW", File: "pkg/policy/attempts.go",
		Old: "wait = firstBackOff // law 6", New: "wait = max(wait, firstBackOff) // law 6", Laws: []int{6},
	},
	{
		Name: "BATLOW does not end a back-off that runs", File: "pkg/policy/facts.go",
		Old: "m.askBy = at(m.now) // law 6", New: "// law 6", Laws: []int{6},
	},
	{
		Name: "a power-off without an answer is waited for for ever", File: "pkg/policy/attempts.go",
		Old: "if m.answerBy.passed(m.now) {", New: "if m.answerBy.passed(0) {", Laws: []int{10},
	},
	{
		Name: "an earlier attempt's refusal counts for this one", File: "pkg/policy/attempts.go",
		Old: " || !m.asked || in.Attempt != m.attempt {", New: " || !m.asked {", Laws: []int{1},
	},
	{
		Name: "hooks that never end keep the machine up", File: "pkg/policy/attempts.go",
		Old: "askBy: at(m.now.Add(hooksLimit)), ", New: "", Laws: []int{10},
	},
	{
		Name: "the power-off does not wait for the commit hooks", File: "pkg/policy/attempts.go",
		Old: "askBy: at(m.now.Add(hooksLimit))", New: "askBy: at(m.now)",
	},
	{
		Name: "< for <= at a deadline", File: "pkg/policy/machine.go",
		Old: "c.Set && !now.Before(c.At)", New: "c.Set && now.After(c.At)",
	},
	{
		Name: "the later of two deadlines counts", File: "pkg/policy/machine.go",
		Old: "d.Set && d.At.Before(c.At)", New: "d.Set && d.At.After(c.At)", Laws: []int{2, 6},
	},
	{
		Name: "time runs backwards for a machine", File: "pkg/policy/machine.go",
		Old: "m.now = max(now, m.now)", New: "m.now = now", Laws: []int{1},
	},
	{
		Name: "a crash forgets the deadline", File: "pkg/policy/snapshot.go",
		Old: "m.allowance, m.deadline, m.low = s.Allowance, s.Deadline, s.Low", New: "m.allowance, m.low = s.Allowance, s.Low", Laws: []int{10},
	},
	{
		Name: "a crash forgets the order", File: "pkg/policy/snapshot.go",
		Old: "m.silent, m.blind, m.order, m.orderAt = s.Silent, s.Blind, s.Order, s.OrderAt", New: "m.silent, m.blind = s.Silent, s.Blind", Laws: []int{10},
	},
	{
		Name: "a crash after the commit asks for nothing", File: "pkg/policy/snapshot.go",
		Old: "m.beginAttempts()", New: "_ = m.beginAttempts", Laws: []int{10},
	},
	{
		Name: "a lost link takes a held machine down at its old deadline", File: "pkg/policy/facts.go",
		Old: "return at(max(lost, m.deadline.At))", New: "return at(min(lost, m.deadline.At))", Laws: []int{2},
	},
	{
		Name: "back-off does not grow", File: "pkg/policy/attempts.go",
		Old: "m.backOff = min(2*m.backOff, lastBackOff)", New: "m.backOff = min(m.backOff, lastBackOff)",
	},
	{
		Name: "back-off grows without end", File: "pkg/policy/attempts.go",
		Old: "m.backOff = min(2*m.backOff, lastBackOff)", New: "m.backOff = 2 * m.backOff", Laws: []int{10},
	},
	{
		Name: "an answer that nobody asked for ends everything", File: "pkg/policy/attempts.go",
		Old: "case !m.ever:", New: "case !m.ever && m.phase == Done:",
	},
	{
		Name: "who starts to wait after BATLOW waits the long limit", File: "pkg/policy/facts.go",
		Old: "if m.low {\n\t\tm.waitLow", New: "if m.low && m.hooks {\n\t\tm.waitLow", Laws: []int{6},
	},
	{
		Name: "no margin is left", File: "pkg/policy/facts.go",
		Old: "m.cfg.StopTime-m.cfg.Margin", New: "m.cfg.StopTime",
	},
	{
		Name: "blind_limit leaves no batlow_grace", File: "pkg/policy/facts.go",
		Old: "m.blind = at(m.now.Add(m.cfg.BatLowGrace))", New: "m.blind = at(m.now)", Laws: []int{2},
	},
	{
		Name: "what blind_limit began goes on when the UPS is seen", File: "pkg/policy/facts.go",
		Old: "m.blind, m.ended = clock{}, true", New: "m.ended = true", Laws: []int{3},
	},
	{
		Name: "a restart goes by what it knew before it has heard anything", File: "pkg/policy/machine.go",
		Old: "firstWord = 5 * time.Second", New: "firstWord = 0 * time.Second", Laws: []int{2},
	},
	{
		Name: "each restart gives more time", File: "pkg/policy/snapshot.go",
		Old: "if !m.anew.Set {", New: "if true {", Laws: []int{2},
	},
	{
		Name: "a crash is a lost link", File: "pkg/policy/snapshot.go",
		Old: "m.away, m.anew = at(m.now), s.Anew", New: "m.away, m.anew = clock{}, s.Anew", Laws: []int{2},
		Lives: "the same step finds that nothing was heard yet, which is excused for the same two minutes; a UPS that was blind before stays so either way",
	},
	{
		Name: "a crash after the commit goes down whatever came since", File: "pkg/policy/snapshot.go",
		Old: "if m.wanted() || m.shutdownStands() {", New: "if m.wanted() || m.shutdownStands() || m.known == power.OK {", Laws: []int{3},
		Lives: "no machine is COMMITTED without a reason, so no state file says so; one that did would be cancelled in the same step",
	},
}
