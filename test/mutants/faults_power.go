package mutants

// powerFaults are wrong beliefs about the power.
var powerFaults = []Fault{
	{
		Name: "FAIL is believed before it has settled", File: "pkg/power/qualifier.go",
		Old: "return timer{q.sideFrom.Add(q.cfg.Settle.Fail), true}", New: "return timer{q.sideFrom, true}",
	},
	{
		Name: "OK is believed before it has settled", File: "pkg/power/qualifier.go",
		Old: "timer{q.sideFrom.Add(q.cfg.Settle.OK), true}", New: "timer{q.sideFrom, true}",
	},
	{
		Name: "BATLOW is believed before it has settled", File: "pkg/power/qualifier.go",
		Old: "due := q.levelFrom.Add(q.cfg.Settle.BatLow)", New: "due := q.levelFrom",
	},
	{
		Name: "< for <= at the moment a state has settled", File: "pkg/power/reading.go",
		Old: "t.set && !now.Before(t.at)", New: "t.set && now.After(t.at)",
	},
	{
		Name: "a master that has begun anew makes a node forget its feed", File: "pkg/power/feeds.go",
		Old: "s.Known() == Unknown && old.Known() != Unknown", New: "false && old.Known() != Unknown", Laws: []int{2},
	},
	{
		Name: "the jump rule is forgotten", File: "pkg/power/qualifier.go",
		Old: "return q.cfg.PulledReadsLow && q.edgeDebt-q.ledger.assumed < restedDebt && !q.state.WeakBattery", New: "return false",
		Laws: []int{2},
	},
	{
		Name: "the jump rule holds for a battery that was not rested", File: "pkg/power/qualifier.go",
		Old: "q.edgeDebt-q.ledger.assumed < restedDebt && ", New: "", Laws: []int{6},
	},
	{
		Name: "the jump rule holds for a weak battery", File: "pkg/power/qualifier.go",
		Old: "q.edgeDebt-q.ledger.assumed < restedDebt && !q.state.WeakBattery", New: "q.edgeDebt-q.ledger.assumed < restedDebt", Laws: []int{6},
	},
	{
		Name: "low on mains is an order", File: "pkg/power/qualifier.go",
		Old: "case !q.raw.battery:", New: "case !q.raw.battery && !q.raw.low:", Laws: []int{6},
	},
	{
		Name: "debt counted twice: an outage's own seconds are in it", File: "pkg/power/qualifier.go",
		Old: "s.Debt, s.Runtime = q.outageDebt, q.outageFull", New: "s.Runtime = q.outageFull",
	},
	{
		Name: "debt counted twice: each second is two", File: "pkg/power/ledger.go",
		Old: "l.debt += max(0, d)", New: "l.debt += 2 * max(0, d)",
	},
	{
		Name: "the battery spends nothing while nobody looks", File: "pkg/power/qualifier.go",
		Old: `case q.seeing || q.state.Outage != "":`, New: "case q.seeing:",
	},
	{
		Name: "mains pay back more than was spent", File: "pkg/power/ledger.go",
		Old: "l.debt = max(0, l.debt-back)", New: "l.debt -= back",
	},
	{
		Name: "blind looks like what was seen last", File: "pkg/power/qualifier.go",
		Old: "q.state.Status, q.state.Since = Unknown, q.now", New: "q.state.Since = q.now", Laws: []int{2},
	},
	{
		Name: "blind is taken for OK", File: "pkg/power/qualifier.go",
		Old: "q.state.Status, q.state.Since = Unknown, q.now", New: "q.state.Status, q.state.Since = OK, q.now", Laws: []int{2},
	},
	{
		Name: "time asleep counts as time seen", File: "pkg/power/qualifier.go",
		Old: "if t.set && now.After(t.at.Add(asleepAfter)) {", New: "if t.set && false {", Laws: []int{2},
	},
	{
		Name: "time runs backwards for the wires", File: "pkg/power/qualifier.go",
		Old: "if now.Before(q.now) {", New: "if now.Before(0) {", Laws: []int{1},
	},
	{
		Name: "every outage has the same id", File: "pkg/power/learn.go",
		Old: "outageID(q.cfg, q.sideFrom)", New: "outageID(q.cfg, 0)", Laws: []int{1, 12},
	},
	{
		Name: "two UPSes that fail at once have one outage id", File: "pkg/power/reading.go",
		Old: "if c.Name != \"\" {", New: "if false {", Laws: []int{12},
	},
	{
		Name: "a pretended feed decides beside a real one", File: "pkg/power/feeds.go",
		Old: "if len(ignored) < len(names) {", New: "if false {", Laws: []int{3, 11},
	},
	{
		Name: "the first feed heard of decides alone", File: "pkg/power/feeds.go",
		Old: "return good < f.need && good+len(f.named)-known >= f.need", New: "return false", Laws: []int{3},
	},
	{
		Name: "a state begins anew after each blind moment", File: "pkg/power/qualifier.go",
		Old: "since = q.lastSince", New: "since = q.now", Laws: []int{1},
	},
	{
		Name: "a pulled cable costs battery", File: "pkg/power/qualifier.go",
		Old: "q.ledger.Set(q.edgeDebt)", New: "_ = q.edgeDebt",
	},
	{
		Name: "a battery is weak for ever", File: "pkg/power/qualifier.go",
		Old: "q.state.WeakBattery = false", New: "q.state.WeakBattery = true",
	},
	{
		Name: "blind counts as OK in feeds", File: "pkg/power/state.go",
		Old: "return s.Last", New: "return OK", Laws: []int{2},
	},
	{
		Name: "a blind feed is the best of all", File: "pkg/power/feeds.go",
		Old: "cmp.Compare(a.state.Known(), b.state.Known())", New: "cmp.Compare(a.state.Status, b.state.Status)", Laws: []int{2},
	},
	{
		Name: "one feed is enough, whatever need says", File: "pkg/power/feeds.go",
		Old: "known[min(need, len(known))-1]", New: "known[min(need, 1)-1]",
	},
	{
		Name: "of several feeds, none named, the last that fails counts", File: "pkg/power/feeds.go",
		Old: "need = len(known)", New: "need = 1",
	},
	{
		Name: "a feed that nobody named counts", File: "pkg/power/feeds.go",
		Old: "if len(f.named) == 0 || f.named[name] {", New: "if f.named != nil {",
	},
	{
		Name: "of two equal feeds the lost one is asked", File: "pkg/power/feeds.go",
		Old: "[]Link{LinkUp, LinkAway, LinkLost, LinkNone}", New: "[]Link{LinkLost, LinkAway, LinkUp, LinkNone}", Laws: []int{2},
	},
	{
		Name: "a restart forgets the debt", File: "pkg/power/snapshot.go",
		Old: "q.ledger.Set(s.Debt)", New: "_ = s.Debt", Laws: []int{10},
	},
	{
		Name: "a restart forgets the outage", File: "pkg/power/snapshot.go",
		Old: "Last: s.Last, Outage: s.Outage, OutageSince: s.OutageSince,", New: "Last: s.Last,", Laws: []int{10},
	},
	{
		Name: "the battery spends nothing while the master restarts", File: "pkg/power/snapshot.go",
		Old: "q.ledger.Spend(gap)", New: "q.ledger.Spend(0)",
	},
	{
		Name: "a line that flaps is not counted", File: "pkg/power/qualifier.go",
		Old: "q.cable.Flaps++", New: "_ = q.cable.Flaps",
	},
	{
		Name: "a plug that was pulled is not suspect", File: "pkg/power/qualifier.go",
		Old: "q.suspect = q.now.Add(suspectFor)", New: "_ = suspectFor",
	},
	{
		Name: "what was seen before a blind moment is forgotten", File: "pkg/power/qualifier.go",
		Old: "q.seenBefore += q.now.Sub(q.sideFrom)", New: "q.seenBefore = 0", Laws: []int{6},
	},
	{
		Name: "an outage begins when it is believed", File: "pkg/power/learn.go",
		Old: "q.state.OutageSince, q.outageDebt = q.sideFrom, q.edgeDebt", New: "q.state.OutageSince, q.outageDebt = q.now, q.edgeDebt", Laws: []int{1},
	},
	{
		Name: "the jump rule begins anew with each restart", File: "pkg/power/snapshot.go",
		Old: "q.seenBefore += gap", New: "q.seenBefore = 0", Laws: []int{6},
	},
}
