//go:build linux && (amd64 || arm64)

package rack

import "testing"

// soon are times of [recover] that a test can wait for.
const soon = "[recover]\nhold_off = \"1s\"\nmin_charge = 0\nstagger = \"1s\"\n"

// byCard is a node that is off soon and comes back when it is woken: its card can't be
// armed in a container, and hears a magic packet all the same.
const byCard = "[shutdown]\nstop_time = \"3s\"\n[wake]\nmethod = [\"wol\"]\n"

// TestLaw07Woken puts the nodes down and not the master's machine. When the mains are
// back it wakes them by their network cards, one after the other, who went last first.
func TestLaw07Woken(t *testing.T) {
	t.Parallel()
	r := newRack(t, config{cable: plain, more: soon + "[node.policy]\ngrace = \"1h\"\n", nodes: []string{
		"web1: [policy]\ngrace = \"0s\"\n" + byCard, "db1: [policy]\ngrace = \"3s\"\ngrace_min = \"1s\"\n" + byCard,
	}})
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, patience, "web1 "+off, "db1 "+off)
	r.ups.Mains(true)
	n = r.follow(n, patience, "db1 "+woken, "db1 "+booted, "web1 "+woken, "web1 "+booted)
	r.fine()
	r.quiet(n)
}
