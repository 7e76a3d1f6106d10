package master

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/probe"
)

// Prober asks whether the machine at host, an IP address, is there at all; see
// [probe.Prober].
type Prober func(ctx context.Context, host string) (probe.Answer, error)

const (
	// probeEvery is the tempo for who may be on its way down; probeSlowly for who is
	// off, who might come back, and for who is up and was never seen to answer.
	probeEvery, probeSlowly = 1500 * time.Millisecond, 5 * time.Second
	// probeLook is how often somebody's turn is looked for, while there is anybody.
	probeLook = 500 * time.Millisecond
	// probesAtOnce bounds the sockets that probes hold open.
	probesAtOnce = 256
	// probeOrdered is for how long a node is probed that was ordered down while the
	// power is good: a machine that takes longer hangs.
	probeOrdered = time.Hour
	// witnessAge is how old the newest word of any node may be to prove that this
	// master's own network lives.
	witnessAge = 3 * time.Second
)

// reach is what probes have found out of a node since it attached.
type reach struct {
	answered power.Uptime // the last answer; 0: none
	silent   power.Uptime // the first of the probes in vain since; 0: none
	alive    power.Uptime // the first answer after it had counted as off; 0: none
}

// probing asks who is off. It decides nothing: what it finds is a node's standing.
type probing struct {
	hub   *hub
	now   func() power.Uptime
	log   *slog.Logger
	probe Prober
}

func newProbing(h *hub, o Options) *probing {
	p := &probing{hub: h, now: o.Now, log: o.Log, probe: o.Probe}
	if p.probe == nil {
		p.probe = probe.New().Probe
	}
	return p
}

// String names the task.
func (*probing) String() string { return "probes" }

// probed is how a probe ended.
type probed struct {
	target
	began  power.Uptime
	answer probe.Answer
	err    error
}

// Run probes whoever's turn it is, until ctx ends.
func (p *probing) Run(ctx context.Context) error {
	wake, stop := p.hub.watch()
	defer stop()
	var running sync.WaitGroup
	defer running.Wait()
	results := make(chan probed)
	next, why := map[string]power.Uptime{}, map[string]string{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	busy := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-results:
			delete(busy, r.name)
			p.hub.probed(r)
			p.tell(r, why)
			continue
		case <-timer.C:
		}
		all := p.hub.targets()
		for _, t := range all {
			now := p.now()
			if busy[t.name] || now.Before(next[t.name]) || len(busy) >= probesAtOnce {
				continue
			}
			busy[t.name], next[t.name] = true, now.Add(t.every)
			running.Go(func() {
				r := probed{target: t, began: now}
				r.answer, r.err = p.probe(ctx, t.at)
				select {
				case results <- r:
				case <-ctx.Done():
				}
			})
		}
		if len(all) > 0 || len(busy) > 0 {
			timer.Reset(probeLook)
			continue
		}
		select { // nobody is on the way down
		case <-wake:
			timer.Reset(probeLook)
		case <-ctx.Done():
			return nil
		}
	}
}

// tell logs why nobody can ask, once for each reason.
func (p *probing) tell(r probed, why map[string]string) {
	text := ""
	if r.err != nil {
		text = r.err.Error()
	}
	if text != why[r.name] && text != "" {
		p.log.Warn("a node cannot be probed: it counts as off when its time is over", "node", r.name, "err", text)
	}
	why[r.name] = text
}

// target is a node to probe, and how often.
type target struct {
	name, at string
	every    time.Duration
}

// targets returns whom to probe now. In an outage these are who has asked for its
// power-off and who is not attached; of the others one answer is wanted, so that their
// silence will say something. Who is off since a cut may come up at any time.
func (h *hub) targets() []target {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	_, outage := h.outageBegan()
	var all []target
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		t := target{name, n.from, probeEvery}
		s := h.standingOf(n)
		switch {
		case n.host || n.from == "":
			continue
		case n.session != nil && n.committed == 0:
			if !outage || n.answered != 0 {
				continue
			}
			t.every = probeSlowly
		case outage && s.Off(now):
			t.every = probeSlowly
		case outage:
		case n.cut != 0 && s.Off(now):
			t.every = probeSlowly
		case n.committed == 0 || now.Sub(n.committed) > probeOrdered || s.Off(now):
			continue // it was not asked to go, or is off
		}
		all = append(all, t)
	}
	return all
}

// probed takes a probe's answer, unless the node has attached from elsewhere.
func (h *hub) probed(r probed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, now := h.nodes[r.name], h.now()
	if n == nil || n.from != r.at {
		return
	}
	switch {
	case r.answer == probe.Answers:
		quiet := n.answered == 0 || n.silent != 0 && now.Sub(n.silent) >= policy.OffMargin
		if quiet && h.standingOf(n).Off(now) {
			n.alive = now
			h.wakeWaiters()
		}
		n.answered, n.silent = now, 0
	case r.answer == probe.Unknown || h.deaf(now):
		n.silent = 0
	case n.silent == 0:
		n.silent = r.began
	}
}

// deaf reports whether it may be this master's network that is dead, and not the nodes:
// in this outage somebody was lost without a word, and nobody is heard. h.mu is held.
func (h *hub) deaf(now power.Uptime) bool {
	lost := false
	for _, n := range h.nodes {
		switch {
		case n.host:
		case n.session != nil && now.Sub(n.heard) < witnessAge, n.answered != 0 && now.Sub(n.answered) < witnessAge:
			return false
		case n.link == power.LinkLost && h.wasThere(n), n.session != nil:
			lost = true
		}
	}
	return lost
}

// cameFrom keeps the address that a node attached from, so that it can be probed there.
func (h *hub) cameFrom(s *session, address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[s.node]; n != nil && n.session == s {
		n.from = address
	}
}
