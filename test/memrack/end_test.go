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
		// web is off when it was silent for 30 s. Then the host goes and db with it; app
		// waits for db and is not waited for longer than 10 s, but the cut waits.
		want := []string{
			"web asked", "web accepted", "web off", "db asked", "db accepted", "lifted true", "host asked", "host accepted",
			"db off", "late", "app asked", "app accepted", "app off", "cut",
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if wait := w.marked("lifted true") - w.marked("db asked"); wait < 9*time.Second || wait > 11*time.Second {
			t.Errorf("the host waits %s for app, want 10s", wait)
		}
		if after := w.marked("cut") - w.marked("app asked"); after < 40*time.Second || after > 41*time.Second {
			t.Errorf("the load was cut %s after app asked, want its stop time and 30s", after)
		}
		for _, e := range w.wrong {
			t.Error(e)
		}
	})
}
