package mutants

// cutFaults are wrong seals and a wrong last act.
var cutFaults = []Fault{
	{
		Name: "a seal of another boot is good", File: "master/cut/seal.go",
		Old: "s.Boot != h.Boot ||", New: "false ||", Laws: []int{4, 5},
	},
	{
		Name: "a seal never expires", File: "master/cut/seal.go",
		Old: "case !h.Now.Before(s.Expires):", New: "case false:", Laws: []int{4},
	},
	{
		Name: "a seal from later is good", File: "master/cut/seal.go",
		Old: "case s.Made.After(h.Now):", New: "case false:", Laws: []int{4},
	},
	{
		Name: "a seal for another cable is good", File: "master/cut/seal.go",
		Old: "case hash(w.Cable) != hash(u.Cable):", New: "case false:", Laws: []int{4},
	},
	{
		Name: "a sealed cable that was altered is good", File: "master/cut/seal.go",
		Old: "if hash(u.Cable) != w.Hash[i] {", New: "if i < 0 {", Laws: []int{4},
	},
	{
		Name: "a seal for another port is good", File: "master/cut/seal.go",
		Old: "case w.Port != u.Port:", New: "case false:", Laws: []int{4},
	},
	{
		Name: "a kill does not wait for the nodes", File: "master/cut/cutter.go",
		Old: "u.Cable.Kill.Exists() && !now.Before(u.NotBefore) && u.look.battery(now)",
		New: "u.Cable.Kill.Exists() && u.look.battery(now)", Laws: []int{5},
	},
	{
		Name: "a kill does not look at the lines", File: "master/cut/cutter.go",
		Old: "!now.Before(u.NotBefore) && u.look.battery(now)", New: "!now.Before(u.NotBefore)", Laws: []int{4},
	},
	{
		Name: "a kill is begun after a glitch", File: "master/cut/look.go",
		Old: "now.Sub(l.since) >= batterySteady ||", New: "true ||", Laws: []int{4},
	},
	{
		Name: "a flap is mains", File: "master/cut/look.go",
		Old: "l.is == mains && now.Sub(l.since) >= mainsSteady", New: "l.is == mains", Laws: []int{5},
	},
	{
		Name: "a UPS that chatters is never cut", File: "master/cut/look.go",
		Old: "now.Sub(l.restless) >= chatter)", New: "false)",
	},
	{
		Name: "mains in the kill are not seen", File: "master/cut/cutter.go",
		Old: "case u.phase == killing && u.look.mains(now):", New: "case false:", Laws: []int{4},
	},
	{
		Name: "what a cable without supply says in the kill is believed", File: "master/cut/cutter.go",
		Old: "u.phase == killing && !u.Cable.ReadsInKill()", New: "false",
	},
	{
		Name: "a kill is a little too short", File: "master/cut/cutter.go",
		Old: "u.Cable.Kill.Hold + u.Cable.Kill.Break + slack", New: "u.Cable.Kill.Hold + u.Cable.Kill.Break",
	},
	{
		Name: "the machine boots while its UPS may yet obey", File: "master/cut/cutter.go",
		Old: "case c.has(busy):\n\t\treturn nil\n", New: "", Laws: []int{7},
	},
	{
		Name: "the machine's own UPS does not come last", File: "master/cut/cutter.go",
		Old: "if !c.othersThrough(now) {", New: "if false {", Laws: []int{5},
	},
	{
		Name: "a UPS that can't be seen holds up all others", File: "master/cut/cutter.go",
		Old: "late >= otherBlind && u.look.blind(now) >= otherBlind", New: "false", Laws: []int{7},
	},
	{
		Name: "a UPS that is not the machine's is cut for ever", File: "master/cut/cutter.go",
		Old: "if !u.Own {\n\t\t\tu.phase = done\n\t\t}\n", New: "",
		Lives: "another kill by then does no harm: all its nodes are off, and the machine's own is over first",
	},
	{
		Name: "a machine that sees nothing stays down", File: "master/cut/cutter.go",
		Old: "u.look.blind(now) < ownBlind && (u.EmptyBy", New: "(u.EmptyBy", Laws: []int{7},
	},
	{
		Name: "lines that say battery are believed for ever", File: "master/cut/cutter.go",
		Old: "(u.EmptyBy == 0 || now.Before(u.EmptyBy))", New: "true", Laws: []int{7},
	},
	{
		Name: "a kill is begun that a reboot then waits for", File: "master/cut/cutter.go",
		Old: "if c.noBattery(now) {", New: "if c.noBattery(now) && !c.has(busy) {", Laws: []int{7},
	},
	{
		Name: "who disbelieves the lines boots while its UPS may yet obey", File: "master/cut/cutter.go",
		Old: "	if c.has(busy) {\n\t\treturn nil\n\t}\n\tc.over", New: "\tc.over", Laws: []int{7},
	},
	{
		Name: "the last machine's battery lasts no longer than the rack's", File: "master/seal_make.go",
		Old: "min(lightLoad*runtime,", New: "min(runtime,",
	},
	{
		Name: "a driver that hangs holds up the late unit", File: "master/cut/port.go",
		Old: "await(c, callLimit)", New: "await(c, 1000*time.Hour)", Laws: []int{7},
	},
	{
		Name: "what a call that hung has set stays set", File: "master/cut/port.go",
		Old: "if unsure {", New: "if unsure && h == nil {", Laws: []int{4},
	},
	{
		Name: "a port that hung is never looked at again", File: "master/cut/port.go",
		Old: "	case o := <-p.late:\n", New: "	case o := <-p.late:\n\t\tif o.err == nil {\n\t\t\treturn false\n\t\t}\n",
	},
	{
		Name: "a stopped console holds up the late unit", File: "master/cut/run.go",
		Old: "await(c, sayLimit)", New: "await(c, 1000*time.Hour)", Laws: []int{7},
	},
	{
		Name: "a disk that hangs holds up the late unit", File: "master/cut/run.go",
		Old: "bounded(quietLimit, o.System.Quiet)", New: "o.System.Quiet()", Laws: []int{10},
	},
	{
		Name: "the master's own host does not hear how long it takes to stop", File: "master/hub.go",
		Old: "		u.StopTime = h.stopTime(n)\n", New: "		_ = n\n",
	},
	{
		Name: "how long the host took to stop is told again", File: "master/cut/stopped.go",
		Old: "if err := journal.RemoveOn(fsys, path); err != nil {", New: "if err := error(nil); err != nil {",
	},
	{
		Name: "a fault of the late unit ends it", File: "master/cut/run.go",
		Old: "	defer func() { fault = recover() }()\n", New: "", Laws: []int{7},
	},
	{
		Name: "a fault forgets that a UPS may yet obey", File: "master/cut/run.go",
		Old: "if u.Own && u.phase != waiting {", New: "if false {", Laws: []int{7},
	},
	{
		Name: "a late unit that always fails goes on for ever", File: "master/cut/run.go",
		Old: "case time.Since(first) >= ownBlind:", New: "case false:", Laws: []int{7},
	},
	{
		Name: "a kill goes on at a port that was lost over it", File: "master/cut/cutter.go",
		Old: "case u.phase == killing && !open:", New: "case false:",
	},
	{
		Name: "the second try reboots a machine whose UPS may yet obey", File: "master/cut/cutter.go",
		Old: "on != nil && !c.has(busy) {", New: "on != nil {", Laws: []int{7},
	},
	{
		Name: "a line stays asserted behind who was ended", File: "master/cut/run.go",
		Old: "if u.phase == killing {\n\t\t\tp.do(0,", New: "if i < 0 {\n\t\t\tp.do(0,", Laws: []int{4},
	},
	{
		Name: "what is queued is sent after the kill is over", File: "master/cut/port.go",
		Old: "errors.Join(wire.Flush(), h.Drive(a.Levels))", New: "h.Drive(a.Levels)", Laws: []int{4},
	},
	{
		Name: "a driver's empty memory is believed", File: "master/cut/port.go",
		Old: "	if a.opened.Cache != \"\" {\n\t\tp.cached", New: "	if false {\n\t\tp.cached", Laws: []int{4},
	},
	{
		Name: "a reboot counts as the end", File: "master/cut/late.go",
		Old: "return to == \"poweroff\" || to == \"halt\"", New: "return to != \"\"", Laws: []int{4},
	},
	{
		Name: "a kill sets only the levels that it names", File: "pkg/line/kill.go",
		Old: "ls := c.Idle()\n", New: "ls := Lines(0)\n", Laws: []int{4},
	},
	{
		Name: "a parked port sends at B0", File: "pkg/line/transmit_linux.go",
		Old: "t.Cflag |= unix.B9600\n", New: "",
	},
	{
		Name: "leaving B0 leaves both outputs raised", File: "pkg/line/transmit_linux.go",
		Old: "return p.Drive(p.out) //", New: "return nil //", Laws: []int{4},
	},
	{
		Name: "an open file keeps a file system writable", File: "master/cut/system_linux.go",
		Old: "if len(left) > 0 && s.force() == nil {", New: "if false && s.force() == nil {",
	},
}
