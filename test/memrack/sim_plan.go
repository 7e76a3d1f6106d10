package memrack

import (
	"fmt"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// simPlan is all that happens in one simulated rack, as data: the same plan is the
// same story, and a plan without some of its steps is a plan too.
type simPlan struct {
	seed    uint64
	masters int
	ups     []simUPS
	nodes   []simPolicy // the first are the masters' own hosts
	dark    bool        // the switch is not on a UPS: it dies with the first one's mains
	back    simBack
	steps   []simStep
	end     time.Duration
}

// simUPS is one UPS with its battery.
type simUPS struct {
	name     string
	master   int
	runtime  time.Duration // of the full battery
	reserve  time.Duration // of it, when BATLOW is said
	recharge time.Duration // from empty to full
	known    bool          // master.toml says the runtime
	cable    string        // empty: a sim port
	driver   Driver        // of its port
	simOutput
}

// simPolicy is one machine and what its owner wrote.
type simPolicy struct {
	name        string
	feeds       []int // of the plan's UPSes
	need        int   // of the feeds
	named       bool  // its feeds are named in its configuration
	grace       time.Duration
	min         time.Duration // grace_min
	forLow      bool          // grace = "batlow"
	noLow       bool          // which its UPS can't say; then 5 minutes are used
	batlowGrace time.Duration
	lost        time.Duration // lost_limit
	deaf        bool          // it does not obey sim ports
	hook        time.Duration // how long its commit hook runs; 0: it has none
	hookFails   bool          // in the end
	waitFor     []string      // whom it waits for; waitLimit and waitLow bound that
	waitLimit   time.Duration
	waitLow     time.Duration
	simManner
}

// simManner is how a machine powers off.
type simManner struct {
	hang             bool          // the first one hangs until it is cancelled
	refuses          int           // how often it refuses first
	liar             lie           // what its answers are worth
	accepting, going time.Duration // until it accepts; from there until it is off
	early            bool          // its daemon ends long before the machine is off
	simReturn
}

// lie is what the answers of a power-off are worth.
type lie int

// The lies.
const (
	honest   lie = iota
	stubborn     // a cancelled one goes on, and is accepted
	denies       // it says that it refused, and goes
)

func (l lie) String() string {
	return []string{"honest", "accepts though cancelled", "goes though it refused"}[l]
}

// simStep is one thing that happens.
type simStep struct {
	at   time.Duration
	what string // one of simEvents
	on   int    // which UPS, master or node, as the event says
	d    time.Duration
	then time.Duration // from here until it is over, where it has an end
	// when puts the step off until node whom is there, after at.
	when moment
	whom int
}

// moment is where a node has to be for a step to happen.
type moment int

// The moments.
const (
	atOnce   moment = iota
	asked           // its power-off has been asked for, and not accepted
	accepted        // it has been accepted
	held            // somebody holds it
	atLast          // its late unit runs
	starting        // it was switched on, and does not run yet
)

// of says what a step is about.
type of int

const (
	ofNobody of = iota
	ofUPS
	ofMaster
	ofNode
	ofMachine // a node, or a master's host
	ofWorld   // it comes of the others, by itself
)

// simEvent is a kind of thing that may happen.
type simEvent struct {
	of    of
	often int                          // among what disturbs; 0: it comes by outages alone
	over  string                       // what ends it, after a while; empty: nothing
	d     [2]time.Duration             // the bounds of its length, where it has one
	can   func(p simPlan, on int) bool // nil: always
}

// simEvents are the things that may happen, by name.
func simEvents() map[string]simEvent {
	wired := func(p simPlan, i int) bool { return p.ups[i].cable != "" }
	ms, s := time.Millisecond, time.Second
	return map[string]simEvent{
		"mains off": {of: ofUPS}, "mains on": {of: ofUPS}, "low": {of: ofUPS, often: 1},
		"mains back": {of: ofUPS, over: "mains off"}, "mains gone": {of: ofUPS, over: "mains on"}, "crash": {of: ofMachine},
		"load cut": {of: ofWorld}, "reboot": {of: ofWorld}, "wake": {of: ofWorld}, "back": {of: ofWorld},
		"pull": {of: ofUPS, often: 2, over: "plug", d: [2]time.Duration{0, 400 * ms}, can: wired}, "plug": {of: ofUPS, d: [2]time.Duration{0, 400 * ms}},
		"unplug": {of: ofUPS, often: 2, over: "replug", can: wired}, "replug": {of: ofUPS},
		"glitch": {of: ofUPS, often: 2, d: [2]time.Duration{5 * ms, 300 * ms}, can: wired},
		"cut":    {of: ofNode, often: 3, over: "heal"}, "cut to": {of: ofNode, often: 1, over: "heal"}, "cut from": {of: ofNode, often: 1, over: "heal"},
		"slow": {of: ofNode, often: 1, over: "heal", d: [2]time.Duration{10 * ms, 400 * ms}}, "heal": {of: ofNode, often: 2},
		"switch off": {of: ofNobody, often: 1, over: "switch on"}, "switch on": {of: ofNobody},
		"hold": {of: ofMachine, often: 4, d: [2]time.Duration{5 * s, 15 * time.Minute}}, "release": {of: ofMachine, often: 2},
		"shutdown": {of: ofMachine, often: 1}, "remove": {of: ofNode, often: 1, over: "rejoin"}, "rejoin": {of: ofNode},
		"drill":       {of: ofMaster, often: 4, d: [2]time.Duration{time.Second, 2 * time.Minute}},
		"stop master": {of: ofMaster, often: 2, over: "start master"}, "kill master": {of: ofMaster, often: 2, over: "start master"}, "start master": {of: ofMaster},
		"stop agent": {of: ofNode, often: 1, over: "start agent"}, "kill agent": {of: ofNode, often: 3, over: "start agent"}, "start agent": {of: ofNode},
		"suspend": {of: ofNode, often: 1, over: "resume"}, "resume": {of: ofNode},
		"reload": {of: ofMachine, often: 2, d: [2]time.Duration{0, 10 * time.Minute}}, "reload badly": {of: ofMachine, often: 1},
		"disk full": {of: ofMachine, often: 1, over: "disk well"}, "disk read-only": {of: ofMachine, often: 1, over: "disk well"},
		"disk hangs": {of: ofMachine, often: 1, over: "disk well"}, "disk well": {of: ofMachine},
	}
}

func (p *simPlan) add(at time.Duration, what string, on int, d time.Duration) {
	p.steps = append(p.steps, simStep{at: at, what: what, on: on, d: d})
}

// String tells the story in words, a line for each step.
func (p simPlan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d master(s)", p.seed, p.masters)
	if p.dark {
		b.WriteString("; the switch dies with the mains of " + p.ups[0].name)
	}
	for _, u := range p.ups {
		fmt.Fprintf(&b, "\n  ups %s: %s", p.upsName(u), u)
	}
	for _, n := range p.nodes {
		var feeds []string
		for _, f := range n.feeds {
			feeds = append(feeds, p.upsName(p.ups[f]))
		}
		fmt.Fprintf(&b, "\n  %s: on %s; %s", n.name, strings.Join(feeds, " and "), n)
	}
	fmt.Fprintf(&b, "\n  %s\n", p.back)
	for _, s := range p.steps {
		fmt.Fprintf(&b, "  %10s  %s\n", s.at, s.words(p))
	}
	return b.String()
}

// String tells what is not the usual.
func (u simUPS) String() string {
	w := words{fmt.Sprintf("battery %s, low %s before its end, recharge %s", u.runtime, u.reserve, u.recharge)}
	w.add(u.known, "the runtime is known")
	w.add(u.cable != "", "cable "+u.cable)
	w.add(u.driver.NoHints, "no hints")
	w.add(u.driver.NoCounters, "no counters")
	w.add(u.driver.Cached, "a cached driver")
	u.tell(&w)
	return strings.Join(w, ", ")
}

// String tells what is not the usual.
func (n simPolicy) String() string {
	w := words{"grace " + n.grace.String()}
	if n.forLow {
		w[0] = "waits for BATLOW"
	}
	w = append(w, fmt.Sprintf("batlow_grace %s, lost_limit %s, off after %s", n.batlowGrace, n.lost, n.going))
	w.add(n.min > 0, "grace_min "+n.min.String())
	w.add(n.need > 1, fmt.Sprintf("needs %d", n.need))
	w.add(n.deaf, "does not obey sim")
	w.add(n.hook > 0, "a commit hook of "+n.hook.String())
	w.add(n.hookFails, "which fails")
	w.add(!n.named, "its feeds are not named")
	w.add(len(n.waitFor) > 0, fmt.Sprintf("waits for %q, for %s, after BATLOW %s", n.waitFor, n.waitLimit, n.waitLow))
	w.add(n.hang, "the first power-off hangs")
	w.add(n.refuses > 0, fmt.Sprintf("refuses %d times", n.refuses))
	w.add(n.liar != honest, n.liar.String())
	w.add(n.accepting > time.Millisecond, "accepts after "+n.accepting.String())
	w.add(n.early, "its daemon ends early")
	n.tell(&w)
	return strings.Join(w, ", ")
}

// words are the parts of a sentence.
type words []string

func (w *words) add(so bool, what string) {
	if so {
		*w = append(*w, what)
	}
}

func (p simPlan) upsName(u simUPS) string { return p.nodes[u.master].name + "/" + u.name }

func (s simStep) words(p simPlan) string {
	w := s.what
	switch simEvents()[s.what].of {
	case ofUPS:
		w += " " + p.upsName(p.ups[s.on])
	case ofMaster, ofNode, ofMachine:
		w += " " + p.nodes[s.on].name
	case ofNobody, ofWorld:
	}
	if s.d != 0 {
		w += " " + s.d.String()
	}
	if s.then != 0 {
		w += ", for " + s.then.String()
	}
	switch s.when {
	case asked:
		w += ", while a power-off of " + p.nodes[s.whom].name + " is asked for"
	case accepted:
		w += ", when a power-off of " + p.nodes[s.whom].name + " is accepted"
	case held:
		w += ", while " + p.nodes[s.whom].name + " is held"
	case atLast:
		w += ", while the late unit of " + p.nodes[s.whom].name + " runs"
	case starting:
		w += ", while " + p.nodes[s.whom].name + " starts"
	case atOnce:
	}
	return w
}

// port is what its master reads.
func (u simUPS) port() string {
	if u.cable == "" {
		return "sim"
	}
	return "/dev/" + u.name
}

// toml returns the tables of a UPS.
func (u simUPS) toml() string {
	t := fmt.Sprintf("[[ups]]\nname = %q\n", u.name)
	t += fmt.Sprintf("port = %q\n", u.port())
	if u.cable != "" {
		t += fmt.Sprintf("cable = %q\n", u.cable)
	}
	t += fmt.Sprintf("[ups.battery]\nlow_reserve = %q\nrecharge = %q\n", u.reserve, u.recharge)
	if u.known {
		t += fmt.Sprintf("runtime = %q\n", u.runtime)
	}
	return t
}

// hookLimit is the timeout of a commit hook.
const hookLimit = 15 * time.Second

// toml returns a node's tables as a file has them; prefix is "node." in master.toml.
func (n simPolicy) toml(p simPlan, prefix string) string {
	grace := n.grace.String()
	if n.forLow {
		grace = "batlow"
	}
	var feeds []string
	for _, f := range n.feeds {
		feeds = append(feeds, p.upsName(p.ups[f]))
	}
	var t string
	if n.named {
		t = fmt.Sprintf("[%spower]\nfeeds = [%s]\nneed = %d\n", prefix, list(feeds), n.need)
	}
	t += fmt.Sprintf("[%[1]spolicy]\ngrace = %[2]q\ngrace_min = %[3]q\nbatlow_grace = %[4]q\nlost_limit = %[5]q\n",
		prefix, grace, n.min, n.batlowGrace, n.lost)
	t += fmt.Sprintf("wait_for = [%s]\nwait_limit = %q\nwait_limit_batlow = %q\n[%sshutdown]\nstop_time = \"10s\"\n",
		list(n.waitFor), n.waitLimit, n.waitLow, prefix)
	t += n.wakeTOML(prefix)
	if n.hook > 0 {
		t += fmt.Sprintf("[[%shook]]\non = [\"commit\"]\nrun = [\"/bin/true\", \"%t\", %q]\ntimeout = %q\ndrill = true\n", prefix, n.hookFails, n.hook, hookLimit)
	}
	return t
}

// hooks is how long its commit hooks may keep a machine from asking: those of a commit
// that was called back run to their end first.
func (n simPolicy) hooks() time.Duration { return 2 * min(n.hook, hookLimit) }

// waits reports whether the machine waits for BATLOW.
func (n simPolicy) waits() bool { return n.forLow && !n.noLow }

// low reports whether the UPS can say that its battery is low.
func (u simUPS) low() bool {
	c, wired := line.Lookup(u.cable)
	return !wired || c.HasLow()
}
