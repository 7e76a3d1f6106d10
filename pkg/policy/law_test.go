package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"pgregory.net/rapid"
)

// going are the phases in which a node is on its way down.
func going(p policy.Phase) bool { return p == policy.Committed || p == policy.Done }

func has[A policy.Action](acts []policy.Action) bool {
	return slices.ContainsFunc(acts, func(a policy.Action) bool { _, ok := a.(A); return ok })
}

// TestEachInputInEachPhase: no input at any time is more than the machine can take;
// story.note holds that it always says when to be called, and that being called
// then gets it on.
func TestEachInputInEachPhase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t, anyConfig(t))
		s.live(60, anything, func() {})
	})
}

// TestLaw01StateTravelsNotEdges: what was said is not news when it is said again.
func TestLaw01StateTravelsNotEdges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t, anyConfig(t))
		order := policy.Order{}
		say := func(kind policy.OrderKind) happenTo {
			return func(s *story) {
				order = policy.Order{Kind: kind, By: "x", Until: s.now.Add(time.Hour)}
				s.step(order)
			}
		}
		things := []happenTo{
			passTime, anyStatus, anyLink, hooks, refused, accepted,
			say(policy.OrderNone), say(policy.OrderHold), say(policy.OrderEnd), say(policy.OrderShutdown),
		}
		s.live(40, things, func() {
			s.step(policy.Power{State: s.state, Link: s.link}) // the picture of this moment
			before := s.m.View()
			for _, again := range []policy.Input{policy.Power{State: s.state, Link: s.link}, order, policy.Tick{}} {
				if acts := s.step(again); len(acts) != 0 {
					t.Fatalf("%+v again: %+v", again, acts)
				}
			}
			if diff := cmp.Diff(before, s.m.View()); diff != "" {
				t.Fatal(diff)
			}
		})
	})
}

// TestLaw02BlindnessNeverStartsAShutdown: as long as nobody ever says that the
// mains failed, nothing that is not seen or heard makes a node go.
func TestLaw02BlindnessNeverStartsAShutdown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		c.BlindLimit = 0
		s := newStory(t, c)
		neverFail := func(s *story) {
			s.tell(rapid.SampledFrom([]power.Status{power.Unknown, power.OK}).Draw(s.t, "status"))
		}
		things := []happenTo{passTime, neverFail, anyLink, hold, noOrder, resumed, restart, awaited}
		s.live(60, things, func() {
			if p := s.m.View().Phase; p != policy.Idle && p != policy.Held {
				t.Fatalf("%s without a failure", p)
			}
		})
	})
}

// TestLaw02SilenceNeverStopsOne: a node that knew of the failure and hears nothing
// more goes by its own clock, also where nothing counted down before.
func TestLaw02SilenceNeverStopsOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		s := newStory(t, c)
		s.live(20, []happenTo{passTime, anyStatus, anyLink, hold, noOrder, awaited, battery_}, func() {})
		s.contact(power.LinkUp)
		s.tell(rapid.SampledFrom([]power.Status{power.Fail, power.BatLow}).Draw(t, "known"))
		s.contact(rapid.SampledFrom([]power.Link{power.LinkAway, power.LinkLost}).Draw(t, "silence"))
		silence := func(s *story) {
			s.contact(rapid.SampledFrom([]power.Link{power.LinkAway, power.LinkLost}).Draw(t, "still"))
		}
		blind := func(s *story) { s.tell(power.Unknown) }
		s.live(10, []happenTo{passTime, silence, blind, restart, resumed}, func() {})
		// Whatever of it is last: a goodbye, an hour's hold or lost_limit, the
		// allowance, and those who are waited for.
		s.advance(2*time.Minute + max(time.Hour, c.LostLimit) + max(c.Grace, 5*time.Minute) + c.LostLimit + max(c.WaitLimit, maxLimit))
		if p := s.m.View().Phase; !going(p) {
			t.Fatalf("still %s: %+v", p, s.m.View())
		}
	})
}

// TestLaw03CancellableUntilAcceptedNeverAfter.
func TestLaw03CancellableUntilAcceptedNeverAfter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		c.NeverGoes = false
		s := newStory(t, c)
		// Orders are taken back by people, not by power: see the scenarios.
		things := []happenTo{
			passTime, passTime, anyStatus, onBattery, anyLink, hold, noOrder, end,
			resumed, hooks, refused, awaited, accepted,
		}
		s.live(60, things, func() {})
		was := s.m.View().Phase
		s.link = power.LinkUp
		acts := s.tell(power.OK)
		now := s.m.View().Phase
		switch {
		case s.late && now != policy.Done:
			t.Fatalf("accepted, and yet %s", now)
		case !s.late && now != policy.Idle && now != policy.Held:
			t.Fatalf("power is back, nothing was accepted, and yet %s (was %s)", now, was)
		case !s.late && was == policy.Committed && !has[policy.Cancel](acts):
			t.Fatal("the power-off was not taken back")
		}
	})
}

// TestLaw06BatLowOutranksEverything: holds, waits and back-off.
func TestLaw06BatLowOutranksEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		s := newStory(t, c)
		s.live(40, anything, func() {})
		if s.m.View().Phase == policy.Done {
			return
		}
		s.link = power.LinkUp
		s.tell(power.BatLow)
		wait := time.Duration(0)
		if c.WaitFor {
			wait = maxDepth * c.WaitLimitBatLow
		}
		s.advance(c.BatLowGrace + wait)
		if p := s.m.View().Phase; !going(p) {
			t.Fatalf("BATLOW, its grace is over, and yet %s", p)
		}
		if s.m.View().Phase != policy.Committed {
			return
		}
		s.step(policy.HooksDone{})
		// Refused again and again, it never pauses for more than a second.
		for range 20 {
			s.advance(time.Second)
			if len(s.asked) == 0 {
				t.Fatal("a second has passed and the power-off was not asked for")
			}
			before := len(s.asked)
			s.step(policy.Refused{Attempt: s.asked[before-1], Method: "x", Why: "y"})
			s.advance(time.Second)
			if len(s.asked) == before {
				t.Fatal("BATLOW, and it pauses for more than a second")
			}
		}
	})
}

// TestLaw11PretendedStatesChangeNothing: of two nodes that live through the same,
// one is also told sim and drill states all the time; nothing that it does differs.
func TestLaw11PretendedStatesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		c.ObeySim = false
		s, told := newStory(t, c), policy.NewMachine(c)
		s.tap = func(in policy.Input, want []policy.Action) {
			got := told.Step(s.now, in)
			pretend := policy.Power{Link: s.link, State: power.State{
				Status: rapid.SampledFrom([]power.Status{power.Unknown, power.OK, power.Fail, power.BatLow}).Draw(t, "pretended"),
				HasLow: true, Outage: "d", OutageSince: s.now.Add(-time.Hour),
				Drill: rapid.Bool().Draw(t, "drill"),
			}}
			pretend.State.Sim = !pretend.State.Drill
			pretend.State.Last = pretend.State.Status
			got = append(got, told.Step(s.now, pretend)...)
			if diff := cmp.Diff(deeds(want), deeds(got)); diff != "" {
				t.Fatalf("%+v: a pretended state changed what the node does (-without +with):\n%s", in, diff)
			}
		}
		s.tell(power.OK)
		// Not end: with a pretended outage it is one, and ignored.
		things := []happenTo{
			passTime, passTime, anyStatus, anyStatus, anyLink, hold, noOrder, shutdown,
			hooks, awaited, refused, accepted,
		}
		s.live(40, things, func() {})
	})
}

// deeds are the actions but for problems, which a pretended state may well be.
func deeds(acts []policy.Action) []policy.Action {
	var d []policy.Action
	for _, a := range acts {
		switch a.(type) {
		case policy.Raise, policy.Clear:
		default:
			d = append(d, a)
		}
	}
	return d
}

// TestLaw12EachDecisionIsSaidBeforeItIsActedOn: the record of the commit comes
// before its hooks and its power-off.
func TestLaw12EachDecisionIsSaidBeforeItIsActedOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t, anyConfig(t))
		s.live(60, anything, func() {})
		phase := policy.Idle
		for _, a := range s.acts {
			switch a := a.(type) {
			case policy.Moved:
				phase = a.To
			case policy.PowerOff:
				if phase != policy.Committed {
					t.Fatalf("asked for power-off in %s", phase)
				}
			case policy.Hooks:
				if a.Event == policy.EventCommit && phase != policy.Committed {
					t.Fatalf("commit hooks in %s", phase)
				}
			}
		}
	})
}

// TestDeadlineNeverLaterWithinAnOutage: nothing but OK gives a node more time.
func TestDeadlineNeverLaterWithinAnOutage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		c.GraceBatLow = false // there, silence has a deadline that news withdraws
		s := newStory(t, c)
		s.tell(power.OK)
		s.tell(power.Fail)
		last := s.m.View()
		things := []happenTo{passTime, onBattery, onBattery, anyLink, resumed, restart, battery_}
		s.live(40, things, func() {
			v := s.m.View()
			switch {
			case going(v.Phase), v.Phase == policy.Waiting:
			case v.Phase != policy.Grace || !v.Timed:
				t.Fatalf("an outage, and yet %+v", v)
			case v.Deadline.After(max(last.Deadline, s.heardBy)):
				t.Fatalf("the deadline moved from %s to %s", last.Deadline, v.Deadline)
			}
			if v.Timed && v.Phase == policy.Grace {
				last = v
			}
		})
	})
}

// TestCrashChangesNothing: a node that is killed and started again at any moment
// stands where it stood, with the same deadline; but for the 5 s in which it may hear
// that the power is back.
func TestCrashChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t, anyConfig(t))
		s.live(40, []happenTo{passTime, anyStatus, hold, noOrder, end, shutdown, awaited, hooks}, func() {
			before := s.m.View()
			s.crash()
			after := s.m.View()
			for _, v := range []*policy.View{&before, &after} {
				v.Power.Link, v.Problems = power.LinkNone, nil
				if v.Timed {
					v.Deadline = max(v.Deadline, s.heardBy)
				}
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Fatal(diff)
			}
			s.contact(s.link)
		})
	})
}
