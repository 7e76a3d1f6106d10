package policy_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestLaw11AShadowDoesAsItsMachineWould: of a machine that lives through an outage and
// a shadow to which the same is only pretended, the shadow goes through the same
// phases, asks for the same hooks, and for nothing else.
func TestLaw11AShadowDoesAsItsMachineWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(t, anyConfig(t))
		var shadow *policy.Shadow
		var phases []policy.Phase
		was := policy.Idle
		s.tap = func(in policy.Input, acts []policy.Action) {
			if shadow == nil { // the first: good power
				shadow = policy.NewShadow(s.now, s.cfg, "d1", policy.Power{}, policy.Order{})
			}
			var want []policy.Event
			for _, a := range acts {
				switch a := a.(type) {
				case policy.Moved:
					phases = append(phases, a.To)
					was = a.To
				case policy.Hooks:
					want = append(want, a.Event)
				}
			}
			got := shadow.Step(s.now, marked(in))
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%+v: the hooks differ (-machine +shadow):\n%s", in, d)
			}
			if is := shadow.View().Phase; is != was {
				t.Fatalf("%+v: the machine is %s, the shadow %s", in, was, is)
			}
		}
		s.tell(power.OK)
		things := []happenTo{
			passTime, passTime, anyStatus, anyStatus, anyLink, hold, noOrder, shutdown,
			hooks, awaited, refused, accepted,
		}
		s.live(40, things, func() {})
		var told []policy.Phase
		for _, step := range shadow.Report().Steps {
			told = append(told, step.Phase)
		}
		if d := cmp.Diff(phases[:min(len(phases), 64)], told); d != "" {
			t.Fatalf("the phases (-machine +shadow):\n%s", d)
		}
	})
}

// marked is an input as a drill has it.
func marked(in policy.Input) policy.Input {
	switch in := in.(type) {
	case policy.Power:
		in.State.Drill = true
		return in
	case policy.News:
		in.Power.State.Drill = true
		return in
	default:
		return in
	}
}

func TestAShadowTellsWhenItsTimeIsUp(t *testing.T) {
	start := power.Uptime(time.Hour)
	ok := power.State{Status: power.OK, Last: power.OK, HasLow: true}
	fail := power.State{Status: power.Fail, Last: power.Fail, HasLow: true, Outage: "d", OutageSince: start, Drill: true}
	low := fail
	low.Status, low.Last = power.BatLow, power.BatLow
	for name, c := range map[string]struct {
		change func(*policy.Config)
		order  policy.Order
		low    bool
		goes   time.Duration
		timed  bool
		phases []policy.Phase
	}{
		"by its grace":      {func(*policy.Config) {}, policy.Order{}, false, 5 * time.Minute, true, []policy.Phase{policy.Grace}},
		"at once":           {func(c *policy.Config) { c.Grace = 0 }, policy.Order{}, false, 0, true, []policy.Phase{policy.Grace, policy.Committed}},
		"by BATLOW":         {func(*policy.Config) {}, policy.Order{}, true, 10 * time.Second, true, []policy.Phase{policy.Grace, policy.Committed}},
		"later than BATLOW": {func(c *policy.Config) { c.BatLowGrace = time.Minute }, policy.Order{}, true, 70 * time.Second, true, []policy.Phase{policy.Grace}},
		"only at BATLOW":    {func(c *policy.Config) { c.GraceBatLow = true }, policy.Order{}, false, 0, false, []policy.Phase{policy.Grace}},
		"held": {func(*policy.Config) {}, policy.Order{Kind: policy.OrderHold, By: "ann", Until: start.Add(time.Hour)}, false, 0, false,
			[]policy.Phase{policy.Held}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := standard()
			c.change(&cfg)
			s := policy.NewShadow(start, cfg, "d1", policy.Power{State: ok, Link: power.LinkUp}, c.order)
			tell := func(at power.Uptime, st power.State) {
				s.Step(at, policy.News{Power: policy.Power{State: st, Link: power.LinkUp}, Order: c.order})
			}
			tell(start.Add(200*time.Millisecond), fail)
			if c.low {
				tell(start.Add(10*time.Second), low)
			}
			r := s.Report()
			if r.ID != "d1" || c.timed && r.Began != start || r.Timed != c.timed || c.timed && (r.Goes.Sub(r.Began)-c.goes).Abs() > 200*time.Millisecond {
				t.Errorf("it tells %+v", r)
			}
			var phases []policy.Phase
			for _, step := range r.Steps {
				phases = append(phases, step.Phase)
			}
			if !slices.Equal(phases, c.phases) {
				t.Errorf("it goes through %v, want %v", phases, c.phases)
			}
			tell(start.Add(20*time.Second), ok)
			if is := s.View().Phase; is != policy.Idle && is != policy.Held {
				t.Errorf("the power is back, and it is %s", is)
			}
			if again := s.Report(); again.Goes != r.Goes || again.Timed != r.Timed {
				t.Errorf("the power is back, and it tells %+v", again)
			}
		})
	}
}
