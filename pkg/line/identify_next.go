package line

import (
	"cmp"
	"slices"
)

// Offer is a pair of output levels at which cables could be read.
type Offer struct {
	Levels Lines
	Reads  []Cable // those whose contacts would have their supply
	Kills  []Cable // those on which it is what cuts the load, while on battery
}

// Step is what to do next to find out a cable.
type Step struct {
	Offer
	// Pull: look, have the plug pulled, look again. Else only look at rest, on mains.
	Pull bool
}

// Next returns the step that finds out most at the least risk, until a line has moved
// or there is nothing left to try, which is false.
//
// First the lines are looked at on mains, where a kill does nothing on nearly all
// UPSes, with each output high in turn: a line that rises has found its supply, and
// what can't be is ruled out. So the plug is pulled less often, and seldom at levels
// that are the unknown cable's kill. Both outputs high, which is a kill on the most
// cables, comes last.
func Next(cables []Cable, seen []Observation) (Step, bool) {
	if moved, _ := Moved(seen, MainsOut); len(moved) > 0 {
		return Step{}, false
	}
	var open []Cable
	for _, j := range Identify(cables, seen) {
		if j.Verdict != RuledOut {
			open = append(open, j.Cable)
		}
	}
	groups := byOutputs(seen)
	at := func(levels Lines) group {
		if i := slices.IndexFunc(groups, func(g group) bool { return g.outputs == levels }); i >= 0 {
			return groups[i]
		}
		return group{}
	}
	for _, levels := range [...]Lines{0, DTR, RTS} {
		if !at(levels).hasRest {
			return Step{Offer: offer(levels, open)}, true
		}
	}
	var steps []Step
	for _, levels := range [...]Lines{0, DTR, RTS, DTR | RTS} {
		o := offer(levels, open)
		if len(o.Reads) > 0 && !slices.ContainsFunc(at(levels).seen, func(o Observation) bool { return o.When == MainsOut }) {
			steps = append(steps, Step{Offer: o, Pull: true})
		}
	}
	if len(steps) == 0 {
		return Step{}, false
	}
	dark := at(0).rest
	rose := func(s Step) int {
		if at(s.Levels).rest&^dark != 0 {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(rose(a), rose(b)), cmp.Compare(len(a.Kills), len(b.Kills)), cmp.Compare(len(b.Reads), len(a.Reads)))
	})
	return steps[0], true
}

// offer says what the levels mean for the cables.
func offer(levels Lines, cables []Cable) Offer {
	o := Offer{Levels: levels, Kills: KilledAt(cables, levels)}
	for _, c := range cables {
		if c.FedBy(levels) {
			o.Reads = append(o.Reads, c)
		}
	}
	return o
}

// KilledAt returns those of the cables on which outputs at these levels cut the load.
func KilledAt(cables []Cable, levels Lines) []Cable {
	var killed []Cable
	for _, c := range cables {
		if c.KilledBy(levels) {
			killed = append(killed, c)
		}
	}
	return killed
}
