package mutants

// backFaults are machines that stay down, or are started when they must not be.
var backFaults = []Fault{
	{
		Name: "who fell silent in an outage is not brought back", File: "pkg/policy/recovery.go",
		Old: "	case n.NeverGoes || !hit && !quick || n.going() && n.Sent:", New: "	case n.NeverGoes || !n.going() && !quick || n.going() && n.Sent:", Laws: []int{7},
	},
	{
		Name: "who goes in a failure between two looks is not brought back", File: "pkg/policy/recovery.go",
		Old: "quick := n.going() && (r.before[n.Name] || back)", New: "quick := back && false", Laws: []int{7},
	},
	{
		Name: "who people shut down is woken", File: "pkg/policy/recovery.go",
		Old: "|| n.going() && n.Sent:", New: ":",
	},
	{
		Name: "who is called back and goes all the same is forgotten", File: "pkg/policy/recovery.go",
		Old: "if a.called == 0 || !now.Before(late) {", New: "if true {", Laws: []int{7},
	},
	{
		Name: "whoever is up when the master's machine goes is forgotten", File: "pkg/policy/recovery_wake.go",
		Old: "hit = r.hostGoes", New: "hit = false", Laws: []int{7},
	},
	{
		Name: "who names none of its feeds is woken on one of them", File: "master/recovery.go",
		Old: "if need == 0 {", New: "if need < 0 {", Laws: []int{7},
	},
	{
		Name: "the end is obeyed before all feeds are heard of", File: "pkg/node/run.go",
		Old: "|| d.undecided && order.Kind == policy.OrderEnd {", New: "{", Laws: []int{2},
	},
	{
		Name: "the first to go comes back first", File: "pkg/policy/recovery_wake.go",
		Old: "return cmp.Compare(b.Turn, a.Turn)", New: "return cmp.Compare(a.Turn, b.Turn)",
	},
	{
		Name: "one is woken again before all are woken once", File: "pkg/policy/recovery_wake.go",
		Old: "if a.Tries != b.Tries {", New: "if false {", Laws: []int{7},
	},
	{
		Name: "machines are started without the hold-off", File: "pkg/policy/recovery_wake.go",
		Old: "case steady < r.cfg.HoldOff:", New: "case steady < 0:",
	},
	{
		Name: "machines are started on an empty battery", File: "pkg/policy/recovery_wake.go",
		Old: "c < r.cfg.MinCharge {", New: "c < 0 {",
	},
	{
		Name: "a battery that never fills keeps everybody down", File: "pkg/policy/recovery_wake.go",
		Old: "case steady >= r.cfg.Limit:", New: "case false:", Laws: []int{7},
	},
	{
		Name: "the pause between two tries has no end", File: "pkg/policy/recovery_wake.go",
		Old: "min(firstWakePause<<min(a.Tries, 10), lastWakePause)", New: "firstWakePause<<min(a.Tries, 20)", Laws: []int{7},
	},
	{
		Name: "machines are started in the next outage", File: "pkg/policy/recovery_wake.go",
		Old: `		return "power", 0, false`, New: `		return "", 0, true`,
	},
	{
		Name: "a second outage does not begin anew", File: "pkg/policy/recovery_wake.go",
		Old: "a.Tries, a.Next, a.since = 0, 0, 0", New: "a.since = 0",
	},
	{
		Name: "a need of two feeds is forgotten", File: "pkg/policy/recovery_wake.go",
		Old: "return waits, ready >= need", New: "return waits, ready >= min(1, need)",
	},
	{
		Name: "a master that was rebooted forgets who is down", File: "master/recovery.go",
		Old: "v.r.Restore(v.m.now(), old.Recovery, old.Boot == v.m.boot)", New: "v.r.Restore(v.m.now(), policy.RecoveryState{}, true)", Laws: []int{7, 12},
	},
	{
		Name: "a master that was rebooted forgets the cards", File: "master/recovery.go",
		Old: "v.cards[name] = append(v.cards[name], mac)", New: "_ = mac", Laws: []int{7},
	},
	{
		Name: "moments of another boot are taken for this one's", File: "pkg/policy/recovery.go",
		Old: "		if !sameBoot {", New: "		if false {", Laws: []int{1, 7},
	},
	{
		Name: "a release does not end the tries", File: "master/control.go",
		Old: "s.m.recovery.release(req.GetNodes(), api.PeerFrom(ctx).Name)", New: "_ = s",
	},
	{
		Name: "shut down to be woken stays down", File: "master/control.go",
		Old: "s.m.recovery.ask(req.GetNodes(), by)", New: "_ = by", Laws: []int{7},
	},
	{
		Name: "the ways back are not armed before the power-off", File: "pkg/node/poweroff.go",
		Old: "if arm != nil && ctx.Err() == nil {", New: "if false {", Laws: []int{7},
	},
	{
		Name: "arming that hangs keeps the machine up", File: "pkg/node/wake.go",
		Old: "late := time.NewTimer(armLimit)", New: "late := time.NewTimer(100 * armLimit)", Laws: []int{6},
	},
	{
		Name: "a machine that stays up switches itself on later", File: "pkg/node/poweroff.go",
		Old: "	d.disarm()\n", New: "",
	},
	{
		Name: "a dry run arms the machine", File: "pkg/node/wake.go",
		Old: "|| d.o.Settings.dryRun() || w.commit", New: "|| w.commit",
	},
	{
		Name: "the magic packet has the address once", File: "pkg/wake/send.go",
		Old: "bytes.Repeat(mac, 16)...), nil", New: "bytes.Repeat(mac, 1)...), nil", Laws: []int{7},
	},
	{
		Name: "somebody else's alarm is taken back", File: "pkg/wake/machine.go",
		Old: " || set <= now || set > now+int64(within/time.Second)+1 {", New: " || set <= now {",
	},
	{
		Name: "a battery's end proves the kill", File: "master/proof/kill.go",
		Old: " && born.Before(s.Wall.Add(s.Lasts))", New: "",
	},
	{
		Name: "a woken machine proves the kill", File: "master/proof/kill.go",
		Old: "!d.Woken && ", New: "",
	},
	{
		Name: "a cut proves no kill", File: "master/seal_make.go",
		Old: "m.proving.sealed(sealed)", New: "_ = sealed",
	},
}
