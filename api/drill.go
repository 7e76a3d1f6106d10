package api

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// ToDrill returns what a master pretends, its UPSes aside, received at now.
func ToDrill(p *upsv1.Drill, now power.Uptime) (id string, awaited policy.Awaited, until power.Uptime) {
	// 0 would be none; and a drill without an end is none.
	return Cut(p.GetId(), maxName), ToAwaited(p.GetAwaited(), now), max(1, now.Add(min(positive(p.GetLeft()), DrillLimit)))
}

// FromDrill returns what a master pretends, as of now, for the wire.
func FromDrill(id string, ups []*upsv1.UpsState, awaited policy.Awaited, until, now power.Uptime) *upsv1.Drill {
	p := &upsv1.Drill{Id: id, Ups: ups, Left: durationpb.New(age(until, now))}
	for _, u := range ups {
		u.Drill = true
	}
	if len(awaited.Up) > 0 {
		p.Awaited = FromAwaited(awaited, now)
	}
	return p
}

// FromDrillReport returns a node's part in a drill for the wire; nil: there was none.
func FromDrillReport(r policy.DrillReport) *upsv1.DrillReport {
	if r.ID == "" {
		return nil
	}
	p := &upsv1.DrillReport{
		Id: r.ID, LeftAside: r.LeftAside, Method: r.Method, CannotPowerOff: r.Cannot, LeftOut: r.LeftOut, Over: r.Over,
	}
	for _, s := range r.Steps {
		p.Steps = append(p.Steps, &upsv1.DrillStep{Phase: FromPhase(s.Phase), After: durationpb.New(age(s.At, r.Began)), Reason: s.Reason})
	}
	for _, h := range r.Ran {
		p.Ran = append(p.Ran, &upsv1.DrillHook{
			Event: string(h.Event), Result: &upsv1.HookResult{Name: h.Name, Error: h.Error, Took: durationpb.New(h.Took)},
		})
	}
	if r.Timed {
		p.Goes = durationpb.New(age(r.Goes, r.Began))
	}
	return p
}

// maxDrillSteps is how many phases one node may send of a drill.
const maxDrillSteps = 64

// BoundDrillReport cuts what a node says of a drill to what that can be, as
// [BoundReport].
func BoundDrillReport(r *upsv1.DrillReport) {
	r.Id, r.Method = Cut(r.GetId(), maxName), Cut(r.GetMethod(), maxName)
	r.CannotPowerOff, r.LeftOut = Cut(r.GetCannotPowerOff(), maxText), Cut(r.GetLeftOut(), maxText)
	r.Steps = r.Steps[:min(len(r.Steps), maxDrillSteps)]
	r.Ran, r.LeftAside = r.Ran[:min(len(r.Ran), maxHooks)], r.LeftAside[:min(len(r.LeftAside), maxHooks)]
	for _, s := range r.Steps {
		s.Phase, s.Reason, s.After = FromPhase(ToPhase(s.GetPhase())), Cut(s.GetReason(), maxText), durationpb.New(positive(s.GetAfter()))
	}
	for _, h := range r.Ran {
		h.Event = Cut(h.GetEvent(), maxName)
		if h.Result == nil {
			h.Result = &upsv1.HookResult{}
		}
		boundHook(h.Result)
	}
	for i := range r.LeftAside {
		r.LeftAside[i] = Cut(r.LeftAside[i], maxText)
	}
	if r.GetGoes() != nil {
		r.Goes = durationpb.New(positive(r.GetGoes()))
	}
}

func boundHook(h *upsv1.HookResult) {
	h.Name, h.Error, h.Took = Cut(h.GetName(), maxText), Cut(h.GetError(), maxText), durationpb.New(positive(h.GetTook()))
}

// DrillLong bounds how long a drill may pretend that the power has failed: with the
// hooks after it the whole must end within [DrillLimit].
const DrillLong = 5 * time.Minute
