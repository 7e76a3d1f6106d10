package line

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Situation is what the owner did before the lines were read.
type Situation int

// The situations. Each is told by a person who stands beside the UPS.
const (
	// AtRest: on mains, a good battery.
	AtRest Situation = iota + 1
	// MainsOut: the UPS's own plug is out of the wall.
	MainsOut
	// BatteryLow: the UPS has been made to say so, by its test button or by waiting.
	BatteryLow
	// CableOutAtUPS: the cable is out of the UPS, and still in the computer.
	CableOutAtUPS
	// Anything: on battery or low, nobody said which.
	Anything
)

// Observation is what the lines were in a situation, outputs included.
type Observation struct {
	When  Situation
	Lines Lines
}

// Verdict is what observations say about one cable.
type Verdict int

// The verdicts, the best first.
const (
	// Fits: a line said what this cable makes of it.
	Fits Verdict = iota + 1
	// Open: nothing speaks against it, and nothing for it yet.
	Open
	// RuledOut: a line said the opposite.
	RuledOut
)

// Judgement is a [Verdict] with its reasons.
type Judgement struct {
	Cable   Cable
	Verdict Verdict
	Score   int      // among those that fit: the higher the likelier
	Unfed   bool     // no observation was made with its contacts supplied
	Why     []string // each a clause for people
}

// KilledBy reports whether outputs at these levels are what cuts the load.
func (c Cable) KilledBy(outputs Lines) bool { return met(c.Kill.Set, outputs) }

// FedBy reports whether the cable has all that it wants held high, which mostly is
// the supply of the UPS's contacts.
func (c Cable) FedBy(outputs Lines) bool { return c.Idle()&^outputs == 0 }

// ReadsAs reports whether both cables make the same of every input, so that no
// watching can tell them apart. They may differ in what they drive and what cuts.
func (c Cable) ReadsAs(o Cable) bool {
	return c.OnBattery == o.OnBattery && c.LowBattery == o.LowBattery && c.Present == o.Present &&
		c.Replace == o.Replace && c.Bypass == o.Bypass
}

// Identify judges each cable, the likeliest first, in the given order where they are
// alike.
func Identify(cables []Cable, seen []Observation) []Judgement {
	all := make([]Judgement, 0, len(cables))
	for _, c := range cables {
		all = append(all, Judge(c, seen))
	}
	slices.SortStableFunc(all, func(a, b Judgement) int {
		return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), cmp.Compare(b.Score, a.Score))
	})
	return all
}

// Judge says what the observations mean for one cable. Those made with the same
// outputs belong together: where the cable's contacts had no supply and no line
// moved, they mean nothing.
func Judge(c Cable, seen []Observation) Judgement {
	j := Judgement{Cable: c, Verdict: Open, Unfed: true}
	for _, group := range byOutputs(seen) {
		fed := c.FedBy(group.outputs)
		if !fed && group.moved() == 0 {
			continue
		}
		if fed {
			j.Unfed = false
		} else {
			j.Score--
			j.say("it wants %s high, and a line moved without", (c.Idle() &^ group.outputs))
		}
		for _, o := range group.seen {
			j.weigh(o, group)
		}
	}
	if j.Unfed && j.Verdict == Open {
		j.say("not seen yet: its contacts get no current before %s is high", c.Idle())
	}
	return j
}

func (j *Judgement) say(format string, args ...any) {
	j.Why = append(j.Why, fmt.Sprintf(format, args...))
}

func (j *Judgement) against(format string, args ...any) {
	j.Verdict = RuledOut
	j.say(format, args...)
}

// confirms counts for the cable, unless something has ruled it out already.
func (j *Judgement) confirms(t Term, means string) {
	j.Score += 3
	j.say("%s %s is %s", t.Line, highOrLow(t), means)
	if j.Verdict == Open {
		j.Verdict = Fits
	}
}

// weigh takes one observation into account.
func (j *Judgement) weigh(o Observation, g group) {
	c, in := j.Cable, o.Lines&Inputs
	s := c.Decode(in)
	switch o.When {
	case CableOutAtUPS:
		if r := c.PulledAtUPS(); r.Known && r.Lines&c.Reads() != in&c.Reads() {
			j.Score--
			j.say("out of the UPS it should read %s", r.Lines)
		}
		return
	case AtRest:
		switch {
		case s.Blind:
			j.against("on mains it would say: %s", s.Reason)
		case s.OnBattery:
			j.against("on mains it would say on battery (%s %s)", c.OnBattery.Line, highOrLow(c.OnBattery))
		case s.Low:
			j.Score -= 2
			j.say("on mains it says low battery: the battery is worn, or it is another cable")
		}
		return
	case MainsOut, BatteryLow, Anything:
	}
	moved := (in ^ g.rest) & Inputs
	if !g.hasRest {
		moved = c.Reads() // nobody knows
	}
	switch {
	case s.Blind:
		j.against("it would say: %s", s.Reason)
	case o.When == MainsOut && !s.OnBattery, o.When == Anything && !s.OnBattery && !s.Low:
		j.against("%s stayed %s, so it would say on mains", c.OnBattery.Line, opposite(c.OnBattery))
	case o.When == BatteryLow && c.HasLow() && !s.Low:
		j.against("%s stayed %s, so it would never say low", c.LowBattery.Line, opposite(c.LowBattery))
	default:
		j.agree(o, moved)
	}
	if extra := moved &^ c.Reads(); extra != 0 && g.hasRest {
		j.Score -= bits.OnesCount16(uint16(extra))
		j.say("%s moved too, which it does not use", extra)
	}
}

// agree takes an observation into account that the cable can explain.
func (j *Judgement) agree(o Observation, moved Lines) {
	c := j.Cable
	s := c.Decode(o.Lines & Inputs)
	if s.OnBattery && moved&c.OnBattery.Line != 0 && o.When != BatteryLow {
		j.confirms(c.OnBattery, "on battery")
	}
	switch {
	case s.Low && moved&c.LowBattery.Line != 0 && o.When != MainsOut:
		j.confirms(c.LowBattery, "low battery")
	case s.Low && o.When == MainsOut:
		j.Score -= 2
		j.say("it would say low battery at once")
	case o.When == BatteryLow && !c.HasLow():
		j.Score--
		j.say("it can't say low battery at all")
	}
}

func highOrLow(t Term) string {
	if t.Low {
		return "low"
	}
	return "high"
}

func opposite(t Term) string { return highOrLow(Term{Low: !t.Low}) }

// group are the observations made with the outputs at the same levels.
type group struct {
	outputs Lines
	rest    Lines // inputs at rest, the last time they were looked at
	hasRest bool
	seen    []Observation
}

func byOutputs(seen []Observation) []group {
	var groups []group
	for _, o := range seen {
		out := o.Lines & Outputs
		i := slices.IndexFunc(groups, func(g group) bool { return g.outputs == out })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{outputs: out})
		}
		if o.When == AtRest {
			groups[i].rest, groups[i].hasRest = o.Lines&Inputs, true
		}
		groups[i].seen = append(groups[i].seen, o)
	}
	return groups
}

// moved returns the inputs that were otherwise than at rest in some situation.
func (g group) moved() (moved Lines) {
	for _, o := range g.seen {
		if g.hasRest && o.When != CableOutAtUPS {
			moved |= (o.Lines ^ g.rest) & Inputs
		}
	}
	return moved
}

// Moved returns the inputs that were otherwise in a situation than at rest with the
// same outputs, as the terms that held there.
func Moved(seen []Observation, when Situation) (terms []Term, outputs Lines) {
	for _, g := range byOutputs(seen) {
		for _, o := range g.seen {
			if o.When != when || !g.hasRest || (o.Lines^g.rest)&Inputs == 0 {
				continue
			}
			terms, outputs = nil, g.outputs
			((o.Lines ^ g.rest) & Inputs).each(func(one Lines, _ string) {
				terms = append(terms, Term{Line: one, Low: o.Lines&one == 0})
			})
		}
	}
	return terms, outputs
}

// Find returns the known cables that a person may mean by a few letters: the one of
// that name or alias, else all that have them in a name, alias or title.
func Find(letters string) []Cable {
	if c, ok := Lookup(strings.TrimSpace(letters)); ok {
		return []Cable{c}
	}
	var found []Cable
	for _, c := range Catalogue() {
		about := strings.ToLower(strings.Join(append([]string{c.Name, c.Title}, c.Aliases...), "\n"))
		if all := strings.Fields(strings.ToLower(letters)); len(all) > 0 &&
			!slices.ContainsFunc(all, func(word string) bool { return !strings.Contains(about, word) }) {
			found = append(found, c)
		}
	}
	return found
}
