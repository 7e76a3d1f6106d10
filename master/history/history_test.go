package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// chronicle writes a journal as a UPS owner would tell it: one line for each event, the
// time since the story's beginning first.
type chronicle struct {
	t       testing.TB
	entries []journal.Entry
	boot    int
	offset  time.Duration // of this boot's clock
	nodes   map[string]*NodeThen
	seen    map[string]bool // outages
}

// storyStart is when all of them begin: five in the afternoon.
func storyStart() time.Time { return time.Date(2026, 11, 20, 17, 0, 0, 0, time.UTC) }

func chronicles(t testing.TB, story string) []journal.Entry {
	t.Helper()
	w := &chronicle{t: t, offset: time.Hour, nodes: map[string]*NodeThen{}, seen: map[string]bool{}}
	for _, l := range strings.Split(strings.TrimSpace(story), "\n") {
		w.line(strings.Fields(l))
	}
	return w.entries
}

func (w *chronicle) line(words []string) {
	w.t.Helper()
	at, err := time.ParseDuration(words[0])
	if err != nil || len(words) < 2 {
		w.t.Fatalf("%q: %v", words, err)
	}
	who, rest := words[1], words[2:]
	switch who {
	case "start":
		w.hangUp()
		if len(rest) == 0 {
			rest = []string{"main", "left", "right"}
		}
		w.write(at, Event{On: "master/rack1", Kind: KindStart, UPS: rest})
	case "reboot": // the clock of the new boot is at zero
		w.hangUp()
		w.boot, w.offset = w.boot+1, -at
	case "reported":
		w.write(at, Event{On: "ups/main", Kind: KindReport, Outage: rest[0], Amends: len(rest) > 1})
	case "main", "left", "right":
		w.ups(at, who, rest)
	default:
		w.node(at, who, rest)
	}
}

// hangUp ends all links, as when the master begins anew.
func (w *chronicle) hangUp() {
	for _, n := range w.nodes {
		if !n.Host {
			n.Link = ""
		}
	}
}

func (w *chronicle) write(at time.Duration, e Event) {
	w.t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.entries = append(w.entries, journal.Entry{
		Seq: uint64(len(w.entries) + 1), Boot: fmt.Sprintf("boot%d", w.boot), At: at + w.offset, Wall: storyStart().Add(at),
		Name: Record, Data: data,
	})
}

// ups: main FAIL o1 [sim] [unknown]
func (w *chronicle) ups(at time.Duration, name string, rest []string) {
	const settle = 100 * time.Millisecond // believed that much later
	e := Event{On: "ups/" + name, Kind: KindState, Status: rest[0], Since: power.Uptime(at + w.offset)}
	if len(rest) > 1 {
		e.Outage, e.Pretended = rest[1], slices.Contains(rest, "sim")
		if !w.seen[e.Outage] {
			e.Began = e.Since
			if !slices.Contains(rest, "unknown") {
				for _, n := range w.nodes {
					e.Nodes = append(e.Nodes, *n)
				}
			}
		}
		w.seen[e.Outage] = true
		if since, ok := strings.CutPrefix(rest[len(rest)-1], "since="); ok {
			d, err := time.ParseDuration(since)
			if err != nil {
				w.t.Fatal(err)
			}
			e.Began = power.Uptime(d + w.offset)
		}
	}
	w.write(at+settle, e)
}

// node: web1 attached [boot=n2] [feeds=rack1/left] [DONE], web1 lost, web1 COMMITTED, …;
// a phase may have begun before it is told: since=1m at the end.
func (w *chronicle) node(at time.Duration, name string, rest []string) {
	w.t.Helper()
	var since power.Uptime
	if text, ok := strings.CutPrefix(rest[len(rest)-1], "since="); ok {
		d, err := time.ParseDuration(text)
		if err != nil {
			w.t.Fatal(err)
		}
		since, rest = power.Uptime(d+w.offset), rest[:len(rest)-1]
	}
	n := w.nodes[name]
	if n == nil {
		n = &NodeThen{Name: name, Boot: "n1", Phase: "IDLE"}
		w.nodes[name] = n
	}
	e := Event{On: "node/" + name, Kind: KindLink, Since: since}
	switch rest[0] {
	case "host":
		n.Host, n.Link = true, LinkUp
		return
	case "unseen":
		return
	case "attached":
		n.Link, n.Phase = LinkUp, "IDLE"
		for _, o := range rest[1:] {
			switch key, value, _ := strings.Cut(o, "="); key {
			case "boot":
				n.Boot = value
			case "feeds":
				n.Feeds = strings.Split(value, ",")
			default:
				n.Phase = key
			}
		}
		e.Link, e.Boot, e.Phase, e.Feeds = n.Link, n.Boot, n.Phase, n.Feeds
	case LinkLost, LinkOff:
		n.Link, e.Link = rest[0], rest[0]
	case "woken":
		e.Kind, e.Woken = KindWake, len(rest) // "woken", "woken again", …
	case "removed":
		delete(w.nodes, name)
		e.Kind = KindMember
	default:
		n.Phase, e.Kind, e.Phase = rest[0], KindPhase, rest[0]
	}
	w.write(at, e)
}

// retold folds entries and writes the stories as a test compares them.
func retold(entries []journal.Entry) string {
	f := NewFold("rack1", time.UTC)
	for _, e := range entries {
		f.Add(e)
	}
	var b strings.Builder
	for _, o := range f.all {
		fmt.Fprintf(&b, "%s %s: %s\n", o.ID, o.UPS, o.Summary())
		for _, p := range o.sorted() {
			fmt.Fprintf(&b, "  %s:%s\n", p.name, row(o, p))
		}
	}
	return b.String()
}

func row(o *Outage, p *part) string {
	var b strings.Builder
	if p.absent {
		b.WriteString(" absent")
	}
	for _, m := range []struct {
		name string
		at   *moment
	}{{"asked", p.committed}, {"accepted", p.accepted}, {"down", p.down}, {"lost", p.lost}, {"back", p.back}} {
		if m.at != nil {
			d, rough := o.after(m.at)
			fmt.Fprintf(&b, " %s %s", m.name, spell(d, rough))
		}
	}
	if n := p.note(); n != "" {
		fmt.Fprintf(&b, " (%s)", n)
	}
	return b.String()
}

func TestStories(t *testing.T) {
	for _, tt := range stories() {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.TrimSpace(retold(chronicles(t, tt.story)))
			if diff := cmp.Diff(strings.TrimSpace(strings.ReplaceAll(tt.want, "\t", "")), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheSameEntryTwiceChangesNoStory: a follower may be given again what it has read.
func TestTheSameEntryTwiceChangesNoStory(t *testing.T) {
	for _, tt := range stories() {
		entries := chronicles(t, tt.story)
		var twice []journal.Entry
		for _, e := range entries {
			twice = append(twice, e, e)
		}
		if diff := cmp.Diff(retold(entries), retold(twice)); diff != "" {
			t.Errorf("%s (-once +twice):\n%s", tt.name, diff)
		}
	}
}

func TestWhatIsNoEventIsNotInAStory(t *testing.T) {
	entries := chronicles(t, "1m main FAIL o1\n2m main OK o1")
	var with []journal.Entry
	for i, e := range entries {
		with = append(with, journal.Entry{Boot: "other", Name: "phase", Data: json.RawMessage(`{"to":"DONE"}`)},
			journal.Entry{Boot: "other", Name: Record, Data: json.RawMessage(`[]`)}, e)
		with[3*i].At = -1
	}
	if diff := cmp.Diff(retold(entries), retold(with)); diff != "" {
		t.Errorf("(-without +with):\n%s", diff)
	}
}

func TestOnlyTheNewestAreRemembered(t *testing.T) {
	f := NewFold("rack1", time.UTC)
	for i := range keepOutages + 20 {
		for _, e := range chronicles(t, fmt.Sprintf("%dm main FAIL o%d\n%dm main OK o%d", 2*i, i, 2*i+1, i)) {
			f.Add(e)
		}
	}
	if len(f.all) != keepOutages || len(f.byID) != keepOutages || f.all[0].ID != "o20" {
		t.Errorf("%d and %d, the oldest is %s", len(f.all), len(f.byID), f.all[0].ID)
	}
}

func TestAStory(t *testing.T) {
	f := NewFold("rack1", time.FixedZone("", 2*3600))
	for _, e := range chronicles(t, `
		0s web1 attached
		2m main FAIL o1 sim
		3m web1 COMMITTED
		4m main BATLOW o1
		5m reboot
		20m start
		21m web1 attached boot=n2
		21m main OK`) {
		f.Add(e)
	}
	two, minute, nineteen := 2*time.Minute, time.Minute, 19*time.Minute
	dark := two + 100*time.Millisecond // the low was believed that much later
	want := Story{
		ID: "o1", UPS: "main", Began: time.Date(2026, 11, 20, 17, 2, 0, 0, time.UTC), Pretended: true,
		Lasted: &nineteen, LowAfter: &two, MasterOff: &dark, Summary: f.all[0].Summary(),
		Nodes: []NodeStory{{Name: "web1", Went: true, Note: "went, nobody saw when", Committed: &minute, Back: &nineteen}},
	}
	got := f.all[0].Story()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if clock := got.Began.Format(time.RFC3339); clock != "2026-11-20T19:02:00+02:00" {
		t.Errorf("it began at %s, which is not these people's clock", clock)
	}
}

// BenchmarkFold is a full journal's worth of events, in memory: the time that a
// master's disk takes is pkg/journal's.
func BenchmarkFold(b *testing.B) {
	var entries []journal.Entry
	for i := 0; len(entries) < 120_000; i++ {
		for k, s := range stories() {
			one := strings.ReplaceAll(s.story, " o", fmt.Sprintf(" %d-%d-", i, k))
			entries = append(entries, chronicles(b, one)...)
		}
	}
	b.ReportMetric(float64(len(entries)), "entries")
	for b.Loop() {
		f := NewFold("rack1", time.UTC)
		for _, e := range entries {
			f.Add(e)
		}
	}
}
