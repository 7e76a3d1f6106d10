package memrack

import (
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// simWorld is a rack, its mains and its batteries. One goroutine moves it; only calls
// and what machines count is touched by others.
type simWorld struct {
	plan     simPlan
	rack     *Rack
	judge    *simJudge
	ups      []*simPower
	wires    map[string]*Wire // by their ports
	nodes    []*simNode
	boots    int
	switchUp bool
	agenda   []simStep // sorted by when they are to be done
	computed time.Duration

	mu    sync.Mutex // guards calls, and tries of the nodes
	calls []simCall
}

// newWorld sets the rack up; every node has joined and the batteries are full.
func newWorld(t *testing.T, p simPlan, to io.Writer) *simWorld {
	w := &simWorld{plan: p, rack: newRack(t), switchUp: true, agenda: slices.Clone(p.steps), wires: map[string]*Wire{}}
	w.rack.Exec = w.hook
	w.listen(to)
	for i, u := range p.ups {
		w.ups = append(w.ups, newPower(u, p.seed+uint64(i)))
		w.wires[u.port()] = w.ups[i].wire
	}
	for i, pol := range p.nodes {
		w.nodes = append(w.nodes, newSimNode(w, i, pol))
	}
	w.judge = newJudge(w)
	for _, n := range w.nodes {
		w.boot(n)
		for m := range p.masters {
			if n.member(w, m) {
				w.join(n, m)
			}
		}
	}
	synctest.Wait()
	w.rack.start, w.computed = time.Now(), 0 // the plan's clock
	for _, u := range w.ups {
		u.changed = long
	}
	w.judge.begin()
	return w
}

// listen has every daemon log to there, by the plan's clock.
func (w *simWorld) listen(to io.Writer) {
	if to == nil {
		return
	}
	w.rack.log = slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			a.Value = slog.DurationValue(w.rack.Since())
		}
		return a
	}}))
}

// play plays the agenda to the plan's end.
func (w *simWorld) play() {
	due := func(s simStep) bool { return s.when == atOnce }
	for {
		at, i := w.plan.end, slices.IndexFunc(w.agenda, due)
		if i >= 0 {
			at = w.agenda[i].at
		} else if w.rack.Since() >= at {
			break
		}
		w.live(at)
		if i = slices.IndexFunc(w.agenda, due); i >= 0 && w.agenda[i].at <= w.rack.Since() {
			w.next(i)
		}
	}
	w.agenda = nil // nobody got where the rest waits for
}

// next does a step of the agenda, and plans its end.
func (w *simWorld) next(i int) {
	s := w.agenda[i]
	if w.rack.log != nil {
		w.rack.log.Info("STEP", "what", s.words(w.plan))
	}
	w.agenda = slices.Delete(w.agenda, i, i+1)
	w.do(s)
	if s.then > 0 {
		end := simStep{at: w.rack.Since() + s.then, what: simEvents()[s.what].over, on: s.on, d: s.d}
		at, _ := slices.BinarySearchFunc(w.agenda, end, func(a, b simStep) int { return int(a.at - b.at) })
		w.agenda = slices.Insert(w.agenda, at, end)
	}
}

// live lets time pass until at, in steps of a second at most, and does what waits for
// somebody to be somewhere.
func (w *simWorld) live(at time.Duration) {
	for w.rack.Since() < at {
		w.rack.Advance(min(time.Second, at-w.rack.Since()))
		w.pass()
		for i := 0; i < len(w.agenda); i++ {
			if s := w.agenda[i]; s.when != atOnce && s.at <= w.rack.Since() && w.nodes[s.whom].at(s.when) {
				w.next(i)
				return // so that what is due first comes first
			}
		}
	}
}

// pass does what the time that has passed does.
func (w *simWorld) pass() {
	w.judge.heard()
	now := w.rack.Since()
	for i, u := range w.ups {
		u.pass(now - w.computed)
		w.orders(i, u)
		if was := u.output; u.feed(now) == was {
			continue
		} else if was && u.charge > 0 {
			w.judge.loadCut(i)
		}
	}
	w.judge.passed(now - w.computed)
	w.computed = now
	for _, n := range w.nodes {
		w.woken(n)
		if n.powered {
			w.goDown(n)
		} else {
			w.comeUp(n)
		}
	}
	w.power()
}

// orders looks what lies on a UPS's wire.
func (w *simWorld) orders(i int, u *simPower) {
	if u.wire == nil {
		return
	}
	for all := u.wire.Orders(); u.heard < len(all); u.heard++ {
		o := all[u.heard]
		if u.judged == u.heard {
			u.judged++
			w.judge.kill(i, o)
		}
		if !u.obey(o, w.rack.start, w.rack.Since()) {
			return
		}
	}
}

// fed reports whether as many of the machine's feeds give power as it needs.
func (w *simWorld) fed(n *simNode) bool { return n.lives(func(u *simPower) bool { return u.output }) }

// lives reports whether as many of the machine's feeds are like that as it needs.
func (n *simNode) lives(like func(*simPower) bool) bool {
	live := 0
	for _, f := range n.feeds {
		if like(n.w.ups[f]) {
			live++
		}
	}
	return live >= n.need
}

// power tells the masters what their UPSes show, where that is news.
func (w *simWorld) power() {
	for i, u := range w.ups {
		if s := u.is(); s != u.said {
			u.said = s
			if u.wire != nil {
				u.wire.Set(s != upsv1.Status_STATUS_OK, s == upsv1.Status_STATUS_BATLOW)
			}
		}
		if s := u.shows(w.rack.Since()); s != u.told {
			u.told = s
			w.judge.power(i)
			w.simulate(u)
		}
	}
	w.judge.contacts()
}

// simulate sets a UPS's sim port.
func (w *simWorld) simulate(u *simPower) {
	host := w.nodes[u.master]
	if !host.agent || u.cable != "" {
		return
	}
	w.ask(host, func(c simClients) error {
		_, err := c.control.Simulate(c.ctx, &upsv1.SimulateRequest{Ups: u.name, Status: u.told})
		return err
	})
	synctest.Wait()
}
