package master

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// hooksMax bounds the notices that wait for slow hooks.
const hooksMax = 64

// ofTheRack are the events that hooks at the top of master.toml hear of the whole
// rack. The others are those of this host's own machine, whose driver runs them;
// without [node] they are the UPSes'.
var ofTheRack = []policy.Event{policy.EventProblem, policy.EventClear, policy.EventReport, policy.EventWake}

// rackHooks runs the hooks at the top of master.toml, one after the other.
type rackHooks struct {
	m      *Master
	hooks  []node.Hook
	queue  chan notice
	faults map[int]string // by hook; Run's own
	busy   atomic.Int32   // notices that wait or whose hooks run
}

func newRackHooks(m *Master) *rackHooks {
	r := &rackHooks{m: m, queue: make(chan notice, hooksMax), faults: map[int]string{}}
	for _, h := range m.cfg.Hooks {
		h.On = slices.DeleteFunc(slices.Clone(h.On), func(e policy.Event) bool {
			return m.cfg.Node != nil && !slices.Contains(ofTheRack, e)
		})
		r.hooks = append(r.hooks, h)
	}
	return r
}

// ofThisHost are the hooks at the top of the file as far as they hear of this host's
// own machine.
func ofThisHost(top []node.Hook) []node.Hook {
	var out []node.Hook
	for _, h := range top {
		h.On = slices.DeleteFunc(slices.Clone(h.On), func(e policy.Event) bool { return slices.Contains(ofTheRack, e) })
		if len(h.On) > 0 {
			out = append(out, h)
		}
	}
	return out
}

// String names the task.
func (r *rackHooks) String() string { return "hooks of the rack" }

// put takes a notice. It never blocks.
func (r *rackHooks) put(n notice) {
	if !slices.ContainsFunc(r.hooks, func(h node.Hook) bool { return slices.Contains(h.On, n.event) }) {
		return
	}
	select {
	case r.queue <- n:
		r.busy.Add(1)
	default:
		r.m.log.Error("hooks left out: too many wait", "event", n.event, "on", n.on)
	}
}

// Run runs hooks until ctx ends; one that runs then is left to finish.
func (r *rackHooks) Run(ctx context.Context) error {
	for {
		select {
		case n := <-r.queue:
			for i, h := range r.hooks {
				if slices.Contains(h.On, n.event) && !r.one(ctx, i, h, n) {
					return nil
				}
			}
			r.busy.Add(-1)
		case <-ctx.Done():
			return nil
		}
	}
}

// one runs one hook; false: ctx ended first.
func (r *rackHooks) one(ctx context.Context, i int, h node.Hook, n notice) bool {
	env := node.HookEnv{Event: n.event, State: n.state(), Outage: n.outage, Problem: n.problem, Text: n.text}
	switch what, name, _ := strings.Cut(n.on, "/"); what {
	case "node":
		env.Node = name
	case "ups":
		env.UPS = r.m.cfg.Name + "/" + name
	}
	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := h.Execute(env, r.m.exec)
		done <- result{out, err}
	}()
	select {
	case <-ctx.Done():
		return false
	case got := <-done:
		delete(r.faults, i)
		if got.err != nil {
			r.faults[i] = fmt.Sprintf("the hook %s failed on %q: %v", h, n.event, got.err)
		}
		r.m.log.Info("hook", "hook", h.String(), "event", n.event, "on", n.on, "output", strings.TrimSpace(got.out), "err", got.err)
		var fault error
		if len(r.faults) > 0 {
			fault = errors.New(strings.Join(slices.Sorted(maps.Values(r.faults)), "; "))
		}
		r.m.told(health.Hook)(fault)
		return true
	}
}
