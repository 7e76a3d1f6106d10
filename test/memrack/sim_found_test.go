package memrack

import (
	"strings"
	"testing"
	"time"
)

// TestFound plays again what random outages have found, each as short as it could be
// made: it stays mended.
func TestFound(t *testing.T) {
	ups := func(name, cable string) simUPS {
		return simUPS{name: name, cable: cable, runtime: 7 * time.Minute, reserve: time.Minute, recharge: 15 * time.Minute}
	}
	node := func(name string, feeds ...int) simPolicy {
		return simPolicy{name: name, feeds: feeds, need: len(feeds), named: true, grace: 4 * time.Minute, lost: time.Minute,
			simManner: simManner{accepting: time.Millisecond, going: 3 * time.Second}}
	}
	deaf := node("n1", 0, 1)
	deaf.deaf = true
	for name, p := range map[string]simPlan{
		// Seed 152. It counted down by the real feed and never heard that its power was
		// back, because the pretended one was asked then; so it went down on mains.
		"one feed real, one pretended and not obeyed": {
			ups: []simUPS{ups("ups0", "nut-5"), ups("ups1", "")}, nodes: []simPolicy{node("rack1", 0, 1), deaf},
			steps: []simStep{{at: time.Minute, what: "mains off"}, {at: 2 * time.Minute, what: "mains on"}}, end: 3 * time.Minute,
		},
		// Seed 571. Two outages had one id, and only one of them was told of.
		"two UPSes fail in the same nanosecond": {
			ups: []simUPS{ups("ups0", ""), ups("ups1", "")}, nodes: []simPolicy{node("rack1", 0, 1), node("n1", 0, 1)},
			steps: []simStep{
				{at: 40 * time.Second, what: "stop master", then: time.Minute},
				{at: 50 * time.Second, what: "mains off"}, {at: 51 * time.Second, what: "mains off", on: 1},
				{at: 3 * time.Minute, what: "mains on"}, {at: 3 * time.Minute, what: "mains on", on: 1},
			}, end: 4 * time.Minute,
		},
		// Seed 48. Removed on battery, it could neither leave, because it never heard that
		// the power was back, nor join anew, because it had not left.
		"a node that is removed on battery joins again": {
			ups: []simUPS{ups("ups0", "")}, nodes: []simPolicy{node("rack1", 0), node("n1", 0)},
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: 80 * time.Second, what: "remove", on: 1, then: 30 * time.Second},
				{at: 2 * time.Minute, what: "mains on"},
			}, end: 3 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.masters = 1
			if wrong := simulate(t, p, nil).wrong; len(wrong) != 0 {
				t.Errorf("%s\n%s", strings.Join(wrong, "\n"), p)
			}
		})
	}
}
