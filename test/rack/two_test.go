//go:build linux && (amd64 || arm64)

package rack

import "testing"

// TestLaw05TwoMasters is a rack on two UPSes. When one fails, those go who live on it
// alone, and it is cut when they are off, whoever else it feeds. When the other fails
// too, the rest go.
func TestLaw05TwoMasters(t *testing.T) {
	t.Parallel()
	const quick = "[policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\n" + byCard
	more := soon + "[node.policy]\ngrace = \"2s\"\ngrace_min = \"1s\"\nwait_for = [\"*\"]\n[node.shutdown]\nstop_time = \"3s\"\n"
	r := newRack(t, config{minutes: 2, cable: killing, more: more, second: &more, nodes: []string{
		"left1: " + quick,
		"right1@2: " + quick,
		"both1@12: [power]\nfeeds = [\"rack1/main\", \"rack2/main\"]\nneed = 1\n" + quick,
	}})
	n := len(r.since(0))
	r.ups.Mains(false)
	n = r.follow(n, chain, "left1 "+off, "ups "+outputOff, "rack1 "+dark)
	r.ups2.ups.Mains(false)
	n = r.follow(n, chain, "right1 "+off+" | both1 "+off, "ups2 "+outputOff, "rack2 "+dark)
	r.ups.Mains(true)
	n = r.follow(n, chain, "ups "+outputOn, "rack1 "+booted+" | left1 "+booted+" | both1 "+booted)
	r.await("left1", func(s status) bool { return s.node("left1").Link == "up" && s.node("both1").Link == "up" })
	r.ups2.ups.Mains(true)
	n = r.follow(n, chain, "ups2 "+outputOn, "rack2 "+booted+" | right1 "+booted)
	r.fine()
	r.quiet(n)
	for _, s := range r.supplies() {
		s.checkKills()
	}
}
