package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWrongCommandLines: exit status 2, nothing on stdout, and on stderr what is
// wrong and what to write.
func TestWrongCommandLines(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "upsctl: no verb\n'upsctl help' lists all verbs\n"},
		{"unknown verb", []string{"frobnicate"}, "upsctl: unknown verb \"frobnicate\"\n'upsctl help' lists all verbs\n"},
		{"typing error", []string{"statsu"}, "upsctl: unknown verb \"statsu\"\ndid you mean status? 'upsctl help' lists all verbs\n"},
		{"verb that moves the cursor", []string{"a\x1b[2Jb"}, "upsctl: unknown verb \"a\\x1b[2Jb\"\n'upsctl help' lists all verbs\n"},
		{"help of nothing", []string{"help", "frobnicate"}, "upsctl: unknown verb \"frobnicate\"\n'upsctl help' lists all verbs\n"},
		{"unknown global flag", []string{"--frob", "status"}, "upsctl: unknown flag: --frob\nusage: upsctl [--socket PATH | --master HOST:PORT] [--json] VERB; see 'upsctl --help'\n"},
		{"unknown flag", []string{"status", "--frob"}, "upsctl: unknown flag: --frob\nusage: upsctl status [--all] [--watch] [--plain]; see 'upsctl status --help'\n"},
		{"unknown short flag", []string{"status", "-x"}, "upsctl: unknown shorthand flag: 'x' in -x\nusage: upsctl status [--all] [--watch] [--plain]; see 'upsctl status --help'\n"},
		{"flag without its value", []string{"status", "--socket"}, "upsctl: flag needs an argument: --socket\nusage: upsctl status [--all] [--watch] [--plain]; see 'upsctl status --help'\n"},
		{"switch with a value", []string{"status", "--json=maybe"}, "upsctl: invalid argument \"maybe\" for \"--json\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax\nusage: upsctl status [--all] [--watch] [--plain]; see 'upsctl status --help'\n"},
		{"two to ask", []string{"--socket", "/s", "--master", "h:1", "status"}, "upsctl: --socket and --master exclude each other\nname the one to ask\n"},
		{"status of something", []string{"status", "web1"}, "upsctl: upsctl status does not take \"web1\"\nusage: upsctl status [--all] [--watch] [--plain]; see 'upsctl status --help'\n"},
		{"node alone", []string{"node"}, "upsctl: upsctl node what?\nwrite upsctl node list or remove\n"},
		{"node unknown", []string{"node", "kill"}, "upsctl: upsctl node does not know \"kill\"\nwrite upsctl node list or remove\n"},
		{"token alone", []string{"token"}, "upsctl: upsctl token what?\nwrite upsctl token create or list or revoke\n"},
		{"token for a king", []string{"token", "create", "--role", "king"}, "upsctl: --role \"king\" is none\nwrite --role agent, operator or viewer\n"},
		{"token for no time", []string{"token", "create", "--ttl", "0s"}, "upsctl: --ttl 0s is not more than zero\nusage: upsctl token create [--role agent|operator|viewer] [--ttl 15m] [--replace NODE]; see 'upsctl token create --help'\n"},
		{"token for a while", []string{"token", "create", "--ttl", "soon"}, "upsctl: invalid argument \"soon\" for \"--ttl\" flag: time: invalid duration \"soon\"\nusage: upsctl token create [--role agent|operator|viewer] [--ttl 15m] [--replace NODE]; see 'upsctl token create --help'\n"},
		{"hold nobody", []string{"hold"}, "upsctl: too few arguments for upsctl hold\nusage: upsctl hold [--for 30m] NODE...; see 'upsctl hold --help'\n"},
		{"hold for less than nothing", []string{"hold", "--for", "-1m", "web1"}, "upsctl: --for -1m0s is not more than zero\nusage: upsctl hold [--for 30m] NODE...; see 'upsctl hold --help'\n"},
		{"release nobody", []string{"release"}, "upsctl: too few arguments for upsctl release\nusage: upsctl release NODE...; see 'upsctl release --help'\n"},
		{"shutdown nobody", []string{"shutdown", "--yes"}, "upsctl: too few arguments for upsctl shutdown\nusage: upsctl shutdown [--yes] NODE...; see 'upsctl shutdown --help'\n"},
		{"shutdown by a script that did not say yes", []string{"shutdown", "web1"}, "upsctl: nobody can be asked whether it is meant: this is no terminal\nwrite --yes if it is\n"},
		{"sim nothing", []string{"sim"}, "upsctl: too few arguments for upsctl sim\nusage: upsctl sim ok|fail|batlow [UPS]; see 'upsctl sim --help'\n"},
		{"sim explode", []string{"sim", "explode"}, "upsctl: a UPS can't be \"explode\"\nwrite ok, fail or batlow\n"},
		{"sim two", []string{"sim", "ok", "a", "b"}, "upsctl: upsctl sim does not take \"b\"\nusage: upsctl sim ok|fail|batlow [UPS]; see 'upsctl sim --help'\n"},
		{"events since", []string{"events", "--last", "-1"}, "upsctl: invalid argument \"-1\" for \"--last\" flag: strconv.ParseUint: parsing \"-1\": invalid syntax\nusage: upsctl events [--follow] [--last 100]; see 'upsctl events --help'\n"},
		{"alarm alone", []string{"alarm"}, "upsctl: upsctl alarm what?\nwrite upsctl alarm test\n"},
		{"alarm somebody", []string{"alarm", "test", "bob"}, "upsctl: upsctl alarm test does not take \"bob\"\nusage: upsctl alarm test; see 'upsctl alarm test --help'\n"},
		{"cables what", []string{"cables", "sell"}, "upsctl: upsctl cables does not know \"sell\"\nwrite upsctl cables list or show\n"},
		{"cables show nothing", []string{"cables", "show"}, "upsctl: too few arguments for upsctl cables show\nusage: upsctl cables show NAME; see 'upsctl cables show --help'\n"},
		{"cable unknown", []string{"cables", "show", "usb-c"}, "upsctl: no cable is called \"usb-c\"\n'upsctl cables' lists all; one that is not among them is written into master.toml as a table\n"},
		{"check nothing", []string{"check"}, "upsctl: too few arguments for upsctl check\nusage: upsctl check FILE...; see 'upsctl check --help'\n"},
		{"version of", []string{"version", "x"}, "upsctl: upsctl version does not take \"x\"\nusage: upsctl version; see 'upsctl version --help'\n"},
		{"demo of", []string{"demo", "x"}, "upsctl: upsctl demo does not take \"x\"\nusage: upsctl demo [--plain]; see 'upsctl demo --help'\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(result{exitUsage, "", tt.want}, run(t, nil, tt.args...)); diff != "" {
				t.Errorf("upsctl %q (-want +got):\n%s", tt.args, diff)
			}
		})
	}
}

// TestHelpNamesEveryVerb: each verb has a line of its own and help for itself.
func TestHelpNamesEveryVerb(t *testing.T) {
	for _, verb := range (&cli{}).root().Commands() {
		if got := run(t, nil, verb.Name(), "--help"); got.Code != exitWell || got.Out == "" || got.Err != "" {
			t.Errorf("upsctl %s --help: %+v", verb.Name(), got)
		}
	}
}

func TestCompletion(t *testing.T) {
	socket := (&fake{status: answer(wellRack())}).serve(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"nodes", []string{"__complete", "--socket", socket, "hold", ""}, "web1\n:4\n"},
		{"nodes begun otherwise", []string{"__complete", "--socket", socket, "hold", "x"}, ":4\n"},
		{"cables", []string{"__complete", "cables", "show", "liebert-p"}, "liebert-powersure\n:4\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := run(t, nil, tt.args...); got.Code != exitWell || got.Out != tt.want {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
		})
	}
	if got := run(t, nil, "completion", "bash"); got.Code != exitWell || len(got.Out) < 1000 {
		t.Errorf("completion bash: %+v", got)
	}
}
