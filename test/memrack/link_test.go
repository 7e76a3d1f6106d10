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
