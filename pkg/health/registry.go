package health

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// remindEvery is how often a problem that stays is told again.
const remindEvery = 24 * time.Hour

// How long a problem must stay before anybody is alarmed.
const (
	atOnce = 0
	start  = 10 * time.Second // a daemon's start: states settle, sockets open, links are made
	reboot = 3 * time.Minute  // a machine's reboot, or a switch's
)

// Problem is something that weakens the protection: Name is that of a [Kind], Text
// says what it is here and what to do.
type Problem struct {
	Name string
	Text string
}

// Found is a problem and what it is on: "node/web1", "ups/main", "master/rack1".
type Found struct {
	On string
	Problem
}

// Entry is what is wrong now.
type Entry struct {
	Found
	// Since is when it was first found without a break.
	Since power.Uptime
}

// What a [Notice] says.
const (
	Raised  = "problem" // it came, and stayed for its kind's time
	Stays   = "stays"   // a day later it is still there
	Cleared = "clear"   // what was raised is over
)

// Notice is one thing to tell.
type Notice struct {
	What string
	Entry
}

// Registry remembers what is wrong since when and what was told of it. Its zero
// value is ready: nothing is wrong.
type Registry struct {
	all map[key]*record
}

type key struct{ on, name string }

type record struct {
	Entry
	kind  Kind
	told  bool
	again power.Uptime // when to tell it again, once told
}

// Step takes everything that is found now, and returns what to tell of it. What is
// found twice on one thing under one name is one, with both texts.
func (r *Registry) Step(now power.Uptime, found []Found) []Notice {
	if r.all == nil {
		r.all = map[key]*record{}
	}
	present := map[key]bool{}
	for _, f := range merge(found) {
		k := key{f.On, f.Name}
		present[k] = true
		if r.all[k] == nil {
			kind, _ := Lookup(f.Name)
			r.all[k] = &record{Entry: Entry{Since: now}, kind: kind}
		}
		r.all[k].Found = f
	}
	var out []Notice
	for _, k := range slices.SortedFunc(maps.Keys(r.all), key.compare) {
		rec := r.all[k]
		switch due, timed := rec.due(); {
		case !present[k]:
			if rec.told {
				out = append(out, Notice{Cleared, rec.Entry})
			}
			delete(r.all, k)
		case !timed || now.Before(due):
		case rec.told:
			rec.again = now.Add(remindEvery)
			out = append(out, Notice{Stays, rec.Entry})
		default:
			rec.told, rec.again = true, now.Add(remindEvery)
			out = append(out, Notice{Raised, rec.Entry})
		}
	}
	return out
}

// Deadline returns when Step has to be called at the latest; false: not by itself.
func (r *Registry) Deadline() (power.Uptime, bool) {
	var at power.Uptime
	set := false
	for _, rec := range r.all {
		if due, timed := rec.due(); timed && (!set || due.Before(at)) {
			at, set = due, true
		}
	}
	return at, set
}

// Since returns since when something is wrong; false: it is not known to be.
func (r *Registry) Since(on, name string) (power.Uptime, bool) {
	if rec := r.all[key{on, name}]; rec != nil {
		return rec.Since, true
	}
	return 0, false
}

// due returns when this one is to be told next.
func (rec *record) due() (power.Uptime, bool) {
	switch {
	case rec.kind.Weakness:
		return 0, false
	case rec.told:
		return rec.again, true
	default:
		return rec.Since.Add(rec.kind.After), true
	}
}

func (k key) compare(o key) int {
	if c := strings.Compare(k.on, o.on); c != 0 {
		return c
	}
	return strings.Compare(k.name, o.name)
}

// merge puts what bears one name on one thing together, in the order found.
func merge(found []Found) []Found {
	var out []Found
	at := map[key]int{}
	for _, f := range found {
		i, have := at[key{f.On, f.Name}]
		switch {
		case !have:
			at[key{f.On, f.Name}] = len(out)
			out = append(out, f)
		case !slices.Contains(strings.Split(out[i].Text, "; "), f.Text):
			out[i].Text += "; " + f.Text
		}
	}
	return out
}

// On says of each problem what it is on.
func On(on string, ps []Problem) []Found {
	var out []Found
	for _, p := range ps {
		out = append(out, Found{on, p})
	}
	return out
}

// Entries returns everything that is wrong, by what it is on and then by name.
func (r *Registry) Entries() []Entry {
	var out []Entry
	for _, k := range slices.SortedFunc(maps.Keys(r.all), key.compare) {
		out = append(out, r.all[k].Entry)
	}
	return out
}
