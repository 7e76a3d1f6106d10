package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/config"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// sendLimit bounds the sending of some packets.
const sendLimit = 5 * time.Second

// wakeResult is how one try to wake a node went.
type wakeResult struct {
	waking policy.Waking
	by     []string // the ways that were gone
	err    error
}

// wake tries to wake a node, beside everything else. One that is still being woken, by a
// hook that takes long, is not woken twice.
func (v *recovery) wake(ctx context.Context, w policy.Waking) {
	v.mu.Lock()
	busy, macs := v.flying[w.Node], v.cards[w.Node]
	v.flying[w.Node] = true
	v.mu.Unlock()
	if busy {
		return
	}
	v.m.proving.woke(w.Node)
	v.m.hub.woken(w.Node)
	go func() {
		end := v.try(ctx, w, macs)
		select {
		case v.ends <- end:
		case <-ctx.Done():
		}
	}()
}

// try goes every way that a master has.
func (v *recovery) try(ctx context.Context, w policy.Waking, macs []net.HardwareAddr) wakeResult {
	end := wakeResult{waking: w}
	var errs []error
	note := func(way string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", way, err))
			return
		}
		end.by = append(end.by, way)
	}
	if slices.Contains(w.Ways, policy.WakeWOL) {
		limited, cancel := context.WithTimeout(ctx, sendLimit)
		note(policy.WakeWOL, v.send(limited, macs))
		cancel()
	}
	if slices.Contains(w.Ways, policy.WakeHook) {
		note(policy.WakeHook, v.runHooks(ctx, w))
	}
	end.err = errors.Join(errs...)
	return end
}

// runHooks runs the wake hooks for one node, when their turn has come.
func (v *recovery) runHooks(ctx context.Context, w policy.Waking) error {
	if len(v.hooks) == 0 {
		return errors.New(`master.toml has no [[hook]] with on = ["wake"]`)
	}
	select {
	case v.hands <- struct{}{}:
		defer func() { <-v.hands }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var errs []error
	for _, h := range v.hooks {
		env := node.HookEnv{
			Event: policy.EventWake, State: power.OK.String(), Node: w.Node,
			Text: fmt.Sprintf("switch %s on, try %d", w.Node, w.Try),
		}
		out, err := h.Execute(env, v.m.exec)
		v.m.log.Info("hook", "hook", h.String(), "event", policy.EventWake, "on", "node/"+w.Node, "output", strings.TrimSpace(out), "err", err)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", h, err))
		}
	}
	return errors.Join(errs...)
}

// ended takes how a try went, and says so: of one that goes on for days not each time.
func (v *recovery) ended(end wakeResult) {
	w := end.waking
	v.m.hub.woken(w.Node) // a hook may have taken its time
	v.mu.Lock()
	delete(v.flying, w.Node)
	delete(v.failed, w.Node)
	if end.err != nil {
		v.failed[w.Node] = strings.ReplaceAll(end.err.Error(), "\n", "; ")
	}
	failed := v.failed[w.Node]
	v.mu.Unlock()
	var says []string
	if len(end.by) > 0 {
		says = append(says, fmt.Sprintf("woken by %s, try %d", strings.Join(end.by, " and "), w.Try))
	}
	if failed != "" {
		says = append(says, "cannot wake it: "+failed)
	}
	text := strings.Join(says, "; ")
	v.m.log.Info("wake", "node", w.Node, "try", w.Try, "by", end.by, "err", failed)
	if w.Try <= 5 || w.Try%36 == 0 { // 36 tries are 6 hours
		e := history.Event{On: "node/" + w.Node, Kind: history.KindWake, Text: text}
		if len(end.by) > 0 {
			e.Woken = w.Try
		}
		v.m.events.add(e)
	}
	v.m.hub.look()
}

// back says that a node is back.
func (v *recovery) back(b policy.Return) {
	text := "it is back"
	switch {
	case b.Tries == 1:
		text += ", woken once"
	case b.Tries > 1:
		text += fmt.Sprintf(", woken %d times", b.Tries)
	}
	if b.Asked != "" && b.Rebooted {
		v.m.proving.cameBack(b.Node)
		text += ": the way back is proved"
	}
	v.m.event("node/"+b.Node, "back", text)
}

// comebacks returns who is gone and how it stands with them.
func (v *recovery) comebacks() map[string]policy.Comeback {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.r.Comebacks(v.m.now())
}

// fill says in st who is to come back.
func (v *recovery) fill(st *upsv1.MasterStatus) {
	all, now := v.comebacks(), v.m.now()
	for _, n := range st.GetNodes() {
		c, away := all[n.GetName()]
		if !away {
			continue
		}
		n.Comeback = &upsv1.Comeback{
			Outage: c.Outage, Away: durationpb.New(now.Sub(c.Away)), Tries: uint32(min(c.Tries, 1<<30)), //nolint:gosec // no such number of tries
			Waits: c.Waits, Ways: c.Ways, Text: comebackText(c, now),
		}
		if c.Timed {
			n.Comeback.Next = durationpb.New(c.Next.Sub(now))
		}
	}
}

// comebackText says how it stands with one that is gone.
func comebackText(c policy.Comeback, now power.Uptime) string {
	switch {
	case !c.Powered:
		return "down; waits for " + c.Waits
	case c.Tries == 0 && wakeable(c.Ways):
		return "down; it is woken when its turn comes"
	case c.Tries == 0 && slices.Contains(c.Ways, policy.WakeRTC):
		return "down; its own clock will switch it on"
	case c.Tries == 0:
		return "down; only the UPS's power cycle can start it"
	}
	text := fmt.Sprintf("down; woken %s by %s", history.Times(c.Tries), strings.Join(masterWays(c.Ways), " and "))
	if c.Timed {
		text += ", again in " + config.FormatDuration(c.Next.Sub(now).Round(time.Second))
	}
	return text
}

// masterWays are those of a node's ways back that a master has a hand in.
func masterWays(ways []string) []string {
	var out []string
	for _, w := range ways {
		if w == policy.WakeWOL || w == policy.WakeHook {
			out = append(out, w)
		}
	}
	return out
}

func wakeable(ways []string) bool { return len(masterWays(ways)) > 0 }

// found returns who should have been back for long.
func (v *recovery) found() []health.Found {
	var out []health.Found
	now := v.m.now()
	for name, c := range v.comebacks() {
		v.mu.Lock()
		failed := v.failed[name]
		v.mu.Unlock()
		if !c.Overdue && failed == "" {
			continue
		}
		text := fmt.Sprintf("an outage put it down, its power is back for %s, and it is not", now.Sub(c.Since).Round(time.Second))
		if !c.Committed {
			text = fmt.Sprintf("it fell silent in an outage, its power is back for %s, and it is not", now.Sub(c.Since).Round(time.Second))
		}
		switch {
		case c.Tries > 0:
			text += "; it was woken " + history.Times(c.Tries)
		case !wakeable(c.Ways):
			text += `; nothing but the UPS's power cycle can start it: add wol or hook to its [wake] method`
		}
		if failed != "" {
			text += "; the last try failed: " + failed
		}
		out = append(out, health.Found{On: "node/" + name, Problem: health.Problem{
			Name: health.StaysDown, Text: text + "; switch it on, or end the tries by upsctl release " + name,
		}})
	}
	slices.SortFunc(out, func(a, b health.Found) int { return strings.Compare(a.On, b.On) })
	return out
}

// besides drops what the hub finds of nodes that this says better: of those that went
// and are being brought back nobody has to be told that they are lost.
func (v *recovery) besides(found []health.Found) []health.Found {
	all := v.comebacks()
	return slices.DeleteFunc(found, func(f health.Found) bool {
		name, isNode := strings.CutPrefix(f.On, "node/")
		return isNode && f.Name == health.NodeLost && all[name].Committed
	})
}

// could says why a node that is shut down to be woken would stay down; nil: it could come
// back. The hub's mutex is held.
func (v *recovery) could(n *nodeRecord) error {
	switch ways := n.report.GetWake(); {
	case n.host:
		return fmt.Errorf("node %s is the master's own host, and nobody else could wake it", n.name)
	case neverGoes(n.report.GetMethods()):
		return fmt.Errorf(`node %s never goes: method = ["none"] in its [shutdown] is a dry run`, n.name)
	case !wakeable(ways):
		return fmt.Errorf("node %s would stay down: it comes back by %s only, and this master can send a magic packet or run a hook; add wol or hook to its [wake] method",
			n.name, cmp.Or(strings.Join(ways, " and "), "nothing"))
	case !slices.Contains(ways, policy.WakeWOL) && len(v.hooks) == 0:
		return fmt.Errorf(`node %s would stay down: it comes back by a hook, and master.toml has no [[hook]] with on = ["wake"]`, n.name)
	}
	return nil
}
