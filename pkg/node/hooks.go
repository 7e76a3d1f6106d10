package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

const (
	// hooksMax bounds the events whose hooks wait for earlier ones.
	hooksMax = 64
)

// hookRuns keeps hooks in order: those of a commit begin at once, all others one
// event after the other.
type hookRuns struct {
	queue   int             // events whose hooks run or wait, commits aside
	last    <-chan struct{} // closed when the hooks of the last of them have ended
	commit  <-chan struct{} // closed when the hooks of the last commit have ended
	commits int             // how many there were
	faults  map[fault]string
}

// fault is a way for a hook to be wrong: its file, which every look at it answers,
// or its last run, which only another run does.
type fault struct {
	hook int
	file bool
}

// runHooks runs the hooks of an event in order, in a goroutine of their own. The
// hooks of a commit wait for nobody but an earlier commit's that run; those of a cancel
// wait until the commit's have ended. Both are left out if by then there is a new
// commit: mains that come and go would pile them up, and the last commit would wait
// for all.
func (d *Driver) runHooks(of Notice) {
	event := of.Event
	var hooks []int
	for i, h := range d.o.Settings.Hooks {
		if slices.Contains(h.On, event) {
			hooks = append(hooks, i)
		}
	}
	commit := event == policy.EventCommit
	if commit {
		d.hooks.commits++
	}
	n := d.hooks.commits
	finish := func() {
		if commit && n == d.hooks.commits { // an overtaken commit's answer is no answer
			d.step(policy.HooksDone{})
		}
	}
	if len(hooks) == 0 && (!commit || d.hooks.commit == nil) {
		d.post(finish)
		return
	}
	if !commit && d.hooks.queue >= hooksMax {
		d.o.Log.Error("hooks left out: too many wait", "node", d.o.Name, "event", event)
		return
	}
	env, records := d.hookEnv(of), pending(d.records)
	before := []<-chan struct{}{d.hooks.commit}
	ended := make(chan struct{})
	if commit {
		d.hooks.commit = ended
	} else {
		before = append(before, d.hooks.last)
		d.hooks.last = ended
		d.hooks.queue++
		if event != policy.EventCancel {
			before = before[1:]
		}
	}
	go func() {
		awaitRecords(records)
		for _, c := range before {
			if c == nil {
				continue
			}
			select {
			case <-c:
			case <-d.over:
				return
			}
		}
		d.post(func() { d.beginHooks(event, n, hooks, env, ended, finish) })
	}()
}

// beginHooks runs the hooks now that their turn has come.
func (d *Driver) beginHooks(event policy.Event, n int, hooks []int, env []string, ended chan struct{}, finish func()) {
	done := func() {
		close(ended)
		if event != policy.EventCommit {
			d.hooks.queue--
		}
		finish()
	}
	if (event == policy.EventCancel || event == policy.EventCommit) && n != d.hooks.commits {
		d.o.Log.Warn("hooks left out: a new commit came", "node", d.o.Name, "event", event)
		done()
		return
	}
	go func() {
		for _, i := range hooks {
			d.runHook(event, i, env)
		}
		d.post(done)
	}()
}

// runHook runs one hook within its limit and says how it went.
func (d *Driver) runHook(event policy.Event, i int, env []string) {
	h := d.o.Settings.Hooks[i]
	start := time.Now()
	out, err := d.tryHook(h, env)
	r := hookRecord{Node: d.o.Name, Event: string(event), Hook: h.name()}
	args := []any{"node", d.o.Name, "event", r.Event, "hook", r.Hook, "took", time.Since(start).String(), "output", strings.TrimSpace(out)}
	text := ""
	if err != nil {
		r.Error = err.Error()
		text = fmt.Sprintf("the hook %s failed on %q: %v", r.Hook, event, err)
		d.o.Log.Error("hook failed", append(args, "err", err)...)
	} else {
		d.o.Log.Info("hook done", args...)
	}
	d.post(func() {
		d.record(recordHook, r)
		d.hookFault(fault{hook: i}, text)
	})
}

// tryHook runs a hook; whatever hangs is left behind when its time is over.
func (d *Driver) tryHook(h Hook, env []string) (string, error) {
	return tryHook(context.Background(), h, env, d.vetted, d.o.Exec)
}

// hookFault notes what is wrong with a hook in one way; an empty text: nothing.
func (d *Driver) hookFault(f fault, text string) {
	if text == "" {
		delete(d.hooks.faults, f)
	} else {
		d.hooks.faults[f] = text
	}
	var all []string
	for _, text := range d.hooks.faults {
		all = append(all, text)
	}
	slices.Sort(all)
	d.problem(health.Hook, strings.Join(slices.Compact(all), "; "))
}

// hookEnv is the whole environment of a hook.
func (d *Driver) hookEnv(of Notice) []string {
	return HookEnv{
		Event: of.Event, State: d.real().Status.String(), Phase: d.m.View().Phase.String(), Node: d.o.Name,
		UPS: d.deciding(), Outage: d.real().Outage, Problem: of.Problem.Name, Text: of.Text,
	}.Environ() // never a drill's: the machine asks for no hooks by a pretended state
}
