package master

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
		`name = rack1
`,
		`1:8: not a value; put text and durations in quotes ("5m"), write true, false or a number without`,
	},
	{
		"unquoted duration",
		`[recover]
limit = 30m
`,
		`2:11: text without quotes; put text and durations in quotes: "5m"`,
	},
	{
		"key twice",
		`name = "a"
name = "b"
`,
		"2:1: name: written twice, first in line 1; keep one of them",
	},
	{
		"table twice",
		`[recover]
[metrics]
[recover]
`,
		"3:2: recover: written twice, first in line 1; keep one of them",
	},
	{
		"list not closed",
		`a = ["x"

[recover]
`,
		"3:1: two values without a comma; write a comma between the values of a list, or the missing ]",
	},
	{
		"half a line",
		`name
`,
		"1:5: a key without a value; write KEY = VALUE",
	},
	{
		"nothing at all",
		"",
		"1:1: ups: there is none; write [[ups]] with name, port and cable",
	},
	{
		"key misspelt",
		`lsiten = ":1"
` + simUPS,
		"1:1: lsiten: unknown key; did you mean listen?",
	},
	{
		"key of another table",
		`mdns = true
` + simUPS,
		"1:1: mdns: unknown key; it belongs in [discovery]",
	},
	{
		"key of the top in a table",
		simUPS + `[recover]
listen = ":1"
`,
		"5:1: recover.listen: unknown key; it belongs at the top of the file, before the first [table]",
	},
	{
		"unknown table",
		simUPS + `[policy]
grace = "5m"
lost_limit = "1m"
`,
		"4:2: policy: unknown key; it belongs in [node]",
	},
	{
		"key that nobody knows",
		simUPS + `[recover]
colour = "blue"
`,
		"5:1: recover.colour: unknown key; known here: hold_off, limit, min_charge, stagger",
	},
	{
		"everything at once, sorted",
		`listen = 5
` + simUPS + `[recover]
stagger = "x"
what = 1
min_charge = 101
`,
		`1:1: listen: found the number 5; write text in quotes: "…"
6:1: recover.stagger: "x" is not a duration; write a duration in quotes such as "90s" or "5m"
7:1: recover.what: unknown key; known here: hold_off, limit, min_charge, stagger
8:1: recover.min_charge: 101 is too large; write a number from 0 to 100`,
	},
	{
		"name is a number",
		`name = 5
` + simUPS,
		`1:1: name: found the number 5; write text in quotes: "…"`,
	},
	{
		"name with a space",
		`name = "rack 1"
` + simUPS,
		`1:1: name: "rack 1" is no name: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit; write one such as "rack1"`,
	},
	{
		"name is empty",
		`name = ""
` + simUPS,
		`1:1: name: "" is no name: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit; write one such as "rack1"`,
	},
	{
		"name with an escape sequence",
		`name = "\u001b[31mred"
` + simUPS,
		`1:1: name: "\x1b[31mred" is no name: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit; write one such as "rack1"`,
	},
	{
		"listen without a port",
		`listen = "8493"
` + simUPS,
		`1:1: listen: "8493" is not HOST:PORT; write an address such as ":8493" or "192.0.2.1:8493"`,
	},
	{
		"listen with port 0",
		`listen = ":0"
` + simUPS,
		`1:1: listen: ":0" has no port from 1 to 65535; write an address such as ":8493" or "192.0.2.1:8493"`,
	},
	{
		"listen with a port too high",
		`listen = "10.0.0.1:65536"
` + simUPS,
		`1:1: listen: "10.0.0.1:65536" has no port from 1 to 65535; write an address such as ":8493" or "192.0.2.1:8493"`,
	},
	{
		"listen on a path",
		`listen = "/run/x.sock"
` + simUPS,
		`1:1: listen: "/run/x.sock" is not HOST:PORT; write an address such as ":8493" or "192.0.2.1:8493"`,
	},
	{
		"listen turned off",
		`listen = ""
` + simUPS,
		`1:1: listen: "" is not HOST:PORT; write an address such as ":8493" or "192.0.2.1:8493"`,
	},
	{
		"relative path",
		`data = "var/lib"
run = ""
` + simUPS,
		`1:1: data: "var/lib" does not begin with /; write a full path such as "/var/lib/lastwatt/master"
2:1: run: is empty; write a full path such as "/run/lastwatt/master"`,
	},
	{
		"socket path too long",
		`socket = "/` + strings.Repeat("x", 120) + `"` + "\n" + simUPS,
		"1:1: socket: 121 letters are too long for a socket; write a path of at most 107",
	},
	{
		"truth in quotes",
		simUPS + `[discovery]
mdns = "true"
`,
		`5:1: discovery.mdns: found the text "true"; write true or false, without quotes`,
	},
	{
		"interface that is none",
		simUPS + `[discovery]
interfaces = ["eth0", "et h1"]
`,
		"5:23: discovery.interfaces: \"et h1\" is no network interface; write names as `ip link` shows them",
	},
	{
		"list of numbers",
		simUPS + `[discovery]
interfaces = ["eth0",
  5]
`,
		`6:3: discovery.interfaces: found the number 5 in the list; write a list of texts: ["…", "…"]`,
	},
	{
		"text for a list",
		simUPS + `[discovery]
interfaces = "eth0"
`,
		`5:1: discovery.interfaces: found the text "eth0"; write a list of texts: ["…", "…"]`,
	},
	{
		"ups as one table",
		`[ups]
name = "main"
`,
		"1:2: ups: found a table; write [[ups]], once for each of them",
	},
	{
		"ups as text",
		`ups = "main"
`,
		`1:1: ups: found the text "main"; write [[ups]], once for each of them`,
	},
	{
		"ups without a name",
		`[[ups]]
port = "sim"
`,
		`1:3: ups.name: missing; write name = "main"`,
	},
	{
		"ups with a bad name",
		`[[ups]]
name = "a/b"
port = "sim"
`,
		`2:1: ups.name: "a/b" is no name: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit; write one such as "main"`,
	},
	{
		"two ups of one name",
		simUPS + simUPS,
		`5:1: ups.name: another [[ups]] is called "main" too; give each its own name`,
	},
	{
		"two ups on one port",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
cable = "nut-7"
[[ups]]
name = "b"
port = "/dev/ttyS0"
cable = "nut-7"
`,
		`7:1: ups.port: "/dev/ttyS0" is the port of ups "a" already; one port watches one UPS`,
	},
	{
		"port of a later version",
		`[[ups]]
name = "a"
port = "nut:ups@host"
[[ups]]
name = "b"
port = "tcp://host:3493"
`,
		`3:1: ups.port: "nut:ups@host" is not in this version; write a tty's path such as "/dev/ttyS0", or "sim"
6:1: ups.port: "tcp://host:3493" is not in this version; write a tty's path such as "/dev/ttyS0", or "sim"`,
	},
	{
		"port is a relative path",
		`[[ups]]
name = "a"
port = "ttyS0"
cable = "nut-7"
`,
		`3:1: ups.port: "ttyS0" does not begin with /; write a tty's full path such as "/dev/ttyS0", "sim", or "" for none`,
	},
	{
		"tty without a cable",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
`,
		"1:3: ups.cable: missing: nobody can say what the lines of /dev/ttyS0 mean; write the cable's name, `upsctl cables` lists them",
	},
	{
		"cable misspelt",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
cable = "liebert-powersur"
`,
		`4:1: ups.cable: "liebert-powersur" is not in the catalogue; did you mean "liebert-powersure"?`,
	},
	{
		"cable that nobody knows",
		`[[ups]]
name = "a"
port = "sim"
cable = "what is this"
`,
		"4:1: ups.cable: \"what is this\" is not in the catalogue; write a cable's name, `upsctl cables` lists them",
	},
	{
		"cable is a number",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
cable = 7
`,
		`4:1: ups.cable: found the number 7; write text in quotes: "…"`,
	},
	{
		"own cable without on_battery",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
cable = { low_battery = "DCD" }
`,
		`4:1: ups.cable.on_battery: missing; write the input that says so, for example "CTS", or "!CTS" when it says so while low`,
	},
	{
		"own cable with a line that is none",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
[ups.cable]
on_battery = "CTX"
drive = ["DTR",
  "CTS"]
`,
		`5:1: ups.cable.on_battery: "CTX" is not a line; write DTR, RTS, CTS, DSR, DCD or RI, after "!" when it means something while low
6:1: ups.cable.drive: "CTS" can't stand here; write an output: DTR or RTS`,
	},
	{
		"own cable with an output as signal",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
cable = { on_battery = "DTR" }
`,
		"4:11: ups.cable.on_battery: DTR is not an input; write CTS, DSR, DCD or RI",
	},
	{
		"own cable whose kill stands always",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
[ups.cable]
on_battery = "CTS"
drive = ["RTS"]
kill = { set = ["RTS"], hold = "5s" }
`,
		"7:10: ups.cable.kill.set: the cable stands so all the time by drive, an output not named there being low; write in drive the levels that do not cut the load",
	},
	{
		"own cable with two kills",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
[ups.cable]
on_battery = "CTS"
kill = { set = ["RTS"], send = "55", hold = "5s" }
`,
		"6:1: ups.cable.kill: more than one of set, break and send; write the one that cuts the load",
	},
	{
		"own cable with a wrong kill",
		`[[ups]]
name = "a"
port = "/dev/ttyS0"
[ups.cable]
on_battery = "CTS"
kill = { send = "5x", holt = "5s" }
`,
		`6:10: ups.cable.kill.send: "5x" is not hexadecimal; write two digits for each byte, such as "55"
6:23: ups.cable.kill.holt: unknown key; did you mean hold?`,
	},
	{
		"settle time without a unit",
		simUPS + `[ups.settle]
fail = "5"
`,
		`5:1: ups.settle.fail: "5" is not a duration: the unit is missing (ms, s, m, h); write a duration in quotes such as "90s" or "5m"`,
	},
	{
		"settle time as a number",
		simUPS + `[ups.settle]
fail = 5
ok = 0.5
`,
		`5:1: ups.settle.fail: found the number 5; write a duration in quotes such as "90s" or "5m"
6:1: ups.settle.ok: found the number 0.5; write a duration in quotes such as "90s" or "5m"`,
	},
	{
		"settle time too long",
		simUPS + `[ups.settle]
batlow = "2m"
`,
		`5:1: ups.settle.batlow: "2m" is too long; write "1m" or shorter`,
	},
	{
		"negative time",
		simUPS + `[recover]
hold_off = "-1s"
`,
		`5:1: recover.hold_off: "-1s" is too short; write "0s" or longer`,
	},
	{
		"time in days",
		simUPS + `[recover]
limit = "1d"
`,
		`5:1: recover.limit: "1d" is not a duration: there are no days, a day is 24h; write a duration in quotes such as "90s" or "5m"`,
	},
	{
		"runtime too short",
		simUPS + `[ups.battery]
runtime = "1s"
`,
		`5:1: ups.battery.runtime: "1s" is too short; write "10s" or longer`,
	},
	{
		"recharge is a date",
		simUPS + `[ups.battery]
recharge = 2024-01-01
`,
		`5:1: ups.battery.recharge: found a date or time; write a duration in quotes such as "90s" or "5m"`,
	},
	{
		"percent in quotes",
		simUPS + `[recover]
min_charge = "30%"
`,
		`5:1: recover.min_charge: found the text "30%"; write a whole number, without quotes`,
	},
	{
		"metrics at the rack's own door",
		simUPS + `[metrics]
listen = "127.0.0.1:8493"
`,
		`5:1: metrics.listen: "127.0.0.1:8493" is where the rack is listened to; write another port`,
	},
	{
		"metrics on a name only",
		simUPS + `[metrics]
listen = "localhost"
`,
		`5:1: metrics.listen: "localhost" is not HOST:PORT; write an address such as ":8493" or "192.0.2.1:8493", or "" to turn it off`,
	},
	{
		"agent's key in node",
		simUPS + `[node]
masters = []
`,
		"5:1: node.masters: unknown key; known here: alarm, hook, obey_sim, policy, power, role, shutdown, wake",
	},
	{
		"node's grace is unknown word",
		simUPS + `[node.policy]
grace = "forever"
`,
		`5:1: node.policy.grace: "forever" is not a duration; write a duration in quotes such as "90s" or "5m", or "batlow"`,
	},
	{
		"key with an escape sequence",
		`"\u001b[31m" = 1
` + simUPS,
		`1:1: "\x1b[31m": unknown key; known here: alarm, data, discovery, hook, listen, metrics, name, node, recover, run, socket, ups`,
	},
	{
		"own policy at the top",
		simUPS + `[policy]
wait_limit = "1m"
`,
		"4:2: policy: unknown key; it belongs in [node]",
	},
	{
		"own grace at the top",
		`grace = "5m"
` + simUPS,
		"1:1: grace: unknown key; it belongs in [node.policy]",
	},
	{
		"hook at the top is checked",
		simUPS + `[[hook]]
on = ["fail"]
runs = ["/bin/true"]
`,
		`4:3: hook.run: a hook has either run or unit; write run = ["/path/to/program"] or unit = "NAME"
6:1: hook.runs: unknown key; did you mean run?`,
	},
	{
		"cable on a nested list",
		simUPS + `[[ups.cable]]
on_battery = "CTS"
`,
		`4:7: ups.cable: found a list; write text in quotes: "…"`,
	},
}

func TestWrongConfigs(t *testing.T) {
	for _, tt := range wrongConfigs {
		t.Run(tt.name, func(t *testing.T) {
			want := "master.toml:" + strings.ReplaceAll(tt.want, "\n", "\nmaster.toml:")
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
