package memrack

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSimEnds holds that the simulated world ends as a real one does: who is cut, who is
// started again, and what that comes to in the judge's count.
func TestSimEnds(t *testing.T) {
	off := simStep{at: time.Minute, what: "mains off"}
	on := func(at time.Duration) simStep { return simStep{at: at, what: "mains on"} }
	again := simStep{what: "mains back", then: 5 * time.Second, when: atLast}
	type ends struct{ Cut, Reboots, Died int }
	for name, tc := range map[string]struct {
		cable string
		out   simOutput
		steps []simStep
		want  ends
	}{
		"cut, and back by the power":           {"nut-7", simOutput{takes: 0.5}, []simStep{off, on(8 * time.Minute)}, ends{Cut: 1}},
		"the mains are back before the order":  {"nut-7", simOutput{takes: 0.5}, []simStep{off, on(130 * time.Second)}, ends{Reboots: 1}},
		"for a moment, so that it goes again":  {"nut-7", simOutput{takes: 0.5}, []simStep{off, again, on(8 * time.Minute)}, ends{Cut: 1, Reboots: 1}},
		"after the order, which is taken back": {"nut-7", simOutput{takes: 0.9}, []simStep{off, on(3 * time.Minute)}, ends{Reboots: 1}},
		"after the order, which is obeyed":     {"nut-7", simOutput{takes: 0.9, through: true}, []simStep{off, on(3 * time.Minute)}, ends{Cut: 1}},
		"the order is ignored":                 {"nut-7", simOutput{heedless: true}, []simStep{off, on(8 * time.Minute)}, ends{Reboots: 1}},
		"until the battery is empty":           {"nut-7", simOutput{heedless: true}, []simStep{off, on(25 * time.Minute)}, ends{}},
		"no kill line":                         {"genpower-phxtec-a1000", simOutput{}, []simStep{off, on(8 * time.Minute)}, ends{Reboots: 1}},
		"a break":                              {"apc-back-ups-txd", simOutput{takes: 0.1}, []simStep{off, on(8 * time.Minute)}, ends{Cut: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			host, node, u := foundNode("rack1", 0), foundNode("n1", 0), foundUPS("ups0", tc.cable)
			host.grace, u.runtime, u.simOutput = time.Minute, 20*time.Minute, tc.out
			node.going, node.early = 30*time.Second, true // so that the order has to wait
			p := simPlan{
				masters: 1, ups: []simUPS{u}, nodes: []simPolicy{host, node}, steps: tc.steps, end: 26 * time.Minute,
				back: simBack{holdOff: 10 * time.Second, limit: time.Minute},
			}
			j := simulate(t, p, nil)
			for _, wrong := range j.wrong {
				t.Error(wrong)
			}
			if diff := cmp.Diff(tc.want, ends{j.cut, j.reboots, j.died}); diff != "" {
				t.Errorf("it ends (-want +got):\n%s", diff)
			}
		})
	}
}
