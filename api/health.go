package api

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// The services that are asked about by name in grpc.health.v1: what a daemon is for.
const (
	MasterService = "ups.v1.PowerService"
	AgentService  = "ups.v1.NodeService"
)

// foreign returns the roles that may call the RPCs which are not of our proto and so
// have no option there: health tells no more than yes and no, and is for everybody
// who is somebody; reflection is a tool of those who steer.
func foreign() map[string][]upsv1.Role {
	looks := []upsv1.Role{
		upsv1.Role_ROLE_NODE, upsv1.Role_ROLE_VIEWER, upsv1.Role_ROLE_OPERATOR, upsv1.Role_ROLE_LOCAL, upsv1.Role_ROLE_MASTER,
	}
	return map[string][]upsv1.Role{
		healthv1.Health_Check_FullMethodName:                              looks,
		healthv1.Health_List_FullMethodName:                               looks,
		healthv1.Health_Watch_FullMethodName:                              looks,
		reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName: {upsv1.Role_ROLE_OPERATOR, upsv1.Role_ROLE_LOCAL},
	}
}

// Health is what a daemon says of itself by grpc.health.v1.
type Health struct {
	// Service is the one whose readiness is told under its name; under "" it is
	// whether the daemon lives.
	Service string
	// Alive says what of the daemon does not answer; nil: all does. It waits no
	// longer than ctx.
	Alive func(ctx context.Context) error
	// Unready says why the daemon can't do its work now; empty: it can. It waits no
	// longer than ctx.
	Unready func(ctx context.Context) []string
	// Stopping is closed when those who watch are to be sent away.
	Stopping <-chan struct{}
}

const (
	// aliveLimit is how long the daemon's parts may take to answer.
	aliveLimit = 2 * time.Second
	// healthEvery is how often it is looked for who watches.
	healthEvery = 5 * time.Second
	// maxHealthWatches is for one caller: each holds a stream and a timer.
	maxHealthWatches = 8
)

// RegisterHealth makes srv answer grpc.health.v1, and tell what it offers (gRPC
// reflection) to whoever may steer.
func RegisterHealth(srv *grpc.Server, h Health) {
	healthv1.RegisterHealthServer(srv, &healthService{Health: h, watches: map[string]int{}})
	reflection.RegisterV1(srv)
}

// healthService answers grpc.health.v1.
type healthService struct {
	healthv1.UnimplementedHealthServer
	Health

	mu      sync.Mutex     // guards watches
	watches map[string]int // by caller
}

// Check tells how a service is now.
func (s *healthService) Check(ctx context.Context, req *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	st := s.look(ctx, req.GetService())
	if st == healthv1.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Errorf(codes.NotFound, "nothing is known of the service %q; ask for %q or \"\"", req.GetService(), s.Service)
	}
	return &healthv1.HealthCheckResponse{Status: st}, nil
}

// List tells how every service is now.
func (s *healthService) List(ctx context.Context, _ *healthv1.HealthListRequest) (*healthv1.HealthListResponse, error) {
	all := map[string]*healthv1.HealthCheckResponse{}
	for _, name := range []string{"", s.Service} {
		all[name] = &healthv1.HealthCheckResponse{Status: s.look(ctx, name)}
	}
	return &healthv1.HealthListResponse{Statuses: all}, nil
}

// Watch tells how a service is, now and after each change.
func (s *healthService) Watch(req *healthv1.HealthCheckRequest, stream grpc.ServerStreamingServer[healthv1.HealthCheckResponse]) error {
	who := PeerFrom(stream.Context()).Name
	if !s.enter(who) {
		return status.Errorf(codes.ResourceExhausted, "%s watches the health %d times already; end some", who, maxHealthWatches)
	}
	defer s.leave(who)
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	told := healthv1.HealthCheckResponse_UNKNOWN
	for {
		if st := s.look(stream.Context(), req.GetService()); st != told {
			if err := stream.Send(&healthv1.HealthCheckResponse{Status: st}); err != nil {
				return err
			}
			told = st
		}
		select {
		case <-tick.C:
		case <-s.Stopping:
			return status.Error(codes.Unavailable, "the daemon stops")
		case <-stream.Context().Done():
			return nil
		}
	}
}

// look tells how a service is now.
func (s *healthService) look(ctx context.Context, service string) healthv1.HealthCheckResponse_ServingStatus {
	ctx, cancel := context.WithTimeout(ctx, aliveLimit)
	defer cancel()
	var ok bool
	switch service {
	case "":
		ok = s.Alive(ctx) == nil
	case s.Service:
		ok = len(s.Unready(ctx)) == 0
	default:
		return healthv1.HealthCheckResponse_SERVICE_UNKNOWN
	}
	if ok {
		return healthv1.HealthCheckResponse_SERVING
	}
	return healthv1.HealthCheckResponse_NOT_SERVING
}

// enter counts one more watch of a caller; false: it has enough.
func (s *healthService) enter(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[who] >= maxHealthWatches {
		return false
	}
	s.watches[who]++
	return true
}

func (s *healthService) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[who]--; s.watches[who] == 0 {
		delete(s.watches, who)
	}
}
