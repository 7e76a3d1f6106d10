package history

import (
	"maps"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// moment is when something happened. Moments of one boot are compared by its own
// clock; between two boots there is only the wall clock, which jumps and, on a board
// without a battery for it, stands still while the power is off.
type moment struct {
	boot string
	at   power.Uptime
	wall time.Time
}

// before reports whether m was before n; in another boot by the wall clock.
func (m moment) before(n moment) bool {
	if m.boot == n.boot {
		return m.at < n.at
	}
	return m.wall.Before(n.wall)
}

// Outage is the story of one outage, as far as it is known. A nil moment did not
// happen, or nobody saw it.
type Outage struct {
	ID, UPS   string
	pretended bool
	began     moment  // the first FAIL
	low       *moment // the first BATLOW
	end       *moment // the OK that ended it
	dark      *moment // the last that was written before the master's machine went off
	over      bool
	told      bool // its report was told
	// late is when that was, if somebody was still waited for; amended: that all of them
	// are back was told too.
	late    *moment
	amended bool
	parts   map[string]*part
	waiting int // for how many of them something is still to be told
}

// during reports whether the outage went on at m.
func (o *Outage) during(m moment) bool {
	return !m.before(o.began) && (!o.over || o.end != nil && m.before(*o.end))
}

// part is one node's part in an outage.
type part struct {
	of        *Outage
	name      string
	host      bool    // the master's own
	absent    bool    // not attached at the beginning
	committed *moment // it asked its system to power off
	accepted  *moment // its system accepted
	down      *moment // its link ended after that
	back      *moment // attached again
	lost      *moment // its link ended without a commit
	unheard   *moment // the master began anew then and has not heard it since

	calledBack bool // it had asked, and stayed
	unseen     bool // it was off, but nobody saw when it went
	crashed    bool // it was off without having asked
	unwatched  bool // it was off, and the master not there to see whether it had asked
	bye        bool // the last time that its link ended, it said so
	removed    bool // struck off in the outage
	woken      int  // how often, since its power is back
	before     bool // it was on its way down when the outage began
}

// went reports whether the node went down of its own.
func (p *part) went() bool {
	return p.down != nil || p.unseen || p.committed != nil && !p.calledBack && p.unheard != nil
}

// asked reports whether the node asked to power off and was not called back.
func (p *part) asked() bool { return p.committed != nil && !p.calledBack }

// gone reports whether the node is out of touch, down or not.
func (p *part) gone() bool {
	return (p.went() || p.lost != nil || p.unheard != nil) && p.back == nil
}

// after returns how long after the outage's beginning m was: never negative, and
// never before what was written in an earlier boot. rough: by the wall clock.
func (o *Outage) after(m *moment) (d time.Duration, rough bool) {
	if m.boot == o.began.boot {
		return max(0, m.at.Sub(o.began.at)), false
	}
	least := time.Duration(0)
	if o.dark != nil {
		least = max(0, o.dark.at.Sub(o.began.at))
	}
	return max(least, m.wall.Sub(o.began.wall)), true
}

// waits reports whether something is still to be told of the outage.
func (o *Outage) waits() bool { return !o.over || o.waiting > 0 }

// sorted returns the parts by name.
func (o *Outage) sorted() []*part {
	var all []*part
	for _, name := range slices.Sorted(maps.Keys(o.parts)) {
		all = append(all, o.parts[name])
	}
	return all
}

// Story is an outage as it is told. Times count from its beginning; nil: it did not
// happen, or nobody saw it.
type Story struct {
	ID, UPS                     string
	Began                       time.Time // by the wall clock, where the people are
	Pretended, GoingOn          bool
	Lasted, LowAfter, MasterOff *time.Duration
	Summary                     string
	Nodes                       []NodeStory // by name
}

// NodeStory is a node's part in a [Story].
type NodeStory struct {
	Name                                  string
	Absent                                bool   // not attached at the beginning
	Went                                  bool   // down, of its own
	Note                                  string // what the times don't say
	Committed, Accepted, Down, Back, Lost *time.Duration
}

// Story returns what is told of the outage.
func (o *Outage) Story() Story {
	s := Story{
		ID: o.ID, UPS: o.UPS, Began: o.began.wall, Pretended: o.pretended, GoingOn: !o.over,
		Lasted: o.span(o.end), LowAfter: o.span(o.low), MasterOff: o.span(o.dark), Summary: o.Summary(),
	}
	for _, p := range o.sorted() {
		lost := p.lost
		if p.unheard != nil && !p.asked() {
			lost = p.unheard
		}
		s.Nodes = append(s.Nodes, NodeStory{
			Name: p.name, Absent: p.absent, Note: p.note(), Went: p.went(),
			Committed: o.span(p.committed), Accepted: o.span(p.accepted), Down: o.span(p.down),
			Back: o.span(p.back), Lost: o.span(lost),
		})
	}
	return s
}

// span is after without the doubt; nil where m did not happen.
func (o *Outage) span(m *moment) *time.Duration {
	if m == nil {
		return nil
	}
	d, _ := o.after(m)
	return &d
}

// note says what the times of a node don't.
func (p *part) note() string {
	switch {
	case p.removed:
		return "removed from the rack"
	case p.before:
		return "was on its way down already"
	case p.crashed:
		return "was off without having asked"
	case p.unwatched:
		return "was off, nobody saw why"
	case p.unseen, p.down == nil && p.went():
		return "went, nobody saw when"
	case p.calledBack:
		return "called back"
	case p.asked() && !p.went():
		return "has not gone down"
	case p.lost != nil && p.bye:
		return "said that it goes"
	case p.host:
		return "the master's host"
	case p.woken > 0:
		return "woken " + Times(p.woken)
	default:
		return ""
	}
}
