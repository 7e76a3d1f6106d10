package memrack

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// newPlan makes the plan of a seed.
func newPlan(seed uint64) simPlan {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a story, not a secret
	p := simPlan{seed: seed, masters: 1, dark: r.IntN(12) == 0}
	upses := 1
	switch r.IntN(8) {
	case 0:
		upses = 2
	case 1:
		p.masters, upses = 2, 2
	}
	for i := range upses {
		p.ups = append(p.ups, newUPS(r, i, min(i, p.masters-1)))
	}
	agents := 1 + r.IntN(6)
	switch r.IntN(100) {
	case 0:
		agents = 20 + r.IntN(31)
	case 1, 2, 3:
		agents = 12
	}
	for i := range agents + p.masters {
		p.nodes = append(p.nodes, newPolicy(r, p, i))
	}
	p.wait(rand.New(rand.NewPCG(seed, 2))) //nolint:gosec // likewise; of its own, so that no story changes but by waits
	at := between(r, 40*time.Second, time.Minute)
	outages := 1 + r.IntN(6)
	for range outages {
		at = p.outage(r, at)
	}
	p.end = at
	for range r.IntN(5 * outages) {
		p.disturb(r)
	}
	for range r.IntN(3) / 2 * (1 + r.IntN(3)) { // somebody works on these machines
		p.add(between(r, 0, p.end), "hold", r.IntN(len(p.nodes)), between(r, time.Minute, 30*time.Minute))
	}
	p.endGame(rand.New(rand.NewPCG(seed, 3))) //nolint:gosec // likewise
	slices.SortStableFunc(p.steps, func(a, b simStep) int { return cmp.Compare(a.at, b.at) })
	return p
}

func newUPS(r *rand.Rand, i, master int) simUPS {
	u := simUPS{
		name: fmt.Sprintf("ups%d", i), master: master, runtime: between(r, 3*time.Minute, 15*time.Minute),
		recharge: between(r, 10*time.Minute, 40*time.Minute), reserve: between(r, 40*time.Second, 100*time.Second), known: r.IntN(3) == 0,
	}
	if r.IntN(2) == 0 {
		all := line.Catalogue()
		u.cable = all[r.IntN(len(all))].Name
		u.driver = Driver{NoHints: r.IntN(8) == 0, NoCounters: r.IntN(8) == 0, Cached: r.IntN(8) == 0}
	}
	return u
}

func newPolicy(r *rand.Rand, p simPlan, i int) simPolicy {
	n := simPolicy{
		name: fmt.Sprintf("n%d", i), need: 1, grace: between(r, 0, 10*time.Minute), forLow: r.IntN(5) == 0,
		batlowGrace: between(r, 0, 15*time.Second), lost: between(r, 0, 2*time.Minute), deaf: r.IntN(25) == 0,
		simManner: simManner{accepting: time.Millisecond, going: between(r, time.Second, 10*time.Second)},
	}
	if r.IntN(3) == 0 {
		n.min = between(r, 0, 30*time.Second)
	}
	if r.IntN(6) == 0 {
		n.hook = between(r, time.Second, 2*hookLimit)
		n.hookFails = r.IntN(3) == 0
	}
	n.feed(r, p, i)
	switch r.IntN(12) {
	case 0:
		n.grace = 0
	case 1:
		n.refuses = 1 + r.IntN(4)
	case 2:
		n.hang = true
	case 3, 4:
		n.accepting = between(r, time.Second, 15*time.Second)
	case 5:
		n.liar, n.accepting = stubborn, between(r, time.Second, 15*time.Second)
	case 6:
		n.liar = denies
	case 7:
		n.going = between(r, time.Minute, 4*time.Minute)
	}
	n.noLow = slices.ContainsFunc(n.feeds, func(f int) bool { return !p.ups[f].low() })
	switch {
	case n.noLow && len(n.feeds) > 1:
		n.forLow = false // which feed counts then is another story
	case n.noLow && n.forLow:
		n.grace = 5 * time.Minute
	}
	return n
}

// feed gives a machine its feeds: a master's host those of its own master.
func (n *simPolicy) feed(r *rand.Rand, p simPlan, i int) {
	if i < p.masters {
		n.name = fmt.Sprintf("rack%d", i+1)
		for f, u := range p.ups {
			if u.master == i {
				n.feeds = append(n.feeds, f)
			}
		}
	} else {
		n.feeds = [][]int{{0}, {len(p.ups) - 1}, {0, len(p.ups) - 1}}[r.IntN(3)]
		n.feeds = slices.Compact(slices.Clone(n.feeds))
	}
	if len(n.feeds) > 1 {
		n.need = 1 + r.IntN(2)
	}
	n.named = len(p.ups) > 1 || r.IntN(2) == 0
	if len(p.ups) > 1 && p.masters == 1 && r.IntN(4) == 0 { // all of them count, and it is a problem
		n.named, n.feeds, n.need = false, []int{0, 1}, 2
	}
}

// outage adds an outage that begins at at, and returns when the next may begin. It
// takes one UPS's mains, or those of all.
func (p *simPlan) outage(r *rand.Rand, at time.Duration) time.Duration {
	ups := []int{r.IntN(len(p.ups))}
	if r.IntN(3) > 0 {
		ups = nil
		for i := range p.ups {
			ups = append(ups, i)
		}
	}
	var over time.Duration
	for _, i := range ups {
		over = max(over, p.outageOf(r, at+between(r, 0, 500*time.Millisecond), i))
	}
	return over + between(r, time.Second, 4*time.Minute)
}

// outageOf adds an outage of one UPS and returns when it is over.
func (p *simPlan) outageOf(r *rand.Rand, at time.Duration, ups int) time.Duration {
	var lasts time.Duration
	full := p.ups[ups].runtime
	switch r.IntN(6) {
	case 0: // a blip
		lasts = between(r, time.Millisecond, 3*time.Second)
	case 1: // yo-yo
		for range 2 + r.IntN(5) {
			p.add(at, "mains off", ups, 0)
			at += between(r, 10*time.Millisecond, 20*time.Second)
			p.add(at, "mains on", ups, 0)
			at += between(r, 10*time.Millisecond, 5*time.Second)
		}
		lasts = between(r, time.Second, time.Minute)
	case 2:
		lasts = between(r, full, full+5*time.Minute)
	case 3: // low at once: the battery is worn
		p.add(at, "low", ups, 0)
		lasts = between(r, time.Second, 3*time.Minute)
	default:
		lasts = between(r, time.Second, full)
	}
	var bounce time.Duration
	if p.ups[ups].cable != "" && r.IntN(3) == 0 {
		bounce = between(r, time.Millisecond, 80*time.Millisecond)
	}
	p.add(at, "mains off", ups, bounce)
	p.add(at+lasts, "mains on", ups, bounce)
	return at + lasts
}

// disturb adds something that goes wrong, and mostly its end.
func (p *simPlan) disturb(r *rand.Rand) {
	events := simEvents()
	var bag []string
	for _, what := range slices.Sorted(maps.Keys(events)) {
		for range events[what].often {
			bag = append(bag, what)
		}
	}
	s := simStep{at: between(r, 0, p.end), what: bag[r.IntN(len(bag))]}
	e := events[s.what]
	switch e.of {
	case ofUPS:
		s.on = r.IntN(len(p.ups))
	case ofMaster:
		s.on = r.IntN(p.masters)
	case ofNode:
		s.on = p.masters + r.IntN(len(p.nodes)-p.masters)
	case ofMachine:
		s.on = r.IntN(len(p.nodes))
	case ofNobody, ofWorld:
	}
	if e.can != nil && !e.can(*p, s.on) {
		return
	}
	s.d = between(r, e.d[0], e.d[1])
	// A third of it hits somebody who is just going: that is short, and counts.
	if k := r.IntN(7); k < 3 {
		s.when, s.whom = moment(1+k), s.on
		if e.of == ofUPS || e.of == ofNobody || e.of == ofMaster {
			s.whom = r.IntN(len(p.nodes))
		}
	}
	if e.over != "" {
		s.then = between(r, 100*time.Millisecond, 2*time.Minute)
	}
	p.steps = append(p.steps, s)
}

// between returns a length from lo to hi, in whole milliseconds.
func between(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64((hi-lo)/time.Millisecond)+1))*time.Millisecond
}
