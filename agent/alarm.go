package agent

import (
	"context"
	"path/filepath"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// newAlarms returns who is told of this node.
func (a *Agent) newAlarms(disk journal.FS) *alarm.Sender {
	return alarm.New(alarm.Options{
		Targets: a.cfg.Alarms, Path: filepath.Join(a.cfg.Data, "alarms.json"), FS: disk, From: a.cfg.Name,
		Run: node.RunProgram(a.exec), Dial: a.dial, Log: a.log,
	})
}

// tell hands on what this node has to tell.
func (a *Agent) tell(n node.Notice) {
	on := "node/" + a.cfg.Name
	var title string
	switch n.Event {
	case policy.EventProblem:
		title = "problem: " + n.Problem.Name
	case policy.EventClear:
		title = n.Problem.Name + " is over"
	default:
		title = n.Text // whose it is stands before it
	}
	a.alarms.Put(alarm.Message{Event: string(n.Event), On: on, Problem: n.Problem.Name, Title: title, Text: n.Text})
}

// TestNodeAlarms sends a test to everybody who would be told.
func (s nodeService) TestNodeAlarms(ctx context.Context, _ *upsv1.TestNodeAlarmsRequest) (*upsv1.TestNodeAlarmsResponse, error) {
	results, err := s.a.alarms.Test(ctx)
	if err != nil {
		return nil, api.Error(codes.Aborted, err)
	}
	out := &upsv1.TestNodeAlarmsResponse{}
	for _, r := range results {
		out.Results = append(out.Results, api.FromTest(r.To, r.Err))
	}
	return out, nil
}
