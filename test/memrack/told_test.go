package memrack_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/test/memrack"
)

// telephone is somebody's webhook on the rack's network.
type telephone struct {
	mu   sync.Mutex
	seen []string
	late []float64
}

// at is where it answers.
const at = "10.0.0.9:80"

func (p *telephone) ring(t *testing.T, n *memrack.Network) (hangUp func()) {
	t.Helper()
	l, err := n.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct {
			Event, On, Problem string
			Late               float64 `json:"late_seconds"`
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.seen = append(p.seen, m.Event+" "+m.On+" "+m.Problem)
		p.late = append(p.late, m.Late)
	})}
	go func() { _ = s.Serve(l) }()
	return func() { _ = s.Close() }
}

func (p *telephone) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// The network dies with the mains. What happened is told when it is back, in order.
func TestAnOutageIsToldWhenTheNetworkIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "[[alarm]]\nto = \"http://"+at+"/x\"\non = [\"fail\", \"ok\", \"batlow\"]\n")
		defer r.Stop()
		var phone telephone
		defer phone.ring(t, r.Net)()
		r.Advance(settle)
		r.Net.Cut(at)
		r.Sim(fail)
		r.Advance(2 * time.Minute)
		r.Sim(batlow)
		r.Advance(time.Minute)
		if got := phone.heard(); len(got) != 0 {
			t.Fatalf("heard %q without a network", got)
		}
		r.StopMaster() // the machine goes down; what is not told lies on disk
		r.Advance(time.Hour)
		r.StartMaster() // its sim port says OK
		r.Net.Heal(at)
		r.Advance(10 * time.Minute)
		want := []string{"fail ups/main ", "batlow ups/main "}
		if got := phone.heard(); len(got) < 2 || cmp.Diff(want, got[:2]) != "" {
			t.Errorf("heard %q, want first %q", got, want)
		}
		if phone.late[0] < 3600 {
			t.Errorf("the first was told %g s late by its own word", phone.late[0])
		}
	})
}

// TestLaw02: not seeing and not hearing start nothing, and are told loudly.
func TestLaw02WhoCannotBeHeardIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "[node]\nobey_sim = true\n[node.shutdown]\nmethod = [\"none\"]\n[[alarm]]\nto = \"http://"+at+"/x\"\n")
		defer r.Stop()
		var phone telephone
		defer phone.ring(t, r.Net)()
		web := r.Join("web1", "")
		r.Advance(time.Minute)
		if got := phone.heard(); len(got) != 0 {
			t.Errorf("a sound rack's start: %q", got)
		}
		r.Net.Cut("web1")
		r.Advance(2 * time.Minute) // a reboot takes that long and is nobody's worry
		if got := phone.heard(); len(got) != 0 {
			t.Errorf("2 minutes after the cable was pulled: %q", got)
		}
		r.Advance(2 * time.Minute)
		r.Advance(24 * time.Hour)
		r.Net.Heal("web1")
		r.Advance(time.Minute)
		want := []string{"problem node/web1 node-lost", "problem node/web1 node-lost", "clear node/web1 node-lost"}
		if d := cmp.Diff(want, phone.heard()); d != "" {
			t.Errorf("a day without a node (-want +got):\n%s", d)
		}
		if offs := web.Offs(); len(offs) != 0 {
			t.Errorf("power-off at %v", offs)
		}
	})
}
