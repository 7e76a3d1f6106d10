//go:build linux && (amd64 || arm64)

package vtty

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// quick is how long the UPSes of these tests want a kill held.
const quick = 30 * time.Millisecond

func cable(t *testing.T, name string) line.Cable {
	t.Helper()
	c, ok := line.Lookup(name)
	if !ok {
		t.Fatalf("no cable %q", name)
	}
	return c
}

// TestEveryCableSaysAndKills plays every cable of the catalogue: what the UPS is
// said to be is what the program's reading means, and the kill works on battery
// after its time, and never else.
func TestEveryCableSaysAndKills(t *testing.T) {
	t.Parallel()
	for _, c := range line.Catalogue() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			tty := New(t)
			c.Kill.Delay = 0
			u := NewUPS(tty, c)
			u.SetHold(quick)
			p := start(t, tty)
			p.do("open", "ok")
			p.do("set "+c.Idle().String(), "ok")

			says := func(battery, low bool) {
				t.Helper()
				p.tell("get")
				in := lines(p.answer()) & line.Inputs
				s := c.Decode(in)
				if s.Blind || s.OnBattery != battery || s.Low != (low && c.HasLow()) || s.Bypass || s.Replace {
					t.Fatalf("battery %v low %v: %s reads %+v", battery, low, in, s)
				}
			}
			says(false, false)
			if c.Kill.Exists() {
				kill(p, c)
				if !u.LoadOn() {
					t.Fatal("the kill worked on mains")
				}
			}
			u.Mains(false)
			says(true, false)
			u.Low(true)
			says(true, true)
			if !c.Kill.Exists() {
				return
			}
			if !u.LoadOn() {
				t.Fatal("the load went off without a kill")
			}
			if len(c.Kill.Send) > 0 { // the far end hears in its own time
				for u.LoadOn() {
					p.do("write "+string(c.Kill.Send), "ok")
				}
			} else {
				kill(p, c)
			}
			off := await(t, tty, "load off", func(e Event) bool { return e.Kind == LoadOff })
			began := slices.IndexFunc(tty.Events(), func(e Event) bool { return e.Kind == Input && e.At < off.At })
			if began < 0 || off.At-tty.Events()[began].At < quick {
				t.Errorf("the load went off too early\n%s", story(tty))
			}
			u.Mains(true)
			if !u.LoadOn() {
				t.Error("the load stays off with the mains back")
			}
		})
	}
}

// kill asserts the kill for longer than quick, and leaves the outputs idle.
func kill(p *program, c line.Cable) {
	p.t.Helper()
	set := c.Idle()
	for _, term := range c.Kill.Set {
		if term.Low {
			set &^= term.Line
		} else {
			set |= term.Line
		}
	}
	end := time.Now().Add(2 * quick)
	switch k := c.Kill; {
	case len(k.Set) > 0:
		p.do("set "+set.String(), "ok")
		<-time.After(time.Until(end))
		p.do("set "+c.Idle().String(), "ok")
	case k.Break > 0:
		p.do("break", "ok")
		<-time.After(time.Until(end))
		p.do("unbreak", "ok")
	default:
		for time.Now().Before(end) {
			p.do("write "+string(k.Send), "ok")
		}
	}
}

func TestKillMustBeHeld(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"apc-back-ups", "apc-back-ups-txd", "tripplite-bc-lan"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tty, c := New(t), cable(t, name)
			c.Kill.Delay = 0
			u := NewUPS(tty, c) // it wants seconds
			u.Mains(false)
			p := start(t, tty)
			p.do("open", "ok")
			p.do("set "+c.Idle().String(), "ok")
			kill(p, c)
			kill(p, c)
			if !u.LoadOn() {
				t.Errorf("two short kills cut the load\n%s", story(tty))
			}
		})
	}
}

func TestTouchyUPSObeysTheOpen(t *testing.T) {
	t.Parallel()
	tty, c := New(t), cable(t, "apc-back-ups")
	c.Kill.Delay = 0
	u := NewUPS(tty, c)
	u.SetHold(0)
	p := start(t, tty)
	p.do("open", "ok")
	if !u.LoadOn() {
		t.Error("cut on mains")
	}
	p.do("close", "ok")
	await(t, tty, "close", func(e Event) bool { return e.Kind == Close })
	u.Mains(false)
	p.do("open", "ok") // which raises RTS, and this UPS takes that for a kill
	if u.LoadOn() {
		t.Errorf("not cut on battery\n%s", story(tty))
	}
}

func TestPowerRace(t *testing.T) {
	t.Parallel()
	tty, c := New(t), cable(t, "apc-smart-ups-nt")
	c.Kill.Delay = 50 * time.Millisecond
	u := NewUPS(tty, c)
	u.SetHold(0)
	u.Mains(false)
	p := start(t, tty)
	p.do("open", "ok") // raises DTR: the kill is accepted
	u.Mains(true)
	off := await(t, tty, "load off", func(e Event) bool { return e.Kind == LoadOff })
	if d := off.At - tty.Events()[0].At; d < c.Kill.Delay {
		t.Errorf("cut %v after the kill, sooner than the UPS's own delay", d)
	}
	await(t, tty, "load on", func(e Event) bool { return e.Kind == LoadOn })
	if !u.LoadOn() {
		t.Error("the load stays off with the mains back")
	}
}

func TestContactsLiveOnTheirSupply(t *testing.T) {
	t.Parallel()
	tty := New(t)
	u := NewUPS(tty, cable(t, "nut-7")) // RTS high is the supply
	if in := tty.Inputs(); in != 0 {
		t.Errorf("with the port closed: %s", in)
	}
	p := start(t, tty)
	p.do("open", "ok")
	p.do("set RTS", "ok")
	p.do("get", "RTS CTS DCD")
	p.do("set DTR", "ok")
	p.do("get", "DTR")
	p.do("count", "cts=2 dsr=0 ri=0 dcd=2 size=80")
	u.Low(true)
	p.do("set RTS", "ok")
	p.do("get", "RTS CTS")
}

func TestPulledCable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, cable string
		end         End
		gap         time.Duration
		order       []line.Lines
		want        string // the inputs, one reading after the other
	}{
		{"fast at the computer", "nut-7", AtComputer, 0, nil, "CTS DCD, none"},
		{"slow at the computer", "nut-7", AtComputer, time.Millisecond, nil, "CTS DCD, CTS, none"},
		{"slow, CTS first", "nut-7", AtComputer, time.Millisecond, []line.Lines{line.CTS, line.DCD}, "CTS DCD, DCD, none"},
		{"at the UPS, loops not known", "nut-7", AtUPS, 0, nil, "CTS DCD"},
		{"at the UPS, loops known", "tripplite-bc-lan", AtUPS, 0, nil, "DCD, none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tty, c := New(t), cable(t, tt.cable)
			u := NewUPS(tty, c)
			p := start(t, tty)
			p.do("open", "ok")
			p.do("set "+c.Idle().String(), "ok")
			mark := len(tty.Events()) - 1
			u.Pull(tt.end, tt.gap, tt.order...)
			readings := func() string {
				var got []string
				for _, e := range tty.Events()[mark:] {
					if s := e.Inputs.String(); len(got) == 0 || got[len(got)-1] != s {
						got = append(got, s)
					}
				}
				return strings.Join(got, ", ")
			}
			if got := readings(); got != tt.want {
				t.Errorf("readings: got %q, want %q", got, tt.want)
			}
			u.Plug(tt.gap, tt.order...)
			if got, want := tty.Inputs(), tty.Events()[mark].Inputs; got != want {
				t.Errorf("plugged in again: %s, want %s", got, want)
			}
		})
	}
}

func TestPulledCableCarriesNoKill(t *testing.T) {
	t.Parallel()
	tty, c := New(t), cable(t, "apc-back-ups")
	c.Kill.Delay = 0
	u := NewUPS(tty, c)
	u.SetHold(0)
	u.Mains(false)
	u.Pull(AtComputer, 0)
	p := start(t, tty)
	p.do("open", "ok")
	if !u.LoadOn() {
		t.Error("a kill went through a cable that is out")
	}
}
