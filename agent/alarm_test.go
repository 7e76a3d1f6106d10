package agent

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

func TestAlarmsAreTested(t *testing.T) {
	dir := t.TempDir()
	cfg, err := ParseConfig("f", []byte("name = 'web1'\ndata = '"+dir+"'\nrun = '"+dir+"'\n[discovery]\nmdns = false\n[[alarm]]\nto = 'exec:///bin/true'\n[[alarm]]\nto = 'exec:///nowhere/alarm'\n"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{
		Config: cfg, Boot: "b", Chain: []shutdown.Executor{shutdown.None()}, Log: slog.New(slog.DiscardHandler),
		Now: func() power.Uptime { return power.Uptime(time.Hour) },
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := nodeService{a: a}.TestNodeAlarms(t.Context(), &upsv1.TestNodeAlarmsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	rs := resp.GetResults()
	if len(rs) != 2 || rs[0].GetTo() != "exec:///bin/true" || rs[0].GetError() != "" ||
		rs[1].GetTo() != "exec:///nowhere/alarm" || !strings.HasPrefix(rs[1].GetError(), "it is not there") {
		t.Errorf("results %v", rs)
	}
}
