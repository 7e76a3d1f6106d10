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
