package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// fake is a daemon on a unix socket that answers what it was given and notes what
// it was asked. What it has no answer for is unimplemented, as with an agent.
type fake struct {
	upsv1.UnimplementedPowerServiceServer
	upsv1.UnimplementedNodeServiceServer
	upsv1.UnimplementedControlServiceServer

	status []*upsv1.GetStatusResponse // one after the other, the last for ever
	node   *upsv1.GetNodeStatusResponse
	events []*upsv1.StreamEventsResponse
	tokens []*upsv1.TokenInfo
	alarms []*upsv1.AlarmResult
	agent  bool // whether it is an agent, which tests its own alarms
	story  *upsv1.GetHistoryResponse
	plan   *upsv1.PlanResponse
	exam   *upsv1.ExamineResponse
	self   *upsv1.ExamineNodeResponse
	drill  []*upsv1.DrillResponse
	hang   func() // not nil: an examination calls it and hangs
	acts   bool   // whether it is a master, which takes orders
	refuse error  // of every order
	asked  chan string
	all    bool // whether the last question was for all
}

func (f *fake) GetStatus(_ context.Context, r *upsv1.GetStatusRequest) (*upsv1.GetStatusResponse, error) {
	f.all = r.GetAll()
	if len(f.status) == 0 {
		return nil, status.Error(codes.Unimplemented, "no")
	}
	now := f.status[0]
	if len(f.status) > 1 {
		f.status = f.status[1:]
	}
	return now, nil
}

func (f *fake) GetNodeStatus(context.Context, *upsv1.GetNodeStatusRequest) (*upsv1.GetNodeStatusResponse, error) {
	if f.node == nil {
		return nil, status.Error(codes.Unimplemented, "no")
	}
	return f.node, nil
}

func (f *fake) act(what string) error {
	if !f.acts {
		return status.Error(codes.Unimplemented, "unknown service ups.v1.ControlService")
	}
	if f.refuse == nil {
		f.asked <- what
	}
	return f.refuse
}

func (f *fake) Hold(_ context.Context, r *upsv1.HoldRequest) (*upsv1.HoldResponse, error) {
	return &upsv1.HoldResponse{}, f.act("hold " + r.GetFor().AsDuration().String() + " " + strings.Join(r.GetNodes(), "+"))
}

func (f *fake) Release(_ context.Context, r *upsv1.ReleaseRequest) (*upsv1.ReleaseResponse, error) {
	return &upsv1.ReleaseResponse{}, f.act("release " + strings.Join(r.GetNodes(), "+"))
}

func (f *fake) Shutdown(_ context.Context, r *upsv1.ShutdownRequest) (*upsv1.ShutdownResponse, error) {
	what := "shutdown "
	if r.GetWake() {
		what = "shutdown and wake "
	}
	return &upsv1.ShutdownResponse{}, f.act(what + strings.Join(r.GetNodes(), "+"))
}

func (f *fake) Simulate(_ context.Context, r *upsv1.SimulateRequest) (*upsv1.SimulateResponse, error) {
	return &upsv1.SimulateResponse{Ups: "main"}, f.act("sim " + r.GetUps() + " " + r.GetStatus().String())
}

func (f *fake) DisableUps(_ context.Context, r *upsv1.DisableUpsRequest) (*upsv1.DisableUpsResponse, error) {
	return &upsv1.DisableUpsResponse{}, f.act("disable " + r.GetUps() + " " + r.GetFor().AsDuration().String())
}

func (f *fake) EnableUps(_ context.Context, r *upsv1.EnableUpsRequest) (*upsv1.EnableUpsResponse, error) {
	return &upsv1.EnableUpsResponse{}, f.act(fmt.Sprintf("enable %s, new battery %t", r.GetUps(), r.GetNewBattery()))
}

func (f *fake) CreateToken(_ context.Context, r *upsv1.CreateTokenRequest) (*upsv1.CreateTokenResponse, error) {
	return &upsv1.CreateTokenResponse{Token: "LW-SECRET", Ttl: r.GetTtl()}, f.act("token " + r.GetRole().String() + " " + r.GetTtl().AsDuration().String())
}

func (f *fake) ListTokens(context.Context, *upsv1.ListTokensRequest) (*upsv1.ListTokensResponse, error) {
	return &upsv1.ListTokensResponse{Tokens: f.tokens}, f.act("tokens")
}

func (f *fake) RevokeToken(_ context.Context, r *upsv1.RevokeTokenRequest) (*upsv1.RevokeTokenResponse, error) {
	return &upsv1.RevokeTokenResponse{}, f.act("revoke " + r.GetId())
}

func (f *fake) RemoveMember(_ context.Context, r *upsv1.RemoveMemberRequest) (*upsv1.RemoveMemberResponse, error) {
	return &upsv1.RemoveMemberResponse{}, f.act("remove " + r.GetName())
}

func (f *fake) ExportTrust(_ context.Context, r *upsv1.ExportTrustRequest) (*upsv1.ExportTrustResponse, error) {
	return &upsv1.ExportTrustResponse{Export: []byte("CA under " + r.GetPassphrase() + "\n")}, f.act("export")
}

func (f *fake) ImportTrust(_ context.Context, r *upsv1.ImportTrustRequest) (*upsv1.ImportTrustResponse, error) {
	return &upsv1.ImportTrustResponse{Members: 3}, f.act("import " + string(r.GetExport()) + " by " + r.GetPassphrase())
}

func (f *fake) TestAlarms(context.Context, *upsv1.TestAlarmsRequest) (*upsv1.TestAlarmsResponse, error) {
	return &upsv1.TestAlarmsResponse{Results: f.alarms}, f.act("alarms")
}

func (f *fake) TestNodeAlarms(context.Context, *upsv1.TestNodeAlarmsRequest) (*upsv1.TestNodeAlarmsResponse, error) {
	if !f.agent {
		return nil, status.Error(codes.Unimplemented, "no")
	}
	return &upsv1.TestNodeAlarmsResponse{Results: f.alarms}, nil
}

func (f *fake) StreamEvents(r *upsv1.StreamEventsRequest, s grpc.ServerStreamingServer[upsv1.StreamEventsResponse]) error {
	if err := f.act("events"); err != nil {
		return err
	}
	for _, e := range f.events {
		if err := s.Send(e); err != nil {
			return err
		}
	}
	if r.GetFollow() {
		<-s.Context().Done()
	}
	return nil
}

func (f *fake) GetHistory(_ context.Context, r *upsv1.GetHistoryRequest) (*upsv1.GetHistoryResponse, error) {
	return f.story, f.act(fmt.Sprintf("history %q %d", r.GetOutage(), r.GetLast()))
}

func (f *fake) Plan(_ context.Context, r *upsv1.PlanRequest) (*upsv1.PlanResponse, error) {
	return f.plan, f.act("plan " + strings.Join(r.GetUps(), "+"))
}

// serve puts f on a socket.
func (f *fake) serve(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	stop, err := f.serveAt(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return path
}

// serveAt puts f on the socket of that path.
func (f *fake) serveAt(path string) (stop func(), err error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	f.asked = make(chan string, 16)
	srv := grpc.NewServer()
	upsv1.RegisterPowerServiceServer(srv, f)
	upsv1.RegisterNodeServiceServer(srv, f)
	upsv1.RegisterControlServiceServer(srv, f)
	ended := make(chan struct{})
	go func() { _ = srv.Serve(l); close(ended) }()
	return func() { srv.Stop(); <-ended }, nil
}

// result is everything that a run of upsctl left behind.
type result struct {
	Code     int
	Out, Err string
}

// testCLI is upsctl far from any terminal, environment and daemon.
func testCLI(in string) (*cli, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return &cli{
		in: strings.NewReader(in), out: &out, err: &errs,
		env:     func(string) string { return "" },
		now:     func() time.Time { return time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC) },
		sockets: []string{"/nowhere/master.sock", "/nowhere/agent.sock"},
		exe:     func() (string, error) { return "/nowhere/upsctl", nil },
		raw:     func() (func(), error) { return nil, errors.New("no terminal") },
	}, &out, &errs
}

// run runs one command line, with change applied first.
func run(t *testing.T, change func(*cli), args ...string) result {
	t.Helper()
	c, out, errs := testCLI("")
	if change != nil {
		change(c)
	}
	code := c.run(t.Context(), args)
	return result{code, out.String(), errs.String()}
}

func dur(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// wellRack is a rack on which all is well.
func wellRack() *upsv1.MasterStatus {
	return &upsv1.MasterStatus{
		Name: "rack1", Address: "192.0.2.1:8493", Version: "v1",
		Ups: []*upsv1.UpsState{{
			Name: "main", Status: upsv1.Status_STATUS_OK, Last: upsv1.Status_STATUS_OK, Age: dur(12300 * time.Millisecond),
			Cable: "liebert-powersure", Lines: []string{"DTR", "DCD"}, HasLow: true,
		}},
		Nodes: []*upsv1.NodeStatus{{
			Name: "web1", Role: "compute", Link: upsv1.Link_LINK_UP, LastHeard: dur(time.Second),
			Report: &upsv1.NodeReport{
				Phase: upsv1.Phase_PHASE_IDLE, Status: upsv1.Status_STATUS_OK, Grace: dur(5 * time.Minute),
				StopTime: dur(2 * time.Minute), Feeds: []string{"rack1/main"},
			},
		}},
	}
}

// darkRack is the same in an outage, with everything that can be said of a node.
func darkRack() *upsv1.MasterStatus {
	m := wellRack()
	u := m.Ups[0]
	u.Status, u.Last, u.Age, u.Lines = upsv1.Status_STATUS_FAIL, upsv1.Status_STATUS_FAIL, dur(48*time.Second), []string{"DTR", "CTS", "DCD"}
	u.Outage, u.OutageAge = "b-48", dur(48*time.Second)
	r := m.Nodes[0].Report
	r.Phase, r.Status, r.Deadline = upsv1.Phase_PHASE_GRACE, upsv1.Status_STATUS_FAIL, dur(4*time.Minute+12*time.Second)
	m.Nodes = append(m.Nodes,
		&upsv1.NodeStatus{Name: "db1", Role: "database", Link: upsv1.Link_LINK_LOST, LastHeard: dur(90 * time.Second), Report: &upsv1.NodeReport{
			Phase: upsv1.Phase_PHASE_HELD, Status: upsv1.Status_STATUS_FAIL, HeldBy: "root", Deadline: dur(25 * time.Minute)}},
		&upsv1.NodeStatus{Name: "nas1", Role: "storage", Link: upsv1.Link_LINK_OFF, Report: &upsv1.NodeReport{
			Phase: upsv1.Phase_PHASE_WAITING, Status: upsv1.Status_STATUS_BATLOW, WaitingOn: []string{"web1"}, WaitingCount: 2}},
	)
	m.Problems = []*upsv1.Problem{{On: "node/db1", Name: "node-lost", Age: dur(90 * time.Second), Text: "it was last heard 1m30s ago; look at upsagent and the network there, for it hears of no power failure"}}
	return m
}

// backRack is a rack whose power is back, and not yet everybody.
func backRack() *upsv1.MasterStatus {
	m := wellRack()
	down := &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_DONE, Status: upsv1.Status_STATUS_FAIL}
	m.Nodes = append(m.Nodes,
		&upsv1.NodeStatus{Name: "db1", Role: "database", Link: upsv1.Link_LINK_OFF, Report: down, Comeback: &upsv1.Comeback{
			Outage: "b-48", Away: dur(8 * time.Minute), Tries: 2, Next: dur(time.Minute), Ways: []string{"cycle", "wol"},
			Text: "down; woken 2 times by wol, again in 1m"}},
		&upsv1.NodeStatus{Name: "nas1", Role: "storage", Link: upsv1.Link_LINK_OFF, Report: down, Comeback: &upsv1.Comeback{
			Away: dur(9 * time.Minute), Waits: "main to be charged to 30 % (12 % now)", Ways: []string{"wol"},
			Text: "down; waits for main to be charged to 30 % (12 % now)"}},
	)
	return m
}

func answer(ms ...*upsv1.MasterStatus) []*upsv1.GetStatusResponse {
	return []*upsv1.GetStatusResponse{{Masters: ms}}
}
