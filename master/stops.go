package master

import (
	"maps"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

const (
	// stopsKept is how many measured stop times of a node count: a year of outages, as
	// a rule, and then what was changed on the machine has shown.
	stopsKept = 10
	// stopPercentile is which of them is used, sorted: of ten it is the longest.
	stopPercentile = 95
)

// stopTook is how long a node took to be off after its commit. Probed: until nothing of
// it answered any more; else only until its link ended, which comes early.
type stopTook struct {
	Took   time.Duration `json:"took"`
	Probed bool          `json:"probed,omitempty"`
}

// measuredStop is a node's stop time as measured, with a margin for what stops after its
// network. Sure: probes have shown it; else it is longer.
type measuredStop struct {
	takes time.Duration
	sure  bool
}

// measured returns a node's stop time; zero: never measured.
func (n nodeProof) measured() measuredStop {
	var all, probed []time.Duration
	for _, s := range n.Stops {
		all = append(all, s.Took)
		if s.Probed {
			probed = append(probed, s.Took)
		}
	}
	switch {
	case len(probed) > 0:
		return measuredStop{percentile(probed) + policy.OffMargin, true}
	case len(all) > 0:
		return measuredStop{percentile(all) + policy.OffMargin, false}
	default:
		return measuredStop{}
	}
}

// percentile returns the smallest of all that as many percent are not longer than: the
// nearest rank, which no guess lies in.
func percentile(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)*stopPercentile+99)/100-1]
}

// stopped notes when nothing of a node that went answered any more.
func (d *downNode) stopped(n nodeNow) {
	if !d.Probed && n.off == policy.OffProbed && n.boot == d.Boot && d.At > 0 && n.silent.After(d.At) {
		d.Stop, d.Probed = n.silent.Sub(d.At), true
	}
}

// stops returns the stop times that were measured, by node.
func (p *proofs) stops() map[string]measuredStop {
	out := map[string]measuredStop{}
	for name, n := range p.Nodes {
		if m := n.measured(); m.takes > 0 {
			out[name] = m
		}
	}
	return out
}

// measure takes the measured stop times of all nodes.
func (h *hub) measure(all map[string]measuredStop) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if maps.Equal(h.stops, all) {
		return
	}
	h.stops = all
	h.wakeSessions()
}

// stopTime returns the measured stop time that counts for a node, in place of what its
// owner wrote; 0: that counts. What is only known to be longer than measured shortens
// nothing. h.mu is held.
func (h *hub) stopTime(n *nodeRecord) time.Duration {
	m := h.stops[n.name]
	wrote := n.hello.GetPolicy().GetStopTime()
	if n.host || !m.sure && (wrote == nil || m.takes <= wrote.AsDuration()) {
		return 0
	}
	return m.takes
}
