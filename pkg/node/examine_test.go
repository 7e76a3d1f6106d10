package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

func (m *fakeMethod) Advise(_ context.Context, stopTime time.Duration) error {
	if m.stuck != nil {
		<-m.stuck // without the mutex: in a bubble nobody else may wait for that
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.advice == "" {
		return nil
	}
	return fmt.Errorf("%s, not %s", m.advice, stopTime)
}

func (m *fakeMethod) setAdvice(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advice = s
}

func TestExamineSaysWhetherTheMachineCouldGo(t *testing.T) {
	for name, c := range map[string]struct {
		toml          string
		bad           []error
		cannot, noted string
	}{
		"all would":  {"", nil, "", ""},
		"one would":  {"", []error{errors.New("logind says no"), nil}, "", "logind says no; the other methods of [shutdown] will be tried"},
		"none would": {"", []error{errors.New("logind says no"), errors.New("no systemctl")}, "logind says no; no systemctl", "logind says no; no systemctl"},
		"a dry run":  {"[shutdown]\nmethod = [\"none\"]\n", nil, `it never goes: method = ["none"] in [shutdown] is a dry run`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.toml)
				r.run()
				defer r.stop()
				for i, err := range c.bad {
					r.chain[i].setCheck(err)
				}
				if e := r.Examine(t.Context(), false); e.Cannot != c.cannot {
					t.Errorf("it says %q, want %q", e.Cannot, c.cannot)
				}
				// The snapshot has what was found before Examine returns.
				if ps := r.Snapshot().Problems; c.noted != "" && (len(ps) != 1 || ps[0].Text != c.noted) || c.noted == "" && len(ps) > 0 {
					t.Errorf("the problems are %v, want %q", ps, c.noted)
				}
				for _, m := range r.chain {
					m.setCheck(nil)
				}
				r.Examine(t.Context(), false)
				if p := r.problem("cannot-power-off"); p != "" {
					t.Errorf("it is mended, and the problem is still %q", p)
				}
			})
		})
	}
}

func TestLaw10AnExaminationThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[shutdown]\nmethod = [\"logind\"]\n")
		r.run()
		defer r.stop()
		r.chain[0].hang = make(chan struct{})
		defer close(r.chain[0].hang)
		start := time.Now()
		e := r.Examine(t.Context(), false)
		if e.Cannot != "the check has not ended for 3s" || time.Since(start) != examineLimit {
			t.Errorf("after %s: %+v", time.Since(start), e)
		}
		r.feed(power.Fail) // nobody waits for it
		r.wantPhase(policy.Grace)
		if p := r.problem("cannot-power-off") + r.problem("inhibitor-limit"); p != "" {
			t.Errorf("3 s without an answer are no problem yet, and there is %q", p)
		}
	})
}

func TestAdviceIsAProblemUntilItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[shutdown]\nstop_time = \"90s\"\n")
		r.chain[0].setAdvice("write 30s")
		r.run()
		defer r.stop()
		if p := r.problem("inhibitor-limit"); p != "write 30s, not 1m30s" {
			t.Errorf("the problem is %q", p)
		}
		if p := r.problem("cannot-power-off"); p != "" {
			t.Errorf("the machine would go, and there is %q", p)
		}
		r.chain[0].setAdvice("")
		time.Sleep(checkEvery)
		if p := r.problem("inhibitor-limit"); p != "" {
			t.Errorf("an hour later it is still %q", p)
		}
	})
}

func TestAdviceThatNeverComesIsNoProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		r.chain[0].stuck = make(chan struct{})
		r.run()
		defer r.stop()
		defer close(r.chain[0].stuck)
		time.Sleep(2 * checkLimit)
		if ps := r.Snapshot().Problems; len(ps) > 0 {
			t.Errorf("the problems are %v", ps)
		}
	})
}

const drillHooks = `[[hook]]
on = ["commit", "fail"]
run = ["/stop-db"]
timeout = "10s"
drill = true
[[hook]]
on = ["commit"]
run = ["/never"]
[[hook]]
on = ["ok"]
run = ["/hang"]
timeout = "5s"
drill = true
[[hook]]
on = ["cancel"]
run = ["/mail"]
drill = true
`

// ran shows hooks in a line each.
func ran(e Examination) []string {
	var out []string
	for _, h := range e.Ran {
		out = append(out, fmt.Sprintf("%s %s: %v", h.Name, h.Took, h.Err))
	}
	if e.NotRun != "" {
		out = append(out, e.NotRun)
	}
	return out
}

func TestADrillRunsItsHooksOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, drillHooks)
		var envs []string
		inner := r.o.Exec
		r.o.Exec = func(ctx context.Context, c shutdown.Cmd) (string, error) {
			envs = append(envs, strings.Join(c.Env[1:], " ")) // without PATH
			_, err := inner(ctx, c)
			return "one\ncannot write \n\n", err
		}
		r.setHook("stop-db", func() error { time.Sleep(2 * time.Second); return nil })
		r.hook["hang"] = untilKilled
		r.setHook("mail", func() error { return errors.New("exit status 1") })
		r.run()
		defer r.stop()
		r.feed(power.OK)
		if e := r.Examine(t.Context(), false); len(r.story("hook")) > 0 || len(ran(e)) > 0 {
			t.Errorf("hooks ran that nobody asked for: %v", r.story("hook"))
		}
		want := []string{"/stop-db 2s: <nil>", "/hang 5s: context deadline exceeded: cannot write", "/mail 0s: exit status 1: cannot write"}
		if d := cmp.Diff(want, ran(r.Examine(t.Context(), true))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		r.want("hook", "0s hook stop-db begins", "2s hook stop-db ends", "2s record hook: commit /stop-db",
			"2s hook hang begins", "7s hook hang ends", "7s record hook: ok /hang context deadline exceeded",
			"7s record problem: hook", "7s hook mail begins", "7s hook mail ends", "7s record hook: cancel /mail exit status 1", "7s record problem: hook")
		if len(envs) != 3 || envs[0] != "LASTWATT_EVENT=commit LASTWATT_STATE=OK LASTWATT_PHASE=IDLE LASTWATT_NODE=web1 LASTWATT_UPS=rack1/main "+
			"LASTWATT_OUTAGE= LASTWATT_DRILL=1 LASTWATT_PROBLEM= LASTWATT_TEXT=a drill: nothing has happened" {
			t.Errorf("the hooks were told %q", envs)
		}
		if p, want := r.problem("hook"), "the hook /hang failed in a drill: context deadline exceeded; the hook /mail failed in a drill: exit status 1"; p != want {
			t.Errorf("the problem is %q, want %q", p, want)
		}
		r.wantPhase(policy.Idle)
		r.setHook("hang", func() error { return nil })
		r.setHook("mail", func() error { return nil })
		r.Examine(t.Context(), true)
		if p := r.problem("hook"); p != "" {
			t.Errorf("all work, and the problem is %q", p)
		}
	})
}

// TestLaw11RealityEndsADrill: the hook that runs is killed, the others are left out,
// and the machine goes its way at once.
func TestLaw11RealityEndsADrill(t *testing.T) {
	for name, earnest := range map[string]func(*rig, *Update){
		"a failure": func(r *rig, u *Update) { u.UPS[0].State = r.state(power.Fail, 0) },
		"an order":  func(_ *rig, u *Update) { u.Order = policy.Order{Kind: policy.OrderShutdown, By: "bob"} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n"+drillHooks)
				var real atomic.Bool // the drill has had its turn
				r.hook["stop-db"] = func(ctx context.Context) error {
					if real.Swap(true) {
						return nil
					}
					return untilKilled(ctx)
				}
				r.run()
				defer r.stop()
				r.feed(power.OK)
				time.AfterFunc(3*time.Second, func() {
					u := Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.OK, 0)}}}
					earnest(r, &u)
					r.Update(u)
				})
				got := ran(r.Examine(t.Context(), true))
				want := []string{
					"/stop-db 3s: the power failed, or this machine was told to go",
					"the drill was ended: the power failed, or this machine was told to go; hooks left out: 2",
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				r.wantPhase(policy.Done)
				if !slices.Contains(r.story(), "3s ask logind") {
					t.Errorf("the machine was delayed: %v", r.story("ask"))
				}
				if p := r.problem("hook"); p != "" {
					t.Errorf("a hook that was ended is no broken one, and the problem is %q", p)
				}
			})
		})
	}
}

func TestLaw11NoDrillOnBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, drillHooks)
		r.run()
		defer r.stop()
		r.feed(power.OK)
		r.feed(power.Fail)
		r.story()
		want := []string{"this node is on battery or going down; try again when the power is back"}
		if d := cmp.Diff(want, ran(r.Examine(t.Context(), true))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		r.feed(power.OK)
		if got := ran(r.Examine(t.Context(), true)); len(got) != 3 {
			t.Errorf("the power is back, and a drill says %q", got)
		}
	})
}

func TestOneDrillAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, drillHooks)
		r.hook["stop-db"] = untilKilled
		r.run()
		defer r.stop()
		r.feed(power.OK)
		ctx, hangUp := context.WithCancel(t.Context())
		first := make(chan []string)
		go func() { first <- ran(r.Examine(ctx, true)) }()
		synctest.Wait()
		want := []string{"another drill runs on this node; try again when it has ended"}
		if d := cmp.Diff(want, ran(r.Examine(t.Context(), true))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		hangUp() // whoever asked has gone: so does the drill
		want = []string{"/stop-db 0s: context canceled", "the drill was ended: context canceled; hooks left out: 2"}
		if d := cmp.Diff(want, <-first); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		r.setHook("stop-db", func() error { return nil })
		if got := ran(r.Examine(t.Context(), true)); len(got) != 3 {
			t.Errorf("the first has ended, and the next says %q", got)
		}
	})
}
