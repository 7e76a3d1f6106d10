package master

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// provePause keeps a rack whose every heartbeat is a change from being looked at all
// the time. What is measured is that coarse.
const provePause = 200 * time.Millisecond

// rack is everybody at one moment.
type rack struct {
	ups   []upsNow
	nodes []nodeNow
}

type upsNow struct {
	name    string
	state   power.State
	suspect bool // the lines move as they do when the plug is pulled
}

type nodeNow struct {
	name, boot string
	host, ever bool
	link       power.Link
	phase      policy.Phase
	status     power.Status
	ups        []string // of this master's, those that it lives on
	foreign    bool     // it lives on another master's too
	off        policy.OffState
	silent     power.Uptime // since when it is silent to probes; 0: it is not
	methods    []string     // by which it goes
	wake       []string     // by which it comes
}

// node returns a node; nil: there is none of that name.
func (r rack) node(name string) *nodeNow {
	if i := slices.IndexFunc(r.nodes, func(n nodeNow) bool { return n.name == name }); i >= 0 {
		return &r.nodes[i]
	}
	return nil
}

// state returns a UPS's state; blind if there is none of that name.
func (r rack) state(name string) power.State {
	if i := slices.IndexFunc(r.ups, func(u upsNow) bool { return u.name == name }); i >= 0 {
		return r.ups[i].state
	}
	return power.State{}
}

// going reports whether a node's last word was that it goes.
func (n nodeNow) going() bool { return n.phase == policy.Committed || n.phase == policy.Done }

// lives returns everybody as they are now; master is this one's name.
func (h *hub) lives(master string) rack {
	h.mu.Lock()
	defer h.mu.Unlock()
	var r rack
	var all []string
	for _, u := range h.ups {
		suspect := slices.ContainsFunc(u.problems, func(p health.Problem) bool { return p.Name == health.Cable })
		r.ups = append(r.ups, upsNow{u.name, u.state, suspect})
		all = append(all, u.name)
	}
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		now := nodeNow{
			name: name, boot: n.boot, host: n.host, ever: n.ever, link: n.link, phase: api.ToPhase(n.report.GetPhase()),
			status: api.ToStatus(n.report.GetStatus()), methods: n.report.GetMethods(), wake: n.report.GetWake(),
			off: h.standingOf(n).OffAs(h.now()), silent: n.silent,
		}
		for _, f := range n.report.GetFeeds() {
			if ups, ours := strings.CutPrefix(f, master+"/"); ours {
				now.ups = append(now.ups, ups)
			} else {
				now.foreign = true
			}
		}
		if len(n.report.GetFeeds()) == 0 {
			now.ups = all // it names none: everything is its
		}
		r.nodes = append(r.nodes, now)
	}
	return r
}

// proving watches what outages prove and keeps it. Nobody waits for it.
type proving struct {
	m     *Master
	saver *journal.Saver
	facts []upsFacts
	hook  bool // somebody wrote a hook that wakes machines

	mu     sync.Mutex // guards what follows
	proofs *proofs
	loaded bool
}

// upsFacts is what the configuration says of a UPS.
type upsFacts struct {
	name      string
	real      bool // it has a port, and not a pretended one
	low, kill bool // its cable can say "battery low", and cut the load
}

func newProving(m *Master, file *journal.Saver) *proving {
	p := &proving{m: m, saver: file, proofs: newProofs(m.boot), hook: slices.ContainsFunc(m.cfg.Hooks, wakes)}
	for _, u := range m.cfg.UPS {
		p.facts = append(p.facts, upsFacts{u.Name, wired(u.Port), u.Cable.HasLow(), u.Cable.Kill.Exists()})
	}
	return p
}

// String names the task.
func (p *proving) String() string { return "proofs" }

// Run takes what an earlier run kept and then looks whenever something changed,
// until ctx ends. While the disk doesn't answer nothing is proved.
func (p *proving) Run(ctx context.Context) error {
	select {
	case l := <-load[proofs](p.saver):
		p.adopt(l)
	case <-ctx.Done():
		return nil
	}
	return p.m.hub.follow(ctx, func() time.Duration {
		p.look()
		return provePause
	})
}

func (p *proving) adopt(l loaded[proofs]) {
	if l.lost() {
		p.m.log.Warn("cannot read what outages have proved: nothing is proved now", "err", l.err)
	}
	host := ""
	if p.m.host != nil {
		host = p.m.host.name
	}
	p.mu.Lock()
	p.loaded = true
	if l.err == nil {
		p.proofs.resume(&l.v, host)
	}
	p.mu.Unlock()
	p.m.hub.look() // there is more to tell now
}

// look feeds the proofs with the rack as it is.
func (p *proving) look() {
	r := p.m.hub.lives(p.m.cfg.Name)
	now, wall := p.m.now(), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proofs.step(now, wall, r) {
		p.saver.Put(p.proofs)
	}
	p.m.hub.measure(p.proofs.stops())
}

// forget drops what was proved of a machine that was struck off, or set up anew.
func (p *proving) forget(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs.forget(node)
	if p.loaded { // else it would be all that is left
		p.saver.Put(p.proofs)
	}
}

// cameBack notes that a node was switched off and on again on purpose.
func (p *proving) cameBack(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	proof := p.proofs.Nodes[node]
	proof.BackWall = time.Now()
	p.proofs.Nodes[node] = proof
	if p.loaded { // else it would be all that is left
		p.saver.Put(p.proofs)
	}
}

// fill says in st what was proved.
func (p *proving) fill(st *upsv1.MasterStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range st.GetNodes() {
		proof, ok := p.proofs.Nodes[n.GetName()]
		if !ok {
			continue
		}
		n.Proof = &upsv1.NodeProof{
			Outages: uint32(proof.Outages), LastOutage: proof.Last, LastWall: wallText(proof.LastWall), BackWall: wallText(proof.BackWall),
		}
		if m := proof.measured(); m.takes > 0 {
			n.Proof.StopTime = durationpb.New(m.takes)
		}
	}
	for _, u := range st.GetUps() {
		proof := p.proofs.UPS[u.GetName()]
		st.Proofs = append(st.Proofs, &upsv1.UpsProof{
			Ups: u.GetName(), Outages: uint32(proof.Outages), LastWall: wallText(proof.LastWall),
			LowWall: wallText(proof.LowWall), KillWall: wallText(proof.KillWall),
		})
	}
}

// wallText returns a wall clock's moment for people; empty: never.
func wallText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// found returns what was never proved, and what was disproved.
func (p *proving) found() []health.Found {
	r := p.m.hub.lives(p.m.cfg.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	out := noWayBack(p.facts, p.hook, r.nodes)
	if p.loaded { // else nobody knows
		out = append(out, p.proofs.found(p.m.cfg.Name, p.facts, p.hook, r.nodes)...)
	}
	return out
}

// found is what the proofs themselves say.
func (p *proofs) found(master string, ups []upsFacts, hook bool, nodes []nodeNow) []health.Found {
	var out []health.Found
	add := func(on, name, text string) {
		out = append(out, health.Found{On: on, Problem: health.Problem{Name: name, Text: text}})
	}
	for _, u := range ups {
		if !u.real {
			continue
		}
		if u.low && p.UPS[u.name].LowWall.IsZero() {
			add("ups/"+u.name, health.NeverLow, "it was never seen to say that its battery is low, so nobody knows whether that wire works")
		}
		if u.kill && p.UPS[u.name].KillWall.IsZero() {
			add("ups/"+u.name, health.KillUnproved, "its cable can cut the load, and nobody has seen it do so")
		}
	}
	for _, n := range nodes {
		proof := p.Nodes[n.name]
		if proof.Outages == 0 {
			add("node/"+n.name, health.Unproved, "it was never seen through an outage")
		}
		if proof.BackWall.IsZero() && !n.stays() && !noWay(ups, hook, n) {
			add("node/"+n.name, health.WayBackUnproved, "it was never seen to come back after an outage")
		}
	}
	if p.Dark != nil {
		add("master/"+master, health.NetworkNotOnUPS, fmt.Sprintf(
			"when the mains failed (%s) the links of all nodes broke within seconds, so the network is not on the UPS: put the switch, and whatever else lies between, on it; the next outage through which links live ends this",
			p.Dark.Format(time.DateTime)))
	}
	return out
}

// noWayBack returns the nodes that nothing would start again; hook: there is one that
// wakes machines.
func noWayBack(ups []upsFacts, hook bool, nodes []nodeNow) []health.Found {
	var out []health.Found
	for _, n := range nodes {
		if !noWay(ups, hook, n) {
			continue
		}
		text := "its [wake] names no method, or none that can be armed, so nothing would start it after an outage"
		switch {
		case slices.Contains(n.wake, policy.WakeHook):
			text = `it comes back by a hook, and no [[hook]] of master.toml has on = ["wake"]`
		case len(n.wake) > 0:
			text = "it comes back by the UPS's own power cycle only, and no cable of its UPSes can cut the load"
		}
		out = append(out, health.Found{On: "node/" + n.name, Problem: health.Problem{
			Name: health.NoWayBack, Text: text + "; write method = [\"wol\"] in its [wake], or rtc, or a hook",
		}})
	}
	return out
}

// noWay reports whether nothing would start a node again, as far as this master can
// say: what it has not heard of, and other masters' UPSes, have the benefit of doubt.
func noWay(ups []upsFacts, hook bool, n nodeNow) bool {
	works := func(way string) bool { return way != policy.WakeCycle && (way != policy.WakeHook || hook) }
	if !n.ever || len(n.methods) == 0 || n.stays() || slices.ContainsFunc(n.wake, works) {
		return false
	}
	cuts := func(u upsFacts) bool { return u.kill && slices.Contains(n.ups, u.name) }
	cycles := slices.Contains(n.wake, policy.WakeCycle) && slices.ContainsFunc(ups, cuts)
	return len(n.wake) == 0 || !n.foreign && !cycles
}

// stays reports whether a node never goes: it has no need to come back.
func (n nodeNow) stays() bool { return len(n.methods) == 1 && n.methods[0] == shutdown.MethodNone }
