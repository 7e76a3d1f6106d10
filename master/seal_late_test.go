package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// TestNobodyWouldCutTheLoad: a host that goes down by the system's means needs the late
// unit, and says so until it is there; and what the last one refused is told.
func TestNobodyWouldCutTheLoad(t *testing.T) {
	for _, c := range []struct {
		name, port, method string
		late               bool
	}{
		{"logind", "/dev/ttyS7", `["logind"]`, true},
		{"sysvinit, or a command", "/dev/ttyS7", "[\"command\", \"sysvinit\"]\ncommand = [\"/bin/true\"]", true},
		{"a command of the owner", "/dev/ttyS7", "[\"command\"]\ncommand = [\"/bin/true\"]", false},
		{"a dry run", "/dev/ttyS7", `["none"]`, false},
		{"no port", "sim", `["logind"]`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				cfg, err := ParseConfig("master.toml", fmt.Appendf(nil, `
data = %[1]q
run = %[1]q
[[ups]]
name = "main"
port = %[2]q
cable = "nut-7"
[node]
[node.shutdown]
method = %[3]s
`, dir, c.port, c.method))
				if err != nil {
					t.Fatal(err)
				}
				cut.Refuse(nil, dir, cut.ErrTorn)
				var enabled atomic.Bool
				m, err := New(Options{
					Config: cfg, Boot: "b", Chain: []shutdown.Executor{shutdown.None()}, Now: func() power.Uptime { return 1 }, Log: slog.New(slog.DiscardHandler),
					Late: func() error {
						if enabled.Load() {
							return nil
						}
						return errors.New("not enabled")
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- m.cutting.Run(ctx) }()
				said := func(name string) (text string) {
					synctest.Wait()
					for _, p := range m.problems() {
						if p.Name == name {
							text = p.Text
						}
					}
					return text
				}
				if got := said(health.LateUnit); (got != "") != c.late {
					t.Errorf("late unit: %q", got)
				}
				if got := said(health.Seal); !strings.Contains(got, "the seal is torn") {
					t.Errorf("refused: %q", got)
				}
				enabled.Store(true)
				time.Sleep(lateEvery + time.Second)
				if got := said(health.LateUnit); got != "" {
					t.Errorf("enabled since: %q", got)
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWired(t *testing.T) {
	cfg, err := ParseConfig("master.toml", []byte("[[ups]]\nname = \"main\"\nport = \"/dev/ttyS7\"\ncable = \"nut-7\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := Wired(cfg); len(got) != 1 || got[0].Name != "main" || got[0].Port != "/dev/ttyS7" || got[0].Cable.Name != "nut-7" {
		t.Errorf("got %+v", got)
	}
	if Wired(Config{}) == nil {
		t.Error("no UPS is not the same as no configuration")
	}
}
