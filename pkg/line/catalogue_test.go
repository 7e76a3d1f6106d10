package line

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// row is one line of testdata/cables.tsv: every cable of every source, by itself.
type row map[string]string

func readRows(t *testing.T) []row {
	t.Helper()
	data, err := os.ReadFile("testdata/cables.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var rows []row
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		cells := strings.Split(s.Text(), "\t")
		if names == nil {
			names = cells
			continue
		}
		r := row{}
		for i, name := range names {
			r[name] = cells[i]
		}
		rows = append(rows, r)
	}
	if len(rows) != 64 {
		t.Fatalf("%d rows in the table, want 64", len(rows))
	}
	return rows
}

// says reads one cell by itself, without a line of the package's own reading: is
// what it names so while the wires named in high stand high?
func says(cell string, high []string) bool {
	if cell == "" {
		return false
	}
	if cell[0] == '!' {
		return !slices.Contains(high, cell[1:])
	}
	return slices.Contains(high, cell)
}

func TestEveryRowDecodesAsTheTableSays(t *testing.T) {
	t.Parallel()
	wires := []string{"CTS", "DSR", "DCD", "RI"}
	bits := []Lines{0x020, 0x100, 0x040, 0x080} // asm-generic/termios.h
	for _, r := range readRows(t) {
		t.Run(r["name"], func(t *testing.T) {
			t.Parallel()
			c, ok := Lookup(r["name"])
			if !ok {
				t.Fatal("not in the catalogue")
			}
			for n := range 16 {
				var high []string
				var in Lines
				for i := range wires {
					if n>>i&1 == 1 {
						high = append(high, wires[i])
						in |= bits[i]
					}
				}
				want := power.Signals{
					OnBattery: says(r["on_battery"], high),
					Low:       says(r["low_battery"], high),
					Replace:   says(r["replace"], high),
					Bypass:    says(r["bypass"], high),
				}
				unplugged := r["present"] != "" && !says(r["present"], high)
				impossible := r["name"] == "nut-23" && n == 0 // on battery and past the UPS
				got := c.Decode(in)
				if unplugged || impossible {
					if !got.Blind || got.Reason == "" {
						t.Errorf("%v: %+v, want blind with a reason", high, got)
					}
					continue
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%v (-want +got):\n%s", high, diff)
				}
			}
		})
	}
}

func TestEveryRowIsWhole(t *testing.T) {
	t.Parallel()
	for _, r := range readRows(t) {
		c, ok := Lookup(r["name"])
		if !ok {
			t.Errorf("%s is not in the catalogue", r["name"])
			continue
		}
		text := c.text()
		kill := killText{Delay: "120s"}
		if text.Kill != nil {
			kill = *text.Kill
		}
		for _, f := range []struct{ field, got, want string }{
			{"drive", sorted(text.Drive...), sorted(strings.Fields(r["drive"])...)},
			{"kill_set", sorted(kill.Set...), sorted(strings.Fields(r["kill_set"])...)},
			{"kill_break", kill.Break, r["kill_break"]},
			{"kill_send_hex", kill.Send, r["kill_send_hex"]},
			{"kill_hold", kill.Hold, r["kill_hold"]},
			{"kill delay", kill.Delay, "120s"},
		} {
			if f.got != f.want {
				t.Errorf("%s: %s is %q, want %q", r["name"], f.field, f.got, f.want)
			}
		}
		for _, f := range []struct{ field, got string }{{"title", c.Title}, {"source", c.Source}, {"notes", c.Notes}} {
			if !strings.Contains(f.got, r[f.field]) {
				t.Errorf("%s: %s %q has lost %q", r["name"], f.field, f.got, r[f.field])
			}
		}
	}
}

func sorted(words ...string) string {
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestCatalogueHasNothingElse(t *testing.T) {
	t.Parallel()
	var names, want []string
	for _, c := range Catalogue() {
		names = append(append(names, c.Name), c.Aliases...)
	}
	for _, r := range readRows(t) {
		want = append(want, r["name"])
	}
	if diff := cmp.Diff(sorted(want...), sorted(names...)); diff != "" {
		t.Errorf("names (-table +catalogue):\n%s", diff)
	}
	if _, ok := Lookup("no-such-cable"); ok {
		t.Error("found a cable that does not exist")
	}
}

// Law 4: the idle levels are no kill levels, and B0 is used only where lowering
// the lines can't be one.
func TestLaw04IdleNeverKills(t *testing.T) {
	t.Parallel()
	parked := 0
	for _, c := range Catalogue() {
		if met(c.Kill.Set, c.Idle()) {
			t.Errorf("%s kills while it idles", c.Name)
		}
		// Every level that the lines can pass through on their way down.
		falls := false
		for _, low := range []Lines{DTR, RTS, DTR | RTS} {
			falls = falls || met(c.Kill.Set, c.Idle()&^low)
		}
		if c.Parkable() == falls {
			t.Errorf("%s: parkable %v, but lowering its outputs kills: %v", c.Name, c.Parkable(), falls)
		}
		if c.Parkable() {
			parked++
		}
	}
	if want := len(Catalogue()) - 3; parked != want { // nut-0, nut-4, nut-23
		t.Errorf("%d cables may be parked, want %d", parked, want)
	}
}

// The figures of docs/cables.md.
func TestPulledPlugs(t *testing.T) {
	t.Parallel()
	low, told, silent := 0, 0, 0
	for _, r := range readRows(t) {
		c, _ := Lookup(r["name"])
		out := c.PulledAtComputer()
		switch {
		case out.Signals.Blind:
			told++
		case out.Silent():
			silent++
		}
		if c.PulledReadsLow() {
			low++
			if !out.Signals.Blind && !(out.Signals.OnBattery && out.Signals.Low) {
				t.Errorf("%s reads low when pulled, but as %v", c.Name, out)
			}
		}
	}
	if diff := cmp.Diff([]int{30, 10, 25}, []int{low, told, silent}); diff != "" {
		t.Errorf("low, told, silent (-want +got):\n%s", diff)
	}
}

func TestCatalogueIsTheCallers(t *testing.T) {
	t.Parallel()
	c, _ := Lookup("nut-7")
	c.Drive[0], c.Aliases[0], c.Kill.Set[0] = Term{}, "", Term{}
	all := Catalogue()
	all[0].Drive[0], all[0].Name = Term{}, ""
	again, _ := Lookup("nut-7")
	if err := again.Validate(); err != nil || again.Aliases[0] == "" || !Catalogue()[0].Drive[0].Wired() {
		t.Errorf("a caller has changed the catalogue: %v %+v", err, again)
	}
}

func TestBrokenCatalogueIsTold(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"unknown key": "[[cable]]\nname = \"x\"\non_battery = \"CTS\"\nlow = \"DCD\"\n",
		"no signal":   "[[cable]]\nname = \"x\"\n",
	} {
		if _, err := parseCatalogue([]byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
