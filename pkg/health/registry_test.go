package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/power"
)

func found(all ...string) []Found {
	var out []Found
	for _, s := range all {
		on, name, _ := strings.Cut(s, " ")
		out = append(out, Found{on, Problem{name, "text of " + name}})
	}
	return out
}

func told(ns []Notice) string {
	var out []string
	for _, n := range ns {
		out = append(out, fmt.Sprintf("%s %s %s since %s", n.What, n.On, n.Name, time.Duration(n.Since)))
	}
	return strings.Join(out, "; ")
}

func TestWhatIsToldWhen(t *testing.T) {
	type step struct {
		at    time.Duration
		found []Found
		want  string
	}
	for name, steps := range map[string][]step{
		"what is over before its time is told to nobody": {
			{0, found("ups/main blind"), ""},
			{9 * time.Second, found("ups/main blind"), ""},
			{9500 * time.Millisecond, nil, ""},
			{20 * time.Second, nil, ""},
		},
		"what stays is told once, and its end": {
			{0, found("ups/main blind"), ""},
			{10 * time.Second, found("ups/main blind"), "problem ups/main blind since 0s"},
			{11 * time.Second, found("ups/main blind"), ""},
			{time.Hour, nil, "clear ups/main blind since 0s"},
			{2 * time.Hour, nil, ""},
		},
		"what came back begins anew": {
			{0, found("ups/main blind"), ""},
			{10 * time.Second, found("ups/main blind"), "problem ups/main blind since 0s"},
			{20 * time.Second, nil, "clear ups/main blind since 0s"},
			{30 * time.Second, found("ups/main blind"), ""},
			{39 * time.Second, found("ups/main blind"), ""},
			{40 * time.Second, found("ups/main blind"), "problem ups/main blind since 30s"},
		},
		"once a day while it stays": {
			{0, found("node/a hook"), "problem node/a hook since 0s"},
			{23 * time.Hour, found("node/a hook"), ""},
			{24 * time.Hour, found("node/a hook"), "stays node/a hook since 0s"},
			{25 * time.Hour, found("node/a hook"), ""},
			{48 * time.Hour, found("node/a hook"), "stays node/a hook since 0s"},
		},
		"on two things it is two": {
			{0, found("node/a hook", "node/b hook"), "problem node/a hook since 0s; problem node/b hook since 0s"},
			{1, found("node/b hook"), "clear node/a hook since 0s"},
		},
		"twice on one thing it is one": {
			{0, found("node/a hook", "node/a hook"), "problem node/a hook since 0s"},
		},
		"a weakness is told to nobody": {
			{0, found("ups/main never-low"), ""},
			{100 * time.Hour, found("ups/main never-low"), ""},
			{101 * time.Hour, nil, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r Registry
			for _, s := range steps {
				if d := cmp.Diff(s.want, told(r.Step(power.Uptime(s.at), s.found))); d != "" {
					t.Errorf("at %s (-want +got):\n%s", s.at, d)
				}
			}
		})
	}
}

func TestTextsOfOneThingAreJoined(t *testing.T) {
	var r Registry
	got := r.Step(5, []Found{{"node/a", Problem{Hook, "one"}}, {"node/a", Problem{Hook, "two"}}, {"node/a", Problem{Hook, "one"}}})
	if len(got) != 1 || got[0].Text != "one; two" {
		t.Errorf("told %v", got)
	}
	if at, ok := r.Since("node/a", Hook); !ok || at != 5 {
		t.Errorf("since %v %v", at, ok)
	}
	if _, ok := r.Since("node/b", Hook); ok {
		t.Error("what was never found has a beginning")
	}
}

// Whoever calls Step exactly when Deadline says so misses nothing, and is never
// called in vain for ever.
func TestDeadlineSaysWhenToCome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var often, due Registry
		now := power.Uptime(0)
		var f []Found
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			f = f[:0]
			for _, n := range []string{Blind, Hook, NodeLost, NeverLow} {
				if rapid.Bool().Draw(t, n) {
					f = append(f, found("x "+n)...)
				}
			}
			var a, b []string
			add := func(to *[]string, ns []Notice) {
				if s := told(ns); s != "" {
					*to = append(*to, s)
				}
			}
			add(&a, often.Step(now, f))
			add(&b, due.Step(now, f))
			end := now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
			for at := now; at.Before(end); at = at.Add(time.Second) {
				add(&a, often.Step(at, f))
				if d, ok := due.Deadline(); ok && !at.Before(d) {
					add(&b, due.Step(at, f))
				}
			}
			if d := cmp.Diff(a, b); d != "" {
				t.Fatalf("asking each second and asking when due differ:\n%s", d)
			}
			now = end
		}
	})
}
