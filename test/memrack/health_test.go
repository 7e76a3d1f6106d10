package memrack_test

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/lastwatt/lastwatt/api"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// serving returns what a daemon says of a service, or the code of its refusal.
func serving(t *testing.T, conn *grpc.ClientConn, service string) string {
	t.Helper()
	r, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
	if err != nil {
		return status.Code(err).String()
	}
	return r.GetStatus().String()
}

func TestHealthOfDaemons(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		stranger := r.Add("db1", "")
		r.Advance(settle)
		expect := func(when string, conn *grpc.ClientConn, service, want string) {
			t.Helper()
			if got := serving(t, conn, service); got != want {
				t.Errorf("%s: %q is %s, want %s", when, service, got, want)
			}
		}
		expect("all is well, the socket", r.Client(), "", "SERVING")
		expect("all is well, the socket", r.Client(), api.MasterService, "SERVING")
		expect("all is well, a node", r.DialAs(web), api.MasterService, "SERVING")
		expect("attached", r.AgentClient(web), "", "SERVING")
		expect("attached", r.AgentClient(web), api.AgentService, "SERVING")
		expect("not joined", r.AgentClient(stranger), "", "SERVING")
		expect("not joined", r.AgentClient(stranger), api.AgentService, "NOT_SERVING")
		s, err := reflectionv1.NewServerReflectionClient(r.DialAs(web)).ServerReflectionInfo(t.Context())
		if err == nil {
			_, err = s.Recv()
		}
		if code := status.Code(err).String(); code != "PermissionDenied" {
			t.Errorf("a node may ask for reflection: %s", code)
		}
		// In an outage the master does what it is for.
		r.Sim(fail)
		r.Advance(time.Second)
		expect("on battery", r.Client(), api.MasterService, "SERVING")
		r.StopMaster()
		r.Advance(time.Second)
		expect("the master is gone", r.AgentClient(web), "", "SERVING")
		expect("the master is gone", r.AgentClient(web), api.AgentService, "NOT_SERVING")
	})
}
