//go:build linux && (amd64 || arm64)

package rack

import (
	"testing"
	"time"
)

// TestShortOutage is one that ends before anybody's time is up: nobody goes.
func TestShortOutage(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, nodes: []string{
		"web1: [policy]\ngrace = \"1h\"",
		"db1: [policy]\ngrace = \"1h\"\nwait_for = [\"web1\"]",
	}})
	n := len(r.since(0))
	r.ups.Mains(false)
	r.await("everybody to count down", func(s status) bool {
		return s.node("web1").Phase == "GRACE" && s.node("db1").Phase == "GRACE"
	})
	r.ups.Mains(true)
	r.fine()
	r.quiet(n)
}

// TestOrder: everybody goes by logind, each when those it waits for are off: gone from the
// network, not only from the master.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{minutes: 2, cable: plain, more: "[node.policy]\ngrace = \"5s\"\nwait_for = [\"*\"]", nodes: []string{
		"web1: [policy]\ngrace = \"2s\"\ngrace_min = \"1s\"",
		"db1: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\nwait_for = [\"web1\"]",
		"disk1: [policy]\ngrace = \"0s\"\nwait_for = [\"db1\"]",
	}})
	r.node("web1").slow("10s")
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, chain, "web1 "+off)
	r.await("the master to know", func(s status) bool { return s.node("web1").Off == "probed" })
	n = r.follow(n, chain, "db1 "+off, "disk1 "+off)
	until(t, "the late unit", r.late)
	r.quiet(n)
}

// slow makes a machine one that takes long to be off after its agent has ended.
func (m *machine) slow(takes string) {
	m.t.Helper()
	m.write("/etc/systemd/system/guests.service", `[Unit]
After=systemd-networkd.service
Before=upsagent.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=true
ExecStop=sleep `+takes+"\n")

	if _, err := m.do("systemctl", "start", "guests.service"); err != nil {
		m.t.Fatal(err)
	}
}

// chain is how long a chain of three who wait for one another may take: who is off is
// believed to be so 30 s later.
const chain = 5 * time.Minute

// TestPlugPulled takes one machine its power on a good day: that is told, and nothing
// else happens; with its power back it is a node as before.
func TestPlugPulled(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, nodes: []string{"web1: [policy]\ngrace = \"0s\"", "db1: [policy]\ngrace = \"0s\""}})
	n := len(r.since(0))
	r.node("web1").outlet(false)
	r.await("the master to miss it", func(s status) bool { return s.node("web1").Link == "lost" && s.node("db1").Link == "up" })
	r.node("web1").outlet(true)
	r.fine()
	r.follow(n, 0, "web1 "+dark, "web1 "+booted)
}

// TestBatteryDies: everybody goes, the master's machine waits in its late unit because its
// cable can't cut the load, the battery dies, and with the mains the outlets come
// back, with whom all boot and are nodes as before.
func TestBatteryDies(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, more: "[node.policy]\ngrace = \"3s\"\ngrace_min = \"1s\"", nodes: []string{
		"web1: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"", "db1: [policy]\ngrace = \"0s\"",
	}})
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, patience, "web1 "+off+" | db1 "+off)
	until(t, "the late unit", r.late)
	for _, m := range r.all {
		m.outlet(false)
	}
	r.ups.Mains(true)
	for _, m := range r.all {
		m.outlet(true)
	}
	n = r.follow(n, patience, host+" "+dark, "web1 "+booted+" | db1 "+booted+" | "+host+" "+booted)
	r.fine()
	r.quiet(n)
}
