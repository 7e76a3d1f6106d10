package node

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// notices collects what a rig's driver tells beyond the machine.
type notices struct {
	mu  sync.Mutex
	all []string
}

func (n *notices) add(x Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, strings.TrimSpace(fmt.Sprintf("%s %s %s", x.Event, x.Problem.Name, x.Text)))
}

func (n *notices) want(t *testing.T, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := cmp.Diff(want, n.all); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	n.all = nil
}

func TestPeopleElsewhereHearOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"1m\"\n")
		var told notices
		r.o.Tell = told.add
		r.run()
		defer r.stop()
		r.feed(power.OK)
		r.feed(power.Fail)
		time.Sleep(20 * time.Second)
		r.feed(power.OK)
		time.Sleep(time.Second)
		told.want(t,
			"fail  on battery; this machine goes down in 1m0s unless power returns",
			"grace  counting down; this machine goes down in 1m0s unless power returns",
			"ok  power is back", "report  on battery for 20s; this machine stayed up",
			"cancel  the countdown is over: power is back")
	})
}

func TestWhatIsWrongIsToldWhenItStaysAndWhenItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		var told notices
		var mu sync.Mutex
		var also []health.Problem
		set := func(ps ...health.Problem) {
			mu.Lock()
			also = ps
			mu.Unlock()
			r.LookAgain()
			synctest.Wait()
		}
		r.o.Tell = told.add
		r.o.Problems = func() []health.Problem {
			mu.Lock()
			defer mu.Unlock()
			return also
		}
		r.run()
		defer r.stop()
		r.feed(power.OK)

		set(health.Problem{Name: health.Network, Text: "port in use"})
		if p := r.problem("network"); p != "port in use" {
			t.Errorf("the status says %q at once", p)
		}
		time.Sleep(9 * time.Second)
		set()
		time.Sleep(time.Minute)
		told.want(t) // it went before it was told

		set(health.Problem{Name: health.Network, Text: "port in use"}, health.Problem{Name: health.Identity, Text: "torn"})
		time.Sleep(11 * time.Second)
		s := r.Snapshot()
		for _, p := range s.Problems {
			if since := r.now().Sub(p.Since); p.On != "node/web1" || since != 11*time.Second {
				t.Errorf("%s on %s since %s", p.Name, p.On, since)
			}
		}
		set()
		time.Sleep(time.Second)
		told.want(t, "problem identity torn", "problem network port in use", "clear identity torn", "clear network port in use")
	})
}
