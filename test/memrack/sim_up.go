package memrack

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// early is after how long of its shutdown a daemon ends that ends early.
func early(n *simNode) time.Duration { return min(time.Second, n.going/2) }

// comeUp does what the time that has passed does to a machine that is off.
func (w *simWorld) comeUp(n *simNode) {
	now := w.rack.Since()
	switch {
	case !w.fed(n):
		n.dark, n.wasDark, n.bootAt = true, true, 0
		return
	case n.dark:
		n.dark = false
		if !n.noRestore {
			w.switchOn(n)
		}
	case n.clock && n.node.waking.rings(now):
		w.switchOn(n)
	case now-n.off >= bootAfter && w.byHand(n) && n.lives(func(u *simPower) bool { return u.output && u.mains && now-u.changed >= bootAfter }):
		w.switchOn(n)
	}
	if n.bootAt != 0 && now >= n.bootAt {
		w.boot(n)
	}
}

// switchOn has a machine that is off start.
func (w *simWorld) switchOn(n *simNode) {
	if n.bootAt == 0 {
		n.bootAt = w.rack.Since() + n.post
	}
}

// byHand reports whether somebody switches the machine on: whoever shut it down, and a
// master's own, which nobody else could wake.
func (w *simWorld) byHand(n *simNode) bool {
	return n.master != nil || w.plan.back.hands || w.judge.nodes[n.i].ordered
}

// woken lets the packets come that were sent for a machine; who is off may start by one.
func (w *simWorld) woken(n *simNode) {
	if n.node == nil {
		return
	}
	for _, p := range n.node.waking.since(n.packets) {
		n.packets++
		w.judge.wakes(n, p)
		switch {
		case n.powered || p.at < n.off || !w.fed(n) || !w.switchUp || n.cut.to || !n.hears():
		case n.strayed < n.loses:
			n.strayed++
		default:
			w.switchOn(n)
		}
	}
}

// hears reports whether the card of a machine that is off wakes it.
func (n *simNode) hears() bool {
	switch n.card {
	case obeysAgent:
		return slices.Contains(n.node.Armed()[n.armed:], policy.WakeWOL)
	case forgets:
		return !n.wasDark
	case ignores:
		return false
	default:
		return true
	}
}

// crash takes a machine down that comes up again at once.
func (w *simWorld) crash(n *simNode) {
	if !n.powered {
		return
	}
	w.die(n, false)
	w.switchOn(n)
}

// since returns the packets from the i-th on.
func (w *waking) since(i int) []packet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.woken[i:])
}

// rings reports whether the machine's clock rings, once.
func (w *waking) rings(now time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.alarm == 0 || now < w.alarm {
		return false
	}
	w.alarm = 0
	return true
}
