package policy_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// FuzzRestore: whatever stands in a state file, the machine that reads it works.
func FuzzRestore(f *testing.F) {
	m := policy.NewMachine(standard())
	fail := power.State{Status: power.Fail, Last: power.Fail, Outage: "x", HasLow: true}
	for _, in := range []policy.Input{
		policy.Power{State: power.State{Status: power.OK, Last: power.OK}, Link: power.LinkUp},
		policy.Power{State: fail, Link: power.LinkUp},
		policy.Order{Kind: policy.OrderHold, Until: power.Uptime(time.Hour)},
		policy.Order{Kind: policy.OrderShutdown},
		policy.HooksDone{},
		policy.Accepted{},
	} {
		m.Step(power.Uptime(time.Second), in)
		data, err := json.Marshal(m.Snapshot())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"phase":77,"known":9,"link":200,"outage":true}`))
	f.Add([]byte(`{"phase":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s policy.Snapshot
		if json.Unmarshal(data, &s) != nil {
			return
		}
		m := policy.NewMachine(standard())
		now := power.Uptime(time.Hour)
		m.Restore(now, s)
		for range 20 {
			next, due := m.Deadline()
			if !due {
				break
			}
			if !next.After(now) {
				t.Fatalf("at %s: due at %s in %+v", now, next, m.View())
			}
			now = next
			m.Step(now, policy.Tick{})
		}
		// Whatever it was told, it obeys the present: unless it was DONE, a shutdown
		// is on its way now, and the power's return after that is no cancel.
		m.Step(now, policy.Power{State: fail, Link: power.LinkUp})
		m.Step(now, policy.Order{Kind: policy.OrderShutdown})
		if p := m.View().Phase; !going(p) {
			t.Fatalf("ordered down, and yet %s", p)
		}
	})
}

// TestRestoreNonsense: a phase that does not exist is told, and protects all the same.
func TestRestoreNonsense(t *testing.T) {
	m := policy.NewMachine(standard())
	acts := m.Restore(0, policy.Snapshot{Phase: 77})
	if !has[policy.Raise](acts) {
		t.Error("not told")
	}
	m.Step(0, policy.Power{State: power.State{Status: power.Fail, Last: power.Fail}, Link: power.LinkUp})
	if p := m.View().Phase; p != policy.Grace {
		t.Errorf("a failure, and yet %s", p)
	}
}

// TestAcceptedNeverAsked: a false answer must not disarm the node.
func TestAcceptedNeverAsked(t *testing.T) {
	m := policy.NewMachine(standard())
	acts := m.Step(0, policy.Accepted{Method: "x"})
	if v := m.View(); v.Phase != policy.Idle || !has[policy.Raise](acts) || len(v.Problems) != 1 {
		t.Errorf("%+v", v)
	}
}
