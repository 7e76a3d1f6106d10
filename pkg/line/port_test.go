//go:build linux && (amd64 || arm64)

package line_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

func TestSamplesOfAPort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, cable string
		refuse      []string
		toggle      line.Lines
	}{
		{"a full driver", "liebert-powersure", nil, line.CTS},
		{"a driver that can't wait", "liebert-powersure", []string{"TIOCMIWAIT"}, line.CTS},
		{"a driver that can't count", "liebert-powersure", []string{"TIOCGICOUNT"}, line.CTS},
		{"RI, whose rise wakes nobody", "nut-1", nil, line.RI},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tty := vtty.New(t)
			tty.Refuse(tt.refuse...)
			w := watch(t, tty, tt.cable, "", nil)
			w.until(reads(0))
			for range 5 {
				tty.SetInputs(tt.toggle)
				w.until(reads(tt.toggle))
				tty.SetInputs(0)
				w.until(reads(0))
			}
			w.end()
		})
	}
}

func TestChangeWakesAnIdlePort(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	w := watch(t, tty, "liebert-powersure", "", nil)
	w.until(reads(0))
	last := tty.Now()
	if _, err := tty.WaitEvent(t.Context(), func(e vtty.Event) bool { // the next reading is then a second away
		gap := e.At - last
		if e.Call == "TIOCMGET" {
			last = e.At
		}
		return e.Call == "TIOCMGET" && gap > 900*time.Millisecond
	}); err != nil {
		t.Fatal(err)
	}
	tty.SetInputs(line.CTS)
	changed := tty.Now()
	w.until(reads(line.CTS))
	if took := tty.Now() - changed; took > 500*time.Millisecond {
		t.Errorf("a change was told after %v", took)
	}
	w.end()
}

// What this process executes, a hook for one, must not inherit the port: it would
// keep it open and its lines up.
func TestPortIsNotInherited(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	w := watch(t, tty, "liebert-powersure", "", nil)
	w.until(reads(0))
	port := w.stored()
	w.notInherited(tty)
	w.end()
	w = watch(t, tty, "liebert-powersure", "stored", port)
	w.until(reads(0))
	w.notInherited(tty)
	w.end()
}

// notInherited checks the helper's descriptors of the port.
func (w *watching) notInherited(tty *vtty.TTY) {
	w.Helper()
	t := w.T
	real, err := filepath.EvalSymlinks(tty.Path())
	if err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", w.cmd.Process.Pid)
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, fd := range fds {
		if target, _ := os.Readlink(proc + "fd/" + fd.Name()); target != real {
			continue
		}
		info, err := os.ReadFile(proc + "fdinfo/" + fd.Name())
		if err != nil {
			t.Fatal(err)
		}
		var pos, flags int
		if _, err := fmt.Sscanf(string(info), "pos: %d\nflags: %o", &pos, &flags); err != nil {
			t.Fatalf("%s: %v", info, err)
		}
		if found++; flags&unix.O_CLOEXEC == 0 {
			t.Errorf("descriptor %s of the port would be inherited", fd.Name())
		}
	}
	if found != 1 {
		t.Errorf("%d descriptors of the port, want 1", found)
	}
}

func TestNoPulseOfAPortIsLost(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	w := watch(t, tty, "liebert-powersure", "", nil)
	w.until(reads(0))
	const pulses = 500
	for range pulses { // far faster than anyone can read
		tty.SetInputs(line.CTS)
		tty.SetInputs(0)
	}
	tty.SetInputs(line.DCD)
	s := w.until(reads(line.DCD))
	readings := 0
	if _, err := tty.WaitEvent(t.Context(), func(e vtty.Event) bool {
		if e.Call == "TIOCMGET" && e.Inputs == line.DCD {
			readings++
		}
		return readings == 3 // the second has settled the account, and the third comes after its sample
	}); err != nil {
		t.Fatal(err)
	}
	w.drop()
	w.stdin.Close()
	for w.told.Decode(&s) == nil { // the last sample has the sum
	}
	changes, last := 0, line.Lines(0)
	for _, e := range tty.Events() {
		if e.Call == "TIOCMGET" {
			if (e.Inputs^last)&line.CTS != 0 {
				changes++
			}
			last = e.Inputs
		}
	}
	if int(s.Pulses)+changes != 2*pulses {
		t.Errorf("%d changes hidden and %d read, of %d", s.Pulses, changes, 2*pulses)
	}
}

// Law 4, on every cable: the first call on a port sets the idle levels, nothing
// after it asserts the kill, and an end leaves every line where it is.
func TestLaw04IdleFromTheFirstCallOn(t *testing.T) {
	t.Parallel()
	for _, c := range line.Catalogue() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			tty := vtty.New(t)
			w := watch(t, tty, c.Name, "", nil)
			w.next()
			w.end()
			if _, err := tty.WaitEvent(t.Context(), func(e vtty.Event) bool { return e.Kind == vtty.Close }); err != nil {
				t.Fatal(err)
			}
			events := tty.Events()
			if events[0].Kind != vtty.Open || events[1].Call != "TIOCMSET" || events[1].Lines != c.Idle() {
				t.Fatalf("begins with\n%v\n%v\nwant an open and TIOCMSET to %v", events[0], events[1], c.Idle())
			}
			for _, e := range events[1:] {
				if vtty.Killing(c, e.Lines) || e.Kind == vtty.Break || e.Kind == vtty.Data {
					t.Errorf("cuts the load: %v", e)
				}
			}
			last := events[len(events)-1]
			if last.Lines != c.Idle() || last.HUPCL || last.B0 != c.Parkable() {
				t.Errorf("ends with %v\nwant out %v, no HUPCL, B0 %v", last, c.Idle(), c.Parkable())
			}

			before := len(events)
			w = watch(t, tty, c.Name, "", nil) // a second life, without a stored port
			w.next()
			w.end()
			for _, e := range tty.Events()[before:] {
				if c.Parkable() && e.Output() {
					t.Errorf("a parked port was pulsed: %v", e)
				}
			}
		})
	}
}

// Law 4: a restart that finds its port in the store shows nothing on the wires,
// killed or not.
func TestLaw04RestartWithTheStoredPort(t *testing.T) {
	t.Parallel()
	for _, cable := range []string{"liebert-powersure", "nut-0", "nut-7"} {
		t.Run(cable, func(t *testing.T) {
			t.Parallel()
			tty := vtty.New(t)
			w := watch(t, tty, cable, "", nil)
			w.next()
			port := w.stored()
			w.cmd.Process.Kill()
			w.cmd.Wait()
			before := len(tty.Events())
			tty.SetInputs(line.CTS)
			w = watch(t, tty, cable, "stored", port)
			w.until(reads(line.CTS))
			tty.SetInputs(line.DCD)
			w.until(reads(line.DCD))
			for _, e := range tty.Events()[before:] {
				if e.Kind == vtty.Open || e.Output() || strings.HasPrefix(e.Call, "TCSETS") {
					t.Errorf("seen at a restart: %v", e)
				}
			}
			w.end()
		})
	}
}

func TestReplugIsFoundAgain(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	w := watch(t, tty, "liebert-powersure", "", nil)
	w.until(reads(0))
	port := w.stored()
	tty.Unplug()
	w.until(blind(line.ErrLost))
	w.until(blind(line.ErrMissing))
	tty.SetInputs(line.CTS | line.DCD)
	tty.Replug()
	w.until(reads(line.CTS | line.DCD))
	w.end()

	w = watch(t, tty, "liebert-powersure", "stored", port) // the port of before
	w.until(reads(line.CTS | line.DCD))
	w.end()
}

func TestHeldPortSaysByWhom(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	first := watch(t, tty, "liebert-powersure", "", nil)
	first.until(reads(0))
	second := watch(t, tty, "liebert-powersure", "plain", nil)
	want := (&line.HeldError{PID: first.cmd.Process.Pid, Name: filepath.Base(os.Args[0])}).Error()
	s := second.next()
	if !strings.HasPrefix(s.Err, "cannot open "+tty.Path()+": held by ") || !strings.Contains(s.Err, want) {
		t.Errorf("%q, want %q in it", s.Err, want)
	}
	first.end()
	second.until(reads(0)) // it goes on trying
	second.end()
}

func TestPortThatIsNoUPSPort(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	tty.Refuse("TIOCMSET", "TIOCMGET")
	w := watch(t, tty, "liebert-powersure", "", nil)
	w.until(blind(line.ErrNoModemLines))
	w.end()
}

// Nothing is done while nothing happens: once a second the lines are read.
func TestIdlePortIsReadOnceASecond(t *testing.T) {
	t.Parallel()
	tty := vtty.New(t)
	w := watch(t, tty, "liebert-powersure", "", nil)
	w.until(reads(0))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var at []time.Duration
	_, err := tty.WaitEvent(ctx, func(e vtty.Event) bool {
		if e.Call == "TIOCMGET" {
			at = append(at, e.At)
		}
		return len(at) == 6
	})
	if err != nil {
		t.Fatal(err)
	}
	if gap := at[5] - at[4]; gap < 900*time.Millisecond {
		t.Errorf("readings are %v apart, want 1s", gap)
	}
	w.end()
}
