//go:build linux && (amd64 || arm64)

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// checkLine holds law 4 against all that happened on a port: the first call after
// an open sets the outputs, and nothing after it asserts the kill.
func checkLine(t testing.TB, c line.Cable, events []vtty.Event) {
	t.Helper()
	set := false // the outputs were set since the last pulse of an open
	for i, e := range events {
		switch {
		case e.Kind == vtty.Open && (e.Was != e.Lines || i == 0), e.Kind == vtty.Unplug:
			set = false
		case e.Kind == vtty.Ioctl && e.Call == "TIOCMSET":
			set = true
		case e.Kind == vtty.Ioctl && !set:
			t.Errorf("%s before the outputs were set:\n%s", e.Call, tell(events[:i+1]))
		}
		if set && vtty.Killing(c, e.Lines) || e.Kind == vtty.Break || e.Kind == vtty.Data {
			t.Errorf("the kill line moved: %v\n%s", e, tell(events[:i+1]))
		}
		if t.Failed() {
			return
		}
	}
	if !set {
		t.Errorf("the outputs were never set:\n%s", tell(events))
	}
}

// untouched fails the test if the UPS could see anything happen on its port.
func untouched(t testing.TB, what string, events []vtty.Event) {
	t.Helper()
	for _, e := range events {
		if e.Output() {
			t.Errorf("%s touched the line: %v\n%s", what, e, tell(events))
			return
		}
	}
}

func tell(events []vtty.Event) string {
	var b strings.Builder
	for _, e := range events[max(0, len(events)-20):] {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// TestLaw04EveryCable starts, restarts and crashes a master on every cable of the
// catalogue, and lets a stranger open its port.
func TestLaw04EveryCable(t *testing.T) {
	t.Parallel()
	for _, c := range line.Catalogue() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r := newRack(t, rackOptions{cable: c.Name})
			r.manager = newManager(t, r.dir)
			r.startMaster()
			if got := r.tty.Outputs(); got != c.Idle() {
				t.Fatalf("outputs %s, want the idle levels %s", got, c.Idle())
			}
			until(t, "the port in the store", func() bool { return r.manager.stored("ups-main") }, r.master.tail)

			mark := len(r.tty.Events())
			r.master.stop()
			r.startMaster()
			untouched(t, "a restart", r.tty.Events()[mark:])
			r.master.kill()
			r.startMaster()
			untouched(t, "a crash and a restart", r.tty.Events()[mark:])

			if c.Parkable() {
				r.tty.Share() // a stranger who is root
				stranger(t, r.tty)
				untouched(t, "a stranger", r.tty.Events()[mark:])
			}
			r.ups.Mains(false)
			r.await("FAIL", reads("FAIL"))
		})
	}
}

// stranger opens the port, looks at it and closes it, as getty and ModemManager do
// uninvited.
func stranger(t testing.TB, tty *vtty.TTY) {
	t.Helper()
	mark := len(tty.Events())
	if out, err := tty.Command("stty", "-F", tty.Path(), "-a").CombinedOutput(); err != nil {
		t.Fatalf("stty: %v: %s", err, out)
	}
	for _, e := range tty.Events()[mark:] {
		if e.Kind == vtty.Open {
			return
		}
	}
	t.Fatalf("the stranger did not open the port:\n%s", tell(tty.Events()))
}

// TestWithoutAStore restarts a master where no service manager keeps the port
// open: whatever it does to its lines then, the kill stays idle but for the pulse
// of the open itself.
func TestWithoutAStore(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"liebert-powersure", "apc-back-ups", "nut-4", "nut-7"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRack(t, rackOptions{cable: name})
			r.startMaster()
			mark := len(r.tty.Events())
			r.master.stop()
			r.startMaster()
			if r.cable.Parkable() {
				untouched(t, "a restart on a parked port", r.tty.Events()[mark:])
			}
			r.ups.Mains(false)
			r.await("FAIL", reads("FAIL"))
		})
	}
}
