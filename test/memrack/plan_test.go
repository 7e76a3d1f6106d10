package memrack_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// plan asks what would happen.
func plan(t *testing.T, r *memrack.Rack) *upsv1.PlanResponse {
	t.Helper()
	p, err := upsv1.NewControlServiceClient(r.Client()).Plan(t.Context(), &upsv1.PlanRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// planned returns when a thing would happen to a node; false: it would not.
func planned(p *upsv1.PlanResponse, node, kind string) (time.Duration, bool) {
	for _, e := range p.GetEvents() {
		if e.GetOn() == "node/"+node && e.GetKind() == kind && !e.GetAfterLow() {
			return e.GetAt().AsDuration(), true
		}
	}
	return 0, false
}

// planHost is hostLast on a battery of that runtime.
func planHost(runtime time.Duration) string {
	return fmt.Sprintf("[ups.battery]\nruntime = %q\n", runtime) + hostLast + "[node.shutdown]\nmethod = [\"none\"]\nstop_time = \"10s\"\n"
}

// What is foreseen and what then happens to the same rack: nobody goes later than was
// foreseen, give or take a heartbeat; nor sooner than the assumed shutdowns are longer
// than the true ones; whoever waits for nobody goes when it was foreseen.
func TestPlanIsWhatHappens(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playPlanned(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

// stopAssumed and stopTrue are how long a machine takes to be off.
const (
	stopAssumed = 10 * time.Second
	stopTrue    = 5 * time.Second
)

func playPlanned(t *testing.T, rnd *rand.Rand) {
	runtime := time.Duration(2+rnd.IntN(18)) * time.Minute
	r := &waitRack{Rack: memrack.New(t, planHost(runtime)), t: t, hangs: map[string]bool{}, off: map[string]bool{}}
	defer r.Stop()
	r.nodes = map[string]*memrack.Node{}
	names := []string{"web1", "db1", "nas1", "app1"}
	waits := map[string]int{}
	for i, name := range names {
		var waitFor []string
		for _, other := range names[:i] {
			if rnd.IntN(3) == 0 {
				waitFor = append(waitFor, other)
				waits[name] = max(waits[name], 1+waits[other])
			}
		}
		grace := fmt.Sprintf("%ds", 10+rnd.IntN(600))
		r.nodes[name] = r.Join(name, policyText(grace, waitFor...))
	}
	r.Advance(2 * settle)
	p := plan(t, r.Rack)
	var story strings.Builder
	for _, e := range p.GetEvents() {
		fmt.Fprintf(&story, "%s %s: %s\n", e.GetAt().AsDuration(), e.GetOn(), e.GetText())
	}
	r.fail()
	low := time.Duration(0)
	for _, e := range p.GetEvents() {
		if e.GetKind() == "low" {
			low = e.GetAt().AsDuration()
		}
	}
	if low > 0 {
		r.liveAll(low-500*time.Millisecond, names) // the line settles
		r.Sim(batlow)
	}
	r.liveAll(20*time.Minute, names)
	for _, name := range names {
		is := r.went(name)
		commit, goes := planned(p, name, "commit")
		if !goes || is < 0 {
			t.Errorf("%s: foreseen %v, went %v", name, goes, is >= 0)
			continue
		}
		sooner := time.Duration(waits[name]) * (stopAssumed - stopTrue)
		if is > commit+2*time.Second || is < commit-sooner-2*time.Second {
			t.Errorf("%s went %s into the outage; foreseen was %s, or at most %s sooner", name, is, commit, sooner)
		}
	}
	if t.Failed() {
		t.Log(story.String())
	}
}

// liveAll is live for machines of these names.
func (r *waitRack) liveAll(d time.Duration, names []string) {
	for end := r.Since() + d; r.Since() < end; {
		r.Advance(min(500*time.Millisecond, end-r.Since()))
		for _, name := range names {
			if at := r.went(name); at >= 0 && !r.off[name] && r.Since()-r.began-at >= stopTrue {
				r.off[name] = true
				r.StopAgent(r.nodes[name])
				r.Net.Power(name, false)
			}
		}
	}
}

// A battery that is too short is a problem before anybody needs it, and no more once
// somebody has done something about it.
func TestABatteryThatIsTooShortIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &waitRack{Rack: memrack.New(t, "[ups.battery]\nruntime = \"3m\"\nlow_reserve = \"10s\"\n"+hostLast), t: t}
		defer r.Stop()
		r.Join("web1", policyText("2m"))
		r.Advance(2 * settle)
		if text := r.problem("ups/main", "plan-negative"); !strings.Contains(text, "rack1 would be off only") {
			t.Errorf("of a battery that is too short is told %q", text)
		}
		u := r.Status().GetPlans()[0]
		if u.GetMargin() == nil || u.GetMargin().AsDuration() >= 0 || u.GetLast() != "rack1" {
			t.Errorf("its plan is %v", u)
		}
	})
}
