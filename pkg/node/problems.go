package node

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Notice is what the driver has to tell beyond this machine: of an event of the
// power, or of a problem that came, stays or went.
type Notice struct {
	Event policy.Event
	// Problem is what EventProblem and EventClear are about.
	Problem health.Entry
	// UPS is the feed that decides, "MASTER/UPS"; Outage is the present one's id.
	UPS, Outage string
	// Text says it in words.
	Text string
}

// problems are the driver's own, and what was told of all of this node's.
type problems struct {
	own      map[string]health.Problem
	registry health.Registry
	entries  []health.Entry // as of the last look
}

func newProblems() problems {
	return problems{own: map[string]health.Problem{}}
}

// problem notes one of the driver's own; an empty text ends it.
func (d *Driver) problem(name, text string) {
	old, was := d.problems.own[name]
	switch {
	case text == "" && was:
		delete(d.problems.own, name)
		d.wentAway(old)
	case text != "" && old.Text != text:
		p := health.Problem{Name: name, Text: text}
		d.problems.own[name] = p
		d.cameUp(p)
	}
}

func (d *Driver) cameUp(p health.Problem) {
	d.o.Log.Warn("problem", "node", d.o.Name, "problem", p.Name, "text", p.Text)
	d.record(recordProblem, problemRecord{d.o.Name, p.Name, p.Text})
}

func (d *Driver) wentAway(p health.Problem) {
	d.o.Log.Info("problem over", "node", d.o.Name, "problem", p.Name)
	d.record(recordClear, problemRecord{Node: d.o.Name, Name: p.Name})
}

// tellProblems looks at everything that is wrong here and runs the hooks of what
// is to be told now.
func (d *Driver) tellProblems() {
	on, now := "node/"+d.o.Name, d.o.Now()
	all := slices.Concat(slices.Collect(maps.Values(d.problems.own)), d.m.View().Problems)
	if d.o.Problems != nil {
		all = append(all, d.o.Problems()...)
	}
	slices.SortFunc(all, func(a, b health.Problem) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
	})
	notices := d.problems.registry.Step(now, health.On(on, all))
	d.problems.entries = d.problems.registry.Entries()
	for _, n := range notices {
		event := policy.EventProblem
		switch n.What {
		case health.Stays:
			d.o.Log.Warn("problem stays", "node", d.o.Name, "problem", n.Name, "text", n.Text)
		case health.Cleared:
			event = policy.EventClear
		}
		d.announce(Notice{Event: event, Problem: n.Entry, Text: n.Text})
	}
}

// LookAgain says that what Options.Problems returns has changed. It never blocks.
func (d *Driver) LookAgain() { d.poke() }

// health hears what the disks say.
func (d *Driver) health() {
	var disk []string
	if d.o.Journal != nil {
		if err := d.o.Journal.Err(); err != nil {
			disk = append(disk, err.Error())
		}
	}
	if d.o.State != nil {
		if err := d.o.State.Err(); err != nil {
			disk = append(disk, err.Error())
		}
	}
	d.problem(health.Disk, strings.Join(disk, "; "))
}

// ambiguity: several feeds and none named; or some that are only pretended.
func (d *Driver) ambiguity() {
	pretended := ""
	if ignored := d.feeds.Ignored(); 0 < len(ignored) && len(ignored) < len(d.feeds.Names()) { // all: the machine says it
		pretended = strings.Join(ignored, ", ") + " is a sim port, which this node does not obey: connect a UPS, take it out of [power] feeds, or set obey_sim"
	}
	d.problem(health.SimIgnored, pretended)
	if !d.feeds.Ambiguous() {
		d.problem(health.Feeds, "")
		return
	}
	d.problem(health.Feeds, "several UPSes are in sight ("+strings.Join(d.feeds.Names(), ", ")+
		") and none is named, so the first that fails counts; name this machine's in [power] feeds")
}

// due returns when the driver has to look again by itself.
func (d *Driver) due() (power.Uptime, bool) {
	at, ok := d.m.Deadline()
	if d.undecided && (!ok || d.heard.Before(at)) {
		at, ok = d.heard, true
	}
	if drill, on := d.rehearsalDue(); on && (!ok || drill.Before(at)) {
		at, ok = drill, true
	}
	told, also := d.problems.registry.Deadline()
	if also && (!ok || told.Before(at)) {
		return told, true
	}
	return at, ok
}
