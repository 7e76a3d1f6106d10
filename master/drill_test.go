package master

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// drillHub is a hub on good power with nodes that say how they decide.
type drillHub struct {
	*hub
	t   *testing.T
	now *power.Uptime
	id  string
}

func newDrillHub(t *testing.T) *drillHub {
	h, now, _ := testHub()
	h.name = "rack1"
	h.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK, HasLow: true}})
	return &drillHub{hub: h, t: t, now: now}
}

// comes lets a node attach whose grace is a minute.
func (h *drillHub) comes(name string, waitFor ...string) *session {
	return h.attach(name, "", &upsv1.Hello{
		BootId: "b", WaitFor: waitFor, WaitLimit: durationpb.New(time.Hour), Policy: &upsv1.Policy{Grace: durationpb.New(time.Minute)},
	}, inPhase(upsv1.Phase_PHASE_IDLE, "rack1/main"))
}

func (h *drillHub) begin(of drillOf) {
	h.t.Helper()
	id, err := h.beginDrill(of)
	if err != nil {
		h.t.Fatal(err)
	}
	h.id = id
}

// says lets a node say when its time is up, and in which phase it is since when.
func (h *drillHub) says(s *session, goes time.Duration, p upsv1.Phase, after time.Duration) {
	r := &upsv1.DrillReport{Id: h.id, Steps: []*upsv1.DrillStep{{Phase: p, After: durationpb.New(after)}}}
	if goes >= 0 {
		r.Goes = durationpb.New(goes)
	}
	h.drillReport(s, r)
}

// want looks at the drill as whoever asked for it does.
func (h *drillHub) want(what string, over bool, want ...string) {
	h.t.Helper()
	is, _ := h.stepDrill(h.id)
	var got []string
	for _, n := range is.GetNodes() {
		got = append(got, fmt.Sprintf("%s: %s %t", n.GetName(), n.GetMissing(), n.GetLate()))
	}
	if d := cmp.Diff(want, got); d != "" || is.GetOver() != over {
		h.t.Errorf("%s: over %t, want %t (-want +got):\n%s", what, is.GetOver(), over, d)
	}
}

func TestDrillSaysWhoIsLate(t *testing.T) {
	h := newDrillHub(t)
	web, db, mute, old := h.comes("web1"), h.comes("db1"), h.comes("mute1"), h.comes("old1")
	h.hub.nodes["old1"].hello.Policy = nil
	h.begin(drillOf{id: "b1", by: "ann", long: 30 * time.Second})
	*h.now = h.now.Add(100 * time.Millisecond)
	const silent = "it is attached and did not answer; is its software older?"
	h.says(web, time.Minute+drillSlack, upsv1.Phase_PHASE_GRACE, 0)
	h.says(db, time.Minute+drillSlack+time.Millisecond, upsv1.Phase_PHASE_GRACE, 0)
	h.says(old, time.Hour, upsv1.Phase_PHASE_GRACE, 0)
	h.want("at once", false, "db1:  true", "mute1: "+silent+" false", "old1:  false", "web1:  false")
	h.drillReport(mute, &upsv1.DrillReport{Id: h.id})
	*h.now = h.now.Add(drillSlack)
	h.want("it says nothing of a time", false, "db1:  true", "mute1:  true", "old1:  false", "web1:  false")
	*h.now = h.now.Add(28 * time.Second)
	h.want("its time is up, and their last words are awaited", false, "db1:  true", "mute1:  true", "old1:  false", "web1:  false")
	for _, s := range []*session{web, db, mute} {
		h.drillReport(s, &upsv1.DrillReport{Id: h.id, Over: true})
	}
	h.detach(old, "gone")
	h.want("all have said them", true, "db1:  true", "mute1:  true", "old1:  false", "web1:  true")
}

// TestLaw11ADrillTouchesNothingReal: the states, orders and reports are what they were,
// and only those who take part are told of it.
func TestLaw11ADrillTouchesNothingReal(t *testing.T) {
	h := newDrillHub(t)
	web, db := h.comes("web1"), h.comes("db1")
	is := func() string {
		var st upsv1.MasterStatus
		h.status(&st)
		st.Drill = nil
		r := h.response(db, "rack1", time.Second)
		return fmt.Sprint(st.GetUps(), st.GetNodes(), r, h.runState("b1"), h.states())
	}
	was := strings.ReplaceAll(is(), "  ", " ")
	h.begin(drillOf{id: "b1", by: "ann", long: 30 * time.Second, low: true, nodes: []string{"web1"}})
	for range 3 {
		h.says(web, 0, upsv1.Phase_PHASE_COMMITTED, 0)
		if now := strings.ReplaceAll(is(), "  ", " "); now != was {
			t.Errorf("it was %s\nand is %s", was, now)
		}
	}
	r := h.response(web, "rack1", time.Second)
	if u := r.GetUps()[0]; u.GetStatus() != upsv1.Status_STATUS_OK || u.GetDrill() {
		t.Errorf("the real UPS is told of as %v", u)
	}
	if u := r.GetDrill().GetUps()[0]; u.GetStatus() != upsv1.Status_STATUS_FAIL || !u.GetDrill() || u.GetOutage() == "" {
		t.Errorf("the pretended one is %v", u)
	}
	*h.now = h.now.Add(2 * time.Second)
	if u := h.response(web, "rack1", time.Second).GetDrill().GetUps()[0]; u.GetStatus() != upsv1.Status_STATUS_BATLOW {
		t.Errorf("2 s later it is %v", u)
	}
	h.setUPS(upsRecord{name: "main", state: power.State{Status: power.Fail, Last: power.Fail, Outage: "o1", OutageSince: *h.now}})
	r = h.response(web, "rack1", time.Second)
	if r.GetDrill() != nil || r.GetUps()[0].GetStatus() != upsv1.Status_STATUS_FAIL {
		t.Errorf("the power has failed, and it is told %v", r)
	}
	if _, err := h.beginDrill(drillOf{id: "b1", long: time.Second}); err == nil {
		t.Error("another may begin beside it")
	}
	h.forgetDrill(h.id)
	if _, err := h.beginDrill(drillOf{id: "b1", long: time.Second}); err == nil || !strings.Contains(err.Error(), "the UPS main is FAIL") {
		t.Errorf("on battery: %v", err)
	}
}

func TestWhoIsWaitedForInADrill(t *testing.T) {
	h := newDrillHub(t)
	s := h.comes("web1", "db1", "gone1", "aside1")
	db, gone := h.comes("db1"), h.comes("gone1")
	h.comes("aside1")
	h.detach(gone, "gone")
	h.begin(drillOf{id: "b1", long: 5 * time.Minute, nodes: []string{"web1", "db1", "gone1"}})
	want := func(what string, up ...string) {
		t.Helper()
		if d := cmp.Diff(up, h.response(s, "rack1", time.Second).GetDrill().GetAwaited().GetUp()); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	want("at first", "db1")
	h.says(db, 0, upsv1.Phase_PHASE_COMMITTED, 0)
	*h.now = h.now.Add(90 * time.Second) // its stop time and the margin
	want("it is going", "db1")
	*h.now = h.now.Add(time.Millisecond)
	want("it would be off")
	if is := h.hub.nodes["db1"].report.GetPhase(); is != upsv1.Phase_PHASE_IDLE {
		t.Errorf("in earnest it is in %s", is)
	}
}

func TestNoDrillWhereNobodySeesThePower(t *testing.T) {
	h := newDrillHub(t)
	h.comes("web1")
	h.setUPS(upsRecord{name: "main", state: power.State{Reason: "no port"}})
	if _, err := h.beginDrill(drillOf{id: "b1", long: time.Second}); err == nil || !strings.Contains(err.Error(), "no UPS is seen to be OK") {
		t.Errorf("blind: %v", err)
	}
	h.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK}})
	h.addUPS("other", "")
	h.begin(drillOf{id: "b1", long: time.Second})
	if ups := h.drill.states(*h.now); len(ups) != 1 || ups[0].Name != "main" || ups[0].State.Known() != power.Fail {
		t.Errorf("one that is blind pretends: %v", ups)
	}
	if w, _ := h.foresee(&nodeRecord{name: "x", feeds: []string{"rack2/main"}, hello: &upsv1.Hello{Policy: &upsv1.Policy{}}}, h.drill); w != 0 {
		t.Errorf("what lives elsewhere is foreseen to go in %s", w)
	}
}
