package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

const rehearsed = `
[policy]
grace = "1m"
[shutdown]
method = ["logind"]
[[hook]]
on = ["fail", "cancel"]
run = ["/move"]
timeout = "10s"
drill = true
[[hook]]
on = ["commit"]
run = ["/stop-db"]
[[hook]]
on = ["ok"]
run = ["/mail"]
`

// pretend gives what rack1 says now: its real state and, unless id is empty, a
// pretended one.
func (r *rig) pretend(real power.Status, id string, s power.Status, since time.Time) {
	u := Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(real, 0)}}}
	if id != "" {
		st := r.state(s, time.Since(since))
		st.Drill = true
		u.Drill = Drill{ID: id, UPS: []NamedState{{"main", st}}, Until: base.Add(since.Add(2 * time.Minute).Sub(r.start))}
	}
	r.Update(u)
	synctest.Wait()
}

// drilled shows the part in a drill in a line.
func (r *rig) drilled() string {
	is := r.Snapshot().Drill
	if is.ID == "" {
		return "none"
	}
	line := is.ID
	for _, s := range is.Steps {
		line += fmt.Sprintf(" %s@%s", s.Phase, s.At.Sub(is.Began).Round(time.Second))
	}
	if is.Timed {
		line += fmt.Sprintf(" goes %s", is.Goes.Sub(is.Began).Round(time.Second))
	}
	for _, h := range is.Ran {
		line += fmt.Sprintf(" ran %s on %s %q", h.Name, h.Event, h.Error)
	}
	if len(is.LeftAside) > 0 {
		line += " aside " + strings.Join(is.LeftAside, ", ")
	}
	if is.Asked {
		line += " by " + is.Method
	}
	for _, text := range []string{is.Cannot, is.LeftOut} {
		if text != "" {
			line += ": " + text
		}
	}
	if is.Over {
		line += " over"
	}
	return line
}

func (r *rig) wantDrill(want string) {
	r.t.Helper()
	synctest.Wait()
	if d := cmp.Diff(want, r.drilled()); d != "" {
		r.t.Errorf("(-want +got):\n%s", d)
	}
}

// TestLaw11ADrillGoesThroughAllAndDoesNothing: to the power-off and back.
func TestLaw11ADrillGoesThroughAllAndDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rehearsed)
		r.run()
		defer r.stop()
		r.feed(power.OK)
		start := time.Now()
		r.pretend(power.OK, "d1", power.Fail, start)
		r.wantDrill(`d1 GRACE@0s goes 1m0s ran /move on fail ""`)
		time.Sleep(30 * time.Second)
		r.pretend(power.OK, "d1", power.BatLow, start)
		r.wantDrill(`d1 GRACE@0s COMMITTED@30s goes 30s ran /move on fail "" aside /stop-db on commit by logind`)
		time.Sleep(time.Minute + 20*time.Second) // no answer to a power-off that was never asked for
		r.pretend(power.OK, "", power.OK, start)
		r.wantDrill(`d1 GRACE@0s COMMITTED@30s IDLE@1m50s goes 30s ran /move on fail "" ran /move on cancel "" aside /stop-db on commit, /mail on ok by logind over`)
		r.want("phase ask wall poweroff cancel:")
		r.want("hook", "0s hook move begins", "0s hook move ends", "0s record hook: fail /move",
			"110s hook move begins", "110s hook move ends", "110s record hook: cancel /move")
		if ps := r.Snapshot().Problems; len(ps) > 0 {
			t.Errorf("it leaves the problems %v", ps)
		}
		r.wantPhase(policy.Idle)
		time.Sleep(2 * drillKept)
		r.wantDrill("none")
	})
}

// TestLaw11RealityEndsARehearsal at once: the hook that runs is killed, the machine
// counts from the real failure, and what is still pretended brings nothing back.
func TestLaw11RealityEndsARehearsal(t *testing.T) {
	for name, c := range map[string]struct {
		real func(r *rig, start time.Time)
		then policy.Phase
	}{
		"the power fails":    {func(r *rig, start time.Time) { r.pretend(power.Fail, "d1", power.Fail, start) }, policy.Grace},
		"the battery is low": {func(r *rig, start time.Time) { r.pretend(power.BatLow, "", power.OK, start) }, policy.Done},
		"another master's fails": {func(r *rig, _ time.Time) {
			r.Update(Update{Master: "rack2", Link: power.LinkUp, UPS: []NamedState{{"other", r.state(power.Fail, 0)}}})
		}, policy.Grace},
		"an order": {func(r *rig, start time.Time) {
			r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.OK, 0)}},
				Order: policy.Order{Kind: policy.OrderShutdown, By: "ann"}, Drill: Drill{ID: "d1", Until: base.Add(time.Hour)}})
		}, policy.Done},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rehearsed)
				killed := make(chan error, 1)
				r.hook["move"] = func(ctx context.Context) error {
					r.mu.Lock()
					delete(r.hook, "move") // the first only
					r.mu.Unlock()
					<-ctx.Done()
					killed <- context.Cause(ctx)
					return context.Cause(ctx)
				}
				r.run()
				defer r.stop()
				r.feed(power.OK)
				start := time.Now()
				r.pretend(power.OK, "d1", power.Fail, start)
				time.Sleep(5 * time.Second)
				c.real(r, start)
				r.wantPhase(c.then)
				select {
				case err := <-killed:
					if err != errReality { //nolint:errorlint // this very one
						t.Errorf("the hook was killed because of %v", err)
					}
				default:
					t.Error("the hook still runs")
				}
				const want = "d1 GRACE@0s goes 1m0s ran /move on fail \"the power failed, or this machine was told to go\": " +
					"the drill was ended: the power failed, or this machine was told to go; hooks were ended or left out over"
				r.wantDrill(want)
				if c.then == policy.Grace {
					if v := r.Snapshot().View; v.Deadline.Sub(r.now()) != time.Minute {
						t.Errorf("it goes in %s", v.Deadline.Sub(r.now()))
					}
				}
				r.pretend(power.OK, "d1", power.Fail, start)
				r.wantDrill(want) // that one is over
			})
		})
	}
}

// TestLaw11ADrillEndsWithWhoPretendsIt: contact lost, its time up, told no more.
func TestLaw11ADrillEndsWithWhoPretendsIt(t *testing.T) {
	const want, lost = `d1 GRACE@0s IDLE@5s goes 1m0s ran /move on fail "" ran /move on cancel "" aside /mail on ok`,
		": contact with the master was lost in the drill"
	for name, c := range map[string]struct {
		end func(r *rig)
		why string
	}{
		"lost":         {func(r *rig) { r.Update(Update{Master: "rack1", Link: power.LinkLost}) }, lost},
		"away":         {func(r *rig) { r.Update(Update{Master: "rack1", Link: power.LinkAway}) }, lost},
		"told no more": {func(r *rig) { r.feed(power.OK) }, ""},
		"forgotten": {func(r *rig) {
			if err := r.Forget("rack1"); err != nil {
				r.t.Error(err)
			}
		}, lost},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rehearsed)
				r.run()
				defer r.stop()
				r.feed(power.OK)
				start := time.Now()
				r.pretend(power.OK, "d1", power.Fail, start)
				time.Sleep(5 * time.Second)
				c.end(r)
				r.wantDrill(want + c.why + " over")
				r.pretend(power.OK, "d1", power.Fail, start)
				r.wantDrill(want + c.why + " over") // that one is over
			})
		})
	}
	t.Run("its time is up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, strings.Replace(rehearsed, `"1m"`, `"10m"`, 1))
			r.run()
			defer r.stop()
			r.feed(power.OK)
			r.pretend(power.OK, "d1", power.Fail, time.Now())
			time.Sleep(2*time.Minute - time.Millisecond)
			r.wantDrill(`d1 GRACE@0s goes 10m0s ran /move on fail ""`)
			time.Sleep(time.Millisecond)
			r.wantDrill(`d1 GRACE@0s IDLE@2m0s goes 10m0s ran /move on fail "" ran /move on cancel "" aside /mail on ok over`)
			r.pretend(power.OK, "d2", power.Fail, time.Now()) // and another may begin
			r.wantDrill(`d2 GRACE@0s goes 10m0s ran /move on fail ""`)
		})
	})
}

// TestLaw11NoPartInADrill on battery, on the way down, and beside doctor's.
func TestLaw11NoPartInADrill(t *testing.T) {
	for name, c := range map[string]struct {
		before func(r *rig)
		want   string
	}{
		"on battery":                  {func(r *rig) { r.feed(power.Fail) }, "d1: " + errEarnest.Error() + " over"},
		"on battery, as told with it": {func(*rig) {}, "d1: " + errEarnest.Error() + " over"},
		"beside doctor's": {func(r *rig) {
			r.feed(power.OK)
			r.setHook("move", func() error { time.Sleep(5 * time.Second); return nil })
			go r.Examine(context.Background(), true)
			synctest.Wait()
		}, "d1: another drill runs on this node; try again when it has ended over"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, rehearsed)
				r.run()
				defer r.stop()
				c.before(r)
				real := power.Fail
				if strings.HasPrefix(name, "beside") {
					real = power.OK
				}
				r.pretend(real, "d1", power.Fail, time.Now())
				r.wantDrill(c.want)
				r.want("record_drill")
				time.Sleep(10 * time.Second)
			})
		})
	}
}

// TestADrillIsLivedThroughAsTheMachineWould: on its feeds, by its orders, waiting for
// others, with its hooks' time.
func TestADrillIsLivedThroughAsTheMachineWould(t *testing.T) {
	type told struct {
		order   policy.Order
		awaited policy.Awaited
	}
	for name, c := range map[string]struct {
		toml string
		told told
		hook time.Duration
		want string
	}{
		"another feed lives": {"[power]\nfeeds = [\"rack1/main\", \"rack1/other\"]\n[policy]\ngrace = \"0s\"\n", told{}, 0, "d1"},
		"it needs both":      {"[power]\nfeeds = [\"rack1/main\", \"rack1/other\"]\nneed = 2\n[policy]\ngrace = \"10s\"\n", told{}, 0, "d1 GRACE@0s COMMITTED@10s goes 10s by logind"},
		"it is held": {"[policy]\ngrace = \"10s\"\n", told{order: policy.Order{Kind: policy.OrderHold, By: "ann", Until: base.Add(time.Hour)}}, 0,
			"d1 HELD@0s"},
		"it waits": {"[policy]\ngrace = \"10s\"\nwait_for = [\"db1\"]\nwait_limit = \"15s\"\n", told{awaited: policy.Awaited{Up: []string{"db1"}}}, 0,
			"d1 GRACE@0s WAITING@10s COMMITTED@25s goes 10s by logind"},
		"its hook takes a while": {"[policy]\ngrace = \"0s\"\n[[hook]]\non = [\"commit\"]\nrun = [\"/move\"]\ntimeout = \"1m\"\ndrill = true\n", told{}, time.Minute,
			"d1 GRACE@0s COMMITTED@0s goes 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, "[shutdown]\nmethod = [\"logind\"]\n"+c.toml)
				r.setHook("move", func() error { time.Sleep(c.hook); return nil })
				r.run()
				defer r.stop()
				u := Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.OK, 0)}}, Order: c.told.order}
				if strings.Contains(c.toml, "other") {
					u.UPS = append(u.UPS, NamedState{"other", r.state(power.OK, 0)})
				}
				r.Update(u)
				synctest.Wait()
				fail := r.state(power.Fail, 0)
				fail.Drill = true
				u.Drill = Drill{ID: "d1", UPS: []NamedState{{"main", fail}}, Awaited: c.told.awaited, Until: base.Add(40 * time.Second)}
				r.Update(u)
				time.Sleep(39 * time.Second)
				r.wantDrill(c.want)
				r.want("ask poweroff")
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestADrillSaysThatThePowerOffWouldNotWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"0s\"\n[shutdown]\nmethod = [\"logind\", \"systemctl\"]\n")
		r.run()
		defer r.stop()
		r.feed(power.OK)
		r.chain[0].setCheck(errRefused)
		r.pretend(power.OK, "d1", power.Fail, time.Now())
		r.wantDrill("d1 GRACE@0s COMMITTED@0s goes 0s by systemctl")
		r.chain[1].setCheck(errRefused)
		r.pretend(power.OK, "d2", power.Fail, time.Now())
		r.pretend(power.OK, "d3", power.Fail, time.Now())
		r.wantDrill("d3 GRACE@0s COMMITTED@0s goes 0s by logind: refused; refused")
	})
}
