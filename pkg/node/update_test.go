package node

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

func TestUpdatesNeverBlockAndTheNewestWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"10s\"\n")
		for range 1000 { // nobody runs yet
			r.feed(power.Fail)
			r.feed(power.OK)
		}
		r.run()
		defer r.stop()
		r.wantPhase(policy.Idle)
		r.want("record")
		if s := r.Snapshot().View.Power.State.Status; s != power.OK {
			t.Errorf("the state is %s", s)
		}
		r.feed(power.Fail) // nobody reads Changed
		r.feed(power.OK)
		r.wantPhase(policy.Idle)
		select {
		case <-r.Changed():
		default:
			t.Error("a change was not told")
		}
		u := Update{Master: "rack1", Link: power.LinkUp, UPS: r.told["rack1"].UPS}
		time.Sleep(time.Second)
		r.Update(u)
		synctest.Wait()
		select {
		case <-r.Changed():
			t.Error("a heartbeat was told as a change")
		default:
		}
	})
}

func TestSilenceTakesNoOrderBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		r.run()
		defer r.stop()
		ups := []NamedState{{"main", r.state(power.OK, 0)}}
		hold := policy.Order{Kind: policy.OrderHold, By: "bob", Until: r.now().Add(time.Hour)}
		r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: ups, Order: hold})
		r.wantPhase(policy.Held)
		r.Update(Update{Master: "rack1", Link: power.LinkLost})
		r.wantPhase(policy.Held)
		if v := r.Snapshot().View; v.Power.State.Status != power.OK || v.Power.Link != power.LinkLost {
			t.Errorf("without contact the last state stands, not %s %s", v.Power.State.Status, v.Power.Link)
		}
		r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: ups})
		r.wantPhase(policy.Idle)
	})
}

func TestTheStrongestOrderOfSeveralMastersHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[power]\nfeeds = [\"rack1/main\", \"rack2/main\"]\n")
		r.run()
		defer r.stop()
		say := func(master string, o policy.Order) {
			r.Update(Update{Master: master, Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.OK, 0)}}, Order: o})
			synctest.Wait()
		}
		until := r.now().Add(time.Hour)
		say("rack1", policy.Order{Kind: policy.OrderHold, By: "ann", Until: until})
		say("rack2", policy.Order{Kind: policy.OrderHold, By: "bob", Until: until.Add(1)})
		if v := r.Snapshot().View; v.HeldBy != "bob" {
			t.Errorf("held by %q", v.HeldBy)
		}
		say("rack2", policy.Order{})
		if v := r.Snapshot().View; v.HeldBy != "ann" {
			t.Errorf("held by %q", v.HeldBy)
		}
		say("rack2", policy.Order{Kind: policy.OrderShutdown, By: "bob"})
		r.wantPhase(policy.Done)
	})
}

// TestTheFirstFeedHeardOfDoesNotDecideAlone: a machine that boots on one good feed of
// two must not go down because the master of the other was quicker, be it that its host is
// about to go (random outages found that).
func TestTheFirstFeedHeardOfDoesNotDecideAlone(t *testing.T) {
	order := policy.Order{}
	say := func(r *rig, master string, s power.Status) {
		u := Update{Master: master, Link: power.LinkUp, UPS: []NamedState{{"main", r.state(s, 20*time.Minute)}}}
		if master == "rack1" {
			u.Order = order
		}
		r.Update(u)
	}
	for name, tc := range map[string]struct {
		power string
		then  func(r *rig)
		want  policy.Phase // a second later, and in the end
		end   policy.Phase
	}{
		"the other is good":       {"feeds = [\"rack1/main\", \"rack2/main\"]", func(r *rig) { say(r, "rack2", power.OK) }, policy.Idle, policy.Idle},
		"the other is bad":        {"feeds = [\"rack1/main\", \"rack2/main\"]", func(r *rig) { say(r, "rack2", power.Fail) }, policy.Done, policy.Done},
		"the other is not heard":  {"feeds = [\"rack1/main\", \"rack2/main\"]", func(*rig) {}, policy.Idle, policy.Done},
		"both are needed":         {"feeds = [\"rack1/main\", \"rack2/main\"]\nneed = 2", func(*rig) {}, policy.Done, policy.Done},
		"none is named":           {"", func(*rig) {}, policy.Done, policy.Done},
		"one of three was enough": {"feeds = [\"rack1/main\", \"rack2/main\", \"rack3/main\"]", func(r *rig) { say(r, "rack3", power.OK) }, policy.Idle, policy.Idle},
	} {
		for _, kind := range []policy.OrderKind{policy.OrderNone, policy.OrderEnd} {
			t.Run(fmt.Sprintf("%s, and the order is %d", name, kind), func(t *testing.T) {
				order.Kind = kind
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, "[power]\n"+tc.power+"\n[policy]\ngrace = \"5m\"\n")
					r.run()
					defer r.stop()
					time.Sleep(time.Minute) // the switch boots slowly
					say(r, "rack1", power.Fail)
					synctest.Wait()
					tc.then(r)
					time.Sleep(time.Second)
					r.wantPhase(tc.want)
					time.Sleep(hearing)
					r.wantPhase(tc.end)
				})
			})
		}
	}
}

func TestAUPSThatItsMasterNoLongerHasIsBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		r.run()
		defer r.stop()
		r.feed(power.OK)
		r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"spare", r.state(power.OK, 0)}}})
		synctest.Wait()
		if p := r.problem("feeds"); !strings.HasPrefix(p, "several UPSes are in sight (rack1/main, rack1/spare) and none is named") {
			t.Errorf("the problem is %q", p)
		}
		if s := r.states["rack1/main"]; s.Status != power.Unknown || s.Known() != power.OK || s.Reason == "" {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAResumeIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		r.run()
		defer r.stop()
		r.Resumed(3 * time.Minute)
		r.want("wall", "0s wall: this machine was asleep for 3m")
	})
}

func TestForgetBeginsAnewButNotOnBattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// With a blind limit a master that is only silent would take this node down.
		r := newRig(t, "[policy]\ngrace = \"10s\"\nblind_limit = \"1h\"\n")
		r.run()
		defer r.stop()
		r.feed(power.Fail)
		synctest.Wait()
		if err := r.Forget("rack1"); err == nil {
			t.Error("a master was forgotten in the middle of its outage")
		}
		r.wantPhase(policy.Grace)
		r.feed(power.OK)
		synctest.Wait()
		if err := r.Forget("rack1"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := r.Snapshot(); len(s.Feeds) != 0 || s.View.Power.State.Status != power.Unknown || s.View.Phase != policy.Idle {
			t.Errorf("after it was forgotten: feeds %q, %+v", s.Feeds, s.View)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		r.wantPhase(policy.Idle)
		r.feed(power.Fail) // joined again
		synctest.Wait()
		r.wantPhase(policy.Grace)
	})
}
