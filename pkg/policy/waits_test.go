package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// waiters reads "host rack1 on main: *; db1/db on main: web1 role:app".
func waiters(text string) []policy.Waiter {
	var all []policy.Waiter
	for line := range strings.SplitSeq(text, ";") {
		who, words, _ := strings.Cut(strings.TrimSpace(line), ":")
		who, feeds, _ := strings.Cut(who, " on ")
		who, host := strings.CutPrefix(who, "host ")
		name, role, _ := strings.Cut(who, "/")
		all = append(all, policy.Waiter{Name: name, Role: role, Feeds: strings.Fields(feeds), WaitFor: strings.Fields(words), Host: host})
	}
	return all
}

func TestWaits(t *testing.T) {
	for _, tt := range []struct {
		name, rack string
		want       string // "node(depth): whom", "node !circle", "node ?word"
	}{
		{"nobody waits", "a on main:; b on main:", ""},
		{"by name, whatever it lives on", "db1 on main: web1; web1 on other:", "db1(1): web1"},
		{"by role, not oneself", "db1/db on main: role:app role:db; a1/app on main:; a2/app:; db2/db:", "db1(1): a1 a2 db2"},
		{"the only one of one's role", "db1/db: role:db", ""},
		{
			"everybody on one of the feeds who does not say so",
			"host rack1 on a b: *; web1 on a:; web2 on b c:; nas1 on a: *; far on c:",
			"nas1(1): web1; rack1(1): web1 web2",
		},
		{"everybody while one's own feeds are not known", "host rack1: *; web1 on a:; new:", "rack1(1): new web1"},
		{"everybody where nobody is", "host rack1 on a: *", ""},
		{"a chain", "host rack1 on a: *; db1 on a: web1; web1 on a:", "db1(1): web1; rack1(2): db1 web1"},
		{"twice the same", "db1 on a: web1 web1 role:w *; web1/w on a:", "db1(1): web1"},
		{"nobody of that name or role", "db1: web9 role:nothing", "db1 ?web9; db1 ?role:nothing"},
		{"oneself", "db1: db1 web1; web1:", "db1(1): web1; db1 !db1 db1"},
		{"two for each other: the later in the alphabet does not wait", "b1: a1; a1: b1", "a1(1): b1; b1 !b1 a1 b1"},
		{"a circle of three", "a: b; b: c; c: a", "a(2): b; b(1): c; c !c a b c"},
		{"the master's host goes last", "host rack1 on a: *; a1 on a: rack1", "rack1(1): a1; a1 !a1 rack1 a1"},
		{"a name outranks a role, and that everybody", "a1/x on u: *; b1 on u: role:x; c1 on u: b1", "b1(1): a1; c1(2): b1; a1 !a1 b1 a1; a1 !a1 c1 b1 a1"},
		{"a circle beside a chain breaks only itself", "a: b; b: a; c: a", "a(1): b; c(2): a; b !b a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			all := waiters(tt.rack)
			if d := cmp.Diff(tt.want, waits(all, policy.NewWaits(all))); d != "" {
				t.Errorf("%s (-want +got):\n%s", tt.rack, d)
			}
		})
	}
}

// waits tells what w says of all.
func waits(all []policy.Waiter, w *policy.Waits) string {
	var on, wrong []string
	names := map[string]bool{}
	for _, n := range all {
		names[n.Name] = true
	}
	for _, name := range sorted(names) {
		if whom := w.On(name); len(whom) > 0 {
			on = append(on, fmt.Sprintf("%s(%d): %s", name, w.Depth(name), strings.Join(whom, " ")))
		}
		for _, c := range w.Cycles(name) {
			wrong = append(wrong, name+" !"+strings.Join(c, " "))
		}
		for _, word := range w.Nobody(name) {
			wrong = append(wrong, name+" ?"+word)
		}
	}
	return strings.Join(append(on, wrong...), "; ")
}

// TestWaitsEnd: whatever the lists say, nobody waits for himself by whatever way, each
// edge that was left out is told, and the order in which nodes came changes nothing.
func TestWaitsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SampledFrom([]string{"a", "b", "c", "d", "*", "role:x", "role:y"})
		var all []policy.Waiter
		for i, name := range []string{"a", "b", "c", "d"} {
			all = append(all, policy.Waiter{
				Name: name, Role: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "role"), Feeds: []string{"u"},
				WaitFor: rapid.SliceOfN(words, 0, 4).Draw(t, "list"), Host: i == 0,
			})
		}
		w := policy.NewWaits(all)
		for _, n := range all {
			for _, to := range w.On(n.Name) {
				if w.Depth(to) >= w.Depth(n.Name) {
					t.Fatalf("%s (%d) waits for %s (%d)", n.Name, w.Depth(n.Name), to, w.Depth(to))
				}
			}
		}
		if d := cmp.Diff(waits(all, w), waits(all, policy.NewWaits(rapid.Permutation(all).Draw(t, "order")))); d != "" {
			t.Fatal(d)
		}
	})
}
