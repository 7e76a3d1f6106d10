package history

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// keepOutages bounds the stories that a fold remembers; a rack of a hundred nodes
// takes some 10 KiB for each.
const keepOutages = 500

// Fold makes the stories of outages out of the journal's entries, oldest first, and
// of nothing else: what a restarted master tells is what the one before would have.
// It is pure, takes any entries in any order without complaint, and the same again
// changes nothing but, at worst, a moment. It is not safe for concurrent use.
type Fold struct {
	master string // its name, by which feeds name its UPSes
	zone   *time.Location
	now    moment // of the newest entry
	any    bool   // there was one
	all    []*Outage
	byID   map[string]*Outage
	open   map[string]*Outage // by UPS
	nodes  map[string]*tracked
}

// tracked is a node as the newest entry left it.
type tracked struct {
	name  string
	host  bool
	link  string
	phase string
	boot  string
	feeds []string
	parts []*part // in outages that are not over, or whose end it has yet to live to
}

// NewFold returns a fold that knows nothing; zone is where the people are.
func NewFold(master string, zone *time.Location) *Fold {
	return &Fold{master: master, zone: zone, byID: map[string]*Outage{}, open: map[string]*Outage{}, nodes: map[string]*tracked{}}
}

// Add takes the next entry.
func (f *Fold) Add(e journal.Entry) {
	if e.Name != Record {
		return
	}
	var ev Event
	if json.Unmarshal(e.Data, &ev) != nil {
		return
	}
	f.take(ev, moment{boot: e.Boot, at: power.Uptime(e.At), wall: e.Wall.In(f.zone)})
}

// Outages returns the stories, the oldest first; the caller changes nothing in them.
func (f *Fold) Outages() []*Outage { return slices.Clone(f.all) }

// take takes what happened at now.
func (f *Fold) take(ev Event, now moment) {
	switch {
	case f.any && f.now.boot != now.boot:
		f.rebooted(now)
	case ev.Kind == KindStart:
		f.restarted()
	}
	f.now, f.any = now, true
	what, name, _ := strings.Cut(ev.On, "/")
	switch {
	case ev.Kind == KindStart:
		f.unwatched(ev.UPS)
	case ev.Kind == KindReport:
		if o := f.byID[ev.Outage]; o != nil && ev.Amends {
			o.amended = o.late != nil
		} else if o != nil {
			f.told(o)
		}
	case what == "ups" && ev.Kind == KindState:
		f.state(name, ev)
	case what == "node" && ev.Kind == KindLink && ev.Link == LinkUp:
		f.attached(f.node(name), ev)
	case what == "node" && ev.Kind == KindLink && ev.Link != "":
		f.detached(f.node(name), ev.Link)
	case what == "node" && ev.Kind == KindPhase && ev.Phase != "":
		f.phase(f.node(name), ev)
	case what == "node" && ev.Kind == KindWake && ev.Woken > 0:
		for _, p := range f.node(name).parts {
			if p.gone() {
				p.woken = ev.Woken
			}
		}
	case what == "node" && ev.Kind == KindMember:
		f.removed(name)
	}
}

// moment returns a copy of the present one.
func (f *Fold) moment() *moment {
	m := f.now
	return &m
}

// past returns the moment at of the present boot.
func (f *Fold) past(at power.Uptime) moment {
	return moment{boot: f.now.boot, at: at, wall: f.now.wall.Add(-f.now.at.Sub(at))}
}

func (f *Fold) node(name string) *tracked {
	n := f.nodes[name]
	if n == nil {
		n = &tracked{name: name}
		f.nodes[name] = n
	}
	return n
}

// state takes a UPS's new status.
func (f *Fold) state(ups string, ev Event) {
	o := f.open[ups]
	if ev.Status == power.OK.String() {
		if o != nil {
			end := f.past(ev.Since)
			o.end = &end
			f.close(o)
		}
		return
	}
	if ev.Outage == "" {
		return // blind, and all was well before
	}
	if o == nil || o.ID != ev.Outage {
		if f.byID[ev.Outage] != nil {
			return // of one that is over: an old entry twice
		}
		if o != nil {
			f.close(o) // nobody saw its end
		}
		o = f.begin(ups, ev)
	}
	if began := f.past(ev.Began); ev.Began > 0 && began.boot == o.began.boot && began.at < o.began.at {
		o.began = began // older than was known
	}
	if ev.Status == power.BatLow.String() && o.low == nil {
		low := f.past(ev.Since)
		o.low = &low
	}
}

// begin begins the story of an outage.
func (f *Fold) begin(ups string, ev Event) *Outage {
	o := &Outage{ID: ev.Outage, UPS: ups, pretended: ev.Pretended, began: f.past(ev.Began), parts: map[string]*part{}}
	f.all, f.byID[o.ID], f.open[ups] = append(f.all, o), o, o
	if len(f.all) > keepOutages {
		delete(f.byID, f.all[0].ID)
		f.all = slices.Delete(f.all, 0, 1)
	}
	for _, t := range ev.Nodes {
		n := f.node(t.Name)
		n.host, n.link, n.phase, n.boot, n.feeds = t.Host, t.Link, t.Phase, t.Boot, t.Feeds
	}
	for _, n := range f.nodes {
		if f.livesOn(n, ups) {
			f.join(n, o).absent = n.link != LinkUp
		}
	}
	return o
}

// livesOn reports whether an outage of that UPS is the node's too. One that has not
// said what it lives on is told of everything.
func (f *Fold) livesOn(n *tracked, ups string) bool {
	return len(n.feeds) == 0 || slices.Contains(n.feeds, f.master+"/"+ups)
}

// join makes a node part of an outage.
func (f *Fold) join(n *tracked, o *Outage) *part {
	p := o.parts[n.name]
	if p == nil {
		p = &part{of: o, name: n.name, host: n.host}
		o.parts[n.name] = p
	}
	if !slices.Contains(n.parts, p) {
		n.parts = append(n.parts, p)
		o.waiting++
	}
	return p
}

// close ends an outage for all that are neither gone nor on their way.
func (f *Fold) close(o *Outage) {
	o.over = true
	delete(f.open, o.UPS)
	for name, p := range o.parts {
		n := f.nodes[name]
		if n != nil && !p.gone() && !Leaving(n.phase) {
			n.drop(p)
		}
	}
}

// drop ends what is to be told of the node in p.
func (n *tracked) drop(p *part) {
	if i := slices.Index(n.parts, p); i >= 0 {
		n.parts = slices.Delete(n.parts, i, i+1)
		p.of.waiting--
	}
}

// Leaving reports whether a node of that phase asked to power off.
func Leaving(phase string) bool { return phase == PhaseCommitted || phase == PhaseDone }

// phase takes a node's new phase.
func (f *Fold) phase(n *tracked, ev Event) {
	phase, since := ev.Phase, f.now
	if ev.Since != 0 {
		since = f.past(ev.Since) // it may have said so late
	}
	// What is accepted now was asked for in the outage before this one.
	done, asked := phase == PhaseDone, n.phase == PhaseCommitted
	n.phase = phase
	for _, p := range slices.Clone(n.parts) {
		switch {
		case done && p.committed == nil && (asked || p.before && p.back == nil):
			p.before = true
		case Leaving(phase) && p.of.during(since) && (!p.asked() || p.back != nil):
			*p = part{of: p.of, name: p.name, host: p.host, absent: p.absent, committed: &since}
			if phase == PhaseDone {
				p.accepted = &since
			}
		case Leaving(phase) && since.before(p.of.began) && !p.asked():
			p.before = true
		case phase == PhaseDone && p.asked() && p.accepted == nil && p.down == nil:
			p.accepted = &since
		case !Leaving(phase) && p.asked() && !p.went():
			p.calledBack = true
			if p.of.over && !p.gone() {
				n.drop(p)
			}
		}
	}
}

// detached takes that a node's link ended.
func (f *Fold) detached(n *tracked, link string) {
	was := n.link
	if n.link = link; was != LinkUp {
		return
	}
	for _, p := range n.parts {
		p.back = nil
		if p.bye = link == LinkOff; Leaving(n.phase) && p.asked() {
			p.down = f.moment()
		} else {
			p.lost = f.moment()
		}
	}
}

// attached takes that a node is in contact, in which boot and how.
func (f *Fold) attached(n *tracked, ev Event) {
	other := n.boot != "" && ev.Boot != "" && n.boot != ev.Boot
	if n.link == LinkUp && other {
		f.detached(n, LinkLost) // quicker than the end of its link was noticed
	}
	was := n.link
	n.link, n.feeds = LinkUp, ev.Feeds
	if ev.Boot != "" {
		n.boot = ev.Boot
	}
	if other {
		n.phase = ""
	}
	for _, o := range f.open {
		if o.parts[n.name] == nil && f.livesOn(n, o.UPS) {
			f.join(n, o).absent = true
		}
	}
	for _, p := range slices.Clone(n.parts) {
		if was != LinkUp {
			f.returned(p, other, Leaving(ev.Phase))
		}
		if !p.gone() && p.of.over && !Leaving(ev.Phase) {
			p.calledBack = p.asked() && !p.went()
			n.drop(p)
		}
	}
	if ev.Phase != "" {
		f.phase(n, ev)
	}
}

// returned takes that the node of p attached after it had not been, in another boot
// or in the same, still on its way down or not.
func (f *Fold) returned(p *part, other, onItsWay bool) {
	unheard := p.unheard
	p.unheard = nil
	// A container has its host's boot: one that accepted and begins anew was off.
	same := !other && (onItsWay || p.accepted == nil)
	switch {
	case unheard != nil && same:
		return // it was there all the time
	case unheard != nil && p.asked():
		p.unseen = true
	case unheard != nil:
		p.lost, p.unwatched = unheard, other
	case p.down != nil && same && (onItsWay || !p.bye):
		p.down = nil // only the link was gone
		return
	}
	p.crashed = p.crashed || p.lost != nil && unheard == nil && other && !p.bye
	if p.back == nil && (p.absent || p.lost != nil || p.went()) {
		p.back = f.moment()
	}
}

// restarted takes that the master began anew since the last entry: every link is
// over, and whoever does not attach again went in between.
func (f *Fold) restarted() {
	for _, n := range f.nodes {
		if n.host || n.link != LinkUp {
			continue
		}
		n.link = ""
		for _, p := range n.parts {
			p.unheard, p.back = f.moment(), nil
		}
	}
}

// rebooted takes that the master's machine was off since the last entry; now is the
// first after.
func (f *Fold) rebooted(now moment) {
	for _, o := range f.all {
		if o.dark == nil && o.began.boot == f.now.boot && o.waits() {
			o.dark = f.moment()
		}
	}
	f.restarted()
	for _, n := range f.nodes {
		if !n.host {
			continue
		}
		n.phase = ""
		for _, p := range slices.Clone(n.parts) {
			if p.asked() {
				p.down = f.moment()
			} else {
				p.lost, p.crashed = f.moment(), true
			}
			if p.back, p.unheard = &now, nil; p.of.over {
				n.drop(p)
			}
		}
	}
}

// unwatched ends the outages of UPSes that this master has no more.
func (f *Fold) unwatched(still []string) {
	for ups, o := range f.open {
		if !slices.Contains(still, ups) {
			f.close(o)
		}
	}
}

// removed takes that a node was struck off.
func (f *Fold) removed(name string) {
	n := f.nodes[name]
	if n == nil {
		return
	}
	for _, p := range slices.Clone(n.parts) {
		p.removed = true
		n.drop(p)
	}
	delete(f.nodes, name)
}

// told takes that an outage's report is told now.
func (f *Fold) told(o *Outage) {
	if !o.told && o.waits() {
		o.late = f.moment()
	}
	o.told = true
}
