package master

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// TestPeopleDoNotReleaseTheFleetsOrder: the end of the rack is not theirs to
// take back; what they ordered is.
func TestPeopleDoNotReleaseTheFleetsOrder(t *testing.T) {
	for _, kind := range []policy.OrderKind{policy.OrderHold, policy.OrderShutdown, policy.OrderNone} {
		m := newTestMaster(t, "", nil)
		ends(m.hub, "web1")
		n := m.hub.nodes["web1"]
		n.order = policy.Order{Kind: kind, Until: m.now().Add(time.Hour)}
		if want := max(kind, policy.OrderEnd); m.hub.order(n).Kind != want {
			t.Errorf("people want %s and the host goes: the order is %s, want %s", kind, m.hub.order(n).Kind, want)
		}
		if s := m.hub.runState("b"); s.Orders["web1"].Kind != kind {
			t.Errorf("people's %s lies on disk as %s", kind, s.Orders["web1"].Kind)
		}
		if _, err := (controlService{m: m}).Release(t.Context(), &upsv1.ReleaseRequest{Nodes: []string{"web1"}}); err != nil {
			t.Fatal(err)
		}
		if n.order.Kind != policy.OrderNone || m.hub.order(n).Kind != policy.OrderEnd {
			t.Errorf("%s was released to %s, and the order is %s", kind, n.order.Kind, m.hub.order(n).Kind)
		}
	}
}

func TestAHoldHasAnEnd(t *testing.T) {
	m := newTestMaster(t, "", nil)
	attached(m.hub, "web1", "b")
	for d, want := range map[time.Duration]codes.Code{
		-time.Second: codes.InvalidArgument, 0: codes.InvalidArgument, time.Second: codes.OK,
		maxHold: codes.OK, maxHold + 1: codes.InvalidArgument,
	} {
		_, err := controlService{m: m}.Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"web1"}, For: durationpb.New(d)})
		if status.Code(err) != want {
			t.Errorf("a hold for %s: %v, want %s", d, err, want)
		}
	}
}

// TestLaw10AnOrderOutlivesARestart: it is in the state that the next start reads.
func TestLaw10AnOrderOutlivesARestart(t *testing.T) {
	m := newTestMaster(t, "", nil)
	attached(m.hub, "web1", "b")
	if _, err := (controlService{m: m}).Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"web1"}, For: durationpb.New(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if s := loadRunState(m.saver, "b", m.log); s.Orders["web1"].Kind != policy.OrderHold {
		t.Errorf("%+v", s)
	}
}

// TestAHoldThatComesTooLateSaysSo: who has asked for its power-off is not kept up by it.
func TestAHoldThatComesTooLateSaysSo(t *testing.T) {
	for phase, want := range map[upsv1.Phase]codes.Code{
		upsv1.Phase_PHASE_GRACE: codes.OK, upsv1.Phase_PHASE_WAITING: codes.OK,
		upsv1.Phase_PHASE_COMMITTED: codes.FailedPrecondition, upsv1.Phase_PHASE_DONE: codes.FailedPrecondition,
	} {
		m := newTestMaster(t, "", nil)
		s := attached(m.hub, "web1", "b")
		m.hub.report(s, &upsv1.NodeReport{Phase: phase})
		_, err := controlService{m: m}.Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"web1"}, For: durationpb.New(time.Hour)})
		if status.Code(err) != want {
			t.Errorf("in %s: %v, want %s", phase, err, want)
		}
		if held := m.hub.nodes["web1"].order.Kind == policy.OrderHold; held != (want == codes.OK) {
			t.Errorf("in %s: held %t", phase, held)
		}
	}
}
