package api

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/reflect/protoreflect"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// patient is a daemon whose health a test sets.
type patient struct {
	conn     *grpc.ClientConn
	role     atomic.Int32 // of whoever calls
	deaf     atomic.Bool  // its goroutines don't answer
	blind    atomic.Bool
	stopping chan struct{}
}

// newPatient serves health as the daemons do, in the caller's bubble.
func newPatient(t *testing.T, role upsv1.Role) *patient {
	t.Helper()
	p := &patient{stopping: make(chan struct{})}
	p.role.Store(int32(role))
	srv := NewServer(insecure.NewCredentials(), func(context.Context) (Peer, error) {
		return Peer{Name: "somebody", Roles: []upsv1.Role{upsv1.Role(p.role.Load())}}, nil
	})
	upsv1.RegisterPowerServiceServer(srv, upsv1.UnimplementedPowerServiceServer{})
	RegisterHealth(srv, Health{
		Service: MasterService,
		Alive: func(ctx context.Context) error {
			if p.deaf.Load() {
				<-ctx.Done()
				return errors.New("it does not answer")
			}
			return nil
		},
		Unready: func(context.Context) []string {
			if p.blind.Load() {
				return []string{"ups/main: not read yet"}
			}
			return nil
		},
		Stopping: p.stopping,
	})
	l := bufconn.Listen(1 << 16)
	go srv.Serve(l)
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	p.conn = conn
	t.Cleanup(func() { _ = conn.Close(); Stop(srv, time.Second) })
	return p
}

func (p *patient) check(t *testing.T, service string) string {
	t.Helper()
	r, err := healthv1.NewHealthClient(p.conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
	if err != nil {
		return status.Code(err).String()
	}
	return r.GetStatus().String()
}

func TestHealthIsLivenessAndReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t, upsv1.Role_ROLE_VIEWER)
		for _, tt := range []struct {
			name        string
			deaf, blind bool
			want        [3]string // "", the service, another
		}{
			{"all is well", false, false, [3]string{"SERVING", "SERVING", "NotFound"}},
			{"it lives and can't do its work", false, true, [3]string{"SERVING", "NOT_SERVING", "NotFound"}},
			{"a part of it hangs", true, false, [3]string{"NOT_SERVING", "SERVING", "NotFound"}},
		} {
			p.deaf.Store(tt.deaf)
			p.blind.Store(tt.blind)
			began := time.Now()
			if got := [3]string{p.check(t, ""), p.check(t, MasterService), p.check(t, "ups.v1.Nonsense")}; got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
			if d := time.Since(began); d > aliveLimit {
				t.Errorf("%s: the answers took %s, more than %s", tt.name, d, aliveLimit)
			}
			all, err := healthv1.NewHealthClient(p.conn).List(t.Context(), &healthv1.HealthListRequest{})
			if err != nil || len(all.GetStatuses()) != 2 ||
				all.GetStatuses()[""].GetStatus().String() != tt.want[0] || all.GetStatuses()[MasterService].GetStatus().String() != tt.want[1] {
				t.Errorf("%s: the list is %v, %v", tt.name, all, err)
			}
		}
	})
}

func TestHealthWatchTellsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t, upsv1.Role_ROLE_NODE)
		w, err := healthv1.NewHealthClient(p.conn).Watch(t.Context(), &healthv1.HealthCheckRequest{Service: MasterService})
		if err != nil {
			t.Fatal(err)
		}
		next := func() string {
			r, err := w.Recv()
			if err != nil {
				return status.Code(err).String()
			}
			return r.GetStatus().String()
		}
		if got := next(); got != "SERVING" {
			t.Fatalf("at first %s", got)
		}
		time.Sleep(time.Minute) // nothing changes, nothing is said
		p.blind.Store(true)
		began := time.Now()
		if got := next(); got != "NOT_SERVING" || time.Since(began) > healthEvery {
			t.Errorf("when it went blind: %s after %s", got, time.Since(began))
		}
		close(p.stopping)
		if got := next(); got != "Unavailable" {
			t.Errorf("when the daemon stops: %s", got)
		}
	})
}

func TestHealthWatchesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t, upsv1.Role_ROLE_NODE)
		client := healthv1.NewHealthClient(p.conn)
		ctx, cancel := context.WithCancel(t.Context())
		watch := func(ctx context.Context) error {
			w, err := client.Watch(ctx, &healthv1.HealthCheckRequest{Service: "no such service"})
			if err != nil {
				return err
			}
			r, err := w.Recv()
			if err == nil && r.GetStatus() != healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
				t.Errorf("an unknown service is %s", r.GetStatus())
			}
			return err
		}
		for i := range maxHealthWatches {
			if err := watch(ctx); err != nil {
				t.Fatalf("watch %d: %v", i+1, err)
			}
		}
		if err := watch(t.Context()); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("one more: %v, want ResourceExhausted", err)
		}
		cancel()
		synctest.Wait()
		if err := watch(t.Context()); err != nil {
			t.Errorf("after the others ended: %v", err)
		}
	})
}

// TestLaw08ForeignServicesHaveRolesToo calls what is not of our proto in every role.
func TestLaw08ForeignServicesHaveRolesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t, 0)
		services := func() (names []string, err error) {
			s, err := reflectionv1.NewServerReflectionClient(p.conn).ServerReflectionInfo(t.Context())
			if err != nil {
				return nil, err
			}
			defer func() { _ = s.CloseSend() }()
			// A refused stream's Send may fail with io.EOF; Recv says why.
			_ = s.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
			r, err := s.Recv()
			for _, x := range r.GetListServicesResponse().GetService() {
				names = append(names, x.GetName())
			}
			return names, err
		}
		for _, tt := range []struct {
			role              upsv1.Role
			health, reflected codes.Code
		}{
			{upsv1.Role_ROLE_UNSPECIFIED, codes.PermissionDenied, codes.PermissionDenied},
			{upsv1.Role_ROLE_ANYONE, codes.PermissionDenied, codes.PermissionDenied},
			{upsv1.Role_ROLE_NODE, codes.OK, codes.PermissionDenied},
			{upsv1.Role_ROLE_VIEWER, codes.OK, codes.PermissionDenied},
			{upsv1.Role_ROLE_OPERATOR, codes.OK, codes.OK},
			{upsv1.Role_ROLE_LOCAL, codes.OK, codes.OK},
			{upsv1.Role_ROLE_MASTER, codes.OK, codes.PermissionDenied},
		} {
			p.role.Store(int32(tt.role))
			client := healthv1.NewHealthClient(p.conn)
			_, check := client.Check(t.Context(), &healthv1.HealthCheckRequest{})
			_, list := client.List(t.Context(), &healthv1.HealthListRequest{})
			ctx, cancel := context.WithCancel(t.Context())
			w, watch := client.Watch(ctx, &healthv1.HealthCheckRequest{})
			if watch == nil {
				_, watch = w.Recv()
			}
			cancel()
			for call, err := range map[string]error{"Check": check, "List": list, "Watch": watch} {
				if status.Code(err) != tt.health {
					t.Errorf("%s calls %s: %v, want %s", tt.role, call, err, tt.health)
				}
			}
			names, err := services()
			if status.Code(err) != tt.reflected {
				t.Errorf("%s asks what there is: %v, want %s", tt.role, err, tt.reflected)
			}
			if err == nil && !slices.Contains(names, MasterService) {
				t.Errorf("%s is told of %v", tt.role, names)
			}
			if err != nil && !strings.Contains(err.Error(), "it is for operator, local") {
				t.Errorf("%s is told %q", tt.role, err)
			}
		}
	})
}

// TestHealthNamesAreOfTheProto: a slip of the pen would be a check that never is
// well.
func TestHealthNamesAreOfTheProto(t *testing.T) {
	for _, name := range []protoreflect.FullName{MasterService, AgentService} {
		if upsv1.File_ups_v1_ups_proto.Services().ByName(name.Name()) == nil || name.Parent() != "ups.v1" {
			t.Errorf("the proto has no service %s", name)
		}
	}
}
