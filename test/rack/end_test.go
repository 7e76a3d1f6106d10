//go:build linux && (amd64 || arm64)

package rack

import (
	"testing"
	"time"
)

// endgame is a rack whose UPS can cut its load and whose machines are off soon.
func endgame(t *testing.T, minutes int, recover string) *rack {
	return newRack(t, config{minutes: minutes, cable: killing, more: recover + "[node.policy]\ngrace = \"4s\"\ngrace_min = \"1s\"\nwait_for = [\"*\"]\n[node.shutdown]\nstop_time = \"3s\"\n", nodes: []string{
		"web1: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\n" + byCard,
		"web2: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\n" + byCard,
		"db1: [policy]\ngrace = \"2s\"\ngrace_min = \"1s\"\nwait_for = [\"web1\", \"web2\"]\n[shutdown]\nstop_time = \"30s\"\n[wake]\nmethod = [\"wol\"]\n",
	}})
}

// TestLaw05Outage is the whole of it: everybody goes in order, the load is cut when the
// last of them is off, and the mains bring all of them back.
func TestLaw05Outage(t *testing.T) {
	t.Parallel()
	r := endgame(t, 1, soon)
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, chain, "web1 "+off+" | web2 "+off, "db1 "+off, "ups "+outputOff, host+" "+dark)
	r.ups.Mains(true)
	n = r.follow(n, chain, "ups "+outputOn, host+" "+booted+" | web1 "+booted+" | web2 "+booted+" | db1 "+booted)
	r.fine()
	r.quiet(n)
	r.checkKills()
}

// TestLaw07MainsBackInTheLateUnit is the old trap: the mains come back when all are down
// and the load isn't cut yet. The master's machine reboots instead of halting for ever,
// and wakes the others.
func TestLaw07MainsBackInTheLateUnit(t *testing.T) {
	t.Parallel()
	r := endgame(t, 2, soon)
	n := len(r.since(0))
	r.ups.SetHold(time.Hour) // it is deaf: there is time
	r.ups.Mains(false)
	n = r.follow(n, chain, "web1 "+off+" | web2 "+off, "db1 "+off)
	until(t, "the late unit", r.late)
	r.ups.Mains(true)
	n = r.follow(n, chain, host+" "+rebooted, host+" "+booted)
	n = r.follow(n, chain, "db1 "+woken, "db1 "+booted)
	n = r.follow(n, chain, "web1 "+woken+" | web2 "+woken+" | web1 "+booted+" | web2 "+booted)
	r.fine()
	r.quiet(n)
	r.checkKills()
}

// TestLaw07TheLateUnitIsKilled: another takes its place, so that the mains still find
// somebody who sees them.
func TestLaw07TheLateUnitIsKilled(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: killing, more: soon + "[node.policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\n[node.shutdown]\nstop_time = \"3s\"\n"})
	if _, err := r.host.do("rm", "/usr/lib/systemd/system-shutdown/lastwatt"); err != nil {
		t.Fatal(err) // it would do as well
	}
	n := len(r.since(0))
	r.ups.SetHold(time.Hour) // it is deaf: there is time
	r.ups.Mains(false)
	until(t, "the late unit", r.late)
	if _, err := r.host.do("systemctl", "kill", "--signal=KILL", "lastwatt-cut.service"); err != nil {
		t.Fatal(err)
	}
	r.ups.Mains(true)
	r.follow(n, chain, host+" "+rebooted, host+" "+booted)
	r.checkKills()
}
