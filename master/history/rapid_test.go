package history

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// anyEvent is what may stand in a journal: of few things, so that they meet.
func anyEvent(t *rapid.T) Event {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	node := func() NodeThen {
		return NodeThen{Name: pick("name", "a", "b", "c"), Host: rapid.Bool().Draw(t, "host"), Link: pick("link", "", LinkUp, LinkLost, LinkOff),
			Phase: pick("phase", "", "IDLE", "GRACE", PhaseCommitted, PhaseDone), Boot: pick("node boot", "", "n1", "n2"),
			Feeds: rapid.SliceOfN(rapid.SampledFrom([]string{"rack1/main", "rack1/left", "rack2/main"}), 0, 2).Draw(t, "feeds")}
	}
	n, ups := node(), pick("ups", "main", "left")
	switch pick("kind", KindStart, KindState, KindState, KindLink, KindLink, KindPhase, KindPhase, KindMember, KindReport, "order") {
	case KindStart:
		return Event{On: "master/rack1", Kind: KindStart, UPS: []string{"main", ups}}
	case KindState:
		return Event{On: "ups/" + ups, Kind: KindState, Status: pick("status", "OK", "FAIL", "BATLOW", "UNKNOWN", ""),
			Outage: pick("outage", "", ups+"1", ups+"2", ups+"3"), Since: power.Uptime(rapid.Int64Range(-1, 1<<40).Draw(t, "since")),
			Began: power.Uptime(rapid.Int64Range(-1, 1<<40).Draw(t, "began")), Nodes: rapid.SliceOfN(rapid.Custom(func(*rapid.T) NodeThen { return node() }), 0, 3).Draw(t, "nodes")}
	case KindLink:
		return Event{On: "node/" + n.Name, Kind: KindLink, Link: n.Link, Boot: n.Boot, Phase: n.Phase, Feeds: n.Feeds}
	case KindPhase:
		return Event{On: "node/" + n.Name, Kind: KindPhase, Phase: n.Phase}
	case KindMember:
		return Event{On: "node/" + n.Name, Kind: KindMember}
	case KindReport:
		return Event{On: "ups/" + ups, Kind: KindReport, Outage: ups + "1", Amends: rapid.Bool().Draw(t, "amends")}
	default:
		return Event{On: n.Name, Kind: "order", Text: "x"}
	}
}

// TestAnyJournalIsTold: whatever stands in a journal, the fold tells a story whose
// times and counts agree with one another.
func TestAnyJournalIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := NewReporter(NewFold("rack1", time.UTC), "b1")
		told, again := map[string]bool{}, map[string]bool{} // the latter: and amended
		at, boot, wall := power.Uptime(0), 0, storyStart()
		sane := rapid.Bool().Draw(t, "clocks that only go on")
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			step := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "step"))
			if !sane {
				step = time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "jump"))
			}
			at, wall = at.Add(step), wall.Add(step)
			if rapid.IntRange(0, 15).Draw(t, "reboot") == 0 {
				boot, at = boot+1, 0
			}
			ev := anyEvent(t)
			if sane {
				ev.Since, ev.Began = at, at
			}
			data, err := json.Marshal(ev)
			if err != nil {
				t.Fatal(err)
			}
			if o := r.fold.byID[ev.Outage]; o != nil && ev.Kind == KindReport {
				again[o.ID] = again[o.ID] || ev.Amends && o.late != nil
				told[o.ID] = told[o.ID] || !ev.Amends
			}
			for _, o := range r.Step(at, journal.Entry{Boot: fmt.Sprint("b", boot), At: time.Duration(at), Wall: wall, Name: Record, Data: data}) {
				text, amends := o.Report()
				if told[o.ID] != amends || again[o.ID] || !o.over || text == "" {
					t.Fatalf("the report of %s is due twice, or before its end: %q", o.ID, text)
				}
				told[o.ID], again[o.ID] = true, amends
			}
			for _, o := range r.fold.all {
				checkStory(t, r.fold, o, sane)
			}
		}
		at, timed := r.Deadline()
		if !timed {
			return
		}
		due := r.Step(at)
		if len(due) == 0 {
			t.Fatalf("nothing is due at the deadline %s", at)
		}
	})
}

func checkStory(t *rapid.T, f *Fold, o *Outage, sane bool) {
	m := o.Story()
	if m.Summary == "" || m.GoingOn == o.over || (f.open[o.UPS] == o) == o.over {
		t.Fatalf("%+v", m)
	}
	if orZero(m.Lasted) < 0 || orZero(m.LowAfter) < 0 || orZero(m.MasterOff) < 0 {
		t.Fatalf("a negative time: %+v", m)
	}
	for _, n := range m.Nodes {
		p := o.parts[n.Name]
		switch {
		case n.Down != nil && n.Committed == nil, n.Accepted != nil && n.Committed == nil:
			t.Fatalf("down or accepted without having asked: %+v", n)
		case p.went() && p.committed == nil:
			t.Fatalf("went without having asked: %+v", n)
		case p.calledBack && p.went():
			t.Fatalf("called back and gone: %+v", n)
		case p.back != nil && p.unheard != nil:
			t.Fatalf("back and unheard: %+v", n)
		}
		for _, d := range []*time.Duration{n.Committed, n.Accepted, n.Down, n.Back, n.Lost} {
			if orZero(d) < 0 {
				t.Fatalf("a negative time: %+v", n)
			}
		}
		if !sane {
			continue
		}
		if n.Down != nil && *n.Down < orZero(n.Committed) || n.Accepted != nil && *n.Accepted < orZero(n.Committed) ||
			n.Back != nil && *n.Back < max(orZero(n.Down), orZero(n.Lost)) {
			t.Fatalf("times in the wrong order: %+v of %+v", n, m)
		}
	}
	// Whoever is waited for is waited for in the lists that news come by.
	for name, p := range o.parts {
		if n := f.nodes[name]; n != nil && !p.removed && p.gone() && !hasPart(n, p) {
			t.Fatalf("%s is gone and nobody waits for it", name)
		}
	}
}

func orZero(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}

func hasPart(n *tracked, p *part) bool {
	for _, q := range n.parts {
		if q == p {
			return true
		}
	}
	return false
}
