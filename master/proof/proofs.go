package proof

import (
	"maps"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// backLimit is how long after an outage a node may attach and still have come
	// back by itself: later somebody may have pressed its button.
	backLimit = time.Hour
	// linksBreak is how soon after a failure all links are lost if the switch went
	// with the mains, seen by heartbeats; linksLive is how long they live if not.
	linksBreak = 5500 * time.Millisecond
	linksLive  = 10 * time.Second
)

// Proofs is what outages have proved, and what they are about to: it lies on disk.
// It is fed with the whole rack as it is, as often as may be. Whatever happens
// between two looks proves nothing rather than something false.
type Proofs struct {
	Nodes map[string]NodeProof `json:"nodes"`
	UPS   map[string]UPSProof  `json:"ups"`
	// Open are outages that were seen to begin and not yet to end, by UPS.
	Open map[string]*openOutage `json:"open"`
	// Down are nodes that an outage put down and that were not seen since.
	Down map[string]*downNode `json:"down"`
	// Dark is when all links broke as the mains failed; nil: never, or links have
	// lived through a failure since.
	Dark *time.Time `json:"dark,omitempty"`
	// Sealed are the UPSes that the master's machine went, or is about to go, to have cut.
	Sealed map[string]Sealed `json:"sealed,omitempty"`
	// Boot is the master's own, for the moments in the above.
	Boot string `json:"boot"`

	last  Rack                 // what was seen last
	links map[string]*linkLook // by UPS, while an outage is young

	sealing bool // Sealed is this run's
}

// NodeProof is what was proved of a node.
type NodeProof struct {
	Outages  int        `json:"outages"`
	Last     string     `json:"last"` // the newest outage's id
	LastWall time.Time  `json:"last_wall"`
	Stops    []StopTook `json:"stops,omitempty"` // the newest last
	BackWall time.Time  `json:"back_wall"`
}

// UPSProof is what was proved of a UPS.
type UPSProof struct {
	Outages  int       `json:"outages"`
	LastWall time.Time `json:"last_wall"`
	LowWall  time.Time `json:"low_wall"`
	KillWall time.Time `json:"kill_wall"` // when it was seen that it had cut the load
}

type openOutage struct {
	ID    string                `json:"id"`
	Nodes map[string]*nodeStory `json:"nodes"` // who was attached when it began
}

// nodeStory is one node in one outage.
type nodeStory struct {
	Boot      string       `json:"boot"`
	Heard     bool         `json:"heard,omitempty"`     // it said itself that it is on battery
	Committed bool         `json:"committed,omitempty"` // its last word
	Accepted  bool         `json:"accepted,omitempty"`
	At        power.Uptime `json:"at,omitempty"`   // of the commit; 0: nobody saw it
	Gone      bool         `json:"gone,omitempty"` // the link went after the commit
	Lost      bool         `json:"lost,omitempty"` // or before: this outage proves nothing of it
}

// downNode is a node that went in an outage.
type downNode struct {
	UPS    string        `json:"ups"`
	Outage string        `json:"outage"`
	Boot   string        `json:"boot"`         // in which it went
	Went   bool          `json:"went"`         // it was seen to go of its own, not only to commit
	At     power.Uptime  `json:"at,omitempty"` // of its commit; 0: not known
	Stop   time.Duration `json:"stop,omitempty"`
	Probed bool          `json:"probed,omitempty"` // Stop is what probes have shown
	Over   *power.Uptime `json:"over,omitempty"`   // when the power was seen to be back
	Late   bool          `json:"late,omitempty"`   // too long ago to say how it came back
	Woken  bool          `json:"woken,omitempty"`  // somebody started it
}

// linkLook watches the links in an outage's first seconds.
type linkLook struct {
	began power.Uptime
	alive map[string]bool
	lost  int
	spoil bool // somebody went otherwise: not all links broke
}

// New returns one that knows nothing, on a machine in that boot.
func New(boot string) *Proofs {
	return &Proofs{
		Nodes: map[string]NodeProof{}, UPS: map[string]UPSProof{}, Open: map[string]*openOutage{}, Down: map[string]*downNode{},
		Boot: boot, links: map[string]*linkLook{},
	}
}

// Resume goes on from what an earlier run kept. Every link has broken with it, and
// after a boot no moment means anything.
func (p *Proofs) Resume(old *Proofs, host string) {
	maps.Copy(p.Nodes, old.Nodes)
	maps.Copy(p.UPS, old.UPS)
	maps.Copy(p.Open, old.Open)
	maps.Copy(p.Down, old.Down)
	p.Dark = old.Dark
	if !p.sealing {
		p.Sealed = old.Sealed
	}
	rebooted := old.Boot != p.Boot
	for _, d := range p.Down {
		d.Late = d.Late || rebooted && d.Over != nil
		if rebooted {
			d.At = 0
		}
	}
	for ups, o := range p.Open {
		for name, s := range o.Nodes {
			switch {
			case s.Gone || s.Lost: // its story is told
			case name == host && !rebooted: // it lives in this process, and goes on
			case s.Committed && s.Heard:
				s.Gone = true
				p.Down[name] = &downNode{UPS: ups, Outage: o.ID, Boot: s.Boot, Went: s.Accepted}
			default:
				s.Lost = true
			}
		}
	}
}

// Forget drops what was proved of a machine that is no more, or is another now.
func (p *Proofs) Forget(name string) {
	delete(p.Nodes, name)
	delete(p.Down, name)
	for _, o := range p.Open {
		delete(o.Nodes, name)
	}
}

// CameBack notes that a node was off and is on again: after an outage, or on purpose.
func (p *Proofs) CameBack(node string, wall time.Time) {
	proof := p.Nodes[node]
	proof.BackWall = wall
	p.Nodes[node] = proof
}

// Stopped notes how long the master's own machine took to stop, as its late unit saw.
func (p *Proofs) Stopped(host string, took time.Duration) {
	proof := p.Nodes[host]
	proof.stopped(StopTook{took, true})
	p.Nodes[host] = proof
}

// Step takes the rack as it is now, and reports whether anything was learned that
// must not be lost.
func (p *Proofs) Step(now power.Uptime, wall time.Time, r Rack) (changed bool) {
	for _, u := range r.UPS {
		changed = p.stepUPS(now, wall, u, r) || changed
	}
	for name, d := range p.Down {
		was := *d
		if d.Over == nil && r.State(d.UPS).Status == power.OK {
			d.Over = &now
		}
		if n := r.Node(name); n != nil {
			p.followDown(now, wall, *n, d)
		}
		changed = changed || p.Down[name] == nil || was != *d
	}
	p.last = r
	return changed
}

// stepUPS goes on with the outage of one UPS. Pretended ones prove nothing.
func (p *Proofs) stepUPS(now power.Uptime, wall time.Time, u UPS, r Rack) (changed bool) {
	was, open := p.last.State(u.Name), p.Open[u.Name]
	if u.State.Sim || u.State.Drill {
		if open == nil {
			return false
		}
		delete(p.Open, u.Name) // its end will not be seen
		return true
	}
	if u.State.Status == power.BatLow && was.Status != power.BatLow && !u.Suspect {
		proof := p.UPS[u.Name]
		proof.LowWall = wall
		p.UPS[u.Name], changed = proof, true
	}
	// Blind, and OK before that: its end fell between two looks.
	if open != nil && (u.State.Known() == power.OK || u.State.Outage != "" && u.State.Outage != open.ID) {
		p.end(wall, u, open, r)
		open, changed = nil, true
	}
	switch {
	case open != nil:
		changed = p.follow(now, u.Name, open, r) || changed
	case u.State.Status.OnBattery() && was.Status == power.OK && !was.Sim && !was.Drill:
		open = p.begin(u, r)
		p.follow(now, u.Name, open, r)
		changed = true
	}
	return p.lookAtLinks(now, wall, u, r) || changed
}

// begin opens an outage with everybody who was attached before it.
func (p *Proofs) begin(u UPS, r Rack) *openOutage {
	o := &openOutage{ID: u.State.Outage, Nodes: map[string]*nodeStory{}}
	look := &linkLook{began: u.State.OutageSince, alive: map[string]bool{}}
	for _, n := range p.last.Nodes {
		if n.Link != power.LinkUp || n.Going() { // by somebody's order
			continue
		}
		if !n.Host {
			look.alive[n.Name] = true
		}
		if now := r.Node(n.Name); now != nil && slices.Contains(n.UPS, u.Name) && !n.Status.OnBattery() {
			o.Nodes[n.Name] = &nodeStory{Boot: n.Boot}
		}
	}
	p.Open[u.Name], p.links[u.Name] = o, look
	return o
}

// follow notes what each node does in an outage.
func (p *Proofs) follow(now power.Uptime, ups string, o *openOutage, r Rack) (changed bool) {
	for name, s := range o.Nodes {
		n, was := r.Node(name), *s
		switch {
		case n == nil:
			delete(o.Nodes, name)
			changed = true
			continue
		case s.Lost:
		case n.Link == power.LinkUp && n.Boot != s.Boot: // it was off and is back already
			s.Lost = !s.Gone
		case n.Link == power.LinkUp && s.Gone: // it never went
			s.Lost, s.Gone = true, false
			delete(p.Down, name)
		case n.Link == power.LinkUp:
			s.hear(now, *n)
		case !s.Gone:
			p.gone(now, ups, o, s, *n)
		default: // it is off, as far as anybody can say
		}
		changed = changed || was != *s
	}
	return changed
}

// hear takes a report.
func (s *nodeStory) hear(now power.Uptime, n Node) {
	s.Heard = s.Heard || n.Status.OnBattery()
	committed := n.Going()
	if committed && !s.Committed {
		s.At = now
	}
	s.Committed, s.Accepted = committed, n.Phase == policy.Done
}

// gone takes the end of a node's link.
func (p *Proofs) gone(now power.Uptime, ups string, o *openOutage, s *nodeStory, n Node) {
	if !n.Going() || n.Boot != s.Boot || !s.Heard && !n.Status.OnBattery() {
		s.Lost = true // it fell silent, went for another reason, or had been off before
		return
	}
	d := &downNode{UPS: ups, Outage: o.ID, Boot: s.Boot, Went: true}
	if s.Committed && s.At > 0 { // else it committed since the last look
		d.At, d.Stop = s.At, now.Sub(s.At)
	}
	s.Heard, s.Committed, s.Gone = true, true, true
	p.Down[n.Name] = d
}

// end closes an outage. Only an OK proves anything of those who stayed; those who
// went prove it when they come back, for until then they may only be out of touch.
func (p *Proofs) end(wall time.Time, u UPS, o *openOutage, r Rack) {
	delete(p.Open, u.Name)
	proof := p.UPS[u.Name]
	proof.Outages++
	proof.LastWall = wall
	p.UPS[u.Name] = proof
	if u.State.Status != power.OK {
		return // a newer outage: what lies between was not seen
	}
	for name, s := range o.Nodes {
		n := r.Node(name)
		if n == nil || !s.Heard || s.Lost || s.Gone {
			continue
		}
		stayed := n.Link == power.LinkUp && n.Boot == s.Boot
		if stayed {
			p.prove(name, o.ID, wall, StopTook{})
		}
		// A commit that is new now may have come after the OK, and proves nothing. An
		// older one may still be carried out: what is accepted is not taken back.
		if s.Committed {
			p.Down[name] = &downNode{UPS: u.Name, Outage: o.ID, Boot: s.Boot, Went: s.Accepted || !stayed && n.Going()}
		}
	}
}

// prove counts an outage that a node was seen through.
func (p *Proofs) prove(name, outage string, wall time.Time, stop StopTook) {
	proof := p.Nodes[name]
	if proof.Last != outage || proof.Outages == 0 {
		proof.Outages++
	}
	proof.Last, proof.LastWall = outage, wall
	proof.stopped(stop)
	p.Nodes[name] = proof
}

// followDown waits for a node that went, or was about to, until it is attached again.
func (p *Proofs) followDown(now power.Uptime, wall time.Time, n Node, d *downNode) {
	switch {
	case n.Link != power.LinkUp:
		d.Went = d.Went || n.Going() // its last word
		d.stopped(n)
	case n.Boot == d.Boot:
		if !n.Going() { // it never was off
			delete(p.Down, n.Name)
		}
	case d.Over != nil: // else how it ends is not known
		delete(p.Down, n.Name)
		if d.Went {
			p.prove(n.Name, d.Outage, wall, StopTook{d.Stop, d.Probed})
		}
		if !d.Late && now.Sub(*d.Over) <= backLimit {
			p.CameBack(n.Name, wall)
		}
		if p.cut(now, wall, n, d) {
			proof := p.UPS[d.UPS]
			proof.KillWall = wall
			p.UPS[d.UPS] = proof
		}
	}
}

// lookAtLinks finds out whether the network lives on the UPS.
func (p *Proofs) lookAtLinks(now power.Uptime, wall time.Time, u UPS, r Rack) (changed bool) {
	l := p.links[u.Name]
	if l == nil {
		return false
	}
	for name := range l.alive {
		switch n := r.Node(name); {
		case n != nil && n.Link == power.LinkUp:
			continue
		case n != nil && n.Link == power.LinkLost && !n.Going():
			l.lost++
		default:
			l.spoil = true // it went, or said that it goes
		}
		delete(l.alive, name)
	}
	age, was := now.Sub(l.began), p.Dark
	switch {
	case len(l.alive) == 0:
		if l.lost > 0 && !l.spoil && age <= linksBreak {
			p.Dark = &wall
		}
	case age >= linksLive:
		p.Dark = nil
	case u.State.Outage != "":
		return false // it is young
	}
	delete(p.links, u.Name)
	return p.Dark != was
}
