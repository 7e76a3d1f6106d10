package memrack

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// simPlan is all that happens in one simulated rack, as data: the same plan is the
// same story, and a plan without some of its steps is a plan too.
type simPlan struct {
	seed     uint64
	runtime  time.Duration // of the full battery
	reserve  time.Duration // of it, when BATLOW is said
	recharge time.Duration // from empty to full
	known    bool          // master.toml says the runtime
	nodes    []simPolicy   // the first is the master's own host
	steps    []simStep
	end      time.Duration
}

// simPolicy is one machine and what its owner wrote.
type simPolicy struct {
	name             string
	grace            time.Duration
	forLow           bool // grace = "batlow"
	batlowGrace      time.Duration
	lost             time.Duration
	hang             bool          // its first power-off hangs until it is cancelled
	refuses          int           // how often it refuses first
	accepting, going time.Duration // until it accepts; from there until it is off
}

// simStep is one thing that happens.
type simStep struct {
	at   time.Duration
	what string        // one of simEvents
	node int           // on which machine, where it is one
	d    time.Duration // of a hold
}

// simEvents are the things that may happen, by name, with how often.
func simEvents() map[string]int {
	return map[string]int{
		"mains off": 0, "mains on": 0, "low": 1, // these come by whole outages
		"cut": 4, "heal": 3, "hold": 4, "release": 2, "shutdown": 1,
		"stop master": 2, "kill master": 2, "start master": 0,
		"stop agent": 1, "kill agent": 3, "start agent": 0,
	}
}

// newPlan makes the plan of a seed.
func newPlan(seed uint64) simPlan {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a story, not a secret
	p := simPlan{
		seed: seed, runtime: between(r, 3*time.Minute, 15*time.Minute), recharge: between(r, 10*time.Minute, 40*time.Minute),
		reserve: between(r, 40*time.Second, 100*time.Second), known: r.IntN(3) == 0,
	}
	agents := 1 + r.IntN(6)
	if r.IntN(20) == 0 {
		agents = 12
	}
	for i := range agents + 1 {
		p.nodes = append(p.nodes, newPolicy(r, i))
	}
	at := between(r, 40*time.Second, time.Minute)
	for range 1 + r.IntN(3) {
		at = p.outage(r, at)
	}
	p.end = at
	for range r.IntN(9) {
		p.disturb(r)
	}
	slices.SortStableFunc(p.steps, func(a, b simStep) int { return cmp.Compare(a.at, b.at) })
	return p
}

func newPolicy(r *rand.Rand, i int) simPolicy {
	n := simPolicy{
		name: fmt.Sprintf("n%d", i), grace: between(r, 0, 10*time.Minute), forLow: r.IntN(5) == 0,
		batlowGrace: between(r, 0, 15*time.Second), lost: between(r, 0, 2*time.Minute),
		accepting: time.Millisecond, going: between(r, time.Second, 10*time.Second),
	}
	if i == 0 {
		n.name = "rack1"
	}
	switch r.IntN(8) {
	case 0:
		n.grace = 0
	case 1:
		n.refuses = 1 + r.IntN(4)
	case 2:
		n.hang = true
	case 3, 4:
		n.accepting = between(r, time.Second, 15*time.Second)
	}
	return n
}

// outage adds an outage that begins at at, and returns when the next may begin.
func (p *simPlan) outage(r *rand.Rand, at time.Duration) time.Duration {
	var lasts time.Duration
	switch r.IntN(6) {
	case 0: // a blip
		lasts = between(r, time.Millisecond, 3*time.Second)
	case 1: // yo-yo
		for range 2 + r.IntN(5) {
			p.add(at, "mains off", 0, 0)
			at += between(r, 10*time.Millisecond, 20*time.Second)
			p.add(at, "mains on", 0, 0)
			at += between(r, 10*time.Millisecond, 5*time.Second)
		}
		lasts = between(r, time.Second, time.Minute)
	case 2:
		lasts = between(r, p.runtime, p.runtime+5*time.Minute)
	case 3: // low at once: the battery is worn
		p.add(at, "low", 0, 0)
		lasts = between(r, time.Second, 3*time.Minute)
	default:
		lasts = between(r, time.Second, p.runtime)
	}
	p.add(at, "mains off", 0, 0)
	p.add(at+lasts, "mains on", 0, 0)
	return at + lasts + between(r, time.Second, 4*time.Minute)
}

// disturb adds something that goes wrong, and mostly its end.
func (p *simPlan) disturb(r *rand.Rand) {
	var bag []string
	for what, often := range simEvents() {
		for range often {
			bag = append(bag, what)
		}
	}
	slices.Sort(bag)
	at, what := between(r, 0, p.end), bag[r.IntN(len(bag))]
	node := 1 + r.IntN(len(p.nodes)-1)
	later := at + between(r, 100*time.Millisecond, 2*time.Minute)
	p.add(at, what, node, between(r, 5*time.Second, 5*time.Minute))
	switch what {
	case "cut":
		p.add(later, "heal", node, 0)
	case "stop master", "kill master":
		p.add(later, "start master", 0, 0)
	case "stop agent", "kill agent":
		p.add(later, "start agent", node, 0)
	}
}

func (p *simPlan) add(at time.Duration, what string, node int, d time.Duration) {
	p.steps = append(p.steps, simStep{at, what, node, d})
}

// between returns a length from lo to hi, in whole milliseconds.
func between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64((hi-lo)/time.Millisecond)+1))*time.Millisecond
}

// String tells the story in words, a line for each step.
func (p simPlan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: battery %s, low %s before its end, recharge %s, runtime known %t\n", p.seed, p.runtime, p.reserve, p.recharge, p.known)
	for _, n := range p.nodes {
		fmt.Fprintf(&b, "  %s: grace %s (batlow %t), batlow_grace %s, lost_limit %s; hangs first %t, refuses %d times, accepts after %s, off %s later\n",
			n.name, n.grace, n.forLow, n.batlowGrace, n.lost, n.hang, n.refuses, n.accepting, n.going)
	}
	for _, s := range p.steps {
		fmt.Fprintf(&b, "  %10s  %s\n", s.at, s.words(p))
	}
	return b.String()
}

func (s simStep) words(p simPlan) string {
	switch s.what {
	case "cut", "heal", "release", "shutdown", "stop agent", "kill agent", "start agent":
		return s.what + " " + p.nodes[s.node].name
	case "hold":
		return fmt.Sprintf("hold %s for %s", p.nodes[s.node].name, s.d)
	default:
		return s.what
	}
}

// toml returns a node's tables as a file has them; prefix is "node." in master.toml.
func (n simPolicy) toml(prefix string) string {
	grace := n.grace.String()
	if n.forLow {
		grace = "batlow"
	}
	return fmt.Sprintf("[%spolicy]\ngrace = %q\ngrace_min = \"0s\"\nbatlow_grace = %q\nlost_limit = %q\nwait_for = []\n[%sshutdown]\nstop_time = \"10s\"\n",
		prefix, grace, n.batlowGrace, n.lost, prefix)
}
