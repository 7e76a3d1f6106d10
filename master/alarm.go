package master

import (
	"context"
	"path/filepath"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/alarm"
	"github.com/lastwatt/lastwatt/pkg/node"
)

// newAlarms returns who is told: of the whole rack by the alarms at the top of the
// file, of this host's own machine by those below [node].
func (m *Master) newAlarms() *alarm.Sender {
	targets := slices.Clone(m.cfg.Alarms)
	if m.cfg.Node != nil {
		for _, t := range m.cfg.Node.Alarms {
			targets = append(targets, t.About("node/"+m.cfg.Node.Name))
		}
	}
	return alarm.New(alarm.Options{
		Targets: targets, Path: filepath.Join(m.cfg.Data, "alarms.json"), From: m.cfg.Name,
		Run: node.RunProgram, Dial: m.dial, Log: m.log,
	})
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
		one := &upsv1.AlarmResult{To: r.To}
		if r.Err != nil {
			one.Error = r.Err.Error()
		}
		out.Results = append(out.Results, one)
	}
	return out, nil
}
