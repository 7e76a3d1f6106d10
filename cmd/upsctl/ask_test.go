package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

// TestWhatWasDone: the same words for nodes and for a UPS, and their own keys for scripts.
func TestWhatWasDone(t *testing.T) {
	sockets := []string{(&fake{acts: true}).serve(t)}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"release", "web1", "db1"}, "released: web1, db1\n"},
		{[]string{"release", "--json", "web1", "db1"}, "{\n  \"done\": \"released\",\n  \"nodes\": [\n    \"web1\",\n    \"db1\"\n  ]\n}\n"},
		{[]string{"ups", "disable", "--for", "10m", "main"}, "disabled for 10m: main\n"},
		{[]string{"ups", "enable", "--json", "main"}, "{\n  \"done\": \"enabled\",\n  \"ups\": \"main\"\n}\n"},
	} {
		got := run(t, func(c *cli) { c.sockets = sockets }, tt.args...)
		if diff := cmp.Diff(result{0, tt.want, ""}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.args, diff)
		}
	}
}
