//go:build linux && amd64

package vm

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// Cables: with a kill that doesn't take long, and without one.
const (
	killing = `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR", "!RTS"], kill = { set = ["RTS"], hold = "1s", delay = "2s" } }`
	plain   = `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR"] }`
)

// config says what machine.
type config struct {
	init   string        // default: systemd
	cable  string        // default: killing
	grace  time.Duration // default: 2 s
	more   string        // of master.toml
	kernel string        // parameters
}

// masterTOML has times that a test can wait for.
const masterTOML = `name = "rack1"
listen = "127.0.0.1:8493"
[discovery]
mdns = false
[[ups]]
name = "main"
port = "/dev/ttyS1"
cable = %s
[ups.settle]
ok = "300ms"
[node.policy]
grace = "%s"
grace_min = "1s"
[node.shutdown]
stop_time = "10s"
%s`

// newMachine boots a machine on mains, until its master sees the UPS.
func newMachine(t *testing.T, c config) *machine {
	t.Helper()
	c.cable, c.init = cmp.Or(c.cable, killing), cmp.Or(c.init, systemd)
	m := &machine{t: t, cable: parseCable(t, c.cable), tty: vtty.New(t), kernel: c.kernel, news: make(chan struct{})}
	if c.init == systemd {
		m.kernel += " rw systemd.log_color=0 systemd.mask=serial-getty@ttyS0.service systemd.mask=getty@tty1.service"
	}
	m.ups = vtty.NewUPS(m.tty, m.cable)
	if c.init == sysvinit {
		c.more = "method = [\"sysvinit\"]\n" + c.more
	}
	m.disk = ready.disk(t, c.init, fmt.Sprintf(masterTOML, c.cable, cmp.Or(c.grace, 2*time.Second), c.more))
	t.Cleanup(m.close)
	go m.load()
	m.outlet(true)
	m.fine()
	return m
}

func parseCable(t testing.TB, text string) line.Cable {
	t.Helper()
	// The table's strings and arrays are JSON's; its keys are bare.
	var c line.Cable
	if err := json.Unmarshal([]byte(regexp.MustCompile(`([a-z_]+) =`).ReplaceAllString(text, `"$1":`)), &c); err != nil {
		t.Fatalf("cable %s: %v", text, err)
	}
	return c
}

// close takes the machine away, and tells its story if the test failed.
func (m *machine) close() {
	m.outlet(false)
	if !m.t.Failed() {
		return
	}
	for _, e := range m.story {
		m.t.Logf("%8.3fs %s", e.at.Seconds(), e.what)
	}
	said := strings.Split(m.said.String(), "\n")
	m.t.Logf("on its console:\n%s", strings.Join(said[max(0, len(said)-150):], "\n"))
	for _, e := range m.tty.Events() {
		if e.Output() || e.Kind != vtty.Ioctl {
			m.t.Log(e)
		}
	}
}

// fine waits until the master sees mains, and its own machine is not on its way down.
func (m *machine) fine() {
	m.t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		out, err := m.do("upsctl status --plain")
		if strings.Contains(out, "ups main: on mains") && strings.Contains(out, "node rack1: on mains; link up") {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			m.t.Fatalf("waited in vain for the master to be fine: %s %v", out, err)
		}
	}
}

// checkDisk holds that what is on the disk is as a file system is that was unmounted or
// made read-only (EXT4_VALID_FS, and no journal to replay).
func (m *machine) checkDisk() {
	m.t.Helper()
	head := run(m.t, "dumpe2fs", "-h", named(m.disk))
	if !regexp.MustCompile(`Filesystem state: +clean\n`).MatchString(head) || strings.Contains(head, "needs_recovery") {
		m.t.Errorf("the file system was not made read-only:\n%s", head)
	}
	if out, err := exec.CommandContext(m.t.Context(), "e2fsck", "-f", "-n", named(m.disk)).CombinedOutput(); err != nil {
		m.t.Errorf("e2fsck: %v\n%s", err, out)
	}
}

// kills looks at all that was done to the port, and returns how often the kill was begun on
// battery. On mains it never was, but for what is no program's doing: when the machine was
// switched on or reset, QEMU or the kernel raises the outputs at the first open.
func (m *machine) kills() int {
	m.t.Helper()
	m.mu.Lock()
	story := m.story
	m.mu.Unlock()
	opened, n := false, 0
	for _, e := range m.tty.Events() {
		for len(story) > 0 && story[0].at <= e.At {
			opened = opened && story[0].what != booted && story[0].what != rebooted
			story = story[1:]
		}
		// The first program that has opened it sets it to idle.
		opened = opened || e.Lines == m.cable.Idle() && e.Was == m.cable.Idle()|line.RTS
		if !vtty.Killing(m.cable, e.Lines) || vtty.Killing(m.cable, e.Was) {
			continue
		}
		switch {
		case m.cable.OnBattery.In(e.Inputs):
			n++
		case opened:
			m.t.Errorf("law 4: the kill was begun on mains: %s", e)
		}
	}
	return n
}

// told holds that the outage's report says so.
func (m *machine) told(want string) {
	m.t.Helper()
	if out, err := m.do("upsctl history last"); err != nil || !strings.Contains(out, want) {
		m.t.Errorf("the report doesn't say %q: %v\n%s", want, err, out)
	}
}
