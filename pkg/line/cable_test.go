package line

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTerm(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Term{
		"": {}, "CTS": {Line: CTS}, "!DCD": {DCD, true}, "RI": {Line: RI}, "!DSR": {DSR, true}, "DTR": {Line: DTR}, "!RTS": {RTS, true},
	} {
		got, err := ParseTerm(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("ParseTerm(%q) = %v (%q), %v; want %v", s, got, got.String(), err, want)
		}
	}
	for _, s := range []string{"!", "cts", "!!CTS", "CTS ", "CTS DCD", "CD"} {
		if got, err := ParseTerm(s); err == nil {
			t.Errorf("ParseTerm(%q) = %v, want an error", s, got)
		}
	}
	if (Term{}).In(Inputs) || (Term{}).In(0) || !(Term{CTS, true}).In(DCD) || (Term{CTS, true}).In(CTS) || !(Term{Line: CTS}).In(CTS) {
		t.Error("In is wrong")
	}
}

func TestLinesNames(t *testing.T) {
	t.Parallel()
	if got := (DTR | DCD).String(); got != "DTR DCD" {
		t.Errorf("String = %q", got)
	}
	if got := Lines(0).String(); got != "none" {
		t.Errorf("String = %q", got)
	}
	if got, _ := json.Marshal(Lines(0).Names()); string(got) != "[]" {
		t.Errorf("no lines in JSON: %s", got)
	}
	if got := strings.Join((Inputs | Outputs | 0x4000).Names(), " "); got != "DTR RTS CTS DSR DCD RI" {
		t.Errorf("Names = %q", got)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range Catalogue() {
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again Cable
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(c, again); diff != "" {
			t.Errorf("%s (-before +after):\n%s", c.Name, diff)
		}
	}
}

func TestJSONNames(t *testing.T) {
	t.Parallel()
	c := Cable{
		Name: "x", Aliases: []string{"y"}, Title: "t", Source: "s", Notes: "n",
		OnBattery: Term{Line: CTS}, LowBattery: Term{DCD, true}, Present: Term{Line: DSR}, Replace: Term{Line: RI},
		Drive: []Term{{Line: DTR}, {RTS, true}}, Loops: []Term{},
		Kill: Kill{Set: []Term{{Line: RTS}}, Hold: 5 * time.Second, Delay: 90 * time.Second},
	}
	got, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"x","aliases":["y"],"title":"t","on_battery":"CTS","low_battery":"!DCD","present":"DSR","replace":"RI","drive":["DTR","!RTS"],"loops":[],"kill":{"set":["RTS"],"hold":"5s","delay":"90s"},"source":"s","notes":"n"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	c.Kill = Kill{Send: []byte{0x55, 0x0a}, Hold: 1500 * time.Millisecond}
	if got, _ := json.Marshal(c); !strings.Contains(string(got), `"kill":{"send":"550a","hold":"1.5s","delay":"0s"}`) {
		t.Errorf("send: %s", got)
	}
	c.Kill, c.Loops = Kill{Break: 5 * time.Second, Delay: DefaultKillDelay}, nil
	if got, _ := json.Marshal(c); !strings.Contains(string(got), `"kill":{"break":"5s","delay":"120s"}`) || strings.Contains(string(got), "loops") {
		t.Errorf("break: %s", got)
	}
}

func TestBadCables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, json, want string }{
		{"no signal", `{}`, `on_battery: missing; write the input that says so, for example "CTS", or "!CTS" when it says so while low`},
		{"unknown line", `{"on_battery":"CTX"}`, `on_battery: "CTX" is not a line; write DTR, RTS, CTS, DSR, DCD or RI, after "!" when it means something while low`},
		{"signal on an output", `{"on_battery":"RTS"}`, `on_battery: RTS is not an input; write CTS, DSR, DCD or RI`},
		{"low on an output", `{"on_battery":"CTS","low_battery":"!DTR"}`, `low_battery: DTR is not an input; write CTS, DSR, DCD or RI`},
		{"one line, two meanings", `{"on_battery":"CTS","present":"!CTS"}`, `present: CTS is on_battery already; one line means one thing`},
		{"drives an input", `{"on_battery":"CTS","drive":["DCD"]}`, `drive: "DCD" can't stand here; write an output: DTR or RTS`},
		{"drives both ways", `{"on_battery":"CTS","drive":["DTR","!DTR"]}`, `drive: DTR is named twice; name it once, as DTR or as !DTR`},
		{"empty name", `{"on_battery":"CTS","drive":[""]}`, `drive: an empty name; write a line, or leave it out`},
		{"loop on an output", `{"on_battery":"CTS","loops":["RTS"]}`, `loops: "RTS" can't stand here; write an input: CTS, DSR, DCD or RI`},
		{"kills on an input", `{"on_battery":"CTS","kill":{"set":["RI"],"hold":"5s"}}`, `kill.set: "RI" can't stand here; write an output: DTR or RTS`},
		{"idles at the kill", `{"on_battery":"CTS","drive":["RTS"],"kill":{"set":["RTS"],"hold":"5s"}}`, `kill.set: the cable stands so all the time by drive, an output not named there being low; write in drive the levels that do not cut the load`},
		{"idles at a low kill", `{"on_battery":"CTS","kill":{"set":["!RTS"],"hold":"5s"}}`, `kill.set: the cable stands so all the time by drive, an output not named there being low; write in drive the levels that do not cut the load`},
		{"two kills", `{"on_battery":"CTS","kill":{"set":["RTS"],"send":"55","hold":"5s"}}`, `kill: more than one of set, break and send; write the one that cuts the load`},
		{"no hold", `{"on_battery":"CTS","kill":{"set":["RTS"]}}`, `kill.hold: missing; write how long the UPS wants it, for example "5s"`},
		{"break with hold", `{"on_battery":"CTS","kill":{"break":"5s","hold":"5s"}}`, `kill.hold: means nothing beside break; write the time in break alone`},
		{"negative hold", `{"on_battery":"CTS","kill":{"set":["RTS"],"hold":"-5s"}}`, `kill.hold: -5s is out of range; write 0s to 10m0s`},
		{"endless delay", `{"on_battery":"CTS","kill":{"break":"5s","delay":"1h"}}`, `kill.delay: 1h0m0s is out of range; write 0s to 10m0s`},
		{"no kill in kill", `{"on_battery":"CTS","kill":{"hold":"5s"}}`, `kill: says how long but not what; write set, break or send, or leave kill out`},
		{"not hex", `{"on_battery":"CTS","kill":{"send":"5x","hold":"5s"}}`, `kill.send: "5x" is not hex; write two digits for each byte, for example "55"`},
		{"not a time", `{"on_battery":"CTS","kill":{"break":"5"}}`, `kill.break: "5" is not a time; write one like "5s"`},
		{"unknown key", `{"on_battery":"CTS","lowbattery":"DCD"}`, `json: unknown field "lowbattery"`},
		{"all at once", `{"on_battery":"RTS","drive":["RI"]}`, "on_battery: RTS is not an input; write CTS, DSR, DCD or RI\ndrive: \"RI\" can't stand here; write an output: DTR or RTS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Cable{Name: "before"}
			err := json.Unmarshal([]byte(tt.json), &c)
			if err == nil {
				t.Fatalf("no error: %+v", c)
			}
			_, got, _ := strings.Cut(err.Error(), ": ")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if c.Name != "before" {
				t.Error("a bad cable was taken over")
			}
		})
	}
}

func TestValidateOfBrokenTerms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Cable{
		"two lines in one":  {OnBattery: Term{Line: CTS | DCD}},
		"an unknown line":   {OnBattery: Term{Line: 0x4000}},
		"no line in drive":  {OnBattery: Term{Line: CTS}, Drive: []Term{{}}},
		"two lines in kill": {OnBattery: Term{Line: CTS}, Kill: Kill{Set: []Term{{Line: DTR | RTS}}, Hold: time.Second}},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReadingInWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ cable, computer, ups string }{
		{"liebert-powersure", "on mains with a weak battery: an outage can't be seen", "on mains: nothing can be seen, not even that the cable is out"},
		{"nut-7", "on battery and battery low", "not known: it depends on pull-ups inside the cable"},
		{"tripplite-bc-lan", "on battery", "on battery"},
		{"apc-smart-ups-nt", "on battery and battery low", "on battery and battery low"},
		{"apc-940-0095a", "unknown, which is told: no plug: the cable says so on DSR; check both ends of it", "on mains: nothing can be seen, not even that the cable is out"},
	} {
		c, _ := Lookup(tt.cable)
		if got := c.PulledAtComputer().String(); got != tt.computer {
			t.Errorf("%s at the computer: %q, want %q", tt.cable, got, tt.computer)
		}
		if got := c.PulledAtUPS().String(); got != tt.ups {
			t.Errorf("%s at the UPS: %q, want %q", tt.cable, got, tt.ups)
		}
	}
}

// What can be read must be valid and read the same again.
func FuzzCableJSON(f *testing.F) {
	for _, c := range Catalogue() {
		data, _ := json.Marshal(c)
		f.Add(data)
	}
	f.Add([]byte(`{"on_battery":"!RI","loops":[],"kill":{"send":"55AA","hold":"1ns","delay":"0s"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Cable
		if json.Unmarshal(data, &c) != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("read but not valid: %v", err)
		}
		if met(c.Kill.Set, c.Idle()) {
			t.Fatal("kills while it idles")
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var second Cable
		if err := json.Unmarshal(again, &second); err != nil {
			t.Fatalf("written %s, not read again: %v", again, err)
		}
		third, _ := json.Marshal(second)
		if string(again) != string(third) {
			t.Fatalf("written %s, then %s", again, third)
		}
	})
}

func FuzzTerm(f *testing.F) {
	for _, s := range []string{"", "CTS", "!DCD", "!", "RI "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if term, err := ParseTerm(s); err == nil && term.String() != s {
			t.Fatalf("%q was read as %q", s, term)
		}
	})
}
