package policy

import (
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// planner plays one plan.
type planner struct {
	in    PlanRack
	start power.Uptime
	now   power.Uptime
	ups   []*playedUPS
	nodes []*playedNode
	by    map[string]*playedNode
	host  *playedNode // nil: there is none
	waits *Waits
	going bool  // there is an outage already
	low   clock // when BATLOW was made to come, because nobody can say when it does
	fleet Fleet
	seals bool // it was decided when the load is cut
	all   bool // everybody is to be stepped: what all hear has changed
	stood bool // how somebody stands has changed for those who wait
	out   []PlanEvent
	buf   []Standing // of awaited
}

// planSteps bounds a plan: a node has some ten moments, and a rack some hundred nodes.
const planSteps = 100_000

func newPlanner(r PlanRack) *planner {
	p := &planner{in: r, start: r.Now, now: r.Now, by: map[string]*playedNode{}, all: true, stood: true}
	p.going = slices.ContainsFunc(r.UPS, func(u PlanUPS) bool { return u.State.Known().OnBattery() })
	for _, u := range r.UPS {
		p.ups = append(p.ups, p.newUPS(u, p.going))
	}
	var waiters []Waiter
	for _, n := range r.Nodes {
		waiters = append(waiters, n.Waiter)
	}
	p.waits = NewWaits(waiters)
	for _, n := range slices.SortedFunc(slices.Values(r.Nodes), func(a, b PlanNode) int { return strings.Compare(a.Name, b.Name) }) {
		played := &playedNode{PlanNode: n, phase: Idle}
		p.nodes, p.by[n.Name] = append(p.nodes, played), played
		if n.Host {
			p.host = played
		}
	}
	for _, n := range p.nodes {
		n.stands = n.Standing
		for _, name := range p.waits.On(n.Name) {
			n.on = append(n.on, p.by[name])
		}
	}
	for _, n := range p.nodes {
		p.enter(n)
	}
	return p
}

// play lets time pass until nothing happens any more.
func (p *planner) play() {
	for range planSteps {
		p.tellUPS()
		p.settle()
		p.seal()
		p.tellNodes()
		p.tellCuts()
		next := p.next()
		if !next.Set && !p.force() {
			return
		}
		if next.Set {
			p.now = next.At
			p.stood = slices.ContainsFunc(p.nodes, func(n *playedNode) bool { return n.counted() == next })
		}
	}
}

// force makes BATLOW come where somebody waits for it and nobody can say when it does;
// false: nobody does.
func (p *planner) force() bool {
	waits := slices.ContainsFunc(p.nodes, func(n *playedNode) bool { return n.m != nil && !n.committed.Set && n.m.wanted() })
	if p.low.Set || !waits {
		return false
	}
	for _, u := range p.ups {
		if u.fails && u.state.HasLow && !u.low.Set {
			u.setLow(p.now)
			p.low = at(p.now)
		}
	}
	p.all = true
	return p.low.Set
}

// settle steps everybody who has something to look at, until nobody has.
func (p *planner) settle() {
	for range len(p.nodes) + 4 {
		all, stood, moved := p.all, p.stood, false
		p.all, p.stood = false, false
		for _, n := range p.nodes {
			if !stood {
				break
			}
			n.stands = p.standing(n)
		}
		for _, n := range p.nodes {
			moved = p.step(n, all, stood) || moved
		}
		p.stood = moved
		p.lookAtHost()
		if !moved && !p.all {
			return
		}
	}
}

// step gives one node its news, if there are any for it, and reports whether it moved.
func (p *planner) step(n *playedNode, all, stood bool) (moved bool) {
	if n.m == nil || n.committed.Set {
		return false
	}
	told := n.told
	if stood && !p.silent(n) {
		told = p.awaited(n)
	}
	if next, timed := n.m.Deadline(); !all && told.Equal(n.told) && !(timed && !p.now.Before(next)) {
		return false
	}
	n.told = told
	was := n.m.phase
	state, link := p.power(n)
	p.do(n, n.m.Step(p.now, News{Power: Power{State: state, Link: link}, Order: p.order(n), Awaited: told}))
	return n.m.phase != was
}

// do carries out what a machine wants: hooks end and the power-off is accepted at
// once, for what they take is in the stop time.
func (p *planner) do(n *playedNode, actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case Moved:
			if a.To == Committed && !n.committed.Set {
				n.committed = at(p.now)
				if !n.Config.NeverGoes {
					n.off = at(p.now.Add(n.Config.StopTime))
				}
			}
		case Hooks:
			if a.Event == EventCommit {
				p.do(n, n.m.Step(p.now, HooksDone{}))
			}
		case PowerOff:
			p.do(n, n.m.Step(p.now, Accepted{Attempt: a.Attempt, Method: "the system"}))
		default: // for people
		}
	}
}

// order is what is wanted of a node at this moment. Who hears nothing keeps the last.
func (p *planner) order(n *playedNode) Order {
	if p.silent(n) {
		return n.wanted
	}
	n.wanted = n.Order
	if n.Order.Kind != OrderShutdown && p.fleet.Ending() && p.fleet.Ends(p.member(n), p.sources()) {
		n.wanted = Order{Kind: OrderEnd, By: "the master"}
	}
	return n.wanted
}

// sources are the UPSes at this moment.
func (p *planner) sources() []Source {
	var all []Source
	for _, u := range p.ups {
		all = append(all, Source{Name: u.Feed, State: u.at(p.now)})
	}
	return all
}

// member is a node at this moment as the fleet's rules know it.
func (p *planner) member(n *playedNode) Member {
	m := Member{
		Standing: p.standing(n), Feeds: n.Feeds, Need: n.Need, Host: n.Host, DryRun: n.Config.NeverGoes,
		Ordered: n.Order.Kind == OrderShutdown, Awaits: len(n.told.Up) > 0, Config: n.Config, Told: n.Spoken,
	}
	if n.feeds.Ambiguous() {
		m.Need = 0
	}
	if n.m != nil {
		next := n.m.target()
		m.Goes, m.Timed = next.At, next.Set && n.m.phase != Held
		m.Good = m.Attached && n.m.known == power.OK
	}
	return m
}

// lookAtHost tells the others that their time is up when the master's host is about to
// go, and when it goes seals when the load is cut.
func (p *planner) lookAtHost() {
	if p.host == nil {
		return
	}
	was := p.fleet.Ending()
	if p.fleet.Step(p.now, p.member(p.host), p.sources()) != was {
		p.all = true
	}
}

// seal decides when the load is cut: when the master's host has gone, because of the
// power, and everybody who lives on it is off.
func (p *planner) seal() {
	h := p.host
	if p.seals || h == nil || !h.off.Set || h.Order.Kind == OrderShutdown {
		return
	}
	p.seals = true
	var members []Member
	for _, n := range p.nodes {
		members = append(members, p.member(n))
	}
	for _, c := range Cuts(p.now, members, p.sources()) {
		i := slices.IndexFunc(p.ups, func(u *playedUPS) bool { return u.Feed == c.UPS })
		if u := p.ups[i]; u.CanCut {
			u.blocked = c.Blocked
			u.cut = clock{max(h.off.At, c.NotBefore), len(c.Blocked) == 0}
		}
	}
}

// standing is how a node stands for those who wait for it. Whoever goes is assumed to be
// off and not probed, which is later.
func (p *planner) standing(n *playedNode) Standing {
	s := n.Standing
	if n.gone || n.m == nil && !n.committed.Set {
		return s
	}
	s.Present, s.Answered, s.Silent, s.Alive = true, 0, 0, 0
	if n.m != nil {
		s.Phase = n.m.phase
	}
	if s.Attached {
		s.Heard = p.now
	}
	if n.committed.Set {
		s.Phase, s.Committed, s.Heard = Committed, n.committed.At, n.committed.At
		s.Attached = n.Config.NeverGoes || n.Host
	}
	return s
}

// awaited is who of those that a node waits for is still up.
func (p *planner) awaited(n *playedNode) Awaited {
	if len(n.on) == 0 {
		return Awaited{}
	}
	p.buf = p.buf[:0]
	for _, o := range n.on {
		p.buf = append(p.buf, o.stands)
	}
	return StillUp(p.now, n.Config.WaitLimit, p.waits.Depth(n.Name), p.buf)
}

// counted returns when a node that has gone begins to count as off: a moment after it
// has had all the time that it takes.
func (n *playedNode) counted() clock {
	return clock{n.committed.At.Add(n.Config.StopTime + OffMargin + 1), n.committed.Set}
}

// next returns when something can happen next.
func (p *planner) next() clock {
	var next clock
	add := func(c clock) {
		if c.Set && c.At.After(p.now) {
			next = next.earlier(c)
		}
	}
	for _, u := range p.ups {
		add(u.low)
		add(u.end)
		add(u.cut)
	}
	for _, n := range p.nodes {
		add(n.off)
		add(n.counted())
		add(p.dies(n))
		if n.m != nil && !n.committed.Set {
			at, timed := n.m.Deadline()
			add(clock{at, timed})
		}
	}
	if p.host != nil {
		at, timed := p.fleet.Deadline(p.member(p.host))
		add(clock{at, timed})
	}
	return next
}

// since returns a moment as a plan tells it.
func (p *planner) since(u power.Uptime) (d time.Duration, afterLow bool) {
	if p.low.Set && !u.Before(p.low.At) {
		return u.Sub(p.low.At).Round(time.Millisecond), true
	}
	return max(0, u.Sub(p.start)).Round(time.Millisecond), false
}
