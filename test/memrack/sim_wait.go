package memrack

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// wait makes machines of every other rack wait for each other: hosts for everybody,
// agents mostly for later ones, so that most racks have no circle.
func (p *simPlan) wait(r *rand.Rand) {
	waits := r.IntN(2) == 0
	for i := range p.nodes {
		n := &p.nodes[i]
		n.waitLimit, n.waitLow = between(r, 0, 3*time.Minute), between(r, 0, 10*time.Second)
		switch {
		case !waits:
		case i < p.masters:
			if r.IntN(2) == 0 {
				n.waitFor = []string{"*"}
			}
		case r.IntN(3) == 0:
			from := i + 1
			if r.IntN(8) == 0 {
				from = 0
			}
			for range 1 + r.IntN(2) {
				if from < len(p.nodes) {
					n.waitFor = append(n.waitFor, p.nodes[from+r.IntN(len(p.nodes)-from)].name)
				}
			}
			if r.IntN(20) == 0 {
				n.waitFor = append(n.waitFor, "nobody")
			}
		}
	}
}

// list writes texts as a file has them.
func list(all []string) string {
	var quoted []string
	for _, s := range all {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	return strings.Join(quoted, ", ")
}

// waitsMost is for how long a machine may wait that hears of nobody.
func (n simPolicy) waitsMost() time.Duration {
	if len(n.waitFor) == 0 {
		return 0
	}
	return max(n.waitLimit, stopTime)
}

// waitsLow is for how long it may wait after BATLOW: as long as the longest chain of
// those who wait that there can be.
func (j *simJudge) waitsLow(n *simNode) time.Duration {
	if len(n.waitFor) == 0 {
		return 0
	}
	chain := 0
	for _, o := range j.nodes {
		if len(o.waitFor) > 0 {
			chain++
		}
	}
	return time.Duration(chain) * n.waitLow
}

// inOrder holds that a machine doesn't ask while one that it names is there and has not
// asked: both were well and in touch with the same master for long, in a rack without
// circles, and nothing said that the battery is low.
func (j *simJudge) inOrder(f *simFacts, at time.Duration) {
	if f.ordered || f.noLow || f.mayLow || !f.steady(at) || f.deaf || f.murky() || j.circular() {
		return
	}
	if f.any(func(u *simSaid) bool { return u.mayBeLow(at) }) {
		return
	}
	for _, o := range j.nodes {
		if slices.Contains(f.waitFor, o.name) && f.together(o) && o.leftAt > 0 && !o.struck {
			if by := o.offBy(f); at < by-2*time.Second {
				j.blame("order", f, "asked for its power-off %s before %s can be known to be off, which it waits for", by-at, o.name)
			}
		}
		if !slices.Contains(f.waitFor, o.name) || !o.powered || !o.steady(at) || o.taken || o.askedAt >= o.agentAt || !f.together(o) {
			continue
		}
		j.blame("order", f, "asked for its power-off while %s is up, which it waits for", o.name)
	}
}

// left notes that a node went that others may wait for, undisturbed.
func (f *simFacts) left(at time.Duration) {
	f.leftAt = 0
	if f.steady(at) && !f.murky() && !f.deaf {
		f.leftAt = at
	}
}

// offBy is the earliest moment at which somebody who waits for a node that went may take
// it for off, or give up: silent to probes for the margin, its time over, or wait_limit.
// What was measured of its shutdown is longer than what is written, by the margin at least.
func (f *simFacts) offBy(who *simFacts) time.Duration {
	commit := f.leftAt - f.hooks()
	by := commit + min(max(who.waitLimit, stopTime), stopTime+margin)
	if !f.powered {
		by = min(by, f.off+margin)
	}
	return by
}

// steady reports whether a node has been in touch for long and runs undisturbed.
func (f *simFacts) steady(at time.Duration) bool {
	since := max(f.touchAt, f.agentAt, f.mastersAt) + attaching
	return f.agent && !f.asleep && f.touch && since < at && since < f.failAt && f.cut == (fault{})
}

// together reports whether two nodes are attached to the same master.
func (f *simFacts) together(o *simFacts) bool {
	return f.any(func(u *simSaid) bool { return o.any(func(v *simSaid) bool { return u.master == v.master }) })
}

// circular reports whether somebody may wait for one who is before him in the plan.
func (j *simJudge) circular() bool {
	for i, f := range j.nodes {
		for _, o := range j.nodes[:i+1] {
			if slices.Contains(f.waitFor, o.name) {
				return true
			}
		}
	}
	return false
}
