//go:build linux && (amd64 || arm64)

package rack

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// killing is a cable with a kill that doesn't take long.
const killing = `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR", "!RTS"], kill = { set = ["RTS"], hold = "1s", delay = "2s" } }`

// TestLaw05SealedPowerOff powers the master's machine off with a seal that the test has
// written, and looks at what the late unit makes of it on a real way down.
func TestLaw05SealedPowerOff(t *testing.T) {
	t.Parallel()
	cycle := []string{"ups " + outputOff, host + " " + dark, "ups " + outputOn, host + " " + booted}
	for _, tc := range []struct {
		name   string
		cable  string
		change func(*cut.Seal)   // nil: it is good
		spoil  func(path string) // nil: nobody
		verb   string            // default: poweroff
		deaf   bool              // the UPS does not obey
		mains  bool              // they come back when the late unit has begun
		want   []string          // in this order, nothing else
		says   string            // on the console
	}{
		{name: "good", want: cycle},
		{name: "good, halted", verb: "halt", want: cycle},
		{name: "forced, past the late unit", verb: "poweroff --force", want: cycle},
		{name: "deaf UPS", deaf: true, mains: true, want: []string{host + " " + rebooted, host + " " + booted}, says: "told, it may take"},
		{name: "mains back before the time", mains: true, change: func(s *cut.Seal) { s.UPS[0].NotBefore = s.Expires },
			want: []string{host + " " + rebooted, host + " " + booted}},
		{name: "no kill line", cable: plain, mains: true, want: []string{host + " " + rebooted, host + " " + booted}},
		{name: "reboot asked for", verb: "reboot", want: []string{host + " " + rebooted, host + " " + booted}},
		{name: "another boot", change: func(s *cut.Seal) { s.Boot = strings.Repeat("0", 32) }, want: []string{host + " " + off}, says: "another boot"},
		{name: "expired", change: func(s *cut.Seal) { s.Expires = s.Made + 1 }, want: []string{host + " " + off}, says: "expired"},
		{name: "another port", change: func(s *cut.Seal) { s.UPS[0].Port = "/dev/ttyS7" }, want: []string{host + " " + off}, says: "foreign"},
		{name: "truncated", spoil: truncate, want: []string{host + " " + off}, says: "torn"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.cable == "" {
				tc.cable = killing
			}
			r := newRack(t, config{cable: tc.cable})
			n := len(r.since(0))
			r.ups.Mains(false)
			r.await("the master to see it", func(s status) bool { return s.ups().State == "FAIL" })
			if tc.deaf {
				r.ups.SetHold(time.Hour)
			}
			seal := r.seal()
			if tc.change != nil {
				tc.change(&seal)
			}
			path := r.sealed()
			if err := cut.Write(nil, path, seal); err != nil {
				t.Fatal(err)
			}
			if tc.spoil != nil {
				tc.spoil(path)
			}
			if tc.verb == "" {
				tc.verb = "poweroff"
			}
			if _, err := r.host.do(append([]string{"systemctl", "--no-block"}, strings.Fields(tc.verb)...)...); err != nil {
				t.Fatal(err)
			}
			if tc.mains {
				began := cmp.Or(tc.says, "lastwatt: ")
				until(t, "the late unit", func() bool { return strings.Contains(r.host.said(), began) })
				r.ups.Mains(true)
			}
			if len(tc.want) > 2 { // it ends dark: until there are mains again
				n = r.follow(n, patience, tc.want[:2]...)
				r.ups.Mains(true)
				tc.want = tc.want[2:]
			}
			r.follow(n, patience, tc.want...)
			if !strings.Contains(r.host.said(), tc.says) {
				t.Errorf("nobody said %q", tc.says)
			}
			r.checkKills()
			if r.host.on() {
				return
			}
			r.host.press()
			r.await("the master to tell why", func(s status) bool { return s.problem(health.Seal) })
		})
	}
}

func truncate(path string) {
	if err := os.Truncate(path, 100); err != nil {
		panic(err)
	}
}

// seal is a good one.
func (r *rack) seal() cut.Seal {
	r.t.Helper()
	cfg, err := master.LoadConfig(r.host.root + "/etc/lastwatt/master.toml")
	if err != nil {
		r.t.Fatal(err)
	}
	boot, err := r.host.do("cat", "/proc/sys/kernel/random/boot_id")
	if err != nil {
		r.t.Fatal(err)
	}
	now := r.host.uptime()
	s := cut.Seal{Boot: strings.TrimSpace(boot), Made: now, Expires: now.Add(time.Hour)}
	for _, u := range master.Wired(cfg) {
		s.UPS = append(s.UPS, cut.Sealed{Name: u.Name, Outage: "test", Port: u.Port, Cable: u.Cable, NotBefore: now, Own: true})
	}
	return s
}

// uptime is what the machine's own clock says.
func (m *machine) uptime() power.Uptime {
	m.t.Helper()
	text, err := m.do("cat", "/proc/uptime")
	if err != nil {
		m.t.Fatal(err)
	}
	seconds, _, _ := strings.Cut(text, " ")
	d, err := time.ParseDuration(seconds + "s")
	if err != nil {
		m.t.Fatal(err)
	}
	return power.Uptime(d)
}

// checkKills looks at all that was done to the port: the kill was begun on battery only.
// The one exception is no program's: the kernel raises the outputs when a port is opened
// for the first time.
func (s *supply) checkKills() {
	s.t.Helper()
	opened := false
	for _, e := range s.tty.Events() {
		battery := s.cable.OnBattery.In(e.Inputs)
		if vtty.Killing(s.cable, e.Lines) && !vtty.Killing(s.cable, e.Was) && !battery && (e.Kind != vtty.Open || opened) {
			s.t.Errorf("law 4: the kill was begun on mains: %s", e)
		}
		opened = opened || e.Kind == vtty.Open
	}
}
