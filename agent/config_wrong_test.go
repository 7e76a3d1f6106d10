package agent

import (
	"fmt"
	"strings"
	"testing"
)

// wrongConfigs are files that must be refused, and what their owner then reads,
// each line without the file's name.
var wrongConfigs = []struct{ name, text, want string }{
	{
		"not TOML",
		`name = "web1
`,
		"1:13: the text is not closed; write the missing quote",
	},
	{
		"key misspelt",
		`master = []
`,
		"1:1: master: unknown key; did you mean masters?",
	},
	{
		"key of the policy at the top",
		`grace = "5m"
`,
		"1:1: grace: unknown key; it belongs in [policy]",
	},
	{
		"top key below a table",
		`[power]
need = 1
masters = []
`,
		"3:1: power.masters: unknown key; it belongs at the top of the file, before the first [table]",
	},
	{
		"key of the master",
		`[[ups]]
name = "main"
`,
		"1:3: ups: unknown key; known here: alarm, data, discovery, hook, listen, masters, name, obey_sim, policy, power, role, run, shutdown, socket, wake",
	},
	{
		"name that is none",
		`name = "-web1"
`,
		`1:1: name: "-web1" is no name: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit; write one such as "web1"`,
	},
	{
		"role with a space",
		`role = "data base"
`,
		`1:1: role: "data base" is no role: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit; write one such as "compute"`,
	},
	{
		"listen without a port",
		`listen = "localhost"
`,
		`1:1: listen: "localhost" is not HOST:PORT; write an address such as ":8493" or "192.0.2.1:8493", or "" to turn it off`,
	},
	{
		"master without a port",
		`masters = ["rack1"]
`,
		`1:12: masters: "rack1" is not HOST:PORT; write "rack1.example.org:8493" or "srv:example.org"`,
	},
	{
		"master without a host",
		`masters = ["rack1:8493",
  ":8493"]
`,
		`2:3: masters: ":8493" has no host; write "rack1.example.org:8493" or "srv:example.org"`,
	},
	{
		"master twice",
		`masters = ["rack1:8493", "rack1:8493"]
`,
		`1:26: masters: "rack1:8493" is there twice; write it once`,
	},
	{
		"srv without a domain",
		`masters = ["srv:"]
`,
		`1:12: masters: "srv:" names no domain; write "srv:example.org"`,
	},
	{
		"master as text",
		`masters = "rack1:8493"
`,
		`1:1: masters: found the text "rack1:8493"; write a list of texts: ["…", "…"]`,
	},
	{
		"relative run",
		`run = "./run"
`,
		`1:1: run: "./run" does not begin with /; write a full path such as "/run/lastwatt/agent"`,
	},
	{
		"obey_sim as a number",
		`obey_sim = 1
`,
		"1:1: obey_sim: found the number 1; write true or false, without quotes",
	},
	{
		"policy is a list",
		`[[policy]]
grace = "5m"
`,
		"1:3: policy: found a list; write a table: [policy]",
	},
	{
		"hook is one table",
		`[hook]
on = ["commit"]
`,
		"1:2: hook: found a table; write [[hook]], once for each of them",
	},
	{
		"grace is misspelt word",
		`[policy]
grace = "batlo"
`,
		`2:1: policy.grace: "batlo" is not a duration; write a duration in quotes such as "90s" or "5m", or "batlow"`,
	},
	{
		"blind_limit without unit",
		`[policy]
blind_limit = 0
`,
		`2:1: policy.blind_limit: found the number 0; write a duration in quotes such as "90s" or "5m", or "never"`,
	},
	{
		"unknown method",
		`[shutdown]
method = ["logind",
  "poweroff"]
`,
		`3:3: shutdown.method: "poweroff" is not known here; write "logind", "systemctl", "sysvinit", "command" or "none"`,
	},
	{
		"method is text",
		`[shutdown]
method = "logind"
`,
		`2:1: shutdown.method: found the text "logind"; write a list of texts: ["…", "…"]`,
	},
	{
		"unknown wake method",
		`[wake]
method = ["lan"]
`,
		`2:11: wake.method: "lan" is not known here; write "cycle", "wol", "rtc" or "hook"`,
	},
	{
		"hook key misspelt",
		`[[hook]]
on = ["commit"]
run = ["/bin/true"]
time_out = "5s"
`,
		"4:1: hook.time_out: unknown key; did you mean timeout?",
	},
	{
		"hook on unknown event",
		`[[hook]]
on = ["comit"]
run = ["/bin/true"]
`,
		`2:7: hook.on: "comit" is not known here; write "fail", "batlow", "ok", "grace", "cancel", "commit", "problem", "clear" or "report"`,
	},
	{
		"inside an unknown table nothing is said twice",
		`[server]
a = 1
b = 2
`,
		"1:2: server: unknown key; known here: alarm, data, discovery, hook, listen, masters, name, obey_sim, policy, power, role, run, shutdown, socket, wake",
	},
}

func TestWrongConfigs(t *testing.T) {
	for _, tt := range wrongConfigs {
		t.Run(tt.name, func(t *testing.T) {
			want := "agent.toml:" + strings.ReplaceAll(tt.want, "\n", "\nagent.toml:")
			c, err := parse(t, tt.text)
			if err == nil {
				t.Fatalf("accepted as %+v, want\n%s", c, want)
			}
			if got := err.Error(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			// A file that is refused must leave nothing behind that could be used.
			if fmt.Sprint(c) != fmt.Sprint(Config{}) {
				t.Errorf("returned %+v beside the error", c)
			}
		})
	}
}
