package policy_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// standings are the phases, each as a node comes into it, by the words of the
// scenarios. Where a phase behaves in two ways it stands here twice.
var standings = []struct{ name, script string }{
	{"IDLE", "power ok"},
	{"HELD", "power ok\nhold 30m by alice"},
	{"HELD in FAIL", "power ok\npower fail\nhold 30m by alice"},
	{"GRACE", "power ok\npower fail\nadvance 1m"},
	{"GRACE, `batlow`", "config grace=batlow\npower ok\npower fail\nadvance 1m"},
	{"GRACE after BATLOW", "power ok\npower fail\nadvance 1m\npower batlow\nadvance 10s"},
	{"WAITING", "config wait_for\nawaited web1\npower ok\npower fail\nadvance 5m"},
	{"COMMITTED", "power ok\npower fail\nadvance 5m"},
	{"COMMITTED, asked", "power ok\npower fail\nadvance 5m\nhooks done"},
	{"COMMITTED by order", "power ok\nshutdown by bob"},
	{"DONE", "power ok\npower fail\nadvance 5m\nhooks done\naccept"},
	{"DONE, never goes", "config never_goes\npower ok\npower fail\nadvance 5m\nhooks done\naccept"},
}

// happenings are the inputs.
var happenings = []struct{ name, script string }{
	{"OK", "power ok"},
	{"FAIL", "power fail"},
	{"BATLOW", "power batlow"},
	{"UNKNOWN", "blind"},
	{"link lost", "link lost"},
	{"goodbye", "goodbye"},
	{"a sim FAIL", "battery sim\npower batlow"},
	{"a drill FAIL", "battery drill\npower batlow"},
	{"hold", "hold 30m by alice"},
	{"no order", "release"},
	{"end", "end"},
	{"shut down now", "shutdown by bob"},
	{"awaited: nobody", "awaited nobody"},
	{"hooks done", "hooks done"},
	{"refused", "refuse"},
	{"accepted", "accept"},
	{"resumed", "suspend 1s"},
	{"only time", "deadline"},
}

const statesHead = `# The node's states

Printed by ` + "`go test ./pkg/policy -run TestStates -rewrite`" + ` from the running machine: each
phase, as a node comes into it, and what each input does there. Grace is 5m,
batlow_grace 30s, lost_limit 2m, a hold 30m, unless a heading says otherwise; the node
has been on battery for 1m in GRACE. A time is what is left until the next thing
happens by itself. The scenarios in pkg/policy/testdata tell the same as stories.

What the tables don't show:

- The outage's deadline moves only earlier until OK ends the outage. The one that
  silence sets (blind, or no contact, on battery, where nothing counts down) is
  withdrawn when the state is heard and seen again.
- "end" does nothing while good power is heard: the two contradict each other.
- A shutdown order stands until it is taken back; good power does not cancel it.
  Taken back before anything was accepted, the outage's own deadline counts again.
- With ` + "`blind_limit`" + ` set, silence on good power leads from IDLE to GRACE.
- A commit's attempt is answered by "accepted" or "refused"; an answer that nobody
  waits for is ignored, and "accepted" is obeyed even after a cancel.

`

// TestStatesPageIsFresh holds docs/states.md to what the machine does.
func TestStatesPageIsFresh(t *testing.T) {
	const file = "../../docs/states.md"
	got := statesPage(t)
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("docs/states.md is stale (-page +machine); if the change is meant, go test -rewrite:\n%s", diff)
	}
}

func statesPage(t *testing.T) string {
	var b strings.Builder
	b.WriteString(statesHead)
	for _, s := range standings {
		fmt.Fprintf(&b, "## %s\n\n| input | to | does |\n|---|---|---|\n", s.name)
		for _, h := range happenings {
			to, does := happen(t, s.script, h.script)
			fmt.Fprintf(&b, "| %s | %s | %s |\n", h.name, to, does)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// happen puts a node into a standing, lets something happen to it and returns the
// phases that it goes through and what it does.
func happen(t *testing.T, standing, happening string) (to, does string) {
	w := &world{cfg: standard(), feed: newFeed()}
	w.m = policy.NewMachine(w.cfg)
	commands(t, w, "config batlow_grace=30s\n"+standing)
	from := w.m.View()
	w.out = nil
	if happening != "deadline" {
		commands(t, w, happening)
	}
	for range 5 { // more than there are things told before a deadline
		next, ok := w.m.Deadline()
		if happening != "deadline" || !ok || w.m.View().Phase != from.Phase {
			break
		}
		w.now = max(w.now, next)
		w.step(policy.Tick{})
	}
	v := w.m.View()
	to = "same"
	if v.Phase != from.Phase {
		to = "**" + v.Phase.String() + "**"
	}
	if v.Timed {
		to += " " + v.Deadline.Sub(w.now).String()
	}
	var acts []string
	for _, line := range w.out {
		_, act, _ := strings.Cut(line, " ")
		act = strings.TrimSpace(act)
		for _, plain := range []string{"tells", "asks for power-off"} {
			if strings.HasPrefix(act, plain) {
				act = plain
			}
		}
		if text, ok := strings.CutPrefix(act, "problem "); ok && !strings.HasPrefix(text, "over") {
			act = "problem " + text[:strings.Index(text, ":")]
		}
		if !strings.Contains(act, " -> ") && !slices.Contains(acts, act) {
			acts = append(acts, act)
		}
	}
	return to, strings.Join(acts, ", ")
}

func commands(t *testing.T, w *world, script string) {
	for line := range strings.SplitSeq(script, "\n") {
		if err := w.do(strings.Fields(line)); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
}
