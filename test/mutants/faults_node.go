package mutants

// nodeFaults are decisions that are badly carried out.
var nodeFaults = []Fault{
	{
		Name: "records not awaited before power-off", File: "pkg/node/poweroff.go",
		Old: "awaitRecords(records)", New: "_ = records", Laws: []int{12},
	},
	{
		Name: "a hanging disk keeps the machine up", File: "pkg/node/act.go",
		Old: "time.NewTimer(recordWait)", New: "time.NewTimer(24 * time.Hour)", Laws: []int{10, 12},
	},
	{
		Name: "a power-off call has no time limit", File: "pkg/node/poweroff.go",
		Old: "context.WithTimeout(ctx, powerOffLimit)", New: "context.WithTimeout(ctx, 24*time.Hour)", Laws: []int{10},
	},
	{
		Name: "a cancel lets the power-off call go on", File: "pkg/node/poweroff.go",
		Old: "a.cancel(errCancelled)", New: "_ = errCancelled", Laws: []int{3},
	},
	{
		Name: "a cancel does not reach the system", File: "pkg/node/poweroff.go",
		Old: "if err := a.by.Cancel(ctx); err != nil {", New: "if err := ctx.Err(); err != nil {", Laws: []int{3},
	},
	{
		Name: "a power-off is asked although it was taken back", File: "pkg/node/poweroff.go",
		Old: "if ctx.Err() != nil {", New: "if by == nil {", Laws: []int{3},
	},
	{
		Name: "a refusal is taken for accepted", File: "pkg/node/poweroff.go",
		Old: "d.record(recordPowerOff, r)\n\tif err != nil {", New: "d.record(recordPowerOff, r)\n\tif err != nil && a == nil {", Laws: []int{10},
	},
	{
		Name: "the first method is the only one", File: "pkg/node/poweroff.go",
		Old: "d.o.Chain[a.Attempt%len(d.o.Chain)]", New: "d.o.Chain[0]", Laws: []int{10},
	},
	{
		Name: "of two updates the older wins", File: "pkg/node/driver.go",
		Old: "d.updates[u.Master] = u\n", New: "if _, ok := d.updates[u.Master]; !ok {\n\t\td.updates[u.Master] = u\n\t}\n", Laws: []int{1},
	},
	{
		Name: "silence takes an order back", File: "pkg/node/run.go",
		Old: "u.Order, u.Awaited = old.Order, old.Awaited //", New: "u.Awaited = old.Awaited //", Laws: []int{2},
	},
	{
		Name: "silence says that all are off", File: "pkg/node/run.go",
		Old: "u.Order, u.Awaited = old.Order, old.Awaited //", New: "u.Order = old.Order //", Laws: []int{2},
	},
	{
		Name: "a UPS that its master no longer has counts as OK", File: "pkg/node/run.go",
		Old: "gone.Reason = power.Unknown, s.State.Known(),", New: "gone.Reason = power.OK, power.OK,", Laws: []int{2},
	},
	{
		Name: "of two masters' orders the weaker wins", File: "pkg/node/run.go",
		Old: "cmp.Compare(o.Until, best.Until)) > 0", New: "cmp.Compare(o.Until, best.Until)) < 0",
	},
	{
		Name: "a master is forgotten while on battery", File: "pkg/node/run.go",
		Old: " || v.Power.State.Known().OnBattery() {", New: " {", Laws: []int{2},
	},
	{
		Name: "what is ordered from before a crash is dropped at the first word", File: "pkg/node/run.go",
		Old: "if !d.ordered ||", New: "if false ||", Laws: []int{10},
	},
	{
		Name: "stale state accepted: another boot's", File: "pkg/node/restore.go",
		Old: "if k.Boot != d.o.BootID {", New: `if k.Boot == "" {`, Laws: []int{1},
	},
	{
		Name: "the state file is never written", File: "pkg/node/run.go",
		Old: "d.o.State.Put(json.RawMessage(b))", New: "_ = json.RawMessage(b)", Laws: []int{10},
	},
	{
		Name: "a hanging disk keeps an agent from starting", File: "pkg/node/restore.go",
		Old: "time.NewTimer(restoreWait)", New: "time.NewTimer(24 * time.Hour)", Laws: []int{10},
	},
	{
		Name: "a hook has no time limit", File: "pkg/node/hookrun.go",
		Old: "context.WithTimeout(ctx, h.Timeout)", New: "context.WithTimeout(ctx, 24*time.Hour)", Laws: []int{9, 10},
	},
	{
		Name: "a hook that cannot be killed is waited for", File: "pkg/node/hookrun.go",
		Old: "time.NewTimer(killGrace)", New: "time.NewTimer(24 * time.Hour)", Laws: []int{10},
	},
	{
		Name: "a hook that anybody may write to is run", File: "pkg/node/hookrun.go",
		Old: "if err := vetted(h); err != nil {", New: "if err := vetted(h); err != nil && ctx == nil {", Laws: []int{9},
	},
	{
		Name: "an overtaken commit's hooks let the next one go", File: "pkg/node/hooks.go",
		Old: "if commit && n == d.hooks.commits {", New: "if commit {",
	},
	{
		Name: "cancel hooks run into a new commit", File: "pkg/node/hooks.go",
		Old: "(event == policy.EventCancel || event == policy.EventCommit) && n != d.hooks.commits", New: "event == policy.EventCommit && n != d.hooks.commits",
	},
	{
		Name: "the hooks of overtaken commits pile up", File: "pkg/node/hooks.go",
		Old: "(event == policy.EventCancel || event == policy.EventCommit) && n != d.hooks.commits", New: "event == policy.EventCancel && n != d.hooks.commits", Laws: []int{2, 10},
	},
	{
		Name: "people who don't read hold the machine", File: "pkg/node/act.go",
		Old: "default:\n\t\td.o.Log.Warn(\"cannot tell the people", New: "case <-time.After(time.Hour):\n\t\td.o.Log.Warn(\"cannot tell the people", Laws: []int{10},
	},
	{
		Name: "a reload happens while on battery", File: "pkg/node/idle.go",
		Old: "case v.Power.State.Known().OnBattery():", New: "case d.o.Log == nil:", Laws: []int{10},
	},
	{
		Name: "a deadline is looked at only when something else happens", File: "pkg/node/run.go",
		Old: "t.Reset(max(at.Sub(d.o.Now()), minWait))", New: "t.Reset(max(at.Sub(d.o.Now()), time.Hour))", Laws: []int{2},
	},
	{
		Name: "a full disk is no problem", File: "pkg/node/problems.go",
		Old: `d.problem(health.Disk, strings.Join(disk, "; "))`, New: `d.problem(health.Disk, "")`, Laws: []int{10},
	},
	{
		Name: "a hook is not told which outage", File: "pkg/node/hookrun.go",
		Old: `"LASTWATT_OUTAGE=" + e.Outage`, New: `"LASTWATT_OUTAGE="`,
	},
	{
		Name: "a stop leaves a power-off that is under way", File: "pkg/node/run.go",
		Old: "d.flying.Wait()", New: "_ = d.flying.Wait", Laws: []int{12},
	},
	{
		Name: "a power-off without an answer ends in nothing", File: "pkg/node/poweroff.go",
		Old: `return fmt.Errorf("no answer for %s", powerOffLimit+stopGrace)`, New: "_ = fmt.Errorf\n\t\treturn nil", Laws: []int{10},
	},
}

// healthFaults are problems badly told.
var healthFaults = []Fault{
	{
		Name: "a problem is told at once, not after its time", File: "pkg/health/registry.go",
		Old: "return rec.Since.Add(rec.kind.After), true", New: "return rec.Since, true",
	},
	{
		Name: "a problem that stays is told once and never again", File: "pkg/health/registry.go",
		Old: "return rec.again, true", New: "return rec.again, false",
	},
	{
		Name: "what was never told is told to be over", File: "pkg/health/registry.go",
		Old: "if rec.told {\n", New: "if rec != nil {\n",
	},
	{
		Name: "a weakness wakes people at night", File: "pkg/health/registry.go",
		Old: "case rec.kind.Weakness:", New: "case rec.kind.Weakness && rec.told:",
	},
	{
		Name: "a problem is as old as the last look at it", File: "pkg/health/registry.go",
		Old: "r.all[k].Found = f", New: "r.all[k].Entry = Entry{f, now}",
	},
}
