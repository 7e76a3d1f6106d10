package policy_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"pgregory.net/rapid"
)

// story is a machine that a property moves at random, and what the property must
// remember of it.
type story struct {
	t       *rapid.T
	cfg     policy.Config
	m       *policy.Machine
	now     power.Uptime
	state   power.State
	link    power.Link
	asked   []int // attempts that are or were out
	acts    []policy.Action
	late    bool         // the machine was told of an acceptance
	heardBy power.Uptime // by when the last restart has heard the master
	tap     func(policy.Input, []policy.Action)
	count   int
}

func newStory(t *rapid.T, c policy.Config) *story {
	return &story{t: t, cfg: c, m: policy.NewMachine(c), link: power.LinkUp, state: power.State{HasLow: true}}
}

// anyConfig draws a configuration in the range that owners use, zeros included.
func anyConfig(t *rapid.T) policy.Config {
	d := func(name string) time.Duration {
		return rapid.SampledFrom([]time.Duration{0, time.Second, 30 * time.Second, 5 * time.Minute, time.Hour}).Draw(t, name)
	}
	b := rapid.Bool()
	return policy.Config{
		Grace: d("grace"), GraceBatLow: b.Draw(t, "grace=batlow"), GraceMin: d("grace_min"),
		BatLowGrace: d("batlow_grace"), WaitFor: b.Draw(t, "wait_for"),
		WaitLimit: d("wait_limit"), WaitLimitBatLow: d("wait_limit_batlow"),
		LostLimit: d("lost_limit"), BlindLimit: d("blind_limit"),
		StopTime: d("stop_time"), Margin: d("margin"),
		Methods: rapid.IntRange(0, 3).Draw(t, "methods"), NeverGoes: b.Draw(t, "never_goes"),
		ObeySim: b.Draw(t, "obey_sim"),
	}
}

func (s *story) step(in policy.Input) []policy.Action {
	acts := s.note(s.m.Step(s.now, in))
	if s.tap != nil {
		s.tap(in, acts)
	}
	return acts
}

// note keeps actions and holds what is true after each step.
func (s *story) note(acts []policy.Action) []policy.Action {
	for _, a := range acts {
		if p, ok := a.(policy.PowerOff); ok {
			s.asked = append(s.asked, p.Attempt)
		}
		if r, ok := a.(policy.Raise); ok && r.Problem.Name == "internal" {
			s.t.Fatalf("at %s: %s", s.now, r.Problem.Text)
		}
	}
	s.acts = append(s.acts, acts...)
	v := s.m.View()
	next, due := s.m.Deadline()
	timed := slices.Contains([]policy.Phase{policy.Held, policy.Committed}, v.Phase) ||
		v.Phase == policy.Waiting && !s.untilLow()
	if (timed || v.Timed) && !due {
		s.t.Fatalf("at %s: nothing would ever happen in %+v", s.now, v)
	}
	if v.Timed && next.After(v.Deadline) {
		s.t.Fatalf("at %s: called at %s, which is after %s", s.now, next, v.Deadline)
	}
	if due && !next.After(s.now) {
		s.t.Fatalf("at %s: due again at %s in %+v", s.now, next, v)
	}
	return acts
}

// untilLow reports whether nothing but the battery's end ends the waiting: there is a
// low line, the state is heard, and somebody's own time is not up.
func (s *story) untilLow() bool {
	snap := s.m.Snapshot()
	return snap.Awaited.Open && snap.Outage && snap.State.HasLow && !snap.Low && !snap.Silent.Set
}

// advance lets time pass, stopping wherever the machine wants to be called.
func (s *story) advance(d time.Duration) {
	to := s.now.Add(d)
	for {
		next, due := s.m.Deadline()
		if !due || next.After(to) {
			break
		}
		s.now = next
		s.step(policy.Tick{})
	}
	s.now = to
}

// tell gives the machine a real status over the present contact.
func (s *story) tell(st power.Status) []policy.Action {
	s.state.Status = st
	switch {
	case st == power.Unknown:
	case st == power.OK:
		s.state.Last, s.state.Outage = st, ""
	default:
		if s.state.Outage == "" {
			s.count++
			s.state.Outage, s.state.OutageSince = string(rune('a'+s.count%26)), s.now
		}
		s.state.Last = st
	}
	return s.step(policy.Power{State: s.state, Link: s.link})
}

// contact changes the link and tells the present state.
func (s *story) contact(l power.Link) []policy.Action {
	s.link = l
	return s.step(policy.Power{State: s.state, Link: l})
}

// crash replaces the machine by one that has read the state file.
func (s *story) crash() {
	data, err := json.Marshal(s.m.Snapshot())
	if err != nil {
		s.t.Fatal(err)
	}
	var snap policy.Snapshot
	if err := json.Unmarshal(data, &snap); err != nil {
		s.t.Fatal(err)
	}
	s.asked = nil
	s.m = policy.NewMachine(s.cfg)
	s.heardBy = s.now.Add(5 * time.Second)
	s.note(s.m.Restore(s.now, snap))
}

// The kinds of things that a property lets happen at random.
type happenTo func(s *story)

func passTime(s *story) {
	s.advance(rapid.SampledFrom([]time.Duration{
		time.Nanosecond, time.Second, 29 * time.Second, time.Minute, 2 * time.Minute, 7 * time.Minute, 2 * time.Hour,
	}).Draw(s.t, "advance"))
}

func anyStatus(s *story) {
	s.tell(rapid.SampledFrom([]power.Status{power.Unknown, power.OK, power.Fail, power.BatLow}).Draw(s.t, "status"))
}

func onBattery(s *story) {
	s.tell(rapid.SampledFrom([]power.Status{power.Unknown, power.Fail, power.BatLow}).Draw(s.t, "status"))
}

func anyLink(s *story) {
	s.contact(rapid.SampledFrom([]power.Link{power.LinkNone, power.LinkUp, power.LinkAway, power.LinkLost}).Draw(s.t, "link"))
}

func hold(s *story) {
	d := rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(s.t, "hold")
	s.step(policy.Order{Kind: policy.OrderHold, By: "alice", Until: s.now.Add(d)})
}

func noOrder(s *story)  { s.step(policy.Order{}) }
func end(s *story)      { s.step(policy.Order{Kind: policy.OrderEnd}) }
func shutdown(s *story) { s.step(policy.Order{Kind: policy.OrderShutdown, By: "bob"}) }
func resumed(s *story)  { s.step(policy.Resumed{Asleep: time.Minute}) }
func restart(s *story)  { s.crash() }
func hooks(s *story)    { s.step(policy.HooksDone{}) }

func awaited(s *story) {
	in := policy.Awaited{
		Up:   rapid.SampledFrom([][]string{nil, {"web1"}, {"web1", "web2"}}).Draw(s.t, "up"),
		Open: rapid.Bool().Draw(s.t, "open"), Depth: rapid.IntRange(0, maxDepth).Draw(s.t, "depth"),
	}
	if d := rapid.SampledFrom([]time.Duration{0, -time.Minute, time.Second, maxLimit}).Draw(s.t, "limit"); d != 0 {
		in.Limit = max(1, s.now.Add(d))
	}
	s.step(in)
}

// What a master may say at most in a story of who is waited for.
const (
	maxDepth = 3
	maxLimit = 5 * time.Minute
)

func refused(s *story) {
	s.step(policy.Refused{Attempt: rapid.IntRange(0, 5).Draw(s.t, "attempt"), Method: "x", Why: "y"})
}

func accepted(s *story) {
	if len(s.asked) > 0 {
		s.late = true
		s.step(policy.Accepted{Attempt: rapid.SampledFrom(s.asked).Draw(s.t, "attempt"), Method: "x"})
	}
}

func battery_(s *story) {
	s.state.HasLow = rapid.Bool().Draw(s.t, "has low")
	s.state.Debt = rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(s.t, "debt")
	s.state.Runtime = rapid.SampledFrom([]time.Duration{0, 10 * time.Minute}).Draw(s.t, "runtime")
}

var anything = []happenTo{
	passTime, passTime, anyStatus, anyStatus, anyLink, hold, noOrder, end, shutdown,
	resumed, restart, hooks, awaited, refused, accepted, battery_,
}

// live lets up to n of the given things happen, and calls after behind each.
func (s *story) live(n int, things []happenTo, after func()) {
	for range rapid.IntRange(0, n).Draw(s.t, "steps") {
		rapid.SampledFrom(things).Draw(s.t, "thing")(s)
		after()
	}
}
