package proof

import (
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

// StopTook is how long a node took to be off after its commit. Probed: until nothing of
// it answered any more; else only until its link ended, which comes early.
type StopTook struct {
	Took   time.Duration `json:"took"`
	Probed bool          `json:"probed,omitempty"`
}

// StopTime is a node's stop time as measured, with a margin for what stops after its
// network. Sure: probes have shown it; else it is longer.
type StopTime struct {
	Takes time.Duration
	Sure  bool
}

// Measured returns a node's stop time; zero: never measured.
func (n NodeProof) Measured() StopTime {
	var all, probed []time.Duration
	for _, s := range n.Stops {
		all = append(all, s.Took)
		if s.Probed {
			probed = append(probed, s.Took)
		}
	}
	switch {
	case len(probed) > 0:
		return StopTime{percentile(probed) + policy.OffMargin, true}
	case len(all) > 0:
		return StopTime{percentile(all) + policy.OffMargin, false}
	default:
		return StopTime{}
	}
}

// stopped adds a measured stop time.
func (n *NodeProof) stopped(s StopTook) {
	if s.Took > 0 {
		n.Stops = append(n.Stops, s)
		n.Stops = n.Stops[max(0, len(n.Stops)-stopsKept):]
	}
}

// percentile returns the smallest of all that as many percent are not longer than: the
// nearest rank, which no guess lies in.
func percentile(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[(len(all)*stopPercentile+99)/100-1]
}

// stopped notes when nothing of a node that went answered any more.
func (d *downNode) stopped(n Node) {
	if !d.Probed && n.Off == policy.OffProbed && n.Boot == d.Boot && d.At > 0 && n.Silent.After(d.At) {
		d.Stop, d.Probed = n.Silent.Sub(d.At), true
	}
}

// Stops returns the stop times that were measured, by node.
func (p *Proofs) Stops() map[string]StopTime {
	out := map[string]StopTime{}
	for name, n := range p.Nodes {
		if m := n.Measured(); m.Takes > 0 {
			out[name] = m
		}
	}
	return out
}
