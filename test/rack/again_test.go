//go:build linux && (amd64 || arm64)

package rack

import (
	"math"
	"testing"
	"time"
)

// staggered leaves time between two who are woken.
const staggered = "[recover]\nhold_off = \"1s\"\nmin_charge = 0\nstagger = \"10s\"\n"

// TestLaw07FailsAgain has the mains fail when one node is woken and the others aren't.
// It is an outage with its debt, in which nobody is woken, and who boots into it counts
// with what the battery has left.
func TestLaw07FailsAgain(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{minutes: 1, cable: plain, more: staggered + "[node.policy]\ngrace = \"1h\"\n", nodes: []string{
		"web1: [policy]\ngrace = \"0s\"\n" + byCard,
		"db1: [policy]\ngrace = \"15s\"\ngrace_min = \"15s\"\n" + byCard,
		"big1: [policy]\ngrace = \"5m\"\n" + byCard,
	}})
	r.node("big1").outlet(false)
	r.await("big1 to be missed", func(s status) bool { return s.node("big1").Link == "lost" })
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, patience, "web1 "+off, "db1 "+off)
	first := r.status().ups()
	r.ups.Mains(true)
	n = r.follow(n, patience, "db1 "+woken, "db1 "+booted)
	r.ups.Mains(false)
	r.await("db1 to count down", func(s status) bool { return s.node("db1").Phase == "GRACE" && s.node("db1").Link == "up" })
	r.node("big1").outlet(true)
	is := r.await("big1 to count down", func(s status) bool { return s.node("big1").Phase == "GRACE" && s.node("big1").Link == "up" })
	second := is.ups()
	if second.Outage == first.Outage || second.Debt < first.Age-1 || second.Debt > first.Age+patience.Seconds() {
		t.Errorf("the second outage is %+v, after %+v", second, first)
	}
	if goes, want := is.goes("big1"), (5*time.Minute).Seconds()-second.Debt; math.Abs(goes-want) > 1 {
		t.Errorf("big1 goes at %.1f s, want %.1f s", goes, want)
	}
	n = r.follow(n, patience, "big1 "+booted, "db1 "+off)
	r.ups.Mains(true)
	n = r.follow(n, patience, "db1 "+woken, "db1 "+booted, "web1 "+woken, "web1 "+booted)
	r.fine()
	r.quiet(n)
}

// TestLaw07FailsAgainForAll is the same with the master's machine in both outages, the
// second of which ends with the cut: who is booting when everybody goes is waited for.
func TestLaw07FailsAgainForAll(t *testing.T) {
	t.Parallel()
	r := endgame(t, 3, staggered)
	// A server tests itself before it boots. It takes longer than the host would stay.
	r.node("db1").write("/etc/systemd/system/upsagent.service.d/slow.conf", "[Service]\nExecStartPre=sleep 10\n")
	n := len(r.since(0))
	r.ups.SetHold(time.Hour) // it is deaf: there is time
	r.ups.Mains(false)
	n = r.follow(n, chain, "web1 "+off+" | web2 "+off, "db1 "+off)
	until(t, "the late unit", r.late)
	r.ups.Mains(true)
	n = r.follow(n, chain, host+" "+rebooted, host+" "+booted, "db1 "+woken, "db1 "+booted)
	r.ups.SetHold(time.Second)
	r.ups.Mains(false)
	n = r.follow(n, chain, "db1 "+off, "ups "+outputOff, host+" "+dark)
	r.ups.Mains(true)
	n = r.follow(n, chain, "ups "+outputOn, host+" "+booted+" | web1 "+booted+" | web2 "+booted+" | db1 "+booted)
	r.fine()
	r.quiet(n)
	r.checkKills()
}
