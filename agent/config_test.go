package agent

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/node"
)

// parse is ParseConfig on a host called host1.
func parse(t *testing.T, text string) (Config, error) {
	t.Helper()
	doc, err := config.Parse("agent.toml", []byte(text))
	if err != nil {
		return Config{}, err
	}
	return read(doc, "host1")
}

// TestConfigDefaults: an empty file is a whole configuration.
func TestConfigDefaults(t *testing.T) {
	got, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name: "host1", Listen: ":8494", Socket: "/run/lastwatt/agent/agent.sock",
		Data: "/var/lib/lastwatt/agent", Run: "/run/lastwatt/agent", Discovery: Discovery{MDNS: true},
		Settings: node.Settings{
			Need: 1, Grace: 5 * time.Minute, GraceMin: 30 * time.Second,
			WaitLimit: 2 * time.Minute, WaitLimitBatLow: 20 * time.Second, LostLimit: 2 * time.Minute,
			Methods: []string{"logind", "systemctl"}, StopTime: 2 * time.Minute,
			Wake: []string{"cycle", "wol"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestConfigKeepsWhatIsWritten(t *testing.T) {
	got, err := parse(t, `
name = "web1"
role = "compute"
listen = ""
socket = "/tmp/a.sock"
masters = ["rack1:8493", "[2001:db8::1]:8493", "srv:example.org"]
data = "/tmp/data"
run = "/tmp/run"
obey_sim = true
policy.grace = "batlow"
discovery = { mdns = false, interfaces = ["eth0"] }
`)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Settings.ObeySim || !got.Settings.GraceBatLow {
		t.Errorf("obey_sim and grace did not arrive: %+v", got.Settings)
	}
	got.Settings = node.Settings{}
	want := Config{
		Name: "web1", Role: "compute", Socket: "/tmp/a.sock",
		Masters: []string{"rack1:8493", "[2001:db8::1]:8493", "srv:example.org"},
		Data:    "/tmp/data", Run: "/tmp/run", Discovery: Discovery{Interfaces: []string{"eth0"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestHostNameThatWillNotDo: a host's own name need not be one for a member.
func TestHostNameThatWillNotDo(t *testing.T) {
	doc, err := config.Parse("agent.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(doc, "")
	const want = `agent.toml:1:1: name: missing, and this host's own name will not do ("" is no name: a name has 1 to 63 of A-Z a-z 0-9 . _ - and begins with a letter or digit); write name = "web1"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLoadConfig(t *testing.T) {
	path := t.TempDir() + "/agent.toml"
	if err := os.WriteFile(path, []byte("name = \"x\"\nmastres = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(path)
	if want := path + ":2:1: mastres: unknown key; did you mean masters?"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if c, err := ParseConfig("x", []byte("name = \"x\"\n")); err != nil || c.Name != "x" {
		t.Errorf("got %v, %v", c.Name, err)
	}
}

// TestReferenceFile holds that deploy/agent.toml can be loaded, that each value
// written in it, in its comments too, is the real default, and that it shows every
// key there is.
func TestReferenceFile(t *testing.T) {
	data, err := os.ReadFile("../deploy/agent.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse(t, string(data))
	if err != nil {
		t.Fatal(err)
	}
	want, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	nilIsEmpty := cmp.FilterValues(func(a, b []string) bool { return len(a)+len(b) == 0 }, cmp.Ignore())
	if diff := cmp.Diff(want, got, nilIsEmpty); diff != "" {
		t.Errorf("(-default +written)\n%s", diff)
	}

	// The hook and the alarm are there as comments only; take them out of these.
	text := regexp.MustCompile(`(?m)^# (\[\[|[a-z]+ = )`).ReplaceAllString(string(data), "$1")
	text = regexp.MustCompile(`(?m)^unit = .*$`).ReplaceAllString(text, "") // in place of run
	written, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	least, err := parse(t, "[[hook]]\non = [\"commit\"]\nrun = [\"/usr/local/sbin/stop-db\"]\n[[alarm]]\nto = \"ntfy://ntfy.example.org/rack1\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(least.Settings, written.Settings, nilIsEmpty); diff != "" {
		t.Errorf("hook and alarm (-default +written)\n%s", diff)
	}
	for table, keys := range knownKeys(t, text) {
		for _, key := range keys {
			if !regexp.MustCompile(`(?m)^[ #]*(` + key + ` *=|\[+` + key + `\])`).Match(data) {
				t.Errorf("[%s] %s is not in the reference file", table, key)
			}
		}
	}
}

// knownKeys asks the loader itself, by a key that it can't know in each table.
func knownKeys(t *testing.T, text string) map[string][]string {
	t.Helper()
	const stray = "qqqqqqqqqqqqqqqq"
	headers := regexp.MustCompile(`(?m)^\[+[a-z]+\]+`)
	text = stray + " = 1\n" + headers.ReplaceAllString(text, "$0\n"+stray+" = 1\n")
	_, err := parse(t, text)
	if err == nil {
		t.Fatal("a key that nobody knows was taken")
	}
	out := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m): ([a-z]*)\.?`+stray+`: unknown key; known here: (.*)$`).FindAllStringSubmatch(err.Error(), -1) {
		out[m[1]] = strings.Split(m[2], ", ")
	}
	if len(out) != 1+len(headers.FindAllString(text, -1)) {
		t.Fatalf("%d tables told their keys:\n%v", len(out), err)
	}
	return out
}
