//go:build linux && (amd64 || arm64)

package rack

import (
	"os"
	"strings"
	"testing"
)

// slowly is a rack whose machines count down for long enough to be met in it, and of which
// web1 is off long after its agent has ended.
func slowly(t *testing.T, minutes int) *rack {
	const node = "[policy]\ngrace = \"15s\"\ngrace_min = \"6s\"\n"
	r := newRack(t, config{minutes: minutes, cable: killing, more: soon + "[node.policy]\ngrace = \"15s\"\ngrace_min = \"6s\"\nwait_for = [\"*\"]\n[node.shutdown]\nstop_time = \"3s\"\n", nodes: []string{
		"web1: " + node + "[shutdown]\nstop_time = \"25s\"\n",
		"db1: " + node + "wait_for = [\"web1\"]\n[shutdown]\nstop_time = \"3s\"\n",
	}})
	r.node("web1").slow("25s")
	return r
}

// TestLaw05MasterKilled kills the master again and again in one outage: while all count
// down, when one has asked for its power-off and isn't off, and when the host's own is
// sealed. Each time it goes on where it was: the order holds, the load is cut last, and
// everybody comes back.
func TestLaw05MasterKilled(t *testing.T) {
	t.Parallel()
	r := slowly(t, 2)
	r.host.linger()
	n := len(r.since(0))
	r.ups.Mains(false)
	was := r.await("web1 to count down", func(s status) bool { return s.node("web1").Phase == "GRACE" })
	r.host.kill("upsmaster")
	n = r.follow(n, 0, host+" "+killed)
	is := r.await("the master to be back", func(s status) bool { return s.ups().State == "FAIL" && s.node("web1").Link == "up" })
	if was, is := was.ups(), is.ups(); is.Outage != was.Outage || is.Age < was.Age {
		t.Errorf("it began anew: %+v, then %+v", was, is)
	}
	r.await("web1 to go", func(s status) bool { return s.node("web1").gone() })
	r.host.kill("upsmaster")
	n = r.follow(n, chain, host+" "+killed, "web1 "+off, "db1 "+off)
	r.untilSealed()
	r.host.kill("upsmaster")
	r.await("the master to be back", func(s status) bool { return s.node(host).Phase == "DONE" })
	n = r.follow(n, chain, host+" "+killed, "ups "+outputOff, host+" "+dark)
	r.ups.Mains(true)
	n = r.follow(n, chain, "ups "+outputOn, host+" "+booted+" | web1 "+booted+" | db1 "+booted)
	r.fine()
	r.quiet(n)
	r.checkKills()
}

// TestLaw05MasterCrashes does the same to the master's whole machine: it boots into the
// outage and knows from its disk whom it has to wait for.
func TestLaw05MasterCrashes(t *testing.T) {
	t.Parallel()
	r := slowly(t, 3)
	crash := func(n int) int {
		t.Helper()
		r.host.crash()
		return r.follow(n, 0, host+" "+dark, host+" "+booted)
	}
	n := len(r.since(0))
	r.ups.Mains(false)
	r.await("web1 to count down", func(s status) bool { return s.node("web1").Phase == "GRACE" })
	n = crash(n)
	r.await("web1 to go", func(s status) bool { return s.node("web1").gone() })
	n = crash(n)
	n = r.follow(n, chain, "web1 "+off, "db1 "+off)
	r.untilSealed()
	until(t, "the late unit", r.late)
	n = crash(n)
	n = r.follow(n, chain, "ups "+outputOff, host+" "+dark)
	r.ups.Mains(true)
	n = r.follow(n, chain, "ups "+outputOn, host+" "+booted+" | web1 "+booted+" | db1 "+booted)
	r.fine()
	r.quiet(n)
	r.checkKills()
}

// linger makes a machine go on for a while when its power-off was accepted, as logind does
// for whoever asks (InhibitDelayMaxSec, logind.conf(5)).
func (m *machine) linger() {
	m.t.Helper()
	m.write("/etc/systemd/logind.conf.d/linger.conf", "[Login]\nInhibitDelayMaxSec=20s\n")
	for _, argv := range []string{"systemctl restart systemd-logind", "systemd-run --quiet systemd-inhibit --mode=delay --what=shutdown sleep infinity"} {
		if _, err := m.do(strings.Fields(argv)...); err != nil {
			m.t.Fatal(err)
		}
	}
}

// gone reports whether a node has asked for its power-off.
func (n nodeStatus) gone() bool { return n.Phase == "COMMITTED" || n.Phase == "DONE" }

// untilSealed waits until the master has sealed.
func (r *rack) untilSealed() {
	r.t.Helper()
	until(r.t, "the seal", func() bool { _, err := os.Stat(r.sealed()); return err == nil })
}
