package master

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/probe"
)

// from makes a node attach from an address that bears its name.
func (h waitHub) from(name string, p upsv1.Phase) *session {
	s := h.comes(name, "b", p, "rack1/main")
	h.cameFrom(s, "at-"+name)
	return s
}

// probe gives the hub the answer of a probe of that node, after a while.
func (h waitHub) probe(name string, a probe.Answer, after time.Duration) {
	began := *h.now
	*h.now = h.now.Add(after)
	h.probed(probed{target: target{name: name, at: "at-" + name}, began: began, answer: a})
}

func (h waitHub) off(what, name string, want policy.OffState) {
	h.t.Helper()
	if got := h.standingOf(h.nodes[name]).OffAs(*h.now); got != want {
		h.t.Errorf("%s: %s is %d %q, want %d %q", what, name, got, got, want, want)
	}
}

// leaves ends a node's link as an agent does that is shut down.
func (h waitHub) leaves(s *session) {
	r := inPhase(upsv1.Phase_PHASE_DONE, "rack1/main")
	r.Leaving = true
	h.report(s, r)
	h.detach(s, "")
}

func TestWhoIsProbed(t *testing.T) {
	h := newWaitHub(t)
	want := func(what string, want map[string]time.Duration) {
		t.Helper()
		got := map[string]time.Duration{}
		for _, x := range h.targets() {
			if got[x.name] = x.every; x.at != "at-"+x.name {
				t.Errorf("%s is probed at %q", x.name, x.at)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	h.expect("absent") // nobody knows where
	up, lost, gone := h.from("up", upsv1.Phase_PHASE_GRACE), h.from("lost", upsv1.Phase_PHASE_GRACE), h.from("gone", upsv1.Phase_PHASE_COMMITTED)
	want("all are attached", map[string]time.Duration{"up": probeSlowly, "lost": probeSlowly, "gone": probeEvery})
	for _, name := range []string{"up", "lost", "gone"} {
		h.probe(name, probe.Answers, 0)
	}
	want("all were seen to answer", map[string]time.Duration{"gone": probeEvery})
	h.detach(lost, "cut")
	h.leaves(gone)
	want("two are gone", map[string]time.Duration{"lost": probeEvery, "gone": probeEvery})
	h.report(up, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
	h.probe("gone", probe.Silent, time.Second)
	*h.now = h.now.Add(policy.OffMargin)
	h.report(up, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
	h.off("silent for the margin", "gone", policy.OffProbed)
	want("one is off", map[string]time.Duration{"lost": probeEvery, "gone": probeSlowly})

	h.setUPS(upsRecord{name: "main", state: power.State{Status: power.OK, Last: power.OK}})
	want("the power is back", map[string]time.Duration{})
	h.report(up, inPhase(upsv1.Phase_PHASE_COMMITTED, "rack1/main"))
	want("one is ordered down", map[string]time.Duration{"up": probeEvery})
	*h.now = h.now.Add(probeOrdered + 1)
	want("it hangs", map[string]time.Duration{})
}

// TestLaw05OnlyAnEarnedSilenceIsOff: what is not known to be silent is not off.
func TestLaw05OnlyAnEarnedSilenceIsOff(t *testing.T) {
	silent := func(h waitHub, of string, d time.Duration) {
		for range d / time.Second {
			h.probe(of, probe.Silent, time.Second)
		}
	}
	t.Run("it never answered", func(t *testing.T) {
		h := newWaitHub(t)
		h.leaves(h.from("web1", upsv1.Phase_PHASE_DONE))
		silent(h, "web1", 40*time.Second)
		h.off("", "web1", policy.OffNot)
		silent(h, "web1", 51*time.Second)
		h.off("its time is over", "web1", policy.OffAssumed)
	})
	t.Run("it answers again and again", func(t *testing.T) {
		h := newWaitHub(t)
		h.leaves(h.from("web1", upsv1.Phase_PHASE_DONE))
		for range 5 {
			h.probe("web1", probe.Answers, time.Second)
			silent(h, "web1", 20*time.Second)
			h.off("", "web1", policy.OffNot)
		}
		silent(h, "web1", 11*time.Second)
		h.off("", "web1", policy.OffProbed)
	})
	t.Run("nobody could ask in between", func(t *testing.T) {
		h := newWaitHub(t)
		h.leaves(h.from("web1", upsv1.Phase_PHASE_DONE))
		h.probe("web1", probe.Answers, time.Second)
		silent(h, "web1", 20*time.Second)
		h.probe("web1", probe.Unknown, time.Second)
		silent(h, "web1", 29*time.Second)
		h.off("", "web1", policy.OffNot)
	})
	t.Run("the network may be dead", func(t *testing.T) {
		h := newWaitHub(t)
		gone, lost := h.from("web1", upsv1.Phase_PHASE_DONE), h.from("db1", upsv1.Phase_PHASE_GRACE)
		h.leaves(gone)
		h.probe("web1", probe.Answers, time.Second)
		*h.now = h.now.Add(witnessAge)
		silent(h, "web1", 10*time.Second)
		h.detach(lost, "nothing was heard")
		silent(h, "web1", 40*time.Second)
		h.off("nobody is heard", "web1", policy.OffNot)
		h.probe("db1", probe.Answers, 0) // it answers: the network lives
		silent(h, "web1", 2*time.Second)
		for range 15 {
			h.probe("db1", probe.Answers, 0)
			silent(h, "web1", 2*time.Second)
		}
		h.off("another answers", "web1", policy.OffProbed)
	})
	t.Run("an answer from where it was before", func(t *testing.T) {
		h := newWaitHub(t)
		s := h.from("web1", upsv1.Phase_PHASE_DONE)
		h.cameFrom(s, "elsewhere")
		h.leaves(s)
		h.probe("web1", probe.Answers, time.Second)
		if n := h.nodes["web1"]; n.answered != 0 {
			t.Error("another machine's answer counts")
		}
	})
}

// A machine that was off and answers boots: it is waited for its stop time, once.
func TestWhoBootsIsUpForItsStopTime(t *testing.T) {
	h := newWaitHub(t)
	h.leaves(h.from("web1", upsv1.Phase_PHASE_DONE))
	h.probe("web1", probe.Answers, time.Second)
	for range 31 {
		h.probe("web1", probe.Silent, time.Second)
	}
	h.off("", "web1", policy.OffProbed)
	h.want("it is off", policy.Awaited{})
	for len(h.nodes["rack1"].wake) > 0 {
		<-h.nodes["rack1"].wake
	}
	h.probe("web1", probe.Answers, time.Second)
	if !woken(h.nodes["rack1"].wake) {
		t.Error("who waits was not woken")
	}
	up := policy.Awaited{Up: []string{"web1"}, Limit: h.now.Add(time.Minute), Depth: 1}
	h.want("it boots", up)
	for range 30 {
		h.probe("web1", probe.Silent, time.Second)
		h.probe("web1", probe.Answers, time.Second)
	}
	h.want("it still does", up)
}

// A restarted master asks the nodes where they were, and knows who had answered.
func TestProbesOutliveARestart(t *testing.T) {
	old := newWaitHub(t)
	old.leaves(old.from("web1", upsv1.Phase_PHASE_DONE))
	old.probe("web1", probe.Answers, time.Second)
	h := newWaitHub(t)
	*h.now = *old.now
	h.restoreUp(old.runState("boot"))
	if all := h.targets(); len(all) != 1 || all[0].at != "at-web1" {
		t.Errorf("%+v is probed", all)
	}
	for range 31 {
		h.probe("web1", probe.Silent, time.Second)
	}
	h.off("", "web1", policy.OffProbed)
}

// Probes run side by side, and end with the task.
func TestProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := testHub()
		start := time.Now()
		h.now = func() power.Uptime { return power.Uptime(time.Hour + time.Since(start)) }
		now := h.now()
		w := waitHub{h, t, &now}
		h.fail(now)
		for _, name := range []string{"a", "b", "c"} {
			w.from(name, upsv1.Phase_PHASE_COMMITTED)
		}
		var mu sync.Mutex
		asked := map[string]int{}
		p := &probing{hub: h, now: h.now, log: slog.New(slog.DiscardHandler), probe: func(ctx context.Context, host string) (probe.Answer, error) {
			mu.Lock()
			asked[host]++
			mu.Unlock()
			switch host {
			case "at-a":
				return probe.Answers, nil
			case "at-b":
				return probe.Unknown, errors.New("no way there")
			default: // it hangs, however short a probe ought to be
				<-ctx.Done()
				return probe.Unknown, ctx.Err()
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(15 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(map[string]int{"at-a": 11, "at-b": 11, "at-c": 1}, asked); d != "" {
			t.Errorf("probes in 15s (-want +got):\n%s", d)
		}
		if n := h.nodes["a"]; h.now().Sub(n.answered) > 2*time.Second {
			t.Error("an answer was not taken")
		}
	})
}
