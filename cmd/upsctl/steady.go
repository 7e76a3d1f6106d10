package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// slack is how far a new answer may be off what is shown without moving it: what the
// network, rounding and a busy machine do to it.
const slack = time.Second

// steady makes times that are counted down and up on a screen go by the second and
// not jump. It keeps the moment that a countdown ends, or that something began, and
// a new answer moves it only when it says something else. All numbers change at the
// same instants, whole seconds after zero.
//
// It is pure: now is the time since the watching began. It has one owner.
type steady struct{ kept map[string]time.Duration }

// keep returns the moment that is to be shown for what, when a new answer says
// another: the kept one, unless the two are too far apart. A moment that is fixed
// never becomes a later one.
func (s *steady) keep(what string, said time.Duration, fixed bool) time.Duration {
	was, known := s.kept[what]
	if known && (said-was).Abs() < slack || known && fixed && said > was {
		return was
	}
	return said
}

// untilShown is how long to show until a moment, in whole seconds.
func untilShown(moment, now time.Duration) time.Duration {
	return max(0, moment.Round(time.Second)-now.Truncate(time.Second))
}

// sinceShown is how long to show since a moment, in whole seconds.
func sinceShown(moment, now time.Duration) time.Duration {
	return max(0, now.Truncate(time.Second)-moment.Round(time.Second))
}

// take learns the times of a new answer. What is not in it any more is forgotten.
func (s *steady) take(now time.Duration, p picture) {
	next := map[string]time.Duration{}
	p.eachTime(func(what string, seconds *float64, counts direction) {
		moment := now - toDuration(*seconds)
		if counts != countsUp {
			moment = now + toDuration(*seconds)
		}
		next[what] = s.keep(what, moment, counts == countsDownOnly)
	})
	s.kept = next
}

// show returns p, which is the last answer, with its times as they are to be shown
// now. Ages stand still at the moment of the last good answer, for nobody knows what
// became of them; a countdown goes on without us.
func (s *steady) show(now, answered time.Duration, p picture) picture {
	p = p.clone()
	p.eachTime(func(what string, seconds *float64, counts direction) {
		if counts == countsUp {
			*seconds = sinceShown(s.kept[what], answered).Seconds()
		} else {
			*seconds = untilShown(s.kept[what], now).Seconds()
		}
	})
	return p
}

// direction is how a time counts. An outage's deadline never becomes a later one,
// by the node's own rules; that of a hold can, by another hold.
type direction int

const (
	countsUp direction = iota
	countsDown
	countsDownOnly
)

// eachTime calls f with every time of p that is shown, and what it is of.
func (p picture) eachTime(f func(what string, seconds *float64, counts direction)) {
	for i := range p.Masters {
		m := &p.Masters[i]
		for j := range m.UPS {
			u := &m.UPS[j]
			f(fmt.Sprintf("ups %s/%s %s %s", m.Name, u.Name, u.State, u.Outage), &u.Age, countsUp)
		}
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Deadline == nil {
			continue
		}
		counts := countsDown
		if n.Phase == "GRACE" {
			counts = countsDownOnly
		}
		f(p.deadlineOf(*n), n.Deadline, counts)
	}
	for i := range p.Problems {
		if one := &p.Problems[i]; one.Age != nil {
			f("problem "+one.On+" "+one.Name, one.Age, countsUp)
		}
	}
}

// deadlineOf names a node's deadline: another phase or outage has another.
func (p picture) deadlineOf(n nodePicture) string {
	var outages []string
	for _, m := range p.Masters {
		for _, u := range m.UPS {
			if len(n.Feeds) == 0 || slices.Contains(n.Feeds, m.Name+"/"+u.Name) {
				outages = append(outages, u.Outage)
			}
		}
	}
	return fmt.Sprintf("node %s %s %s", n.Name, n.Phase, strings.Join(outages, " "))
}

// clone returns a picture whose times are its own.
func (p picture) clone() picture {
	p.Masters, p.Nodes, p.Problems = slices.Clone(p.Masters), slices.Clone(p.Nodes), slices.Clone(p.Problems)
	for i := range p.Masters {
		p.Masters[i].UPS = slices.Clone(p.Masters[i].UPS)
	}
	own := func(s **float64) {
		if *s != nil {
			v := **s
			*s = &v
		}
	}
	for i := range p.Nodes {
		own(&p.Nodes[i].Deadline)
	}
	for i := range p.Problems {
		own(&p.Problems[i].Age)
	}
	return p
}
