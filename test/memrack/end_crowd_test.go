package memrack

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLaw05AFleetOfTwoHundred: a third goes by itself, a third waits for some of those,
// and the rest goes because the host does; the load is cut after the last of them is off.
func TestLaw05AFleetOfTwoHundred(t *testing.T) {
	const many = 200
	synctest.Test(t, func(t *testing.T) {
		host, _ := endRack()
		host.config = "[node.policy]\ngrace = \"60s\"\nwait_for = [\"n000\", \"n198\"]\n[node.shutdown]\nstop_time = \"10s\"\n"
		var nodes []endSpec
		for i := range many {
			policy := [...]string{"[policy]\ngrace = \"15s\"\n", "[policy]\ngrace = \"20s\"\nwait_for = [\"n000\", \"n198\"]\n", "[policy]\ngrace = \"10m\"\n"}[i%3]
			nodes = append(nodes, endSpec{
				name: fmt.Sprintf("n%03d", i), config: policy + "[shutdown]\nstop_time = \"10s\"\n",
				accepts: time.Duration(i) * time.Millisecond, goes: 8 * time.Second,
			})
		}
		w := newEndWorld(t, host, nodes...)
		defer w.stop()
		w.fails()
		w.liveTo(4 * time.Minute)
		off, cut := 0, false
		for _, m := range w.marks {
			switch {
			case cut:
				t.Errorf("%s after the cut", m.name)
			case m.name == "cut":
				cut = true
			case strings.HasSuffix(m.name, " off"):
				off++
			}
		}
		if off != many || !cut {
			t.Errorf("%d of %d are off; cut: %t", off, many, cut)
		}
		for _, e := range w.wrong {
			t.Error(e)
		}
	})
}
