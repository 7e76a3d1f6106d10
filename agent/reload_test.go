package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/pkg/trust"
)

// newTestAgent puts an agent together that never runs.
func newTestAgent(t *testing.T, more string, before *Agent) *Agent {
	t.Helper()
	dir := t.TempDir()
	if before != nil {
		dir = before.cfg.Data
	}
	cfg, err := ParseConfig("f", fmt.Appendf(nil, "name = \"web1\"\ndata = %q\nrun = %q\n[discovery]\nmdns = false\n[shutdown]\nmethod = [\"none\"]\n%s", dir, dir, more))
	if err != nil {
		t.Fatal(err)
	}
	none, err := shutdown.New("none", nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{
		Config: cfg, Boot: "b", Chain: []shutdown.Executor{none}, Before: before,
		Now: func() power.Uptime { return 1 }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNobodyHoldsOnToTheAgentBefore(t *testing.T) {
	first := newTestAgent(t, "", nil)
	first.loaded = true
	first.sessions = []*session{newSession(first, newRack("rack1", trust.Identity{}, trust.Removed{}))}
	was := weak.Make(first)
	next := newTestAgent(t, "", first)
	first = nil
	runtime.GC()
	runtime.GC()
	if was.Value() != nil {
		t.Error("the new agent holds on to the old one")
	}
	if len(next.handed) != 1 || next.handed[0].rack.master != "rack1" {
		t.Error("what the old one had joined is not the new one's")
	}
	third := newTestAgent(t, "", next) // next has not begun a session yet
	if len(third.handed) != 1 {
		t.Error("two reloads in a row lost a rack")
	}
	runtime.KeepAlive(first)
}

// TestAnAgentIsReplacedOnlyAtRest: no UPS that it lives on was on battery when last
// heard of, nothing is joined or left.
func TestAnAgentIsReplacedOnlyAtRest(t *testing.T) {
	for _, tt := range []struct {
		feeds, ups string
		status     power.Status
		want       string
	}{
		{"", "main", power.OK, "<nil>"},
		{"", "main", power.Unknown, "<nil>"},
		{"", "main", power.Fail, "rack1/main is on battery (FAIL)"},
		{`feeds = ["rack1/main"]`, "main", power.BatLow, "rack1/main is on battery (BATLOW)"},
		{`feeds = ["rack1/other"]`, "main", power.Fail, "<nil>"}, // not this machine's
	} {
		a := newTestAgent(t, "[power]\n"+tt.feeds, nil)
		s := newSession(a, newRack("rack1", trust.Identity{}, trust.Removed{}))
		s.ups = []node.NamedState{{Name: tt.ups, State: power.State{Status: tt.status, Last: tt.status}}}
		a.sessions = append(a.sessions, s)
		if got := fmt.Sprint(a.Idle()); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
	a := newTestAgent(t, "", nil)
	a.busy.Add(1)
	if a.Idle() == nil {
		t.Error("a join would be cut short")
	}
}

// TestWhatCouldNotBeReadIsReadAgain: an identity that was broken may be mended by now.
func TestWhatCouldNotBeReadIsReadAgain(t *testing.T) {
	first := newTestAgent(t, "", nil)
	first.loaded = true
	first.trouble["identity"] = errors.New("damaged")
	if next := newTestAgent(t, "", first); next.handed != nil {
		t.Error("the disk is not asked again")
	}
}

// TestLaw10AReloadKeepsWhereTheMachineWas: whether or not a disk took it.
func TestLaw10AReloadKeepsWhereTheMachineWas(t *testing.T) {
	first := newTestAgent(t, "", nil)
	first.state.Put("counting down")
	next, got := newTestAgent(t, "", first), ""
	if err := next.state.Load(&got); err != nil || got != "counting down" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestLaw10AConfigurationWithoutTheRacksIsRefused: nobody would tell the node of a
// power failure.
func TestLaw10AConfigurationWithoutTheRacksIsRefused(t *testing.T) {
	a := newTestAgent(t, "", nil)
	here, elsewhere := a.cfg, a.cfg
	elsewhere.Data = t.TempDir()
	if err := a.Accepts(elsewhere); err != nil {
		t.Errorf("there is nothing to lose: %v", err)
	}
	a.sessions = append(a.sessions, newSession(a, newRack("rack1", trust.Identity{}, trust.Removed{})))
	if err := a.Accepts(here); err != nil {
		t.Error(err)
	}
	if err := a.Accepts(elsewhere); err == nil || !strings.Contains(err.Error(), "copy them from "+a.cfg.Data) {
		t.Errorf("got %v, want a refusal that says what to copy", err)
	}
}
