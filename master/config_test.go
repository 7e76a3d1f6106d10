package master

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// parse is ParseConfig on a host called host1.
func parse(t *testing.T, text string) (Config, error) {
	t.Helper()
	doc, err := config.Parse("master.toml", []byte(text))
	if err != nil {
		return Config{}, err
	}
	return read(doc, "host1")
}

const simUPS = "[[ups]]\nname = \"main\"\nport = \"sim\"\n"

func TestConfigDefaults(t *testing.T) {
	got, err := parse(t, simUPS)
	if err != nil {
		t.Fatal(err)
	}
	u := UPS{
		Name: "main", Port: SimPort, BatLowJump: 10 * time.Second,
		Battery: Battery{LowReserve: 2 * time.Minute, Recharge: 4 * time.Hour},
	}
	u.Settle.Fail, u.Settle.BatLow, u.Settle.OK = 100*time.Millisecond, 500*time.Millisecond, 2*time.Second
	want := Config{
		Name: "host1", Listen: ":8493", Socket: "/run/lastwatt/master/master.sock",
		Data: "/var/lib/lastwatt/master", Run: "/run/lastwatt/master",
		Discovery: Discovery{MDNS: true},
		UPS:       []UPS{u},
		Recover:   Recover{HoldOff: time.Minute, MinCharge: 30, Limit: 30 * time.Minute, Stagger: 5 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestConfigKeepsWhatIsWritten(t *testing.T) {
	got, err := parse(t, `
name = "rack1"
listen = "[::1]:9000"
socket = "/tmp/m.sock"
data = "/tmp//data/"
run = "/tmp/run"
[discovery]
mdns = false
interfaces = ["eth0", "lo"]
[[ups]]
name = "main"
port = "/dev/ttyS0"
cable = "nut-7"
settle = { fail = "1s", batlow = "2s", ok = "3s", batlow_jump = "4s" }
battery = { runtime = "12m", low_reserve = "1m", recharge = "2h" }
[[ups]]
name = "second"
[recover]
hold_off = "1s"
min_charge = 0
limit = "2s"
stagger = "3s"
[node]
role = "host"
policy.grace = "10m"
policy.wait_for = ["*"]
[[node.hook]]
on = ["commit"]
run = ["/bin/two"]
[[hook]]
on = ["fail"]
run = ["/bin/one"]
[metrics]
listen = "127.0.0.1:8495"
`)
	if err != nil {
		t.Fatal(err)
	}
	nut7, _ := line.Lookup("nut-7")
	u := UPS{
		Name: "main", Port: "/dev/ttyS0", Cable: nut7, BatLowJump: 4 * time.Second,
		Battery: Battery{Runtime: 12 * time.Minute, LowReserve: time.Minute, Recharge: 2 * time.Hour},
	}
	u.Settle.Fail, u.Settle.BatLow, u.Settle.OK = time.Second, 2*time.Second, 3*time.Second
	if diff := cmp.Diff(u, got.UPS[0]); diff != "" {
		t.Errorf("ups (-want +got)\n%s", diff)
	}
	if got.UPS[1].Name != "second" || got.UPS[1].Port != "" {
		t.Errorf("a UPS without a port: %+v", got.UPS[1])
	}
	var runs []string
	for _, h := range got.Node.Settings.Hooks {
		runs = append(runs, h.Run[0])
	}
	if want := []string{"/bin/one", "/bin/two"}; !slices.Equal(runs, want) {
		t.Errorf("this host runs the hooks %v, want %v", runs, want)
	}
	if got.Node.Name != "rack1" || got.Node.Role != "host" || got.Node.Settings.Grace != 10*time.Minute {
		t.Errorf("node: %+v", got.Node)
	}
	got.UPS, got.Node, got.Hooks = nil, nil, nil
	want := Config{
		Name: "rack1", Listen: "[::1]:9000", Socket: "/tmp/m.sock", Data: "/tmp/data", Run: "/tmp/run",
		Discovery: Discovery{Interfaces: []string{"eth0", "lo"}},
		Recover:   Recover{HoldOff: time.Second, Limit: 2 * time.Second, Stagger: 3 * time.Second},
		Metrics:   Metrics{Listen: "127.0.0.1:8495"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestInlineCableIsTheCatalogues writes a cable of the catalogue down again.
func TestInlineCableIsTheCatalogues(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"liebert-powersure", `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR", "!RTS"], loops = ["DCD"] }`},
		{"advice-1200a", `{ on_battery = "!CTS", low_battery = "!DSR", drive = ["DTR", "!RTS"], kill = { set = ["RTS"], hold = "5s" } }`},
		{"tripplite-bc-lan", `{ on_battery = "!DCD", drive = ["RTS", "!DTR"], kill = { send = "55", hold = "5s", delay = "2m" }, loops = [] }`},
		{"nut-23", `{ on_battery = "!CTS", low_battery = "!DCD", replace = "!RI", bypass = "!DSR", drive = ["RTS", "!DTR"], kill = { set = ["!RTS", "!DTR"], hold = "5s" } }`},
		{"genpower-powerd", `{ on_battery = "!DCD", present = "DSR", drive = ["RTS"] }`},
		{"nut-11", `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR", "!RTS"], kill = { break = "5s" } }`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, ok := line.Lookup(tt.name)
			if !ok {
				t.Fatal("not in the catalogue")
			}
			c, err := parse(t, "[[ups]]\nname = \"main\"\nport = \"/dev/ttyS0\"\ncable = "+tt.text+"\n")
			if err != nil {
				t.Fatal(err)
			}
			got := c.UPS[0].Cable
			if got.Name != ownCable {
				t.Errorf("a cable without a name is called %q, want %q", got.Name, ownCable)
			}
			got.Name, got.Aliases, got.Title, got.Source, got.Notes = want.Name, want.Aliases, want.Title, want.Source, want.Notes
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestQualifierConfig(t *testing.T) {
	c, err := parse(t, "[[ups]]\nname=\"a\"\nport=\"/dev/ttyS0\"\ncable=\"nut-7\"\nbattery.runtime=\"10m\"\n[[ups]]\nname=\"b\"\nport=\"sim\"\n[[ups]]\nname=\"c\"\nport=\"/dev/ttyS1\"\ncable=\"powerd\"\n")
	if err != nil {
		t.Fatal(err)
	}
	q := c.UPS[0].Qualifier("boot1")
	want := power.QualifierConfig{
		BatLowJump: 10 * time.Second, HasLow: true, PulledReadsLow: true, Name: "a", Boot: "boot1",
		Ledger: power.LedgerConfig{Runtime: 10 * time.Minute, LowReserve: 2 * time.Minute, Recharge: 4 * time.Hour},
	}
	want.Settle.Fail, want.Settle.BatLow, want.Settle.OK = 100*time.Millisecond, 500*time.Millisecond, 2*time.Second
	if diff := cmp.Diff(want, q); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if sim := c.UPS[1].Qualifier("b"); !sim.HasLow || sim.PulledReadsLow {
		t.Errorf("an operator can say low at once, and no plug can be pulled: %+v", sim)
	}
	if c.UPS[2].Qualifier("b").HasLow {
		t.Error("the powerd cable has no low line")
	}
}

func TestLoadConfig(t *testing.T) {
	path := t.TempDir() + "/master.toml"
	if err := os.WriteFile(path, []byte("name = \"x\"\nnmae = 1\n"+simUPS), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := LoadConfig(path)
	if want := path + ":2:1: nmae: unknown key; did you mean name?"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if c, err := ParseConfig("x", []byte("name = \"x\"\n"+simUPS)); err != nil || c.Name != "x" {
		t.Errorf("got %v, %v", c.Name, err)
	}
}

// TestReferenceFile holds that deploy/master.toml can be loaded, that each value
// written in it is the real default, and that it shows every key there is.
func TestReferenceFile(t *testing.T) {
	data, err := os.ReadFile("../deploy/master.toml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse(t, string(data))
	if err != nil {
		t.Fatal(err)
	}
	// What has no default has to be written: the UPS, and that there is a node.
	want, err := parse(t, "[[ups]]\nname = \"main\"\ncable = \"liebert-powersure\"\n[node]\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, nilIsEmpty); diff != "" {
		t.Errorf("(-default +written)\n%s", diff)
	}
	for table, keys := range knownKeys(t, string(data)) {
		for _, key := range keys {
			if table == "node" && key != "role" && key != "policy" || strings.HasPrefix(table, "node.") {
				continue // agent.toml shows them
			}
			if !regexp.MustCompile(`(?m)^[ #]*(` + key + ` *=|\[+([a-z]+\.)*` + key + `\])`).Match(data) {
				t.Errorf("[%s] %s is not in the reference file", table, key)
			}
		}
	}
}

var nilIsEmpty = cmp.FilterValues(func(a, b []string) bool { return len(a)+len(b) == 0 }, cmp.Ignore())

// knownKeys asks the loader itself, by a key that it can't know in each table.
func knownKeys(t *testing.T, text string) map[string][]string {
	t.Helper()
	const stray = "qqqqqqqqqqqqqqqq"
	headers := regexp.MustCompile(`(?m)^ *\[+[a-z._]+\]+`)
	text = stray + " = 1\n" + headers.ReplaceAllString(text, "$0\n"+stray+" = 1\n")
	_, err := parse(t, text)
	if err == nil {
		t.Fatal("a key that nobody knows was taken")
	}
	out := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m): ([a-z._]*?)\.?`+stray+`: unknown key; known here: (.*)$`).FindAllStringSubmatch(err.Error(), -1) {
		out[m[1]] = strings.Split(m[2], ", ")
	}
	if len(out) != 1+len(headers.FindAllString(text, -1)) {
		t.Fatalf("%d tables told their keys:\n%v", len(out), err)
	}
	return out
}
