package master

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/config"
)

// saysTheSame returns how the effective text of a good configuration differs from
// the configuration; "" if it doesn't, or if the text is not a good one.
func saysTheSame(text string) string {
	doc, err := config.Parse("f", []byte(text))
	if err != nil {
		return ""
	}
	first, err := ReadConfig(doc)
	if err != nil {
		return ""
	}
	effective := doc.Effective(nil)
	second, err := ParseConfig("effective", []byte(effective))
	if err != nil {
		return err.Error() + "\n" + effective
	}
	all := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(first, second, cmpopts.EquateEmpty(), all); diff != "" {
		return "(-file +effective)\n" + diff + effective
	}
	return ""
}

func TestTheEffectiveConfigurationSaysTheSame(t *testing.T) {
	text, err := os.ReadFile("../deploy/master.toml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseConfig("f", text); err != nil {
		t.Fatal(err)
	}
	if diff := saysTheSame(string(text)); diff != "" {
		t.Error(diff)
	}
	parts := []struct {
		head string
		more []string
	}{
		{"", []string{`name = "rack1"`, `listen = "127.0.0.1:1"`, `data = "/d//x/"`, `socket = "/s"`}},
		{"[discovery]", []string{"mdns = false", `interfaces = ["eth0", "é"]`}},
		{"[[ups]]\nname = \"main\"\nport = \"sim\"", []string{`cable = "apc-back-ups"`, `settle = { ok = "5s" }`, `battery = { runtime = "12m", recharge = "90m" }`}},
		{"[[ups]]\nname = \"own\"\nport = \"/dev/ttyS0\"\ncable = { on_battery = \"CTS\", drive = [\"DTR\"], kill = { set = [\"RTS\"], hold = \"5s\" } }", []string{"[ups.settle]\nfail = \"0s\""}},
		{"[[ups]]\nname = \"loop\"\n[ups.cable]\non_battery = \"!CTS\"\ndrive = []\nloops = []", []string{`low_battery = "DCD"`, `kill = { send = "55", hold = "1s", delay = "3s" }`}},
		{"[recover]", []string{"min_charge = 0", `limit = "0s"`}},
		{"[node]", []string{`role = "x"`, "obey_sim = true"}},
		{"[node.policy]", []string{`grace = "batlow"`, `wait_for = ["*"]`, `blind_limit = "10m"`}},
		{"[[node.hook]]\non = [\"commit\"]\nrun = [\"/bin/x\", \"a b\"]", []string{`timeout = "1s"`, "drill = true"}},
		{"[[hook]]\non = [\"problem\"]\nunit = \"tell\"", []string{`timeout = "5s"`}},
		{"[[alarm]]\nto = \"ntfy://example.org/rack1\"", []string{`on = ["fail"]`}},
	}
	good := 0
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for i, p := range parts {
			if !(i == 2 || rapid.Bool().Draw(t, "part")) {
				continue
			}
			b.WriteString(p.head + "\n")
			for _, line := range p.more {
				if rapid.Bool().Draw(t, "line") {
					b.WriteString(line + "\n")
				}
			}
		}
		if diff := saysTheSame(b.String()); diff != "" {
			t.Fatal(b.String() + diff)
		}
		if _, err := ParseConfig("f", []byte(b.String())); err != nil {
			t.Fatalf("the test's own mistake: %v\n%s", err, b.String())
		}
		good++
	})
	if good == 0 {
		t.Error("nothing was compared")
	}
}
