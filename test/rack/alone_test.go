//go:build linux && (amd64 || arm64)

package rack

import (
	"math"
	"strings"
	"testing"
	"time"
)

// TestLaw10Alone is about nodes that go without help: one whose agent is killed while it
// counts down, one of which the network is cut besides, so that nobody can tell it anew,
// and one whose logind is gone.
func TestLaw10Alone(t *testing.T) {
	t.Parallel()
	const grace = 30 * time.Second
	r := newRack(t, config{minutes: 1, cable: plain, more: soon + "[node.policy]\ngrace = \"1h\"\n", nodes: []string{
		"killed1: [policy]\ngrace = \"30s\"\n" + byCard,
		"cut1: [policy]\ngrace = \"30s\"\n" + byCard,
		"stubborn1: [policy]\ngrace = \"1s\"\ngrace_min = \"1s\"\n" + byCard,
	}})
	if _, err := r.node("stubborn1").do("systemctl", "mask", "--now", "systemd-logind.service"); err != nil {
		t.Fatal(err)
	}
	n := len(r.since(0))
	r.ups.Mains(false)
	failed := time.Since(r.started)
	was := r.await("everybody to count down", func(s status) bool {
		return s.node("killed1").Phase == "GRACE" && s.node("cut1").Phase == "GRACE"
	})
	ip(t, "link set vb-"+r.node("cut1").name+" down")
	r.node("cut1").kill("upsagent")
	r.node("killed1").kill("upsagent")
	is := r.await("the agent to be back", func(s status) bool {
		return s.node("killed1").Link == "up" && s.node("killed1").Phase == "GRACE" && s.node("cut1").Link == "lost"
	})
	if was, is := was.goes("killed1"), is.goes("killed1"); math.Abs(was-is) > 1 {
		t.Errorf("it was to go at %.1f s, now at %.1f s", was, is)
	}
	n = r.follow(n, patience, "killed1 "+killed+" | cut1 "+killed+" | stubborn1 "+off, "killed1 "+off+" | cut1 "+off)
	for _, says := range []string{`"power-off refused","node":"stubborn1","method":"logind"`, `"power-off accepted","node":"stubborn1","method":"systemctl"`} {
		if !strings.Contains(r.node("stubborn1").said(), says) {
			t.Errorf("stubborn1 never said %s", says)
		}
	}
	for _, e := range r.since(n - 2)[:2] {
		if took := e.at - failed; took < grace || took > 2*grace {
			t.Errorf("%s after %v, its grace is %v", e, took, grace)
		}
	}
	r.ups.Mains(true)
	n = r.follow(n, chain, "killed1 "+woken+" | cut1 "+woken+" | stubborn1 "+woken+" | killed1 "+booted+" | cut1 "+booted+" | stubborn1 "+booted)
	r.fine()
	r.quiet(n)
}

// goes returns when a node that counts down will go, in seconds of the outage.
func (s status) goes(name string) float64 {
	if d := s.node(name).Deadline; d != nil {
		return s.ups().Age + *d
	}
	return math.NaN()
}
