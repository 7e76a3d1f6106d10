package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	master := write("master.toml", "name = \"rack1\"\n[[ups]]\nname = \"main\"\nport = \"sim\"\n")
	agent := write("agent.toml", "name = \"web1\"\n")
	other := write("rack.toml", "[[ups]]\nname = \"main\"\nport = \"sim\"\n")
	bad := write("bad-agent.toml", "nam = \"web1\"\n[policy]\ngrace = \"soon\"\n")
	broken := write("broken.toml", "name = \n")
	for _, tt := range []struct {
		name string
		args []string
		want result
	}{
		{"good", []string{master, agent, other}, result{0, master + ": good (upsmaster)\n" + agent + ": good (upsagent)\n" + other + ": good (upsmaster)\n", ""}},
		{"missing", []string{agent, filepath.Join(dir, "none.toml")}, result{1, "", "upsctl: cannot read the configuration: open " + filepath.Join(dir, "none.toml") + ": no such file or directory\n"}},
		{"good for programs", []string{"--json", agent}, result{0, "[\n  {\n    \"file\": \"" + agent + "\",\n    \"kind\": \"agent\",\n    \"mistakes\": []\n  }\n]\n", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, run(t, nil, append([]string{"check"}, tt.args...)...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// The words for each mistake are pkg/config's; here it counts that all are said.
	got := run(t, nil, "check", bad, agent, broken)
	for _, want := range []string{bad + ":1:1: nam: ", bad + ":3:1: policy.grace: ", agent + ": good", broken + ":1:"} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("%q is not said: %s", want, got.Out)
		}
	}
	if got.Code != exitAttention || got.Err != "" {
		t.Errorf("%+v", got)
	}
}
