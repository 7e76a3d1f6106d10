package proof

import (
	"maps"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Sealed is a UPS whose load the master's own machine went down to cut.
type Sealed struct {
	Outage string    `json:"outage"`
	Wall   time.Time `json:"wall"`
	// Lasts is for how long from then on its battery has more than enough: power that went
	// and came in that time was cut, and not the battery's end.
	Lasts time.Duration `json:"lasts"`
}

// Seal takes which UPSes are sealed to be cut now, by name, and reports whether that is
// new. A moment or a battery that moved by seconds is not.
func (p *Proofs) Seal(all map[string]Sealed) (changed bool) {
	p.sealing = true
	same := func(a, b Sealed) bool { return a.Outage == b.Outage }
	if maps.EqualFunc(p.Sealed, all, same) {
		return false
	}
	p.Sealed = all
	return true
}

// Woke notes that somebody starts a node, and reports whether that is new: its return
// proves no cut.
func (p *Proofs) Woke(node string) (changed bool) {
	d := p.Down[node]
	if d == nil || d.Woken {
		return false
	}
	d.Woken = true
	return true
}

// cut reports whether a node's return shows that its UPS obeyed its kill line: the node was
// seen to be off before the master's machine went to cut the load, nobody and nothing but
// the power can have started it, and when that machine itself came up the battery would
// have lasted for long yet. The last is by the wall clock: only people are told of it.
func (p *Proofs) cut(now power.Uptime, wall time.Time, n Node, d *downNode) bool {
	s, sealed := p.Sealed[d.UPS]
	born := wall.Add(-time.Duration(now))
	return sealed && s.Outage == d.Outage &&
		d.Probed && !d.Woken && !n.Foreign && len(n.UPS) == 1 && !slices.Contains(n.Wake, policy.WakeRTC) &&
		born.After(s.Wall) && born.Before(s.Wall.Add(s.Lasts))
}
