package policy_test

import (
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestNewsIsLookedAtTogether: what is said in one breath is not acted on by halves.
func TestNewsIsLookedAtTogether(t *testing.T) {
	ok := policy.Power{State: power.State{Status: power.OK, Last: power.OK}, Link: power.LinkUp}
	fail := policy.Power{State: power.State{Status: power.Fail, Last: power.Fail}, Link: power.LinkUp}
	hold := policy.Order{Kind: policy.OrderHold, By: "alice", Until: power.Uptime(time.Hour)}
	end := policy.Order{Kind: policy.OrderEnd, By: "the master"}
	for _, tc := range []struct {
		name   string
		before []policy.Input
		news   policy.News
		want   policy.Phase
	}{
		{"a failure and a hold", nil, policy.News{Power: fail, Order: hold}, policy.Held},
		{"power and the release", []policy.Input{hold, fail}, policy.News{Power: ok}, policy.Idle},
		{"power and the end", []policy.Input{hold, fail}, policy.News{Power: ok, Order: end}, policy.Idle},
		{"a failure and the end", []policy.Input{ok}, policy.News{Power: fail, Order: end}, policy.Committed},
		{"a hold over an order", []policy.Input{ok}, policy.News{Power: ok, Order: hold}, policy.Held},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := standard()
			c.Grace, c.GraceMin = 0, 0
			m := policy.NewMachine(c)
			for _, in := range tc.before {
				m.Step(0, in)
			}
			acts := m.Step(0, tc.news)
			if got := m.View().Phase; got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
			for _, a := range acts {
				if mv, ok := a.(policy.Moved); ok && going(mv.To) && !going(tc.want) {
					t.Errorf("it went by way of %s", mv.To)
				}
			}
		})
	}
}

// TestLaw02BlindIsWhatWasKnownLast: a node whose first word is that nobody sees the
// UPS goes by what was seen before, as if it had been there.
func TestLaw02BlindIsWhatWasKnownLast(t *testing.T) {
	now := power.Uptime(time.Hour)
	for _, tc := range []struct {
		last power.Status
		want policy.Phase
		left time.Duration
	}{
		{power.Unknown, policy.Idle, 0},
		{power.OK, policy.Idle, 0},
		{power.Fail, policy.Grace, 4 * time.Minute},
		{power.BatLow, policy.Committed, 0},
	} {
		s := power.State{Status: power.Unknown, Since: now.Add(-10 * time.Second), Last: tc.last}
		if tc.last.OnBattery() {
			s.Outage, s.OutageSince = "o1", now.Add(-time.Minute)
		}
		m := policy.NewMachine(standard())
		m.Step(now, policy.Power{State: s, Link: power.LinkUp})
		if v := m.View(); v.Phase != tc.want || v.Timed && v.Deadline.Sub(now) != tc.left {
			t.Errorf("blind, %s before: %s until %s, want %s for %s", tc.last, v.Phase, v.Deadline, tc.want, tc.left)
		}
	}
}

// TestTimeNeverRunsBackwards: a moment that is over can't come again.
func TestTimeNeverRunsBackwards(t *testing.T) {
	now := power.Uptime(time.Hour)
	m := policy.NewMachine(standard())
	m.Step(now, policy.Power{State: power.State{Status: power.OK}, Link: power.LinkUp})
	m.Step(now.Add(-10*time.Minute), policy.Power{State: power.State{Status: power.Fail}, Link: power.LinkUp})
	if v := m.View(); v.Deadline != now.Add(5*time.Minute) {
		t.Errorf("the deadline is %s, want %s", v.Deadline, now.Add(5*time.Minute))
	}
}
