package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestTheMeasuredStopTimeCounts in place of what the owner wrote, for each new outage.
// The battery lasts 10 minutes, of which the margin is 30 s.
func TestTheMeasuredStopTimeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "[policy]\ngrace = \"1h\"\n[shutdown]\nstop_time = \"2m\"\n"
		r := newRig(t, text)
		r.run()
		update := func(r *rig, s power.Status, stop time.Duration, link power.Link) {
			st := r.state(s, 0)
			st.Runtime = 10 * time.Minute
			r.Update(Update{Master: "rack1", Link: link, UPS: []NamedState{{"main", st}}, StopTime: stop})
			synctest.Wait()
		}
		want := func(r *rig, what string, stop, allowance time.Duration) {
			t.Helper()
			if s := r.Snapshot(); s.StopTime != stop || s.View.Allowance != allowance {
				t.Errorf("%s: stop time %s, allowance %s; want %s and %s", what, s.StopTime, s.View.Allowance, stop, allowance)
			}
		}
		update(r, power.OK, 0, power.LinkUp)
		want(r, "never measured", 2*time.Minute, 7*time.Minute+30*time.Second)
		update(r, power.OK, 40*time.Second, power.LinkUp)
		want(r, "measured", 40*time.Second, 8*time.Minute+50*time.Second)
		update(r, power.Fail, 40*time.Second, power.LinkUp)
		update(r, power.Fail, 5*time.Minute, power.LinkUp)
		want(r, "an outage that has begun keeps its allowance", 5*time.Minute, 8*time.Minute+50*time.Second)
		update(r, power.Fail, 0, power.LinkLost)
		want(r, "silence takes nothing back", 5*time.Minute, 8*time.Minute+50*time.Second)
		r.stop()

		after := newRig(t, text)
		after.start, after.store.b = r.start, r.store.b
		after.run()
		defer after.stop()
		synctest.Wait()
		want(after, "a crash forgets nothing", 5*time.Minute, 8*time.Minute+50*time.Second)
		update(after, power.OK, 0, power.LinkNone)
		want(after, "no word from a master", 5*time.Minute, 4*time.Minute+30*time.Second)
		update(after, power.OK, 0, power.LinkUp)
		want(after, "its master has measured nothing", 2*time.Minute, 7*time.Minute+30*time.Second)
		update(after, power.OK, 1000*time.Hour, power.LinkUp)
		want(after, "a master gone wild", time.Hour, 30*time.Second)
		if p := after.Snapshot().View.Phase; p != policy.Idle {
			t.Errorf("it is %s", p)
		}
	})
}
