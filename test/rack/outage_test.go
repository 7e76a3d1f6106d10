//go:build linux && (amd64 || arm64)

package rack

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	r.await("everybody to be fine", r.attached)
	if got := r.since(n); len(got) > 0 {
		t.Errorf("it happened: %v", got)
	}
}

// TestOrder: everybody goes by logind, and asks for it in the order that was wanted.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, more: "[node.policy]\ngrace = \"5s\"\nwait_for = [\"*\"]", nodes: []string{
		"web1: [policy]\ngrace = \"2s\"\ngrace_min = \"1s\"",
		"db1: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\nwait_for = [\"web1\"]",
		"disk1: [policy]\ngrace = \"0s\"\nwait_for = [\"db1\"]",
	}})
	n := len(r.since(0))
	r.ups.Mains(false)
	r.follow(n, patience, "web1 "+off+" | db1 "+off+" | disk1 "+off+" | "+host+" "+off)
	asked := regexp.MustCompile(`"phase","on":"node/(\w+)","text":"COMMITTED`)
	var got []string
	for _, m := range asked.FindAllStringSubmatch(r.host.said(), -1) {
		got = append(got, m[1])
	}
	if d := cmp.Diff([]string{"web1", "db1", "disk1", host}, got); d != "" {
		t.Errorf("who asked for the power-off when (-want +got):\n%s", d)
	}
}

// TestPlugPulled takes one machine its power on a good day: that is told, and nothing
// else happens; with its power back it is a node as before.
func TestPlugPulled(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, nodes: []string{"web1: [policy]\ngrace = \"0s\"", "db1: [policy]\ngrace = \"0s\""}})
	n := len(r.since(0))
	r.node("web1").outlet(false)
	r.await("the master to miss it", func(s status) bool { return s.node("web1").Link == "lost" && s.node("db1").Link == "up" })
	r.node("web1").outlet(true)
	r.await("everybody to be fine", r.attached)
	r.follow(n, 0, "web1 "+dark, "web1 "+booted)
}

// TestBatteryDies: everybody goes, the battery dies, and with the mains the outlets come
// back, with whom all boot and are nodes as before.
func TestBatteryDies(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, more: "[node.policy]\ngrace = \"3s\"\ngrace_min = \"1s\"", nodes: []string{
		"web1: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"", "db1: [policy]\ngrace = \"0s\"",
	}})
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, patience, "web1 "+off+" | db1 "+off+" | "+host+" "+off)
	for _, m := range r.all() {
		m.outlet(false)
	}
	r.ups.Mains(true)
	for _, m := range r.all() {
		m.outlet(true)
	}
	n = r.follow(n, patience, "web1 "+booted+" | db1 "+booted+" | "+host+" "+booted)
	r.await("everybody to be fine", r.attached)
	if got := r.since(n); len(got) > 0 {
		t.Errorf("it happened: %v", got)
	}
}
