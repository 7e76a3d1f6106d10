package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files writes configuration files into a folder of their own, in which the daemons
// may live, and returns it. DIR in a text is that folder.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// home is where a daemon lives in a test.
const home = "listen = \"127.0.0.1:1\"\ndata = \"DIR/data\"\nrun = \"DIR/run\"\nsocket = \"DIR/run/s\"\n"

// A port that nobody needs privileges for, and no file of this machine's.
const masterText = "name = \"rack1\"\n" + home + "[[ups]]\nname = \"main\"\nport = \"sim\"\n[node]\n"

func TestCheck(t *testing.T) {
	dir := files(t, map[string]string{
		"master.toml": masterText, "agent.toml": "name = \"web1\"\n" + home, "rack.toml": masterText,
		"bad-agent.toml": "nam = \"web1\"\n[policy]\ngrace = \"soon\"\n", "broken.toml": "name = \n",
	})
	path := func(name string) string { return filepath.Join(dir, name) }
	sim := func(name string) string {
		return "warning: " + path(name) + ":8:1: ups.port: \"sim\" is a pretended UPS: no power failure is seen; write a tty's path\n"
	}
	// 127.0.0.1:1 needs a privilege that a test may not have.
	denied := func(name string) string {
		if l, err := net.Listen("tcp", "127.0.0.1:1"); err == nil {
			_ = l.Close()
			return ""
		}
		return "warning: " + path(name) + ":2:1: listen: cannot listen there now: 127.0.0.1:1: bind: permission denied\n"
	}
	for _, tt := range []struct {
		name string
		args []string
		want result
	}{
		{"good", []string{"--quiet", path("master.toml"), path("agent.toml"), path("rack.toml")}, result{0, path("master.toml") + ": good (upsmaster)\n" + denied("master.toml") + sim("master.toml") +
			path("agent.toml") + ": good (upsagent)\n" + denied("agent.toml") + path("rack.toml") + ": good (upsmaster)\n" + denied("rack.toml") + sim("rack.toml"), ""}},
		{"missing", []string{path("agent.toml"), path("none.toml")}, result{1, "", "upsctl: cannot read the configuration: open " + path("none.toml") + ": no such file or directory\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, run(t, nil, append([]string{"check"}, tt.args...)...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// The words for each mistake are pkg/config's; here it counts that all are said.
	got := run(t, nil, "check", path("bad-agent.toml"), path("agent.toml"), path("broken.toml"))
	for _, want := range []string{path("bad-agent.toml") + ":1:1: nam: ", path("bad-agent.toml") + ":3:1: policy.grace: ", path("agent.toml") + ": good", path("broken.toml") + ":1:"} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("%q is not said: %s", want, got.Out)
		}
	}
	if got.Code != exitAttention || got.Err != "" {
		t.Errorf("%+v", got)
	}
}

// TestCheckShowsWhatAFileMeans: every default, and no secret.
func TestCheckShowsWhatAFileMeans(t *testing.T) {
	dir := files(t, map[string]string{"master.toml": masterText + "[[alarm]]\nto = \"https://user:secret@hooks.example.org/T0/secret?token=secret\"\n[[node.alarm]]\nto = \"exec:///bin/true\"\n"})
	got := run(t, nil, "check", filepath.Join(dir, "master.toml"))
	for _, want := range []string{"\n\n# What " + dir + "/master.toml means, with every default:\nname = \"rack1\"\n", "mdns = true                             # default\n", "to = \"https://hooks.example.org/…\"", "to = \"exec:///bin/true\""} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("%q is missing in\n%s", want, got.Out)
		}
	}
	if strings.Contains(got.Out, "secret@") || strings.Contains(got.Out, "/secret") {
		t.Errorf("a secret is shown:\n%s", got.Out)
	}
	var all []struct {
		File, Kind, Effective string
		Mistakes, Warnings    []string
	}
	got = run(t, nil, "--json", "check", filepath.Join(dir, "master.toml"))
	if err := json.Unmarshal([]byte(got.Out), &all); err != nil || got.Code != 0 {
		t.Fatalf("%v %+v", err, got)
	}
	if c := all[0]; c.Kind != "master" || c.Mistakes == nil || len(c.Mistakes) > 0 || len(c.Warnings) == 0 || !strings.HasPrefix(c.Effective, "name = \"rack1\"\n") {
		t.Errorf("%+v", c)
	}
}

// TestCheckWarnsOfThisMachine: what would not work here, each with its place.
func TestCheckWarnsOfThisMachine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dir := files(t, map[string]string{
		"file": "", "open.sh": "#!/bin/sh\n",
		"master.toml": fmt.Sprintf(`name = "rack1"
listen = %q
data = "DIR/file/data"
run = "DIR/run"
socket = "DIR/file"
[[ups]]
name = "a"
port = "/dev/null"
cable = "nut-7"
settle = { batlow_jump = "0s" }
[[ups]]
name = "b"
port = "/dev/tty-none"
cable = "apc-back-ups"
[[ups]]
name = "c"
[[hook]]
on = ["fail"]
run = ["DIR/none.sh"]
[[alarm]]
to = "exec://DIR/open.sh"
[metrics]
listen = "127.0.0.1:0x"
`, l.Addr())})
	path := filepath.Join(dir, "master.toml")
	if err := os.Chmod(filepath.Join(dir, "open.sh"), 0o757); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "127.0.0.1:0x", "192.0.2.77:9999", 1)) // TEST-NET-1: nobody's
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, nil, "check", "-q", path)
	for _, want := range []string{
		":2:1: listen: cannot listen there now: " + l.Addr().String() + ": bind: address already in use",
		":3:1: data: stat " + dir + "/file/data: not a directory",
		":5:1: socket: " + dir + "/file is there and is no socket",
		":8:1: ups.port: cannot open /dev/null: not a serial port",
		`:10:12: ups.settle.batlow_jump: while this cable is pulled out`,
		":13:1: ups.port: cannot open /dev/tty-none: no such",
		":15:3: ups.port: empty, so nobody watches",
		":19:1: hook.run: it is not there: ",
		":21:1: alarm.to: " + dir + "/open.sh can be written by everybody",
		":23:1: metrics.listen: cannot listen there now: 192.0.2.77:9999: ",
		":1:1: node: nobody shuts this host down",
	} {
		if !strings.Contains(got.Out, "warning: "+path+want) {
			t.Errorf("%q is not said:\n%s", want, got.Out)
		}
	}
	if got.Code != 0 || !strings.HasPrefix(got.Out, path+": good (upsmaster)\n") || strings.Contains(got.Out, ": run: ") {
		t.Errorf("%+v", got)
	}
}

// TestCheckComparesFiles: an agent's feeds with the UPSes of its masters, as far as
// their files are named too.
func TestCheckComparesFiles(t *testing.T) {
	dir := files(t, map[string]string{
		"master.toml": strings.Replace(masterText, "port = \"sim\"", "port = \"/dev/null\"\ncable = \"powerd\"\n[[ups]]\nname = \"spare\"\nport = \"sim\"", 1),
		"agent.toml":  "name = \"web1\"\n" + home + "[power]\nfeeds = [\"rack1/main\", \"rack1/mian\", \"rack2/x\"]\n[policy]\ngrace = \"batlow\"\n",
		"low.toml":    "name = \"web1\"\n" + home + "[power]\nfeeds = [\"rack1/main\"]\n[policy]\ngrace = \"batlow\"\n",
		"none.toml":   "name = \"web2\"\n" + home,
	})
	path := func(name string) string { return filepath.Join(dir, name) }
	got := run(t, nil, "check", "-q", path("agent.toml"), path("master.toml"))
	if want := path("agent.toml") + ":7:24: power.feeds: rack1 has no UPS \"mian\"; write one of rack1/main, rack1/spare\n"; got.Code != exitAttention || !strings.HasPrefix(got.Out, want) {
		t.Errorf("%+v, want %q", got, want)
	}
	if got := run(t, nil, "check", "-q", path("agent.toml")); got.Code != 0 {
		t.Errorf("without the master's file: %+v", got)
	}
	got = run(t, nil, "check", "-q", path("low.toml"), path("master.toml"))
	if want := "warning: " + path("low.toml") + ":9:1: policy.grace: UPS \"main\" can't say that its battery is low, so 5m is waited instead; write a time\n"; got.Code != 0 || !strings.Contains(got.Out, want) {
		t.Errorf("%+v, want %q", got, want)
	}
	got = run(t, nil, "check", "-q", path("none.toml"), path("master.toml"))
	if want := "warning: " + path("none.toml") + ":1:1: power.feeds: none is named and there are 2 UPSes"; got.Code != 0 || !strings.Contains(got.Out, want) {
		t.Errorf("%+v, want %q", got, want)
	}
}
