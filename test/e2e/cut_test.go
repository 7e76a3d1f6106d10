//go:build linux && (amd64 || arm64)

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/daemon"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// lateUnit is one UPS on a port, and the real upsmaster cut that is to cut it. It runs
// as nobody, so that the reboot it asks for is refused.
type lateUnit struct {
	t     testing.TB
	dir   string
	cable line.Cable
	tty   *vtty.TTY
	ups   *vtty.UPS
	run   *process
	mark  int           // events before its start
	from  time.Duration // its NotBefore on the port's clock
}

func newLateUnit(t testing.TB, c line.Cable) *lateUnit {
	l := &lateUnit{t: t, dir: t.TempDir(), cable: c, tty: vtty.New(t)}
	model := c
	model.Kill.Delay = 0 // it obeys at once
	l.ups = vtty.NewUPS(l.tty, model)
	text := fmt.Sprintf("run = %q\ndata = %q\n[[ups]]\nname = \"main\"\nport = %q\ncable = %q\n", l.dir, l.dir, l.tty.Path(), c.Name)
	if err := os.WriteFile(filepath.Join(l.dir, "master.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// start seals the cut from then on and runs the late unit.
func (l *lateUnit) start(in time.Duration, alter func(*cut.Seal)) {
	l.t.Helper()
	l.seal(in, alter)
	l.again("poweroff")
}

// seal seals the cut from then on. alter may spoil the seal.
func (l *lateUnit) seal(in time.Duration, alter func(*cut.Seal)) {
	l.t.Helper()
	boot, err := daemon.BootID()
	if err != nil {
		l.t.Fatal(err)
	}
	l.from = l.tty.Now() + in // first: between the two looks at the clock may lie some time
	now := daemon.NewClock().Now()
	s := cut.Seal{Boot: boot, Made: now, Expires: now.Add(time.Hour), UPS: []cut.Sealed{{
		Name: "main", Outage: "o1", Port: l.tty.Path(), Cable: l.cable, NotBefore: now.Add(in), Own: true,
	}}}
	if alter != nil {
		alter(&s)
	}
	if err := cut.Write(nil, cut.Path(l.dir), s); err != nil {
		l.t.Fatal(err)
	}
}

// again runs the late unit with the seal that is there.
func (l *lateUnit) again(to string) {
	l.mark = len(l.tty.Events())
	cmd := l.tty.Command(program("upsmaster"), "cut", "--config", filepath.Join(l.dir, "master.toml"), "--late", to)
	l.run = launch(l.t, "cut-"+l.cable.Name, l.dir, cmd)
}

// reboots waits until it has asked for a reboot, and holds that it told the UPS
// nothing.
func (l *lateUnit) reboots() {
	l.t.Helper()
	until(l.t, l.cable.Name+": the reboot", l.run.over, l.run.tail)
	if !strings.Contains(l.run.tail(), "cannot reboot") {
		l.t.Errorf("%s: it ended otherwise: %s", l.cable.Name, l.run.tail())
	}
	for _, e := range l.events() {
		if k := l.kills(e); k != "" {
			l.t.Errorf("%s: %s on mains: %v", l.cable.Name, k, e)
		}
	}
}

// events are those since the start, from the first call that sets the outputs on:
// what an open does before it is the kernel's.
func (l *lateUnit) events() []vtty.Event {
	all := l.tty.Events()[l.mark:]
	i := slices.IndexFunc(all, func(e vtty.Event) bool { return e.Kind == vtty.Ioctl })
	if i < 0 {
		return nil
	}
	if all[i].Call != "TIOCMSET" {
		l.t.Errorf("%s: the first call is %s", l.cable.Name, all[i].Call)
	}
	return all[i:]
}

// kills returns what in this event tells the UPS to cut; empty: nothing.
func (l *lateUnit) kills(e vtty.Event) string {
	switch {
	case vtty.Killing(l.cable, e.Lines):
		return "the kill's levels"
	case e.Kind == vtty.Break:
		return "a break"
	case e.Kind == vtty.Data:
		return "data"
	}
	return ""
}

// frees reports whether the event ends the kill.
func (l *lateUnit) frees(e vtty.Event) bool {
	return e.Kind == vtty.Unbreak || e.Was != e.Lines && vtty.Killing(l.cable, e.Was) && !vtty.Killing(l.cable, e.Lines)
}

// cuts waits until the kill has come and gone, and holds its moment, its lines and
// its length.
func (l *lateUnit) cuts() {
	l.t.Helper()
	name, hold := l.cable.Name, l.cable.Kill.Hold+l.cable.Kill.Break
	ctx, cancel := context.WithTimeout(l.t.Context(), hold+patience)
	defer cancel()
	var began, ended time.Duration
	if _, err := l.tty.WaitEvent(ctx, func(e vtty.Event) bool { return e.Kind == vtty.LoadOff }); err != nil {
		l.t.Fatalf("%s: the load is on: %v\n%s", name, err, l.run.tail())
	}
	if len(l.cable.Kill.Send) == 0 {
		if _, err := l.tty.WaitEvent(ctx, func(e vtty.Event) bool { return e.At > l.from && l.frees(e) }); err != nil {
			l.t.Fatalf("%s: it is not let go of: %v\n%s", name, err, l.run.tail())
		}
	} else {
		until(l.t, "the end of the data", func() bool { return strings.Contains(l.run.tail(), "told for") }, l.run.tail)
	}
	l.run.kill() // its power is gone
	for _, e := range l.events() {
		switch k := l.kills(e); {
		case k != "" && e.At < l.from:
			l.t.Errorf("%s: %s before its time: %v", name, k, e)
		case k != "" && began == 0:
			began = e.At
		}
		if e.Kind == vtty.Data {
			ended = e.At
			if left := strings.ReplaceAll(string(e.Data), string(l.cable.Kill.Send), ""); left != "" {
				l.t.Errorf("%s: sent %q", name, left)
			}
		}
		if l.frees(e) {
			ended = e.At
			if e.Lines != l.cable.Idle() {
				l.t.Errorf("%s: left at %s, want %s", name, e.Lines, l.cable.Idle())
			}
		}
	}
	// Data ends with what was sent last, and is seen when the port is next read.
	if d := ended - began; began == 0 || d < hold || d > hold+5*time.Second {
		l.t.Errorf("%s: told for %v, want %v\n%s", name, d, hold, tell(l.events()))
	}
}

// TestLaw04TheLateUnitOnEveryCable runs the real late unit on every cable that can
// cut the load: on mains it reboots and touches nothing, on battery it cuts as that
// cable wants it. They run side by side, as they do nothing but wait.
func TestLaw04TheLateUnitOnEveryCable(t *testing.T) {
	t.Parallel()
	var units []*lateUnit
	for _, c := range line.Catalogue() {
		if c.Kill.Exists() {
			units = append(units, newLateUnit(t, c))
		}
	}
	for _, l := range units {
		l.start(time.Hour, nil)
	}
	for _, l := range units {
		l.reboots()
	}
	for _, l := range units {
		l.ups.Mains(false)
		l.start(3*time.Second, nil)
	}
	// The slowest last: all the others are over by then.
	slices.SortStableFunc(units, func(a, b *lateUnit) int { return int(a.cable.Kill.Hold - b.cable.Kill.Hold) })
	for _, l := range units {
		l.cuts()
	}
	t.Logf("%d cables", len(units))
}

// TestLaw07TheRace brings the mains back at each turn.
func TestLaw07TheRace(t *testing.T) {
	t.Parallel()
	c, _ := line.Lookup("nut-7")
	t.Run("before the kill", func(t *testing.T) {
		t.Parallel()
		l := newLateUnit(t, c)
		l.ups.Mains(false)
		l.start(time.Hour, nil)
		until(t, "the wait", func() bool { return strings.Contains(l.run.tail(), "until everybody") }, l.run.tail)
		l.ups.Mains(true)
		l.reboots()
	})
	t.Run("in the kill, seen", func(t *testing.T) {
		t.Parallel()
		l := newLateUnit(t, mustLookup(t, "apc-back-ups-txd")) // a break hides nothing
		l.cable.Kill.Break, l.cable.Kill.Delay = 30*time.Second, 3*time.Second
		l.inline()
		l.ups.SetHold(time.Hour) // and this UPS doesn't obey
		l.ups.Mains(false)
		l.start(0, nil)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		began, err := l.tty.WaitEvent(ctx, func(e vtty.Event) bool { return e.Kind == vtty.Break })
		if err != nil {
			t.Fatal(err)
		}
		l.ups.Mains(true)
		until(t, "the reboot", l.run.over, l.run.tail)
		ended, err := l.tty.WaitEvent(ctx, func(e vtty.Event) bool { return e.Kind == vtty.Unbreak })
		if d := ended.At - began.At; err != nil || d < 2*time.Second || d > 20*time.Second {
			t.Errorf("released after %v (%v)", d, err)
		}
		if !strings.Contains(l.run.tail(), "cannot reboot") {
			t.Errorf("it ended otherwise: %s", l.run.tail())
		}
	})
	t.Run("ended from outside", func(t *testing.T) {
		t.Parallel()
		l := newLateUnit(t, c)
		l.ups.SetHold(time.Hour)
		l.ups.Mains(false)
		l.start(0, nil)
		until(t, "the kill", func() bool { return vtty.Killing(c, l.tty.Outputs()) }, l.run.tail)
		l.run.signal(syscall.SIGTERM)
		until(t, "its end", l.run.over, l.run.tail)
		if got := l.tty.Outputs(); got != c.Idle() {
			t.Errorf("left at %s", got)
		}
	})
}

// inline writes the unit's own cable into its configuration.
func (l *lateUnit) inline() {
	l.t.Helper()
	l.cable.Name, l.cable.Aliases, l.cable.Loops = "own", nil, nil
	text := fmt.Sprintf("run = %q\ndata = %q\n[[ups]]\nname = \"main\"\nport = %q\n[ups.cable]\non_battery = %q\ndrive = [\"!DTR\", \"!RTS\"]\nkill = { break = %q, delay = %q }\n",
		l.dir, l.dir, l.tty.Path(), l.cable.OnBattery, l.cable.Kill.Break, l.cable.Kill.Delay)
	if err := os.WriteFile(filepath.Join(l.dir, "master.toml"), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func mustLookup(t testing.TB, name string) line.Cable {
	t.Helper()
	c, ok := line.Lookup(name)
	if !ok {
		t.Fatalf("no cable %q", name)
	}
	return c
}

// TestLaw04ASealThatIsNoGood: the late unit opens no port, says why, and leaves word.
func TestLaw04ASealThatIsNoGood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		alter func(*cut.Seal)
		spoil func(t *testing.T, path string)
		want  string
	}{
		{"another boot", func(s *cut.Seal) { s.Boot = "b0" }, nil, "another boot"},
		{"expired", func(s *cut.Seal) { s.Made, s.Expires, s.UPS[0].NotBefore = 1, 2, 1 }, nil, "expired"},
		{"from later", func(s *cut.Seal) {
			s.Made += power.Uptime(time.Minute)
			s.UPS[0].NotBefore = s.Made
		}, nil, "foreign"},
		{"another UPS", func(s *cut.Seal) { s.UPS[0].Name = "other" }, nil, "foreign"},
		{"another cable", func(s *cut.Seal) { s.UPS[0].Cable.Kill.Hold *= 2 }, nil, "foreign"},
		{"truncated", nil, func(t *testing.T, path string) {
			if err := os.Truncate(path, 100); err != nil {
				t.Fatal(err)
			}
		}, "torn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLateUnit(t, mustLookup(t, "nut-7"))
			l.ups.Mains(false)
			l.seal(time.Hour, c.alter)
			if c.spoil != nil {
				c.spoil(t, cut.Path(l.dir))
			}
			l.again("poweroff")
			until(t, "its end", l.run.over, l.run.tail)
			if l.run.err == nil || !strings.Contains(l.run.tail(), c.want) {
				t.Errorf("%v: %s, want something with %q", l.run.err, l.run.tail(), c.want)
			}
			if len(l.tty.Events()) != l.mark {
				t.Errorf("it touched the port:\n%s", tell(l.tty.Events()))
			}
			if err := cut.Refused(nil, l.dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it left %v", err)
			}
		})
	}
	for _, to := range []string{"reboot", "kexec"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			l := newLateUnit(t, mustLookup(t, "nut-7"))
			l.ups.Mains(false)
			l.seal(time.Hour, nil)
			l.again(to)
			until(t, "its end", l.run.over, l.run.tail)
			if l.run.err != nil || len(l.tty.Events()) != l.mark {
				t.Errorf("%v\n%s", l.run.err, tell(l.tty.Events()))
			}
		})
	}
}
