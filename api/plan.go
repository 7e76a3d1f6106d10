package api

import (
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// FromPlan returns what would happen, for the wire.
func FromPlan(p policy.Plan) *upsv1.PlanResponse {
	out := &upsv1.PlanResponse{GoingOn: p.GoingOn, Warnings: p.Warnings}
	for _, e := range p.Events {
		on := "node/" + e.Node
		if e.UPS != "" {
			on = "ups/" + e.UPS
		}
		out.Events = append(out.Events, &upsv1.PlanEvent{
			At: durationpb.New(e.At), AfterLow: e.AfterLow, On: on, Kind: string(e.Kind), Text: e.Text,
		})
	}
	for _, u := range p.UPS {
		out.Ups = append(out.Ups, FromPlanResult(u))
	}
	return out
}

// FromPlanResult returns what would come of one UPS, for the wire.
func FromPlanResult(r policy.PlanResult) *upsv1.UpsPlan {
	p := &upsv1.UpsPlan{Ups: r.UPS, Last: r.Last, AfterLow: r.AfterLow}
	if r.HasMargin {
		p.Margin = durationpb.New(r.Margin)
	}
	if r.HasEnd {
		p.End = durationpb.New(r.End)
	}
	if r.Last != "" {
		p.LastOff = durationpb.New(r.LastOff)
	}
	if r.HasCut {
		p.Cut = durationpb.New(r.Cut)
	}
	if r.HasLowMargin {
		p.LowMargin = durationpb.New(r.LowMargin)
	}
	return p
}
