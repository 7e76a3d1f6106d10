package master

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// testMaster is a master of one simulated UPS, with its keys, that doesn't run.
func testMaster(t testing.TB) *Master {
	t.Helper()
	dir := t.TempDir()
	cfg, err := ParseConfig("master.toml", []byte(`name = "rack1"
data = "`+dir+`/data"
run = "`+dir+`/run"
socket = "`+dir+`/s"
discovery = { mdns = false }
[[ups]]
name = "main"
port = "sim"
`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(Options{Config: cfg, Boot: "boot", Now: func() power.Uptime { return power.Uptime(time.Hour) }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.openTrust(); err != nil {
		t.Fatal(err)
	}
	return m
}

// stream is the server's end of a stream on which a peer says what it wants.
type stream struct {
	grpc.ServerStream
	ctx  context.Context
	says []*upsv1.AttachRequest
}

func (s *stream) Context() context.Context         { return s.ctx }
func (s *stream) Send(*upsv1.AttachResponse) error { return nil }
func (s *stream) Recv() (*upsv1.AttachRequest, error) {
	if len(s.says) == 0 {
		return nil, io.EOF
	}
	m := s.says[0]
	s.says = s.says[1:]
	return m, nil
}

// FuzzRPC: whatever an admitted peer sends, no handler panics, what can be asked
// afterwards can be encoded, and a peer reports under no name but its own.
func FuzzRPC(f *testing.F) {
	for _, m := range []proto.Message{
		&upsv1.AttachRequest{Hello: &upsv1.Hello{Role: "r", Listen: ":1"}, Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_GRACE}},
		&upsv1.HoldRequest{Nodes: []string{"web1"}}, &upsv1.ShutdownRequest{Nodes: []string{"web1"}},
		&upsv1.SimulateRequest{Ups: "main", Status: upsv1.Status_STATUS_FAIL}, &upsv1.CreateTokenRequest{Role: 9},
		&upsv1.JoinRequest{Name: "x", Secret: []byte("s")}, &upsv1.ImportTrustRequest{Export: []byte("x")},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for i := range byte(9) {
			f.Add(i, b)
		}
	}
	m := testMaster(f)
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		power, control := powerService{m: m, stopping: ctx.Done()}, controlService{m: m}
		var err error
		switch which % 9 {
		case 0:
			var r upsv1.AttachRequest
			if proto.Unmarshal(b, &r) == nil {
				err = power.Attach(&stream{ctx: ctx, says: []*upsv1.AttachRequest{&r, {Report: r.GetReport()}}})
			}
		case 1:
			err = call(ctx, b, control.Hold)
		case 2:
			err = call(ctx, b, control.Release)
		case 3:
			err = call(ctx, b, control.Shutdown)
		case 4:
			err = call(ctx, b, control.Simulate)
		case 5:
			err = call(ctx, b, trustService{m: m}.Join)
		case 6:
			err = call(ctx, b, control.RevokeToken)
		case 7:
			err = call(ctx, b, control.RemoveMember)
		case 8:
			err = call(ctx, b, control.ImportTrust)
		}
		if _, isStatus := status.FromError(err); !isStatus && !errors.Is(err, io.EOF) {
			t.Errorf("the error is no status: %v", err)
		}
		st := m.status()
		if _, err := protojson.Marshal(st); err != nil {
			t.Errorf("the status can't be encoded afterwards: %v", err)
		}
		for _, n := range st.GetNodes() {
			if n.GetName() != "" { // an unproved peer of this test has the empty name
				t.Errorf("a node called %q appeared", n.GetName())
			}
		}
	})
}

// call decodes b as the handler's request and calls it.
func call[Req any, P interface {
	*Req
	proto.Message
}, Resp any](ctx context.Context, b []byte, handler func(context.Context, P) (Resp, error)) error {
	req := P(new(Req))
	if proto.Unmarshal(b, req) != nil {
		return nil
	}
	_, err := handler(ctx, req)
	return err
}
