package setup

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/line"
)

const written = `# Written by upsmaster setup. Every key that could stand here, with its default:
# https://github.com/lastwatt/lastwatt/blob/main/deploy/master.toml
# After a change: upsctl check THIS-FILE

`

// upToThePlug answers until the plug is to be pulled, on a cable that DTR feeds.
func (b *bench) upToThePlug() {
	b.Helper()
	b.answer("look: list them again [1]:", "")
	b.answer("find out by watching it:", "")
	b.answer("may the port be opened? (y/n) [n]:", "y")
	b.answer("Try DTR, then RTS? (y/n) [n]:", "y")
	b.hear("Next the plug is to be pulled with DTR high, RTS low:")
	b.answer("Go on with the outputs so? (y/n) [n]:", "y")
	b.hear("Pull the UPS's mains plug")
}

// upToTheName goes on from there until the cable is to be chosen.
func (b *bench) upToTheName() (list string) {
	b.Helper()
	b.ups.set(func() { b.ups.battery = true })
	b.hear("CTS rose, ")
	b.hear("Put everything back now")
	b.ups.set(func() { b.ups.battery = false })
	b.hear("Low battery:")
	b.ups.set(func() { b.ups.battery = true })
	time.Sleep(40 * time.Millisecond) // the bubble's
	b.ups.set(func() { b.ups.low = true })
	b.hear("DCD fell, 40ms later")
	b.hear("Put everything back now")
	b.ups.set(func() { b.ups.battery, b.ups.low = false, false })
	return b.hear("Which one?:")
}

// TestTheWholeWay: from an unknown cable to a file that protects.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "liebert-powersure")
		b.start()
		b.upToThePlug()
		list := b.upToTheName()
		if !strings.Contains(list, "1. liebert-powersure:") || !strings.Contains(list, "CTS high is on battery; DCD low is low battery") {
			t.Errorf("fits: %s", list)
		}
		b.typed("1")
		b.answer("How long does a full battery carry the load", "forever")
		b.answer(`That will not do: "forever" is no time`, "3m")
		b.answer("shuts itself down", "")
		b.hear("10m is longer than the battery lasts")
		b.answer("What is this rack called [web1]:", "rack1")
		b.answer("Write it? (y/n) [y]:", "")
		b.hear("upsmaster run --config " + b.o.Config)
		if err := b.end(); err != nil {
			t.Error(err)
		}
		cfg, err := master.LoadConfig(b.o.Config)
		if err != nil {
			t.Fatal(err)
		}
		if u := cfg.UPS[0]; u.Cable.Name != "liebert-powersure" || u.Port != "/dev/serial/by-id/usb-A" || u.Battery.Runtime != 3*time.Minute {
			t.Errorf("the file says %+v", u)
		}
		// Never an output that nobody agreed to, and at the end the cable's own levels.
		if diff := cmp.Diff([]line.Lines{0, line.DTR, line.RTS, line.DTR}, b.ups.levels); diff != "" {
			t.Errorf("the outputs stood at (-want +got):\n%s", diff)
		}
		if b.ups.changes != nil {
			t.Error("the port is still open")
		}
	})
}

// TestLaw04ChosenCableIsHeld: in the end the outputs stand as the chosen cable wants
// them, whatever it was found at.
func TestLaw04ChosenCableIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "liebert-powersure")
		b.start()
		b.upToThePlug()
		n := regexp.MustCompile(`(\d+)\. genpower-oneups:`).FindStringSubmatch(b.upToTheName())
		if n == nil {
			t.Fatal("genpower-oneups reads the same, and is not among those that fit")
		}
		b.typed(n[1])
		b.hear("How long does a full battery")
		if last := b.ups.levels[len(b.ups.levels)-1]; last != 0 {
			t.Errorf("the outputs were left at %v", last)
		}
		b.cancel()
		_ = b.end()
	})
}

// TestService: what is said and done after the file is written.
func TestService(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		change  func(*bench)
		err     string
		say     string
		ran     string
		running bool
	}{
		{name: "all is well", say: "upsagent join lw-token", ran: "systemctl enable --now upsmaster.service"},
		{name: "one runs already", running: true, say: "upsagent join lw-token", ran: "systemctl enable upsmaster.service systemctl restart upsmaster.service"},
		{name: "it does not start", change: func(b *bench) { b.runErr = errors.New("exit status 1") },
			err: "the file is written, but the service does not start: exit status 1\nwhat it said\nsee: journalctl -u upsmaster.service", ran: "systemctl enable --now upsmaster.service"},
		{name: "on battery all the time", change: func(b *bench) { b.master.views[0].State = "FAIL" },
			say: "UPS main: FAIL", err: "does not say that the UPS is on mains", ran: "systemctl enable --now upsmaster.service"},
		{name: "no token", change: func(b *bench) { b.master.tokenErr = errors.New("no disk") },
			err: "there is no token for the next one yet: no disk; ask for one with: upsctl token create", ran: "systemctl enable --now upsmaster.service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, "nut-7")
				b.master.views = []View{{Name: "main", State: "OK", Cable: "nut-7", Lines: []string{"RTS", "CTS"}}}
				if tt.change != nil {
					tt.change(b)
				}
				w := &wizard{o: b.o, t: newTerminal(t.Context(), nil, b, false, true)}
				w.o.Config, w.o.Systemd = unitConfig, true
				w.plan = newPlan(nil)
				if tt.running {
					w.running = b.master.views
				}
				err := w.start(t.Context())
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("err %v, want %q", err, tt.err)
				}
				if all, _ := b.text(); !strings.Contains(all, tt.say) {
					t.Errorf("it said: %s\nwant: %s", all, tt.say)
				}
				if got := strings.Join(b.ran, " "); got != tt.ran {
					t.Errorf("ran %s", got)
				}
			})
		})
	}
}

// TestNobodyIsAsked: everything by flags, and the flag that is missing by its name.
func TestNobodyIsAsked(t *testing.T) {
	t.Parallel()
	port := "name = \"web1\"\n\n[[ups]]\nname = \"main\"\nport = \"/dev/serial/by-id/usb-A\"\n"
	own := "\n# This machine: it goes last.\n[node.policy]\ngrace = \"10m\"\nwait_for = [\"*\"]\n"
	for _, tt := range []struct {
		name string
		a    Answers
		want string // the file
		err  string
	}{
		{"nothing", Answers{}, "", "cannot ask the port: standard input is no terminal, or has ended; write --port PATH"},
		{"no cable", Answers{Port: "/dev/ttyUSB0", Yes: true}, "", "cannot ask the cable: standard input is no terminal, or has ended; write --cable NAME, which `upsctl cables` lists"},
		{"no yes", Answers{Port: "sim"}, "", "; write --yes"},
		{"play", Answers{Port: "sim", Yes: true}, "name = \"web1\"\n\n[[ups]]\nname = \"main\"\nport = \"sim\"\n" + own, ""},
		{"a known cable", Answers{Port: "/dev/ttyUSB0", Cable: "nut-22", Yes: true}, port + "cable = \"nut-7\"\n" + own, ""},
		{"all there is", Answers{Port: "/dev/serial/by-id/usb-A", Cable: "nut-7", Name: "r-2", UPS: "big", Runtime: "12m", Grace: "batlow", Listen: ":9000", Yes: true},
			"name = \"r-2\"\nlisten = \":9000\"\n\n[[ups]]\nname = \"big\"\nport = \"/dev/serial/by-id/usb-A\"\ncable = \"nut-7\"\n\n  [ups.battery]\n  runtime = \"12m\"\n" + strings.Replace(own, "10m", "batlow", 1), ""},
		{"unknown cable", Answers{Port: "/dev/ttyUSB0", Cable: "nut-77", Yes: true}, "", `--cable: no cable is called "nut-77"; did you mean "nut-7"?`},
		{"a cable for a pretended UPS", Answers{Port: "sim", Cable: "nut-7", Yes: true}, "", `--cable: "nut-7", and a pretended UPS has no cable; leave it out, or write --port PATH`},
		{"no port", Answers{Port: "ttyS0", Yes: true}, "", "--port PATH: that is no port; write one of the numbers, a full path such as /dev/ttyS0, or sim"},
		{"bad grace", Answers{Port: "sim", Grace: "soon", Yes: true}, "", `--grace: "soon" is no time`},
		{"long grace", Answers{Port: "sim", Grace: "48h", Yes: true}, "", "--grace: 48h is out of range"},
		{"batlow without a line", Answers{Port: "/dev/ttyUSB0", Cable: "powerd", Grace: "batlow", Yes: true}, "", "--grace: this cable can't say that the battery is low"},
		{"bad runtime", Answers{Port: "sim", Runtime: "1s", Yes: true}, "", "--runtime: 1s is out of range; write 10s to 24h"},
		{"bad name", Answers{Port: "sim", Name: "my rack", Yes: true}, "", "--name: "},
		{"bad ups", Answers{Port: "sim", UPS: "-", Yes: true}, "", "--ups: "},
		{"bad listen", Answers{Port: "sim", Listen: "here", Yes: true}, "", "the answers don't make a good file:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, "nut-7")
				tt.a.Config, b.o.Terminal = b.o.Config, false
				b.o.Answers = tt.a
				b.start()
				err := b.end()
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Fatalf("err %v, want %q", err, tt.err)
				}
				if all, _ := b.text(); b.ups.levels != nil || strings.Contains(all, "?") {
					t.Errorf("the port was opened (%v), or somebody was asked: %s", b.ups.levels, all)
				}
				if tt.want == "" {
					b.untouched()
					return
				}
				if diff := cmp.Diff(written+tt.want, b.wrote()); diff != "" {
					t.Errorf("file (-want +got):\n%s", diff)
				}
				b.untouched("master.toml")
				if _, err := master.LoadConfig(b.o.Config); err != nil {
					t.Error(err)
				}
				if info, _ := os.Stat(b.o.Config); info.Mode().Perm() != fileMode {
					t.Errorf("mode %v", info.Mode())
				}
			})
		})
	}
}
