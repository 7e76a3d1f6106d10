package master

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// testHub is a hub with one UPS and a clock that stands still until it is set.
func testHub() (h *hub, now *power.Uptime, events *[]string) {
	now, events = new(power.Uptime), new([]string)
	*now = power.Uptime(time.Hour)
	h = newHub(func() power.Uptime { return *now }, func(e history.Event) { *events = append(*events, e.On+" "+e.Kind+" "+e.Text) })
	h.addUPS("main", "nut-7")
	return h, now, events
}

func attached(h *hub, name, boot string) *session {
	return h.attach(name, name+":8494", &upsv1.Hello{BootId: boot}, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_IDLE})
}

func woken(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestHubWakesOnlyForNews(t *testing.T) {
	h, _, _ := testHub()
	s := attached(h, "web1", "b")
	st := power.State{Status: power.OK, Last: power.OK, Since: 1}
	for _, tt := range []struct {
		name   string
		change func(*power.State)
		want   bool
	}{
		{"the first state", func(*power.State) {}, true},
		{"the same again", func(*power.State) {}, false},
		{"debt that shrinks on mains", func(s *power.State) { s.Debt = 7 }, false},
		{"a failure", func(s *power.State) { s.Status, s.Outage, s.OutageSince = power.Fail, "x", 9 }, true},
		{"an outage that is older than was known", func(s *power.State) { s.OutageSince = 5 }, true},
		{"debt of another outage", func(s *power.State) { s.Debt = 9 }, true},
	} {
		tt.change(&st)
		if changed := h.setUPS(upsRecord{name: "main", state: st}); changed != tt.want || woken(s.wake) != tt.want {
			t.Errorf("%s: changed or woken %v, want %v", tt.name, changed, tt.want)
		}
	}
}

func TestHubNewestSessionWins(t *testing.T) {
	h, _, _ := testHub()
	old := attached(h, "web1", "b")
	attached(h, "web1", "b")
	select {
	case <-old.replaced:
	default:
		t.Error("the older session was not told that it is replaced")
	}
	h.report(old, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_DONE})
	if got := h.nodes["web1"].report.GetPhase(); got != upsv1.Phase_PHASE_IDLE {
		t.Errorf("a report of the older session was taken: %s", got)
	}
	h.detach(old, "gone")
	if l := h.nodes["web1"].link; l != power.LinkUp {
		t.Errorf("the end of the older session made the link %s", l)
	}
}

func TestHubSetOrdersAllOrNothing(t *testing.T) {
	h, _, _ := testHub()
	attached(h, "web1", "b")
	err := h.setOrders([]string{"web1", "ghost"}, func(*nodeRecord) (policy.Order, error) {
		return policy.Order{Kind: policy.OrderShutdown}, nil
	})
	if err == nil || !strings.Contains(err.Error(), `no node "ghost"; the nodes are ["web1"]`) {
		t.Errorf("err %v, want one that names the ghost and who there is", err)
	}
	if o := h.nodes["web1"].order; o.Kind != policy.OrderNone {
		t.Errorf("web1 got %s although the call was refused", o.Kind)
	}
}

func TestHubSetOrdersOfOneThatIsRefused(t *testing.T) {
	h, _, _ := testHub()
	attached(h, "web1", "b")
	attached(h, "web2", "b")
	err := h.setOrders([]string{"web1", "web2"}, func(n *nodeRecord) (policy.Order, error) {
		if n.name == "web2" {
			return policy.Order{}, errors.New("not this one")
		}
		return policy.Order{Kind: policy.OrderShutdown}, nil
	})
	if o := h.nodes["web1"].order; err == nil || o.Kind != policy.OrderNone {
		t.Errorf("err %v, and web1 got %s although the call was refused", err, o.Kind)
	}
}

// TestLaw08HubEndsTheSessionOfWhoIsRemoved: it hears nothing more, even before its
// connection is cut.
func TestLaw08HubEndsTheSessionOfWhoIsRemoved(t *testing.T) {
	h, _, _ := testHub()
	gone, stays := attached(h, "web1", "b"), attached(h, "web2", "b")
	h.remove("web1")
	if !woken(gone.removed) || woken(stays.removed) || h.nodes["web1"] != nil || !woken(stays.wake) {
		t.Errorf("the removed node's session lives on, or another's doesn't")
	}
}

// TestLaw08HubEndsTheSessionOfAnOldKey: whose place was given away.
func TestLaw08HubEndsTheSessionOfAnOldKey(t *testing.T) {
	h, _, _ := testHub()
	old := attached(h, "web1", "b")
	h.claimed("web1", "10.0.0.7")
	h.admitted("web1")
	if n := h.nodes["web1"]; !woken(old.removed) || n.session != nil || n.link != power.LinkLost || n.claim != "" {
		t.Errorf("the old key's session lives on: %+v", n)
	}
}

// TestShutdownOrderThatWasObeyedIsOver: or the machine would go down again
// when somebody has switched it on.
func TestShutdownOrderThatWasObeyedIsOver(t *testing.T) {
	h, _, _ := testHub()
	s := attached(h, "web1", "b")
	if err := h.setOrders([]string{"web1"}, func(*nodeRecord) (policy.Order, error) {
		return policy.Order{Kind: policy.OrderShutdown, By: "bob"}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		phase upsv1.Phase
		want  policy.OrderKind
	}{
		{upsv1.Phase_PHASE_COMMITTED, policy.OrderShutdown},
		{upsv1.Phase_PHASE_DONE, policy.OrderNone},
	} {
		h.report(s, &upsv1.NodeReport{Phase: tt.phase})
		if got := h.order(h.nodes["web1"]).Kind; got != tt.want {
			t.Errorf("in %s the order is %s, want %s", tt.phase, got, tt.want)
		}
	}
}

func TestShutdownOrderDiesWithTheNodesBoot(t *testing.T) {
	order := func(*nodeRecord) (policy.Order, error) {
		return policy.Order{Kind: policy.OrderShutdown, By: "bob"}, nil
	}
	for _, tt := range []struct {
		name    string
		restart bool // of the master, in between
		boot    string
		want    policy.OrderKind
	}{
		{"the agent restarts", false, "b1", policy.OrderShutdown},
		{"the node comes back", false, "b2", policy.OrderNone},
		{"the agent restarts, and the master", true, "b1", policy.OrderShutdown},
		{"the node comes back, and the master restarted", true, "b2", policy.OrderNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, _, _ := testHub()
			s := attached(h, "web1", "b1")
			if err := h.setOrders([]string{"web1"}, order); err != nil {
				t.Fatal(err)
			}
			if tt.restart {
				kept := h.runState("m")
				h, _, _ = testHub()
				h.expect("web1")
				h.restoreOrders(kept)
			} else {
				h.detach(s, "gone")
			}
			attached(h, "web1", tt.boot)
			if got := h.order(h.nodes["web1"]).Kind; got != tt.want {
				t.Errorf("order %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHoldExpiresOnTheHub(t *testing.T) {
	h, now, _ := testHub()
	attached(h, "web1", "b")
	until := now.Add(time.Minute)
	_ = h.setOrders([]string{"web1"}, func(*nodeRecord) (policy.Order, error) {
		return policy.Order{Kind: policy.OrderHold, Until: until}, nil
	})
	if got := h.order(h.nodes["web1"]).Kind; got != policy.OrderHold {
		t.Fatalf("order %s, want a hold", got)
	}
	*now = until
	if got := h.order(h.nodes["web1"]).Kind; got != policy.OrderNone {
		t.Errorf("order %s at its end, want none", got)
	}
	if kept := h.runState("m"); len(kept.Orders) != 0 {
		t.Errorf("an expired hold is kept over a restart: %v", kept.Orders)
	}
}

func TestTempo(t *testing.T) {
	for _, tt := range []struct {
		nodes  int
		status power.Status
		want   time.Duration
	}{
		{3, power.OK, time.Second},
		{100, power.OK, time.Second},
		{500, power.OK, 5 * time.Second},
		{3, power.Fail, 500 * time.Millisecond},
		{3, power.Unknown, 500 * time.Millisecond},
	} {
		h, _, _ := testHub()
		for i := range tt.nodes {
			h.expect(string(rune('a'+i%26)) + strings.Repeat("x", i/26))
		}
		h.setUPS(upsRecord{name: "main", state: power.State{Status: tt.status, Since: 1}})
		if got := h.tempo(); got != tt.want {
			t.Errorf("%d nodes, %s: a beat each %s, want %s", tt.nodes, tt.status, got, tt.want)
		}
	}
}

func TestHubTellsWhatChanged(t *testing.T) {
	h, _, events := testHub()
	s := attached(h, "web1", "b")
	*events = nil
	h.report(s, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_GRACE})
	h.report(s, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_GRACE, Leaving: true})
	h.detach(s, "")
	want := []string{"node/web1 phase GRACE, was IDLE", "node/web1 link said that it goes"}
	if !slices.Equal(*events, want) {
		t.Errorf("events %q, want %q", *events, want)
	}
}

func TestLostNodeIsAProblemAndOffIsNot(t *testing.T) {
	h, now, _ := testHub()
	h.expect("never")
	lost, off := attached(h, "lost", "b"), attached(h, "off", "b")
	h.report(off, &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_DONE, Leaving: true})
	h.detach(lost, "cut")
	h.detach(off, "")
	*now = now.Add(90 * time.Second)
	st := &upsv1.MasterStatus{}
	h.status(st)
	got := map[string]string{}
	for _, p := range h.found() {
		got[p.On] = p.Name + ": " + p.Text
	}
	if !strings.Contains(got["node/lost"], "last heard 1m30s ago") || !strings.Contains(got["node/never"], "has not attached") || got["node/off"] != "" {
		t.Errorf("problems %q", got)
	}
	links := map[string]upsv1.Link{}
	for _, n := range st.GetNodes() {
		links[n.GetName()] = n.GetLink()
	}
	if links["lost"] != upsv1.Link_LINK_LOST || links["off"] != upsv1.Link_LINK_OFF || links["never"] != upsv1.Link_LINK_UNSPECIFIED {
		t.Errorf("links %v", links)
	}
}
