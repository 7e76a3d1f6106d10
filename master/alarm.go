package master

import (
	"context"
	"path/filepath"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// newAlarms returns who is told: of the whole rack by the alarms at the top of the
// file, of this host's own machine by those below [node].
func (m *Master) newAlarms(disk journal.FS) *alarm.Sender {
	targets := slices.Clone(m.cfg.Alarms)
	if m.cfg.Node != nil {
		for _, t := range m.cfg.Node.Alarms {
			targets = append(targets, t.About("node/"+m.cfg.Node.Name))
		}
	}
	return alarm.New(alarm.Options{
		Targets: targets, Path: filepath.Join(m.cfg.Data, "alarms.json"), FS: disk, From: m.cfg.Name,
		Run: node.RunProgram(m.exec), Dial: m.dial, Log: m.log,
	})
}

// tellAlarms hands on what the teller tells of the rack.
func (m *Master) tellAlarms(n notice) {
	m.alarms.Put(alarm.Message{
		Event: string(n.event), On: n.on, Problem: n.problem, Title: title(n.event, n.on, n.problem, n.text), Text: n.text,
	})
}

// tellOwn hands on what this host's own machine hears of the power. Its phases and
// problems are the teller's to tell, like every node's.
func (m *Master) tellOwn(n node.Notice) {
	if !slices.Contains([]policy.Event{policy.EventFail, policy.EventBatLow, policy.EventOK, policy.EventReport}, n.Event) {
		return
	}
	on := "node/" + m.cfg.Node.Name
	m.alarms.Put(alarm.Message{Event: string(n.Event), On: on, Own: true, Title: title(n.Event, on, "", n.Text), Text: n.Text})
}

// title is a notice in one line.
func title(e policy.Event, on, problem, text string) string {
	switch e {
	case policy.EventProblem:
		return on + " has a problem: " + problem
	case policy.EventClear:
		return on + ": " + problem + " is over"
	case policy.EventReport:
		return "report: " + text
	default:
		return on + ": " + text
	}
}

// TestAlarms sends a test to everybody who would be told.
func (s controlService) TestAlarms(ctx context.Context, _ *upsv1.TestAlarmsRequest) (*upsv1.TestAlarmsResponse, error) {
	s.m.event("master/"+s.m.cfg.Name, "alarm-test", "asked for by "+api.PeerFrom(ctx).Name)
	results, err := s.m.alarms.Test(ctx)
	if err != nil {
		return nil, api.Error(codes.Aborted, err)
	}
	out := &upsv1.TestAlarmsResponse{}
	for _, r := range results {
		out.Results = append(out.Results, api.FromTest(r.To, r.Err))
	}
	return out, nil
}
