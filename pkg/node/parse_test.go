package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// defaults are what an empty file means.
func defaults() Settings {
	return Settings{
		Need: 1, Grace: 5 * time.Minute, GraceMin: 30 * time.Second,
		WaitLimit: 2 * time.Minute, WaitLimitBatLow: 20 * time.Second, LostLimit: 2 * time.Minute,
		Methods: []string{"logind", "systemctl"}, StopTime: 2 * time.Minute, Wake: []string{"cycle", "wol"},
	}
}

func TestAnEmptyFileMeansTheDefaults(t *testing.T) {
	if diff := cmp.Diff(defaults(), settings(t, "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsUnderstood(t *testing.T) {
	got := settings(t, `
obey_sim = true
[power]
feeds = ["rack1/main", "rack2/main"]
need = 2
[policy]
grace = "batlow"
grace_min = "10s"
batlow_grace = "1s"
wait_for = ["web2", "role:db", "*"]
wait_limit = "3m"
wait_limit_batlow = "4s"
lost_limit = "5m"
blind_limit = "6m"
[shutdown]
method = ["sysvinit", "command"]
command = ["/sbin/down", "now"]
stop_time = "7s"
[wake]
method = ["rtc", "hook"]
[[hook]]
on = ["fail", "commit"]
run = ["/stop", "db"]
[[hook]]
on = ["ok"]
unit = "db:main"
timeout = "8s"
drill = true
`)
	want := Settings{
		ObeySim: true, Feeds: []string{"rack1/main", "rack2/main"}, Need: 2,
		Grace: 5 * time.Minute, GraceBatLow: true, GraceMin: 10 * time.Second, BatLowGrace: time.Second,
		WaitFor: []string{"web2", "role:db", "*"}, WaitLimit: 3 * time.Minute, WaitLimitBatLow: 4 * time.Second,
		LostLimit: 5 * time.Minute, BlindLimit: 6 * time.Minute,
		Methods: []string{"sysvinit", "command"}, Command: []string{"/sbin/down", "now"}, StopTime: 7 * time.Second,
		Wake: []string{"rtc", "hook"},
		Hooks: []Hook{
			{On: []policy.Event{"fail", "commit"}, Run: []string{"/stop", "db"}, Timeout: 30 * time.Second},
			{On: []policy.Event{"ok"}, Unit: "db:main", Timeout: 8 * time.Second, Drill: true},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThePolicyIsTheSettings(t *testing.T) {
	s := defaults()
	s.WaitFor, s.ObeySim, s.BlindLimit = []string{"db1"}, true, time.Hour
	want := policy.Config{
		Grace: 5 * time.Minute, GraceMin: 30 * time.Second, WaitFor: true,
		WaitLimit: 2 * time.Minute, WaitLimitBatLow: 20 * time.Second, LostLimit: 2 * time.Minute, BlindLimit: time.Hour,
		StopTime: 2 * time.Minute, Margin: 30 * time.Second, Methods: 2, ObeySim: true,
	}
	if diff := cmp.Diff(want, s.Policy()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Methods = []string{"none"}
	if !s.Policy().NeverGoes {
		t.Error("a dry run goes")
	}
	if chain, err := s.Chain(); err != nil || len(chain) != 1 || chain[0].String() != "none" {
		t.Errorf("%v %v", chain, err)
	}
	s.Methods = []string{"magic"}
	if _, err := s.Chain(); err == nil {
		t.Error("an unknown method made a chain")
	}
}

// A want that ends in ": " is a message of package config, which tests its words.
func TestWrongSettingsAreToldWithWhatToWrite(t *testing.T) {
	for _, c := range []struct{ name, toml, want string }{
		{"a feed without a master", "[power]\nfeeds = [\"main\"]", `2:10: power.feeds: "main" does not name a UPS; write "MASTER/UPS", as in "rack1/main"`},
		{"a feed with an odd name", "[power]\nfeeds = [\"rack1/-x\"]", `2:10: power.feeds: "rack1/-x" does not name a UPS; write "MASTER/UPS", as in "rack1/main"`},
		{"a feed twice", "[power]\nfeeds = [\"a/b\", \"a/b\"]", `2:17: power.feeds: "a/b" stands here twice; write each feed once`},
		{"need of nothing", "[power]\nneed = 2", `2:1: power.need: 2 feeds are needed and none is named; write them into feeds`},
		{"need of too many", "[power]\nfeeds = [\"a/b\"]\nneed = 2", `3:1: power.need: 2 feeds are needed and 1 named; write at most 1`},
		{"need none", "[power]\nneed = 0", `2:1: power.need: `},
		{"grace that is no time", "[policy]\ngrace = \"soon\"", `2:1: policy.grace: `},
		{"grace of a week", "[policy]\ngrace = \"168h\"", `2:1: policy.grace: `},
		{"negative grace_min", "[policy]\ngrace_min = \"-1s\"", `2:1: policy.grace_min: `},
		{"wait for a sentence", "[policy]\nwait_for = [\"the database\"]", `2:13: policy.wait_for: "the database" names nobody; write a node's name, "role:NAME" or "*"`},
		{"wait for no role", "[policy]\nwait_for = [\"role:\"]", `2:13: policy.wait_for: "role:" names nobody; write a node's name, "role:NAME" or "*"`},
		{"wait for too many", "[policy]\nwait_for = [" + strings.Repeat("\"web1\", ", 65) + "]", `2:525: policy.wait_for: more than 64 are too many; give them a role and write "role:NAME"`},
		{"blind at once", "[policy]\nblind_limit = \"0s\"", `2:1: policy.blind_limit: `},
		{"no method", "[shutdown]\nmethod = []", `2:1: shutdown.method: no method is named, so this machine could not go down; write one, or ["none"] for a dry run`},
		{"an unknown method", "[shutdown]\nmethod = [\"halt\"]", `2:11: shutdown.method: `},
		{"none with company", "[shutdown]\nmethod = [\"logind\", \"none\"]", `2:1: shutdown.method: "none" stands beside other methods; write ["none"] alone for a dry run, or leave it out`},
		{"command without one", "[shutdown]\nmethod = [\"command\"]", `1:2: shutdown.command: the method "command" has no command; write command = ["/path/to/program", "argument"]`},
		{"a relative command", "[shutdown]\nmethod = [\"command\"]\ncommand = [\"down\"]", `3:12: shutdown.command: "down" is not a full path; write "/path/to/program"`},
		{"a command that is never used", "[shutdown]\ncommand = [\"/down\"]", `2:1: shutdown.command: it is never used; write method = ["command"] too, or leave it out`},
		{"a stop that takes no time", "[shutdown]\nstop_time = \"0s\"", `2:1: shutdown.stop_time: `},
		{"an unknown way back", "[wake]\nmethod = [\"magic\"]", `2:11: wake.method: `},
		{"a hook on nothing", "[[hook]]\nrun = [\"/x\"]", `1:3: hook.on: the hook names no event and would never run; write on = ["commit"]`},
		{"a hook on no event", "[[hook]]\non = []\nrun = [\"/x\"]", `2:1: hook.on: the hook names no event and would never run; write on = ["commit"]`},
		{"a hook on an unknown event", "[[hook]]\non = [\"down\"]\nrun = [\"/x\"]", `2:7: hook.on: `},
		{"a hook that does nothing", "[[hook]]\non = [\"ok\"]", `1:3: hook.run: a hook has either run or unit; write run = ["/path/to/program"] or unit = "NAME"`},
		{"a hook that does both", "[[hook]]\non = [\"ok\"]\nrun = [\"/x\"]\nunit = \"x\"", `3:1: hook.run: a hook has either run or unit; write run = ["/path/to/program"] or unit = "NAME"`},
		{"a hook from the PATH", "[[hook]]\non = [\"ok\"]\nrun = [\"x\"]", `3:1: hook.run: the program is not named by its full path; write run = ["/path/to/program"]`},
		{"a unit with a path", "[[hook]]\non = [\"ok\"]\nunit = \"../x\"", `3:1: hook.unit: "../x" is not an instance name; write "NAME" for lastwatt-hook@NAME.service`},
		{"a hook of a day", "[[hook]]\non = [\"ok\"]\nrun = [\"/x\"]\ntimeout = \"24h\"", `4:1: hook.timeout: `},
		{"commit hooks that outlast the battery", "[[hook]]\non = [\"commit\"]\nrun = [\"/x\"]\ntimeout = \"5m\"\n[[hook]]\non = [\"commit\"]\nrun = [\"/y\"]\ntimeout = \"5m\"", `8:1: hook.timeout: the commit hooks up to this one may take 10m; write shorter ones, 9m in all`},
		{"a key that isn't one", "[policy]\ngrase = \"5m\"", `2:1: policy.grase: `},
	} {
		doc, err := config.Parse("agent.toml", []byte(c.toml))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		ParseSettings(doc.Root())
		got := fmt.Sprint(doc.Err())
		if want := "agent.toml:" + c.want; got != want && !(strings.HasSuffix(want, ": ") && strings.HasPrefix(got, want)) {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, want)
		}
	}
}

// TestTheReferenceFileSaysTheDefaults: what is shipped to owners is what holds.
func TestTheReferenceFileSaysTheDefaults(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "agent.toml"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := config.Parse("agent.toml", b)
	if err != nil {
		t.Fatal(err)
	}
	got := ParseSettings(doc.Root())
	want := defaults()
	want.Feeds, want.WaitFor, want.Command = []string{}, []string{}, []string{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-default +deploy/agent.toml):\n%s", diff)
	}
}
