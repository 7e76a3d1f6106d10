package master

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// ends makes h's host go in an outage in which these nodes have not gone.
func ends(h *hub, names ...string) {
	h.name = "rack1"
	if h.ownHost() == nil {
		h.nodes["rack1"] = &nodeRecord{name: "rack1", host: true, wake: make(chan struct{}, 1)}
	}
	for _, name := range names {
		h.attach(name, "", &upsv1.Hello{BootId: "b"}, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
	}
	h.fail(h.now())
	h.hostReport(h.ownHost().name, inPhase(upsv1.Phase_PHASE_COMMITTED, "rack1/main"))
	h.tickFleet()
}

// orders returns what each node is told now.
func (h *hub) orders() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]string{}
	for name, n := range h.nodes {
		if o := h.order(n); o.Kind != policy.OrderNone {
			all[name] = o.Kind.String()
		}
	}
	return all
}

func TestTheEndIsToldToWhoGoesWithTheHost(t *testing.T) {
	h, now, events := testHub()
	h.name = "rack1"
	h.addUPS("side", "nut-7")
	h.setUPS(upsRecord{name: "side", state: power.State{Status: power.OK, Last: power.OK}})
	ends(h, "web1", "gone", "went")
	h.attach("side1", "", &upsv1.Hello{BootId: "b"}, inPhase(upsv1.Phase_PHASE_IDLE, "rack1/side"))
	h.attach("both", "", &upsv1.Hello{BootId: "b"}, inPhase(upsv1.Phase_PHASE_IDLE, "rack1/main", "rack1/side"))
	h.attach("needs2", "", &upsv1.Hello{BootId: "b", Policy: &upsv1.Policy{Need: 2}}, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main", "rack1/side"))
	unsure := inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main", "rack1/side")
	unsure.Problems = []*upsv1.Problem{{Name: health.Feeds}}
	h.attach("unsure", "", &upsv1.Hello{BootId: "b"}, unsure)
	h.detach(h.nodes["gone"].session, "gone")
	h.report(h.nodes["went"].session, inPhase(upsv1.Phase_PHASE_DONE, "rack1/main"))

	want := map[string]string{"web1": "end", "gone": "end", "went": "end", "needs2": "end", "unsure": "end"}
	if diff := cmp.Diff(want, h.orders()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, ending := h.lingering(); !ending || !slices.Equal(got, []string{"needs2", "unsure", "web1"}) {
		t.Errorf("those who have not committed and hear it are %v", got)
	}
	s := h.nodes["web1"].session
	if r := h.response(s, "rack1", time.Second); r.GetOrder().GetKind() != upsv1.OrderKind_ORDER_KIND_END {
		t.Errorf("web1 is sent %v", r.GetOrder())
	}
	// Power is back.
	for woken(s.wake) {
	}
	h.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK, Since: *now}})
	h.hostReport("rack1", inPhase(upsv1.Phase_PHASE_IDLE, "rack1/main"))
	for woken(s.wake) {
	}
	h.tickFleet()
	if got := h.orders(); len(got) > 0 || !woken(s.wake) {
		t.Errorf("power is back, and the orders are %v", got)
	}
	told := slices.DeleteFunc(*events, func(e string) bool { return !strings.Contains(e, " fleet ") })
	if len(told) != 2 || !strings.Contains(told[1], "stays up") {
		t.Errorf("it was told %q", told)
	}
}

func TestTheEndIsOnTime(t *testing.T) {
	h, now, _ := testHub()
	h.name = "rack1"
	h.nodes["rack1"] = &nodeRecord{name: "rack1", host: true, wake: make(chan struct{}, 1)}
	h.fail(*now)
	web := h.attach("web1", "", &upsv1.Hello{BootId: "b"}, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
	r := inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main")
	r.Deadline = durationpb.New(time.Minute)
	h.hostReport("rack1", r)
	if next, timed := h.tickFleet(); !timed || next != 50*time.Second {
		t.Errorf("the end is due in %s (%t), want in 50s", next, timed)
	}
	*now = now.Add(50 * time.Second)
	for woken(web.wake) {
	}
	if next, timed := h.tickFleet(); timed || !woken(web.wake) || h.orders()["web1"] != "end" {
		t.Errorf("10s before, web1 is told %q, next in %s", h.orders()["web1"], next)
	}
	// The host waits for whoever is still up, so its own deadline is not its commit.
	h.nodes["rack1"].waitFor, h.nodes["rack1"].waitLimit, h.waits = []string{"*"}, time.Minute, nil
	if next, timed := h.tickFleet(); timed || len(h.orders()) > 0 {
		t.Errorf("the host waits for web1, and the orders are %v, next in %s", h.orders(), next)
	}
}

// A host that people shut down takes nobody with it, and cuts nothing.
func TestLaw05APersonsShutdownOfTheHostEndsNobody(t *testing.T) {
	h, _, _ := testHub()
	ends(h, "web1")
	h.mu.Lock()
	if c := h.cuts(); len(c) != 1 || len(c[0].Blocked) == 0 {
		t.Errorf("the cuts are %+v, want one that is blocked by web1, which has no deadline", c)
	}
	h.mu.Unlock()
	idle := inPhase(upsv1.Phase_PHASE_IDLE, "rack1/main")
	h.hostReport("rack1", idle)
	order := func(*nodeRecord) (policy.Order, error) { return policy.Order{Kind: policy.OrderShutdown}, nil }
	if err := h.setOrders([]string{"rack1"}, order); err != nil {
		t.Fatal(err)
	}
	for _, p := range []upsv1.Phase{upsv1.Phase_PHASE_IDLE, upsv1.Phase_PHASE_COMMITTED, upsv1.Phase_PHASE_DONE} {
		h.hostReport("rack1", inPhase(p, "rack1/main"))
		h.tickFleet()
		h.mu.Lock()
		cuts := h.cuts()
		h.mu.Unlock()
		if got := h.orders(); got["web1"] != "" || cuts != nil {
			t.Errorf("people shut the host down, and in %s the orders are %v and the cuts %+v", p, got, cuts)
		}
	}
	// The power made it go first, and somebody orders it too.
	h.hostReport("rack1", idle)
	h.hostReport("rack1", inPhase(upsv1.Phase_PHASE_COMMITTED, "rack1/main"))
	if err := h.setOrders([]string{"rack1"}, order); err != nil {
		t.Fatal(err)
	}
	h.hostReport("rack1", inPhase(upsv1.Phase_PHASE_DONE, "rack1/main"))
	h.tickFleet()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.cuts()) != 1 {
		t.Error("an order that came after the commit takes the seal away")
	}
}

func TestLaw05ADryRunBlocksTheCut(t *testing.T) {
	h, _, _ := testHub()
	ends(h)
	dry := inPhase(upsv1.Phase_PHASE_DONE, "rack1/main")
	dry.Methods = []string{"none"}
	h.attach("dry1", "", &upsv1.Hello{BootId: "b"}, dry)
	h.mu.Lock()
	defer h.mu.Unlock()
	cuts := h.cuts()
	if len(cuts) != 1 || !slices.Equal(cuts[0].Blocked, []string{"dry1"}) {
		t.Fatalf("%+v", cuts)
	}
	for _, c := range []struct {
		cut  policy.Cut
		want string
	}{
		{cuts[0], "rack1/main is not cut: nobody can say when dry1 will be off"},
		{policy.Cut{UPS: "rack1/main", NotBefore: h.now()}, "rack1/main may be cut at once: everybody is off"},
		{policy.Cut{UPS: "rack1/main", NotBefore: h.now().Add(time.Minute), Last: "web1"}, "rack1/main may be cut in 1m0s, when web1 is off"},
	} {
		if got := cutWords(c.cut, h.now()); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
