package memrack

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// endRack is the rack of the transaction: web goes by itself, db only because the host
// does, app waits for db, and the host for web.
func endRack() (host endSpec, nodes []endSpec) {
	return endSpec{
			name:    "host",
			config:  "[node.policy]\ngrace = \"40s\"\nwait_for = [\"web\"]\n[node.shutdown]\nstop_time = \"10s\"\n",
			accepts: 2 * time.Second, goes: 8 * time.Second,
		}, []endSpec{
			{name: "web", config: "[policy]\ngrace = \"15s\"\n[shutdown]\nstop_time = \"10s\"\n", accepts: time.Second, goes: 8 * time.Second},
			{name: "db", config: "[policy]\ngrace = \"10m\"\n[shutdown]\nstop_time = \"15s\"\n", accepts: time.Second, goes: 13 * time.Second},
			{
				name:    "app",
				config:  "[policy]\ngrace = \"10m\"\nwait_for = [\"db\"]\nwait_limit = \"30s\"\n[shutdown]\nstop_time = \"10s\"\n",
				accepts: time.Second, goes: 9 * time.Second,
			},
		}
}

func TestLaw05TheWholeTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, nodes := endRack()
		w := newEndWorld(t, host, nodes...)
		defer w.stop()
		w.fails()
		w.liveTo(4 * time.Minute)
		var order []string
		for _, m := range w.marks {
			t.Logf("%8.3fs %s", m.at.Seconds(), m.name)
			order = append(order, m.name)
		}
		want := []string{
			"web asked", "web accepted", "web off", "db asked", "db accepted", "app asked", "app accepted",
			"lifted true", "host asked", "app off", "host accepted", "db off", "late", "cut",
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if end := w.marked("db asked"); end < 30*time.Second || end > 31*time.Second {
			t.Errorf("db went %s into the outage, want 10s before the host", end)
		}
		// db asked at 30 s, and has 15 s and the margin; it was the last.
		if at := w.marked("cut"); at < 75*time.Second || at > 76*time.Second {
			t.Errorf("the load was cut %s into the outage, want 30s after db had its time", at)
		}
		for _, e := range w.wrong {
			t.Error(e)
		}
	})
}
