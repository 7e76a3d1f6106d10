package policy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestLaw10BackOffHasAnEnd: a power-off that is refused all night is asked for at
// least once a minute.
func TestLaw10BackOffHasAnEnd(t *testing.T) {
	c := standard()
	c.Grace, c.GraceMin = 0, 0
	m, now := policy.NewMachine(c), power.Uptime(time.Hour)
	m.Step(now, policy.Power{State: power.State{Status: power.Fail}, Link: power.LinkUp})
	acts := m.Step(now, policy.HooksDone{})
	var waits []time.Duration
	for attempt := range 9 {
		if !has[policy.PowerOff](acts) {
			t.Fatalf("attempt %d was not made: %+v", attempt, acts)
		}
		m.Step(now, policy.Refused{Attempt: attempt, Method: "logind", Why: "not now"})
		next, _ := m.Deadline()
		waits = append(waits, next.Sub(now)/time.Second)
		now = next
		acts = m.Step(now, policy.Tick{})
	}
	if diff := cmp.Diff([]time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}, waits); diff != "" {
		t.Errorf("seconds between two attempts (-want +got):\n%s", diff)
	}
}
