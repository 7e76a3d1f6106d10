package master

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

// fold makes the stories of outages out of the journal's entries, oldest first, and
// of nothing else: what a restarted master tells is what the one before would have.
// It is pure, takes any entries in any order without complaint, and the same again
// changes nothing but, at worst, a moment. It is not safe for concurrent use.
type fold struct {
	master string // its name, by which feeds name its UPSes
	zone   *time.Location
	now    moment // of the newest entry
	any    bool   // there was one
	all    []*outage
	byID   map[string]*outage
	open   map[string]*outage // by UPS
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

// newFold returns a fold that knows nothing; zone is where the people are.
func newFold(master string, zone *time.Location) *fold {
	return &fold{master: master, zone: zone, byID: map[string]*outage{}, open: map[string]*outage{}, nodes: map[string]*tracked{}}
}

// add takes the next entry.
func (f *fold) add(e journal.Entry) {
	if e.Name != eventRecord {
		return
	}
	var ev event
	if json.Unmarshal(e.Data, &ev) != nil {
		return
	}
	f.take(ev, moment{boot: e.Boot, at: power.Uptime(e.At), wall: e.Wall.In(f.zone)})
}

// take takes what happened at now.
func (f *fold) take(ev event, now moment) {
	switch {
	case f.any && f.now.boot != now.boot:
		f.rebooted(now)
	case ev.Kind == kindStart:
		f.restarted()
	}
	f.now, f.any = now, true
	what, name, _ := strings.Cut(ev.On, "/")
	switch {
	case ev.Kind == kindStart:
		f.unwatched(ev.UPS)
	case ev.Kind == kindReport:
		if o := f.byID[ev.Outage]; o != nil {
			o.told = true
		}
	case what == "ups" && ev.Kind == kindState:
		f.state(name, ev)
	case what == "node" && ev.Kind == kindLink && ev.Link == linkUp:
		f.attached(f.node(name), ev)
	case what == "node" && ev.Kind == kindLink && ev.Link != "":
		f.detached(f.node(name), ev.Link)
	case what == "node" && ev.Kind == kindPhase && ev.Phase != "":
		f.phase(f.node(name), ev)
	case what == "node" && ev.Kind == kindWake && ev.Woken > 0:
		for _, p := range f.node(name).parts {
			if p.gone() {
				p.woken = ev.Woken
			}
		}
	case what == "node" && ev.Kind == kindMember:
		f.removed(name)
	}
}

// moment returns a copy of the present one.
func (f *fold) moment() *moment {
	m := f.now
	return &m
}

// past returns the moment at of the present boot.
func (f *fold) past(at power.Uptime) moment {
	return moment{boot: f.now.boot, at: at, wall: f.now.wall.Add(-f.now.at.Sub(at))}
}

func (f *fold) node(name string) *tracked {
	n := f.nodes[name]
	if n == nil {
		n = &tracked{name: name}
		f.nodes[name] = n
	}
	return n
}

// state takes a UPS's new status.
func (f *fold) state(ups string, ev event) {
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
	if o == nil || o.id != ev.Outage {
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
func (f *fold) begin(ups string, ev event) *outage {
	o := &outage{id: ev.Outage, ups: ups, pretended: ev.Pretended, began: f.past(ev.Began), parts: map[string]*part{}}
	f.all, f.byID[o.id], f.open[ups] = append(f.all, o), o, o
	if len(f.all) > keepOutages {
		delete(f.byID, f.all[0].id)
		f.all = slices.Delete(f.all, 0, 1)
	}
	for _, t := range ev.Nodes {
		n := f.node(t.Name)
		n.host, n.link, n.phase, n.boot, n.feeds = t.Host, t.Link, t.Phase, t.Boot, t.Feeds
	}
	for _, n := range f.nodes {
		if f.livesOn(n, ups) {
			f.join(n, o).absent = n.link != linkUp
		}
	}
	return o
}

// livesOn reports whether an outage of that UPS is the node's too. One that has not
// said what it lives on is told of everything.
func (f *fold) livesOn(n *tracked, ups string) bool {
	return len(n.feeds) == 0 || slices.Contains(n.feeds, f.master+"/"+ups)
}

// join makes a node part of an outage.
func (f *fold) join(n *tracked, o *outage) *part {
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
func (f *fold) close(o *outage) {
	o.over = true
	delete(f.open, o.ups)
	for name, p := range o.parts {
		n := f.nodes[name]
		if n != nil && !p.gone() && !leaving(n.phase) {
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

// leaving reports whether a node of that phase asked to power off.
func leaving(phase string) bool { return phase == phaseCommitted || phase == phaseDone }

// phase takes a node's new phase.
func (f *fold) phase(n *tracked, ev event) {
	phase, since := ev.Phase, f.now
	if ev.Since != 0 {
		since = f.past(ev.Since) // it may have said so late
	}
	n.phase = phase
	for _, p := range slices.Clone(n.parts) {
		switch {
		case leaving(phase) && p.of.during(since) && (!p.asked() || p.back != nil):
			*p = part{of: p.of, name: p.name, host: p.host, absent: p.absent, committed: &since}
			if phase == phaseDone {
				p.accepted = &since
			}
		case leaving(phase) && since.before(p.of.began) && !p.asked():
			p.before = true
		case phase == phaseDone && p.asked() && p.accepted == nil && p.down == nil:
			p.accepted = &since
		case !leaving(phase) && p.asked() && !p.went():
			p.calledBack = true
			if p.of.over && !p.gone() {
				n.drop(p)
			}
		}
	}
}

// detached takes that a node's link ended.
func (f *fold) detached(n *tracked, link string) {
	was := n.link
	if n.link = link; was != linkUp {
		return
	}
	for _, p := range n.parts {
		p.back = nil
		if p.bye = link == linkOff; leaving(n.phase) && p.asked() {
			p.down = f.moment()
		} else {
			p.lost = f.moment()
		}
	}
}

// attached takes that a node is in contact, in which boot and how.
func (f *fold) attached(n *tracked, ev event) {
	other := n.boot != "" && ev.Boot != "" && n.boot != ev.Boot
	if n.link == linkUp && other {
		f.detached(n, linkLost) // quicker than the end of its link was noticed
	}
	was := n.link
	n.link, n.feeds = linkUp, ev.Feeds
	if ev.Boot != "" {
		n.boot = ev.Boot
	}
	if other {
		n.phase = ""
	}
	for _, o := range f.open {
		if o.parts[n.name] == nil && f.livesOn(n, o.ups) {
			f.join(n, o).absent = true
		}
	}
	for _, p := range slices.Clone(n.parts) {
		if was != linkUp {
			f.returned(p, other, leaving(ev.Phase))
		}
		if !p.gone() && p.of.over && !leaving(ev.Phase) {
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
func (f *fold) returned(p *part, other, onItsWay bool) {
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
func (f *fold) restarted() {
	for _, n := range f.nodes {
		if n.host || n.link != linkUp {
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
func (f *fold) rebooted(now moment) {
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
func (f *fold) unwatched(still []string) {
	for ups, o := range f.open {
		if !slices.Contains(still, ups) {
			f.close(o)
		}
	}
}

// removed takes that a node was struck off.
func (f *fold) removed(name string) {
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
