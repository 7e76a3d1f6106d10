//go:build linux && (amd64 || arm64)

package line_test

import (
	"os"
	"slices"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// TestTransmit uses the data wire of a port that was parked: it must leave B0, at
// which nothing is sent, and that raises both outputs, which stand at their idle
// levels again before anything else happens.
func TestTransmit(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nut-11", "apc-back-ups-txd", "tripplite-bc-lan"} {
		c, _ := line.Lookup(name)
		tty := vtty.New(t)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := tty.Command(self, tty.Path(), name, "transmit")
		cmd.Env = append(os.Environ(), helperMark+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		events := tty.Events()
		var did []string
		for i, e := range events {
			switch {
			case e.Kind == vtty.Break, e.Kind == vtty.Unbreak, e.Kind == vtty.Data:
				did = append(did, string(e.Kind)+string(e.Data))
				if e.B0 || e.Lines != c.Idle() {
					t.Errorf("%s: %v", name, e)
				}
			case i > 0 && events[i-1].B0 && !e.B0 && (events[i+1].Call != "TIOCMSET" || events[i+1].Lines != c.Idle()):
				t.Errorf("%s: after leaving B0: %v", name, events[i+1])
			}
		}
		if want := []string{"break", "unbreak", "dataUU"}; !slices.Equal(did, want) {
			t.Errorf("%s: %v, want %v", name, did, want)
		}
	}
}

func TestAsserted(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  line.Lines
		reads bool
	}{
		{"nut-7", line.DTR, false},
		{"nut-2", line.DTR | line.RTS, true},
		{"nut-4", 0, false},
		{"apc-back-ups", line.RTS, true},
		{"nut-0", line.RTS, false},
		{"advice-1200a", line.DTR | line.RTS, true},
		{"nut-11", line.DTR, true}, // a break: the levels stay
	} {
		cable, ok := line.Lookup(c.name)
		if got := cable.Asserted(); !ok || got != c.want || cable.ReadsInKill() != c.reads {
			t.Errorf("%s: asserted %s, reads %v", c.name, got, cable.ReadsInKill())
		}
		if len(cable.Kill.Set) > 0 && !vtty.Killing(cable, cable.Asserted()) {
			t.Errorf("%s: does not kill", c.name)
		}
	}
}
