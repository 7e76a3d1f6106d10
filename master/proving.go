package master

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/master/proof"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

// provePause keeps a rack whose every heartbeat is a change from being looked at all
// the time. What is measured is that coarse.
const provePause = 200 * time.Millisecond

// lives returns everybody as they are now; master is this one's name.
func (h *hub) lives(master string) proof.Rack {
	h.mu.Lock()
	defer h.mu.Unlock()
	var r proof.Rack
	var all []string
	for _, u := range h.ups {
		suspect := slices.ContainsFunc(u.problems, func(p health.Problem) bool { return p.Name == health.Cable })
		r.UPS = append(r.UPS, proof.UPS{Name: u.name, State: u.state, Suspect: suspect})
		all = append(all, u.name)
	}
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		now := proof.Node{
			Name: name, Boot: n.boot, Host: n.host, Ever: n.ever, Link: n.link, Phase: api.ToPhase(n.report.GetPhase()),
			Status: api.ToStatus(n.report.GetStatus()), Methods: n.report.GetMethods(), Wake: n.report.GetWake(),
			Off: h.standingOf(n).OffAs(h.now()), Silent: n.silent,
		}
		for _, f := range n.report.GetFeeds() {
			if ups, ours := strings.CutPrefix(f, master+"/"); ours {
				now.UPS = append(now.UPS, ups)
			} else {
				now.Foreign = true
			}
		}
		if len(n.report.GetFeeds()) == 0 {
			now.UPS = all // it names none: everything is its
		}
		r.Nodes = append(r.Nodes, now)
	}
	return r
}

// proving watches what outages prove and keeps it. Nobody waits for it.
type proving struct {
	m     *Master
	fs    journal.FS
	saver *journal.Saver
	facts []proof.Facts
	hook  bool // somebody wrote a hook that wakes machines

	mu     sync.Mutex // guards what follows
	proofs *proof.Proofs
	loaded bool
}

func newProving(m *Master, fsys journal.FS, file *journal.Saver) *proving {
	p := &proving{m: m, fs: fsys, saver: file, proofs: proof.New(m.boot), hook: slices.ContainsFunc(m.cfg.Hooks, wakes)}
	for _, u := range m.cfg.UPS {
		p.facts = append(p.facts, proof.Facts{Name: u.Name, Real: wired(u.Port), Low: u.Cable.HasLow(), Kill: u.Cable.Kill.Exists()})
	}
	return p
}

// String names the task.
func (p *proving) String() string { return "proofs" }

// Run takes what an earlier run kept and then looks whenever something changed,
// until ctx ends. While the disk doesn't answer nothing is proved.
func (p *proving) Run(ctx context.Context) error {
	select {
	case l := <-load[proof.Proofs](p.saver):
		p.adopt(l)
		p.stopped()
	case <-ctx.Done():
		return nil
	}
	return p.m.hub.follow(ctx, func() time.Duration {
		p.look()
		return provePause
	})
}

func (p *proving) adopt(l loaded[proof.Proofs]) {
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
		p.proofs.Resume(&l.v, host)
	}
	p.mu.Unlock()
	p.m.hub.look() // there is more to tell now
}

// stopped takes how long this machine took to stop the last time.
func (p *proving) stopped() {
	if p.m.host == nil {
		return
	}
	took, err := cut.Bounded(loadLimit, func() (time.Duration, error) { return cut.TookStop(p.fs, p.m.cfg.Data), nil })
	if err != nil || took <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs.Stopped(p.m.host.name, took)
	p.saver.Put(p.proofs)
}

// look feeds the proofs with the rack as it is.
func (p *proving) look() {
	r := p.m.hub.lives(p.m.cfg.Name)
	now, wall := p.m.now(), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proofs.Step(now, wall, r) {
		p.saver.Put(p.proofs)
	}
	p.m.hub.measure(p.proofs.Stops())
}

// keep hands the proofs to the disk; before that was read they would be all that is left.
// p.mu is held.
func (p *proving) keep() {
	if p.loaded {
		p.saver.Put(p.proofs)
	}
}

// forget drops what was proved of a machine that was struck off, or set up anew.
func (p *proving) forget(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs.Forget(node)
	p.keep()
}

// cameBack notes that a node was switched off and on again on purpose.
func (p *proving) cameBack(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proofs.CameBack(node, time.Now())
	p.keep()
}

// sealed takes which UPSes are sealed to be cut now.
func (p *proving) sealed(all map[string]proof.Sealed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proofs.Seal(all) {
		p.keep()
	}
}

// woke notes that a node is about to be started.
func (p *proving) woke(node string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proofs.Woke(node) {
		p.keep()
	}
}

// fill says in st what was proved.
func (p *proving) fill(st *upsv1.MasterStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range st.GetNodes() {
		had, ok := p.proofs.Nodes[n.GetName()]
		if !ok {
			continue
		}
		n.Proof = &upsv1.NodeProof{
			Outages: uint32(had.Outages), LastOutage: had.Last, LastWall: wallText(had.LastWall), BackWall: wallText(had.BackWall),
		}
		if m := had.Measured(); m.Takes > 0 {
			n.Proof.StopTime = durationpb.New(m.Takes)
		}
	}
	for _, u := range st.GetUps() {
		had := p.proofs.UPS[u.GetName()]
		st.Proofs = append(st.Proofs, &upsv1.UpsProof{
			Ups: u.GetName(), Outages: uint32(had.Outages), LastWall: wallText(had.LastWall),
			LowWall: wallText(had.LowWall), KillWall: wallText(had.KillWall),
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
	out := proof.NoWayBack(p.facts, p.hook, r.Nodes)
	if p.loaded { // else nobody knows
		out = append(out, p.proofs.Found(p.m.cfg.Name, p.facts, p.hook, r.Nodes)...)
	}
	return out
}
