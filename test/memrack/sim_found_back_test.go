package memrack

import (
	"testing"
	"time"
)

// TestFoundOnTheWayBack is TestFound for machines that stayed down, or went down again.
func TestFoundOnTheWayBack(t *testing.T) {
	patient, host2, vague, liar, left := foundNode("rack1", 0), foundNode("rack2", 1), foundNode("n1", 0, 1), foundNode("n1", 0), foundNode("n1", 1)
	patient.grace, host2.refuses = 25*time.Minute, 1000
	both := foundNode("rack1", 0, 1)
	both.need, both.grace = 1, 25*time.Minute
	vague.named, vague.noRestore, left.noRestore = false, true, true
	liar.grace, liar.liar, liar.going = 15*time.Second, denies, 8*time.Second
	first, second, theirs := foundUPS("ups0", ""), foundUPS("ups1", ""), foundUPS("ups1", "")
	first.runtime, theirs.master, theirs.runtime = 30*time.Minute, 1, 30*time.Minute
	long := second
	long.runtime = 30 * time.Minute
	for name, p := range map[string]simPlan{
		// Seed 19. Which feeds count was not said, so it goes with the first that fails; it was
		// woken on the first that was back, and went again.
		"a node that names none of two feeds": {
			ups: []simUPS{first, long}, nodes: []simPolicy{both, vague},
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: time.Minute, what: "mains off", on: 1},
				{at: 8 * time.Minute, what: "mains on"}, {at: 14 * time.Minute, what: "mains on", on: 1},
			}, end: 16 * time.Minute,
		},
		// Seed 133. Its system said that it refused, and went when all was over: nobody had it
		// on his list any more.
		"a node that is called back, and goes": {
			ups: []simUPS{first}, nodes: []simPolicy{patient, liar},
			steps: []simStep{{at: time.Minute, what: "mains off"}, {at: 73400 * time.Millisecond, what: "mains on"}}, end: 2 * time.Minute,
		},
		// Seed 126. Its own UPS was well when its master's machine went because of another, and
		// was empty when that was back.
		"a node whose battery dies while its master's machine is off": {
			ups: []simUPS{foundUPS("ups0", ""), second}, nodes: []simPolicy{foundNode("rack1", 0, 1), left},
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: 6 * time.Minute, what: "mains off", on: 1},
				{at: 16 * time.Minute, what: "mains on"}, {at: 16 * time.Minute, what: "mains on", on: 1},
			}, end: 17 * time.Minute,
		},
		// Seed 223. Woken on good power it heard first of the other master, whose host was about
		// to go, and went with that.
		"machines boot on one good feed while the other's master is about to go": {
			masters: 2, ups: []simUPS{first, theirs}, nodes: append([]simPolicy{patient, host2}, foundEither()...),
			steps: []simStep{
				{at: time.Minute, what: "mains off"}, {at: time.Minute, what: "mains off", on: 1},
				{at: 8 * time.Minute, what: "mains on"}, {at: 14 * time.Minute, what: "mains on", on: 1},
			}, end: 15 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.masters, p.back = max(1, p.masters), simBack{holdOff: 20 * time.Second, limit: 2 * time.Minute}
			found(t, p)
		})
	}
}
