package node

import (
	"context"
	"slices"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

// rehearseHooks notes the hooks of an event: those that are marked are to be run, the
// others are only told of.
func (d *Driver) rehearseHooks(e policy.Event) {
	r := &d.rehearsal
	for _, h := range d.o.Settings.Hooks {
		if line := h.name() + " on " + string(e); slices.Contains(h.On, e) && !h.Drill && !slices.Contains(r.report.LeftAside, line) {
			r.report.LeftAside = append(slices.Clip(r.report.LeftAside), line)
		}
	}
	v := r.shadow.View()
	env := HookEnv{
		Event: e, State: v.Power.State.Status.String(), Phase: v.Phase.String(), Node: d.o.Name, UPS: d.deciding(),
		Outage: v.Power.State.Outage, Text: "a drill: nothing has happened", Drill: true,
	}.Environ()
	r.queue = append(r.queue, rehearsedEvent{e, env})
}

// nextRehearsed runs the hooks of the next event, unless some run: in a drill one hook
// comes after the other.
func (d *Driver) nextRehearsed() {
	r := &d.rehearsal
	if r.running || len(r.queue) == 0 || d.inEarnest() {
		return
	}
	next := r.queue[0]
	r.queue = r.queue[1:]
	r.running = true
	var hooks []int
	for i, h := range d.o.Settings.Hooks {
		if h.Drill && slices.Contains(h.On, next.event) {
			hooks = append(hooks, i)
		}
	}
	id, ctx := r.report.ID, r.ctx
	go func() {
		var ran []policy.DrillHook
		for _, i := range hooks {
			if ctx.Err() != nil {
				break
			}
			ran = append(ran, drillHook(next.event, d.runDrillHook(ctx, i, next.event, next.env)))
		}
		d.post(func() { d.rehearsedHooks(id, next.event, ran) })
	}()
}

func drillHook(e policy.Event, run HookRun) policy.DrillHook {
	h := policy.DrillHook{Event: e, Name: run.Name, Took: run.Took}
	if run.Err != nil {
		h.Error = run.Err.Error()
	}
	return h
}

// rehearsedHooks takes how the hooks of an event ended.
func (d *Driver) rehearsedHooks(id string, e policy.Event, ran []policy.DrillHook) {
	r := &d.rehearsal
	if r.report.ID != id {
		return // of a drill before
	}
	r.report.Ran = slices.Concat(r.report.Ran, ran)
	r.running = false
	if r.shadow == nil {
		return // reality ended it
	}
	if e == policy.EventCommit {
		d.pretend(policy.HooksDone{})
	}
	d.nextRehearsed()
}

// rehearsePowerOff asks whether the power-off would work, in place of asking for it.
func (d *Driver) rehearsePowerOff() {
	r := &d.rehearsal
	r.asked, r.report.Method = true, d.o.Chain[0].String()
	id, ctx := r.report.ID, r.ctx
	go func() {
		limited, cancel := context.WithTimeout(ctx, examineLimit)
		defer cancel()
		found := d.inspect(limited)
		d.post(func() {
			if d.rehearsal.report.ID != id || d.rehearsal.shadow == nil || ctx.Err() != nil {
				return
			}
			d.rehearsal.report.Cannot = found.cannot()
			for i, err := range found.methods {
				if err == nil {
					d.rehearsal.report.Method = d.o.Chain[i].String()
					return
				}
			}
		})
	}()
}
