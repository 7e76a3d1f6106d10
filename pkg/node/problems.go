package node

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// remindEvery is how often a problem that stays is told again.
const remindEvery = 24 * time.Hour

// problems are the driver's own, and when each problem, the machine's included,
// was last told.
type problems struct {
	own    map[string]health.Problem
	toldAt map[string]power.Uptime
}

func newProblems() problems {
	return problems{own: map[string]health.Problem{}, toldAt: map[string]power.Uptime{}}
}

// with returns the driver's problems and the machine's, sorted by name.
func (p problems) with(machine []health.Problem) []health.Problem {
	all := slices.Concat(slices.Collect(maps.Values(p.own)), machine)
	slices.SortFunc(all, func(a, b health.Problem) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
	})
	return all
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
	_, was := d.problems.toldAt[p.Name]
	d.problems.toldAt[p.Name] = d.o.Now()
	d.o.Log.Warn("problem", "node", d.o.Name, "problem", p.Name, "text", p.Text)
	d.record(recordProblem, problemRecord{d.o.Name, p.Name, p.Text})
	if !was { // a new text is for the log, not for the hooks
		d.runHooks(policy.EventProblem, p.Name)
	}
}

func (d *Driver) wentAway(p health.Problem) {
	delete(d.problems.toldAt, p.Name)
	d.o.Log.Info("problem over", "node", d.o.Name, "problem", p.Name)
	d.record(recordClear, problemRecord{Node: d.o.Name, Name: p.Name})
	d.runHooks(policy.EventClear, p.Name)
}

// health hears what the disks say and tells again of what stays wrong.
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
	now := d.o.Now()
	for _, p := range d.problems.with(d.m.View().Problems) {
		if at, ok := d.problems.toldAt[p.Name]; ok && now.Sub(at) >= remindEvery {
			d.problems.toldAt[p.Name] = now
			d.o.Log.Warn("problem stays", "node", d.o.Name, "problem", p.Name, "text", p.Text)
			d.runHooks(policy.EventProblem, p.Name)
		}
	}
}

// ambiguity: several feeds and none named.
func (d *Driver) ambiguity() {
	if !d.feeds.Ambiguous() {
		d.problem(health.Feeds, "")
		return
	}
	d.problem(health.Feeds, "several UPSes are in sight ("+strings.Join(d.feeds.Names(), ", ")+
		") and none is named, so the first that fails counts; name this machine's in [power] feeds")
}
