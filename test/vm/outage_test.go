//go:build linux && amd64

package vm

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// inits runs a test on a Debian with each init.
func inits(t *testing.T, test func(t *testing.T, initd string)) {
	t.Parallel()
	for _, initd := range []string{systemd, sysvinit} {
		t.Run(initd, func(t *testing.T) {
			t.Parallel()
			test(t, initd)
		})
	}
}

// TestLaw05Outage is the whole of it on one machine: it goes, makes its disk read-only, has
// its load cut, and with the mains boots and tells of it.
func TestLaw05Outage(t *testing.T) {
	inits(t, func(t *testing.T, initd string) {
		m := newMachine(t, config{init: initd})
		m.outage()
	})
}

// outage is one that ends in the cut, and the comeback from it.
func (m *machine) outage() {
	m.t.Helper()
	n := m.happened()
	m.ups.Mains(false)
	n = m.follow(n, outputOff, dark)
	m.checkDisk()
	m.ups.Mains(true)
	m.follow(n, outputOn, booted)
	m.fine()
	m.told("rack1 was back")
	if n := m.kills(); n != 1 {
		m.t.Errorf("the kill was begun %d times", n)
	}
}

// TestLaw05SecondTry: the late unit doesn't run, and what systemd-shutdown runs when nothing
// else is left does the same.
func TestLaw05SecondTry(t *testing.T) {
	t.Parallel()
	m := newMachine(t, config{kernel: "systemd.mask=lastwatt-cut.service"})
	m.outage()
}

// TestLaw07TheRace is the old trap: the mains come back when the machine is as good as off,
// and the UPS never cuts. It reboots in place of the halt.
func TestLaw07TheRace(t *testing.T) {
	inits(t, func(t *testing.T, initd string) {
		m := newMachine(t, config{init: initd})
		m.ups.SetHold(time.Hour) // it is deaf
		n, said := m.happened(), m.heard()
		m.ups.Mains(false)
		m.hears(said, "told, it may take")
		m.checkDisk()
		m.ups.Mains(true)
		m.follow(n, rebooted)
		m.fine()
		m.told("rack1 was back")
		if m.kills() == 0 {
			t.Error("it was not even tried")
		}
	})
}

// shortLimit makes what ends a shutdown that hangs, after 10 minutes, end it after 40 s.
var shortLimit = map[string]string{
	systemd:  `mkdir -p /etc/systemd/system/poweroff.target.d && sed s/10min/40s/ </usr/lib/systemd/system/poweroff.target.d/50-lastwatt.conf >/etc/systemd/system/poweroff.target.d/50-lastwatt.conf && systemctl daemon-reload && systemctl show -p JobTimeoutUSec poweroff.target | grep 40s`,
	sysvinit: `sed -i 's/^seconds=.*/seconds=40/' /usr/lib/lastwatt/force-off`,
}

// TestLaw07NoKillLine: the machine waits for the mains, for as long as that takes: nothing
// that ends a hanging shutdown ends this. Its own clock's alarm is set meanwhile.
func TestLaw07NoKillLine(t *testing.T) {
	inits(t, func(t *testing.T, initd string) {
		m := newMachine(t, config{init: initd, cable: plain, more: "[node.wake]\nmethod = [\"rtc\"]\n"})
		m.must(shortLimit[initd])
		n, said := m.happened(), m.heard()
		m.ups.Mains(false)
		said = m.hears(said, "lastwatt: UPS main: on battery")
		said = m.hears(said, "lastwatt: UPS main: on battery") // it says so again and again, every 30 s
		said = m.hears(said, "lastwatt: UPS main: on battery")
		m.checkDisk()
		if initd == systemd { // where our shell lives on
			now, alarm := m.number("date +%s"), m.number("cat /sys/class/rtc/rtc0/wakealarm")
			if in := alarm - now; in < 12*60 || in > 15*60 {
				t.Errorf("the alarm of its clock is due in %d s", in)
			}
		}
		m.ups.Mains(true)
		m.follow(n, rebooted)
		m.fine()
		m.told("rack1 was back")
		m.mu.Lock()
		defer m.mu.Unlock()
		if strings.Contains(m.said.String()[:said], "sysrq: Emergency Sync") {
			t.Error("what ends a hanging shutdown had begun to end this one")
		}
	})
}

// must runs a line of a shell's on the machine.
func (m *machine) must(text string) string {
	m.t.Helper()
	out, err := m.do(text)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

func (m *machine) number(text string) int {
	m.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(m.must(text)))
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// powerOff is somebody at the machine.
func (m *machine) powerOff() {
	m.t.Helper()
	m.must("sleep 1 && poweroff & :") // it answers before it goes
}

// TestPowerOffByHand: on mains there is no seal, so the machine is simply off; the kill line
// isn't touched.
func TestPowerOffByHand(t *testing.T) {
	inits(t, func(t *testing.T, initd string) {
		m := newMachine(t, config{init: initd})
		n := m.happened()
		m.powerOff()
		m.follow(n, off)
		m.checkDisk()
		if n := m.kills(); n != 0 {
			t.Errorf("the kill was begun %d times", n)
		}
	})
}

// TestLaw04TornSeal: a seal that is no good lets nothing be cut, on battery either, and the
// next start tells why.
func TestLaw04TornSeal(t *testing.T) {
	inits(t, func(t *testing.T, initd string) {
		m := newMachine(t, config{init: initd, grace: time.Hour})
		n, said := m.happened(), m.heard()
		m.ups.Mains(false)
		m.hears(said, "FAIL, was OK")
		m.must("echo torn >/run/lastwatt/master/seal.json")
		m.powerOff()
		m.hears(said, "lastwatt: nothing is cut: the seal is torn")
		m.follow(n, off)
		m.checkDisk()
		if n := m.kills(); n != 0 {
			t.Errorf("the kill was begun %d times", n)
		}
		m.ups.Mains(true)
		m.outlet(true) // somebody has to switch it on
		m.fine()
		// Where init has made the disk read-only by then, only the console has heard it.
		out, _ := m.do("upsctl status --plain") // status 3: there are problems
		if told := strings.Contains(out, "the last power-off did not cut the load"); told != (initd == systemd) {
			t.Errorf("why the load was not cut:\n%s", out)
		}
	})
}

// TestAShutdownThatHangs: where init has no limit, our helper powers the machine off.
func TestAShutdownThatHangs(t *testing.T) {
	t.Parallel()
	m := newMachine(t, config{init: sysvinit})
	m.must(shortLimit[sysvinit])
	m.must(`printf '#!/bin/sh\nexec sleep 100000\n' >/etc/init.d/ups-monitor`)
	n := m.happened()
	m.ups.Mains(false)
	m.follow(n, off)
	m.checkDisk()
}

// TestLaw01ClockSteps: while the machine counts down its wall clock is set to and fro, and
// nothing moves.
func TestLaw01ClockSteps(t *testing.T) {
	t.Parallel()
	const grace = 20 * time.Second
	m := newMachine(t, config{grace: grace})
	n, said := m.happened(), m.heard()
	m.ups.Mains(false)
	began := time.Now()
	said = m.hears(said, "GRACE")
	for _, step := range []string{"+7 hours", "-30 hours", "+23 hours"} {
		m.must("date -s '" + step + "'")
	}
	if stepped := time.Since(began); stepped > grace {
		t.Fatalf("it took %v to set its clock", stepped)
	}
	m.hears(said, "COMMITTED")
	if d := time.Since(began); d < grace || d > grace+10*time.Second {
		t.Errorf("asked to power off after %v, wanted %v", d, grace)
	}
	n = m.follow(n, outputOff, dark)
	m.checkDisk()
	m.ups.Mains(true)
	m.follow(n, outputOn, booted)
	m.fine()
}
