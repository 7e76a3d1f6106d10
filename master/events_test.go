package master

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestTheHubTellsWhatAStoryIsMadeOf: the moments by the line, the outage that a
// state begins or ends, everybody at its beginning, and what a node says when it
// attaches.
func TestTheHubTellsWhatAStoryIsMadeOf(t *testing.T) {
	h, _, _ := testHub()
	var got []history.Event
	h.event = func(e history.Event) { got = append(got, e) }
	h.expect("db1")
	idle := &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_IDLE, Feeds: []string{"rack1/main"}}
	s := h.attach("web1", "", &upsv1.Hello{BootId: "n1"}, idle)
	ok := power.State{Status: power.OK, Last: power.OK, Since: 3}
	fail := power.State{Status: power.Fail, Last: power.Fail, Since: 7, Outage: "o1", OutageSince: 7, Sim: true}
	low := fail
	low.Status, low.Last, low.Since = power.BatLow, power.BatLow, 9
	for _, st := range []power.State{ok, fail, fail, low, ok} {
		h.setUPS(upsRecord{name: "main", state: st})
	}
	h.report(s, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_DONE, Leaving: true})
	h.detach(s, "")
	want := []history.Event{
		{On: "node/web1", Kind: "link", Text: "attached", Link: "up", Phase: "IDLE", Boot: "n1", Feeds: []string{"rack1/main"}},
		{On: "node/web1", Kind: "phase", Text: "IDLE", Phase: "IDLE"},
		{On: "ups/main", Kind: "state", Text: "OK, was UNKNOWN", Status: "OK", Since: 3},
		{On: "ups/main", Kind: "state", Text: "FAIL, was OK", Status: "FAIL", Since: 7, Outage: "o1", Began: 7, Pretended: true, Nodes: []history.NodeThen{
			{Name: "db1"}, {Name: "web1", Link: "up", Phase: "IDLE", Boot: "n1", Feeds: []string{"rack1/main"}}}},
		{On: "ups/main", Kind: "state", Text: "BATLOW, was FAIL", Status: "BATLOW", Since: 9, Outage: "o1", Began: 7, Pretended: true},
		{On: "ups/main", Kind: "state", Text: "OK, was BATLOW", Status: "OK", Since: 3, Outage: "o1", Began: 7},
		{On: "node/web1", Kind: "phase", Text: "DONE, was IDLE", Phase: "DONE"},
		{On: "node/web1", Kind: "link", Text: "said that it goes", Link: "off"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
