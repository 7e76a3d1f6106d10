package memrack

import (
	"strings"
	"testing"
	"time"
)

// foundUPS is a UPS of a story, by default on a sim port.
func foundUPS(name, cable string) simUPS {
	return simUPS{name: name, cable: cable, runtime: 7 * time.Minute, reserve: time.Minute, recharge: 15 * time.Minute}
}

// foundNode is a machine of a story, which needs all of its feeds.
func foundNode(name string, feeds ...int) simPolicy {
	return simPolicy{name: name, feeds: feeds, need: len(feeds), named: true, grace: 4 * time.Minute, lost: time.Minute,
		simManner: simManner{accepting: time.Millisecond, going: 3 * time.Second}}
}

// foundEither are machines that need one of two feeds: who is heard first is chance.
func foundEither() (all []simPolicy) {
	for _, name := range []string{"n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"} {
		n := foundNode(name, 0, 1)
		n.need = 1
		all = append(all, n)
	}
	return all
}

// TestFound plays again what random outages have found, each as short as it could be
// made: it stays mended.
func TestFound(t *testing.T) {
	ups, node, either := foundUPS, foundNode, foundEither()
	deaf := node("n1", 0, 1)
	deaf.deaf = true
	hasty, eager := node("n1", 0), node("n1", 0)
	hasty.grace, hasty.hook = 0, 2*hookLimit
	eager.grace = 30 * time.Second
	first, second, patient := ups("ups0", ""), ups("ups1", ""), node("rack1", 0)
	first.runtime, patient.grace = 30*time.Minute, 25*time.Minute
	second.runtime, second.master = 5*time.Minute, 1
	var yoyo []simStep
	for at := time.Minute; at < 80*time.Second; at += 4 * time.Second {
		yoyo = append(yoyo, simStep{at: at, what: "mains off"}, simStep{at: at + time.Second, what: "mains on"})
	}
	yoyo = append(yoyo, simStep{at: 81 * time.Second, what: "mains off"})
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
		// Seed 13917. Each cancelled commit left its hooks in the queue, and the last one
		// waited for all of them.
		"mains that come and go under slow commit hooks": {
			ups: []simUPS{ups("ups0", "")}, nodes: []simPolicy{node("rack1", 0), hasty},
			steps: yoyo, end: 3 * time.Minute,
		},
		// Seed 249. A master that had just begun told of the outage that an earlier run
		// knew, for the 2 s until it believed that the power was good; a machine that booted
		// then took itself for late, and went down on mains.
		"a machine boots while its master has not read its UPS yet": {
			ups: []simUPS{ups("ups0", "")}, nodes: []simPolicy{node("rack1", 0), eager},
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: 100 * time.Second, what: "stop master", then: 66500 * time.Millisecond},
				{at: 130 * time.Second, what: "mains on"}, {at: 130 * time.Second, what: "stop agent", on: 1, then: 37 * time.Second},
			}, end: 4 * time.Minute,
		},
		// Seed 1080. The switch booted after the machine, and the master of the feed that was
		// still on battery was heard first.
		"a machine boots on one good feed of two, and its switch later": {
			masters: 2, ups: []simUPS{first, second}, nodes: append([]simPolicy{patient, node("rack2", 1)}, either...),
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: time.Minute, what: "mains off", on: 1},
				{at: 9 * time.Minute, what: "switch off", then: 2 * time.Minute}, {at: 10 * time.Minute, what: "mains on", on: 1},
				{at: 15 * time.Minute, what: "mains on"},
			}, end: 16 * time.Minute,
		},
		// Seed 2579. A master's machine booted and had not read its UPS yet, so nodes forgot
		// that it was good, and went down because of the other one, whose battery was low.
		"a master's machine boots while the other UPS's battery is low": {
			masters: 2, ups: []simUPS{ups("ups0", ""), {name: "ups1", master: 1, runtime: 7 * time.Minute, reserve: time.Minute, recharge: 15 * time.Minute}},
			nodes: append([]simPolicy{node("rack1", 0), node("rack2", 1)}, either...),
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: 7*time.Minute + 10*time.Second, what: "shutdown", on: 1},
				{at: 10 * time.Minute, what: "mains on"},
			}, end: 11 * time.Minute,
		},
		// Seed 1806. What a killed agent had written last was an outage long over, because
		// its disk took no more; started again, it asked before it heard that.
		"an agent is killed and comes back after the outage and its deadline": {
			ups: []simUPS{ups("ups0", "")}, nodes: []simPolicy{node("rack1", 0), eager},
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: 65 * time.Second, what: "disk read-only", on: 1, then: 90 * time.Second},
				{at: 70 * time.Second, what: "mains on"}, {at: 140 * time.Second, what: "kill agent", on: 1, then: 90 * time.Second},
			}, end: 5 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.masters, p.back.hands = max(1, p.masters), true // as it was when they were found
			found(t, p)
		})
	}
}

func found(t *testing.T, p simPlan) {
	t.Helper()
	if wrong := simulate(t, p, nil).wrong; len(wrong) != 0 {
		t.Errorf("%s\n%s", strings.Join(wrong, "\n"), p)
	}
}
