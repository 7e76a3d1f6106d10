package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestOrders(t *testing.T) {
	for _, tt := range []struct {
		name  string
		args  []string
		asked string
		want  result
	}{
		{"hold", []string{"hold", "web1", "db1"}, "hold 30m0s web1+db1", result{0, "held for 30m: web1, db1\n", ""}},
		{"hold for", []string{"hold", "--for", "90s", "web1"}, "hold 1m30s web1", result{0, "held for 1m30s: web1\n", ""}},
		{"hold for programs", []string{"--json", "hold", "web1"}, "hold 30m0s web1", result{0, "{\n  \"done\": \"held for 30m\",\n  \"nodes\": [\n    \"web1\"\n  ]\n}\n", ""}},
		{"release", []string{"release", "web1"}, "release web1", result{0, "released: web1\n", ""}},
		{"shutdown", []string{"shutdown", "--yes", "web1"}, "shutdown web1", result{0, "told to shut down: web1\n", ""}},
		{"sim", []string{"sim", "fail"}, "sim  STATUS_FAIL", result{0, "ups main reads FAIL now\n", ""}},
		{"sim one", []string{"sim", "batlow", "main"}, "sim main STATUS_BATLOW", result{0, "ups main reads BATLOW now\n", ""}},
		{"sim for programs", []string{"sim", "ok", "--json"}, "sim  STATUS_OK", result{0, "{\n  \"state\": \"OK\",\n  \"ups\": \"main\"\n}\n", ""}},
		{"token", []string{"token", "create"}, "token ROLE_NODE 15m0s", result{0, "LW-SECRET\n", "for one machine, within 15m: upsagent join TOKEN\n"}},
		{"token for a person", []string{"token", "create", "--role", "viewer", "--ttl", "1h"}, "token ROLE_VIEWER 1h0m0s", result{0, "LW-SECRET\n", "for one viewer, within 1h0m\n"}},
		{"token for programs", []string{"token", "create", "--json"}, "token ROLE_NODE 15m0s", result{0, "{\n  \"role\": \"agent\",\n  \"token\": \"LW-SECRET\",\n  \"ttl_seconds\": 900\n}\n", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{acts: true}
			socket := f.serve(t)
			got := run(t, nil, append([]string{"--socket", socket}, tt.args...)...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if asked := <-f.asked; asked != tt.asked {
				t.Errorf("asked %q, want %q", asked, tt.asked)
			}
		})
	}
}

// TestShutdownAsks: on a terminal nothing but yes is yes.
func TestShutdownAsks(t *testing.T) {
	const question = "shut down web1, nas?1 now? [y/N] "
	for _, tt := range []struct {
		answer string
		want   result
	}{
		{"y\n", result{0, "told to shut down: web1, nas?1\n", question}},
		{" YES \n", result{0, "told to shut down: web1, nas?1\n", question}},
		{"\n", result{1, "", question + "upsctl: not confirmed, nothing was done\n"}},
		{"", result{1, "", question + "upsctl: not confirmed, nothing was done\n"}},
		{"ye\n", result{1, "", question + "upsctl: not confirmed, nothing was done\n"}},
	} {
		t.Run(tt.answer, func(t *testing.T) {
			f := &fake{acts: true}
			c, out, errs := testCLI(tt.answer)
			c.inTTY = true
			code := c.run(t.Context(), []string{"--socket", f.serve(t), "shutdown", "web1", "nas\x1b1"})
			if diff := cmp.Diff(tt.want, result{code, out.String(), errs.String()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if told := len(f.asked) == 1; told != (tt.want.Code == 0) {
				t.Errorf("the order was given: %v", told)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    *fake
		args []string
		want string
	}{
		{"an agent takes no orders", &fake{}, []string{"hold", "web1"}, "upsctl: cannot hold: this is not the master's socket, and an agent passes on reads only; do it on the master's host\n"},
		{"an agent has no events", &fake{}, []string{"events"}, "upsctl: cannot read the events: the master keeps it, and this is not the master's socket; ask on the master's host, or join the master ('upsctl join')\n"},
		{"nor a history", &fake{}, []string{"history", "last"}, "upsctl: cannot read the history: the master keeps it, and this is not the master's socket; ask on the master's host, or join the master ('upsctl join')\n"},
		{"not allowed", &fake{acts: true, refuse: status.Error(codes.PermissionDenied, "bob may not call Hold; it is for operator, local")}, []string{"hold", "web1"}, "upsctl: cannot hold: bob may not call Hold; it is for operator, local; be root or of group lastwatt\n"},
		{"refused, with a bell", &fake{acts: true, refuse: status.Error(codes.NotFound, "no node is called \a\"web9\"")}, []string{"shutdown", "--yes", "web9"}, "upsctl: cannot shut down: no node is called ?\"web9\"\n"},
		{"nothing at all", &fake{}, []string{"status"}, "upsctl: cannot ask for the status: this is not the master's socket, and an agent passes on reads only; do it on the master's host\n"},
		{"by address", &fake{}, []string{"--master", "rack1:8493", "status"}, "upsctl: cannot ask the master at rack1:8493: you have not joined it; run 'upsctl --master rack1:8493 join TOKEN', or ask on a machine of the rack, whose daemon's socket needs no key\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if args[0] != "--master" {
				args = append([]string{"--socket", tt.f.serve(t)}, args...)
			}
			if diff := cmp.Diff(result{exitCannotAsk, "", tt.want}, run(t, nil, args...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhomItAsks: the master's socket, else the agent's, else it says all it tried.
func TestWhomItAsks(t *testing.T) {
	master, agent := (&fake{acts: true}).serve(t), (&fake{}).serve(t)
	dead := filepath.Join(t.TempDir(), "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const notMaster = "upsctl: cannot hold: this is not the master's socket, and an agent passes on reads only; do it on the master's host\n"
	for _, tt := range []struct {
		name    string
		sockets []string
		want    result
	}{
		{"both", []string{master, agent}, result{0, "held for 30m: web1\n", ""}},
		{"master gone", []string{dead, agent}, result{1, "", notMaster}},
		{"no master here", []string{"/nowhere/m", agent}, result{1, "", notMaster}},
		{"none", []string{dead, "/nowhere/a"}, result{1, "", "upsctl: cannot ask: no daemon answers at " + dead + " (its daemon is gone) nor /nowhere/a (it does not exist); start upsmaster or upsagent, or name its socket with --socket\n"}},
		{"no socket", []string{plain}, result{1, "", "upsctl: cannot ask: no daemon answers at " + plain + " (its daemon is gone); start upsmaster or upsagent, or name its socket with --socket\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, func(c *cli) { c.sockets = tt.sockets }, "hold", "web1")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
