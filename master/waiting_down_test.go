package master

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// A master whose machine boots in the outage knows from its disk who may still be up.
func TestLaw05HubKnowsAfterABootWhoMayBeUp(t *testing.T) {
	h := newWaitHub(t)
	began := *h.now
	h.comes("seen1", "b2", upsv1.Phase_PHASE_GRACE, "rack1/main")
	kept := keptRecovery{Boot: "b1", Up: map[string]upState{}, Recovery: policy.RecoveryState{Nodes: map[string]policy.Absent{}}}
	for _, a := range []struct {
		name, outage string
		committed    bool
	}{{"went1", "o1", true}, {"counts1", "o1", false}, {"went0", "o0", true}, {"counts0", "o0", false}, {"seen1", "o1", true}} {
		kept.Recovery.Nodes[a.name] = policy.Absent{Outage: a.outage, Committed: a.committed, Gone: true, StopTime: time.Minute, UPS: []string{"main"}}
		kept.Up[a.name] = upState{Feeds: []string{"rack1/main"}, Phase: policy.Waiting, Heard: 5, Answered: 6}
	}
	(&recovery{m: &Master{hub: h.hub, boot: "b2"}, up: map[string]upState{}}).fell(kept)
	all := []string{"counts0", "counts1", "seen1", "went0", "went1"}
	h.want("at first all may be", policy.Awaited{Up: all, Open: true, Limit: began.Add(2 * time.Minute), Depth: 1})
	blocked := func(want ...string) {
		t.Helper()
		if cuts := h.cuts(); len(cuts) != 1 || !slices.Equal(cuts[0].Blocked, want) {
			t.Errorf("the cuts are %+v, want one that waits for %v", cuts, want)
		}
	}
	blocked("counts1", "seen1")
	*h.now = began.Add(time.Minute + 1)
	h.want("who was lost in an earlier outage has had its time to boot", policy.Awaited{
		Up: []string{"counts1", "seen1", "went0", "went1"}, Open: true, Limit: began.Add(2 * time.Minute), Depth: 1,
	})
	*h.now = began.Add(time.Minute + policy.OffMargin + 1)
	h.want("who had asked has had its time to be off", policy.Awaited{
		Up: []string{"counts1", "seen1"}, Open: true, Limit: began.Add(2 * time.Minute), Depth: 1,
	})
	blocked("counts1", "seen1")
	h.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK}})
	h.fail(*h.now)
	h.hub.ups[0].state.Outage = "o2"
	h.want("in the next one nobody is owed anything", policy.Awaited{Up: []string{"seen1"}, Open: true, Depth: 1})
}

// Who was told to start may be up before it says so.
func TestLaw05HubCountsWhoWasWokenAsUp(t *testing.T) {
	h := newWaitHub(t)
	s := h.comes("web1", "b", upsv1.Phase_PHASE_DONE, "rack1/main")
	h.detach(s, "off")
	*h.now = h.now.Add(2 * time.Minute)
	h.want("it is off", policy.Awaited{})
	h.woken("web1")
	h.want("it boots", policy.Awaited{Up: []string{"web1"}, Limit: h.now.Add(time.Minute), Depth: 1})
	*h.now = h.now.Add(time.Minute)
	h.want("it never came", policy.Awaited{})
}

// The host goes to have its UPS cut: it does not wait for those who live on without it.
func TestHubHostDoesNotWaitForWhoSurvives(t *testing.T) {
	h := newWaitHub(t)
	h.comes("one1", "b", upsv1.Phase_PHASE_GRACE, "rack1/main")
	both := inPhase(upsv1.Phase_PHASE_IDLE, "rack1/main", "rack2/main")
	both.Status = upsv1.Status_STATUS_OK
	s := h.attach("both1", "", &upsv1.Hello{BootId: "b", Policy: &upsv1.Policy{Need: 1}}, both)
	h.want("its other feed is good", policy.Awaited{Up: []string{"one1"}, Open: true, Depth: 1})
	both = proto.CloneOf(both)
	both.Status = upsv1.Status_STATUS_FAIL
	h.report(s, both)
	h.want("it is not", policy.Awaited{Up: []string{"both1", "one1"}, Open: true, Depth: 1})
}
