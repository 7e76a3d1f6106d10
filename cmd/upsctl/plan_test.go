package main

import (
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// plannedRack is one whose battery lasts; plannedPlan is what is foreseen of it.
func plannedRack() *upsv1.MasterStatus {
	m := wellRack()
	m.Plans = plannedPlan().GetUps()
	return m
}

func plannedPlan() *upsv1.PlanResponse {
	event := func(at time.Duration, on, kind, text string) *upsv1.PlanEvent {
		return &upsv1.PlanEvent{At: dur(at), On: on, Kind: kind, Text: text}
	}
	return &upsv1.PlanResponse{
		Events: []*upsv1.PlanEvent{
			event(0, "ups/main", "fail", "its mains fail; its battery is expected to last 20m"),
			event(0, "node/db1", "grace", "counts down 2m"),
			event(0, "node/rack1", "grace", "counts down 10m"),
			event(0, "node/web1", "grace", "counts down 5m"),
			event(0, "node/web2", "grace", "counts down 5m"),
			event(2*time.Minute, "node/db1", "waiting", "its time is up; waits for web1, web2"),
			event(5*time.Minute, "node/web1", "commit", "shuts down: on battery"),
			event(5*time.Minute, "node/web2", "commit", "shuts down: on battery"),
			event(6*time.Minute, "node/web1", "off", "off"),
			event(6*time.Minute, "node/web2", "off", "off"),
			event(6*time.Minute+30*time.Second, "node/db1", "commit", "shuts down: on battery"),
			event(7*time.Minute+30*time.Second, "node/db1", "off", "off"),
			event(10*time.Minute, "node/rack1", "commit", "shuts down: on battery"),
			event(11*time.Minute, "node/rack1", "off", "off"),
			event(11*time.Minute, "ups/main", "cut", "the load is cut"),
			event(20*time.Minute, "ups/main", "empty", "its battery is expected to be empty"),
		},
		Ups: []*upsv1.UpsPlan{{
			Ups: "main", Margin: dur(9 * time.Minute), End: dur(20 * time.Minute), LastOff: dur(11 * time.Minute), Last: "rack1",
			Cut: dur(11 * time.Minute), LowMargin: dur(20 * time.Second),
		}},
		Warnings: []string{"db1 (1m), rack1 (1m), web1 (1m), web2 (1m): how long it takes to shut down was never measured; its stop_time is believed"},
	}
}

// shortRack is one whose battery does not last, in an outage.
func shortRack() *upsv1.MasterStatus {
	m := darkRack()
	m.Plans = shortPlan().GetUps()
	return m
}

func shortPlan() *upsv1.PlanResponse {
	return &upsv1.PlanResponse{
		GoingOn: true,
		Events: []*upsv1.PlanEvent{
			{At: dur(0), On: "ups/ma\x1bin", Kind: "fail", Text: "on battery for 48s now; nobody knows how long its battery lasts"},
			{At: dur(4 * time.Minute), On: "node/web1", Kind: "waiting", Text: "its time is up; waits for db1, db2, db3 and 14 more, 2m30s at most from now on"},
			{At: dur(0), AfterLow: true, On: "ups/main", Kind: "low", Text: "its battery is low: 2m are left"},
			{At: dur(150 * time.Second), AfterLow: true, On: "node/web1", Kind: "off", Text: "off"},
		},
		Ups: []*upsv1.UpsPlan{
			{Ups: "main", Margin: dur(-30 * time.Second), End: dur(2 * time.Minute), LastOff: dur(150 * time.Second), Last: "web1", LowMargin: dur(-30 * time.Second), AfterLow: true},
			{Ups: "blank", LastOff: dur(time.Minute), Last: "web2"},
			{Ups: "attic", LastOff: dur(-5 * time.Minute), Last: "web3", Cut: dur(80 * time.Second), AfterLow: true},
			{Ups: "spare"},
		},
	}
}
