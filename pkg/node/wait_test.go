package node

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// Of two masters each knows its own nodes: all of them are waited for. One that falls
// silent can't say any more when its nodes are off, so wait_limit counts from then.
func TestSeveralMastersSayWhoIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[power]\nfeeds = [\"rack1/main\", \"rack2/main\"]\n[policy]\ngrace = \"1m\"\nwait_for = [\"a\", \"b\", \"c\"]\n")
		r.run()
		defer r.stop()
		say := func(master string, link power.Link, st power.Status, a policy.Awaited) {
			r.Update(Update{Master: master, Link: link, UPS: []NamedState{{"main", r.state(st, 0)}}, Awaited: a})
			synctest.Wait()
		}
		say("rack1", power.LinkUp, power.Fail, policy.Awaited{Up: []string{"b", "c"}, Open: true, Depth: 1})
		say("rack2", power.LinkUp, power.Fail, policy.Awaited{Up: []string{"a", "b"}, More: 2, Limit: r.now().Add(time.Hour), Depth: 3})
		time.Sleep(2 * time.Minute)
		r.wantPhase(policy.Waiting)
		if v := r.Snapshot().View; !slices.Equal(v.WaitingOn, []string{"a", "b", "c"}) || v.WaitingMore != 2 || v.Timed {
			t.Errorf("waits on %v and %d more, timed %t", v.WaitingOn, v.WaitingMore, v.Timed)
		}
		say("rack2", power.LinkUp, power.Fail, policy.Awaited{})
		say("rack1", power.LinkLost, power.Fail, policy.Awaited{})
		if v := r.Snapshot().View; !slices.Equal(v.WaitingOn, []string{"b", "c"}) || !v.Timed || v.Deadline.Sub(r.now()) != 2*time.Minute {
			t.Errorf("with rack1 lost it waits on %v for %s more, timed %t", v.WaitingOn, v.Deadline.Sub(r.now()), v.Timed)
		}
		say("rack1", power.LinkUp, power.Fail, policy.Awaited{})
		r.wantPhase(policy.Done)
	})
}

// What was heard last stands without contact.
func TestSilenceDoesNotSayThatTheyAreOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "[policy]\ngrace = \"1m\"\nwait_for = [\"*\"]\n")
		r.run()
		defer r.stop()
		ups := []NamedState{{"main", r.state(power.Fail, 0)}}
		r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: ups, Awaited: policy.Awaited{Up: []string{"a"}, Open: true}})
		synctest.Wait()
		r.Update(Update{Master: "rack1", Link: power.LinkLost})
		time.Sleep(time.Minute)
		r.wantPhase(policy.Waiting)
		time.Sleep(2 * time.Minute)
		r.wantPhase(policy.Done)
	})
}
