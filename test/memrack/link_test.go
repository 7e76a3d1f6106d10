package memrack_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// TestLaw02ALostLinkIsLimited: a node that waits for BATLOW goes by lost_limit when
// its master can't tell it any more; after a goodbye two minutes later.
func TestLaw02ALostLinkIsLimited(t *testing.T) {
	const limit = 2 * time.Minute
	for name, tc := range map[string]struct {
		lose func(r *memrack.Rack)
		// From the loss. The tempo is half a second, and three beats are missed. That TLS
		// then tries for 5 s to say its last word to a dead switch costs nothing.
		from, to time.Duration
	}{
		"the switch dies": {func(r *memrack.Rack) { r.Net.Cut("web1") }, limit + time.Second, limit + 2*time.Second},
		"a goodbye":       {func(r *memrack.Rack) { r.StopMaster() }, 2*time.Minute + limit, 2*time.Minute + limit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := memrack.New(t, "")
				defer r.Stop()
				web := r.Join("web1", "[policy]\ngrace = \"batlow\"\nlost_limit = \"2m\"\n")
				r.Advance(settle)
				r.Sim(fail)
				r.Advance(10 * time.Minute)
				if offs := web.Offs(); len(offs) != 0 {
					t.Fatalf("power-off asked at %v without BATLOW", offs)
				}
				lost := r.Since()
				tc.lose(r)
				r.Advance(10 * time.Minute)
				offs := web.Offs()
				if len(offs) != 1 || offs[0]-lost < tc.from || offs[0]-lost > tc.to+10*time.Millisecond {
					t.Errorf("power-off asked at %v, want once, %s to %s after the loss at %s", offs, tc.from, tc.to, lost)
				}
			})
		})
	}
}

// TestANodeOfNoRackSaysSo: nobody would tell it of a power failure.
func TestANodeOfNoRackSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "")
		defer r.Stop()
		web := r.Add("web1", "")
		joined := func() bool {
			r.Advance(time.Minute)
			return !slices.ContainsFunc(r.Own(web).GetProblems(), func(p *upsv1.Problem) bool { return p.GetName() == health.NotJoined })
		}
		if joined() {
			t.Error("a node that joined no rack finds nothing wrong")
		}
		if err := r.JoinBy(web, r.Token()); err != nil {
			t.Fatal(err)
		}
		if !joined() {
			t.Error("a node that joined a rack says that it did not")
		}
	})
}

// TestALinkThatIsCutOneWayIsLost: each side must find out, and come back by itself.
func TestALinkThatIsCutOneWayIsLost(t *testing.T) {
	for name, cut := range map[string]func(n *memrack.Network){
		"to the node":     func(n *memrack.Network) { n.CutTo("web1") },
		"from the node":   func(n *memrack.Network) { n.CutFrom("web1") },
		"to the master":   func(n *memrack.Network) { n.CutTo("master") },
		"from the master": func(n *memrack.Network) { n.CutFrom("master") },
		"the switch":      (*memrack.Network).Off,
	} {
		t.Run(name, func(t *testing.T) {
			rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
				r.Sim(fail)
				r.Advance(5 * time.Second)
				links := func(want upsv1.Link) {
					t.Helper()
					if l := r.Node("web1").GetLink(); l != want {
						t.Errorf("the master says that the link is %s, want %s", l, want)
					}
					own, err := upsv1.NewNodeServiceClient(r.AgentClient(web)).GetNodeStatus(t.Context(), &upsv1.GetNodeStatusRequest{})
					if l := own.GetNode().GetLink(); err != nil || l != want {
						t.Errorf("the node says that the link is %s, %v, want %s", l, err, want)
					}
				}
				links(upsv1.Link_LINK_UP)
				cut(r.Net)
				r.Advance(10 * time.Second)
				links(upsv1.Link_LINK_LOST)
				r.Net.On()
				r.Net.Heal("web1")
				r.Net.Heal("master")
				r.Advance(30 * time.Second)
				links(upsv1.Link_LINK_UP)
				r.Net.Slow("web1", 100*time.Millisecond)
				r.Advance(time.Minute)
				links(upsv1.Link_LINK_UP)
			})
		})
	}
}
