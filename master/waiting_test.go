package master

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// waitHub is a hub in an outage, and what its host, which waits for everybody, is told.
type waitHub struct {
	*hub
	t   *testing.T
	now *power.Uptime
}

func newWaitHub(t *testing.T) waitHub {
	h, now, _ := testHub()
	h.name = "rack1"
	h.nodes["rack1"] = &nodeRecord{
		name: "rack1", host: true, link: power.LinkUp, wake: make(chan struct{}, 1),
		waitFor: []string{"*"}, waitLimit: 2 * time.Minute, feeds: []string{"rack1/main"},
	}
	h.fail(*now)
	return waitHub{h, t, now}
}

func (h *hub) fail(since power.Uptime) {
	h.setUPS(upsRecord{name: "main", state: power.State{
		Status: power.Fail, Last: power.Fail, Since: since, Outage: "o1", OutageSince: since,
	}})
}

func (h waitHub) comes(name, boot string, p upsv1.Phase, feeds ...string) *session {
	return h.attach(name, "", &upsv1.Hello{BootId: boot}, inPhase(p, feeds...))
}

func inPhase(p upsv1.Phase, feeds ...string) *upsv1.NodeReport {
	return &upsv1.NodeReport{Phase: p, Feeds: feeds, StopTime: durationpb.New(time.Minute), PhaseAge: durationpb.New(0)}
}

func (h waitHub) want(what string, want policy.Awaited) {
	h.t.Helper()
	got := h.feedFor("rack1").Awaited
	if got.Up == nil {
		got.Depth = want.Depth
	}
	if d := cmp.Diff(want, got); d != "" {
		h.t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestHubTellsWhoIsStillUp(t *testing.T) {
	h := newWaitHub(t)
	open := policy.Awaited{Up: []string{"web1"}, Open: true, Depth: 1}
	h.expect("absent")
	h.want("nobody has attached", policy.Awaited{})
	s := h.comes("web1", "b", upsv1.Phase_PHASE_GRACE)
	h.want("its feeds are not known yet", policy.Awaited{})
	h.report(s, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
	h.want("attached", open)
	s = h.comes("web1", "b", upsv1.Phase_PHASE_GRACE)
	h.want("its agent began anew and has heard of no feed yet", open)

	at := *h.now
	h.report(s, inPhase(upsv1.Phase_PHASE_COMMITTED, "rack1/main"))
	*h.now = at.Add(30 * time.Second)
	h.report(s, inPhase(upsv1.Phase_PHASE_DONE, "rack1/main"))
	h.want("accepted half a minute after its commit", policy.Awaited{Up: open.Up, Limit: at.Add(2 * time.Minute), Depth: 1})
	h.report(s, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
	h.want("called back", open)
	h.report(s, inPhase(upsv1.Phase_PHASE_COMMITTED, "rack1/main"))
	h.want("committed anew", policy.Awaited{Up: open.Up, Limit: h.now.Add(2 * time.Minute), Depth: 1})
	for len(h.nodes["rack1"].wake) > 0 {
		<-h.nodes["rack1"].wake
	}
	h.detach(s, "gone")
	h.want("its link ended after that", policy.Awaited{Up: open.Up, Limit: h.now.Add(2 * time.Minute), Depth: 1})
	if !woken(h.nodes["rack1"].wake) {
		t.Error("who waits was not woken")
	}
	*h.now = h.now.Add(90*time.Second + 1)
	h.want("its stop time and a margin later", policy.Awaited{})
	h.comes("web1", "b2", upsv1.Phase_PHASE_IDLE, "rack1/main")
	h.want("it booted in the outage", open)
}

// A restarted master does not take for off whom it has not heard: not before it has
// read its UPS, nor in the outage, until the limit.
func TestHubRestoresWhoWasUp(t *testing.T) {
	old := newWaitHub(t)
	lost := old.comes("db1", "b", upsv1.Phase_PHASE_GRACE, "rack1/main")
	gone := old.comes("mail1", "b", upsv1.Phase_PHASE_COMMITTED, "rack1/main")
	old.detach(lost, "cut")
	old.detach(gone, "off")
	past := inPhase(upsv1.Phase_PHASE_DONE, "rack1/main")
	past.PhaseAge = durationpb.New(2 * time.Minute) // longer than it takes, and a margin
	old.detach(old.attach("old1", "", &upsv1.Hello{BootId: "b"}, past), "off")
	old.comes("web1", "b", upsv1.Phase_PHASE_GRACE, "rack1/main")
	saved := old.runState("boot")

	h := newWaitHub(t)
	h.ups[0].state = power.State{}
	lastWord := *h.now
	*h.now = h.now.Add(time.Minute)
	began := *h.now
	h.restoreUp(saved)
	limit := policy.Awaited{Up: []string{"db1", "mail1", "web1"}, Limit: began.Add(2 * time.Minute), Depth: 1}
	h.want("no UPS is read yet", limit)
	h.fail(lastWord)
	h.want("the outage goes on", limit)
	again := h.runState("boot")
	h.comes("web1", "b", upsv1.Phase_PHASE_GRACE)
	h.want("one is heard, and has not said its feeds yet", policy.Awaited{Up: limit.Up, Open: true, Limit: lastWord.Add(2 * time.Minute), Depth: 1})

	third := newWaitHub(t)
	*third.now = began.Add(time.Minute)
	third.restoreUp(again)
	limit.Up = []string{"db1", "web1"} // mail1 has had its time by now
	third.want("a master that crashes again and again gives nobody more time", limit)
	third.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK}})
	third.want("the outage is over", policy.Awaited{})
}
