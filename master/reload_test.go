package master

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"weak"

	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// newTestMaster puts a master together that never runs.
func newTestMaster(t *testing.T, more string, before *Master) *Master {
	t.Helper()
	dir := t.TempDir()
	cfg, err := parse(t, fmt.Sprintf("data = %q\nrun = %q\n%s[node.shutdown]\nmethod = [\"none\"]\n%s", dir, dir, simUPS, more))
	if err != nil {
		t.Fatal(err)
	}
	none, err := shutdown.New("none", nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Options{
		Config: cfg, Boot: "b", Chain: []shutdown.Executor{none}, Before: before,
		Now: func() power.Uptime { return 1 }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestNobodyHoldsOnToTheMasterBefore: a daemon that is reloaded a thousand times is
// as large as one that is not.
func TestNobodyHoldsOnToTheMasterBefore(t *testing.T) {
	first := newTestMaster(t, "", nil)
	was := weak.Make(first)
	next := newTestMaster(t, "", first)
	first = nil
	runtime.GC()
	runtime.GC()
	if was.Value() != nil {
		t.Error("the new master holds on to the old one")
	}
	runtime.KeepAlive(next)
	runtime.KeepAlive(first)
}

// TestAMasterIsReplacedOnlyAtRest: no UPS on battery as far as is known; blind ones
// that were well, or never seen, don't count.
func TestAMasterIsReplacedOnlyAtRest(t *testing.T) {
	m := newTestMaster(t, "", nil)
	for _, tt := range []struct {
		state power.State
		want  string
	}{
		{power.State{}, "<nil>"},
		{power.State{Status: power.OK, Last: power.OK}, "<nil>"},
		{power.State{Status: power.Unknown, Last: power.OK}, "<nil>"},
		{power.State{Status: power.Fail, Last: power.Fail}, "ups main is on battery (FAIL)"},
		{power.State{Status: power.Unknown, Last: power.BatLow}, "ups main is on battery (BATLOW)"},
		{power.State{Status: power.Fail, Last: power.Fail, Sim: true}, "ups main is on battery (FAIL)"},
	} {
		m.hub.setUPS(upsRecord{name: "main", state: tt.state})
		if got := fmt.Sprint(m.Idle()); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.state, got, tt.want)
		}
	}
	m.hub.setUPS(upsRecord{name: "main"})
	m.hooks.busy.Add(1)
	if got := fmt.Sprint(m.Idle()); got != "hooks are running" {
		t.Error(got)
	}
}

// TestLaw02AReloadIsNoBlindMoment: what was known of a UPS is known on, unless it is
// read differently from now on.
func TestLaw02AReloadIsNoBlindMoment(t *testing.T) {
	before := newTestMaster(t, "", nil)
	before.hub.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK}})
	for more, want := range map[string]power.Status{
		"":                              power.OK,
		"[ups.settle]\nfail = \"1s\"\n": power.Unknown,
	} {
		next := newTestMaster(t, more, before)
		if got := next.hub.states()[0].State.Status; got != want || (next.runners[0].q == before.runners[0].q) != (want == power.OK) {
			t.Errorf("with %q the UPS is %s, want %s", more, got, want)
		}
	}
}
