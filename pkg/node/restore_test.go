package node

import (
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// crashed returns a rig whose driver takes the place of one that was in GRACE
// since 20 s, 40 s before its deadline, and ended without a word.
func crashed(t *testing.T) *rig {
	t.Helper()
	before := newRig(t, "[policy]\ngrace = \"1m\"\n")
	before.run()
	before.feed(power.Fail)
	time.Sleep(20 * time.Second)
	before.wantPhase(policy.Grace)
	before.stop()
	after := newRig(t, "[policy]\ngrace = \"1m\"\n")
	after.start, after.store.b = before.start, before.store.b
	return after
}

// TestLaw02ACrashInGraceResumesWithTheSameDeadline: link or no link.
func TestLaw02ACrashInGraceResumesWithTheSameDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := crashed(t)
		time.Sleep(5 * time.Second)
		r.run()
		defer r.stop()
		r.wantPhase(policy.Grace)
		if v := r.Snapshot().View; v.Deadline != base.Add(time.Minute) {
			t.Errorf("the deadline is %s, want %s", v.Deadline, base.Add(time.Minute))
		}
		time.Sleep(time.Minute)
		r.want("phase ask_",
			"25s record phase: IDLE GRACE",
			"60s record phase: GRACE COMMITTED",
			"60s ask logind",
			"60s record phase: COMMITTED DONE",
		)
	})
}

// TestLaw10ACrashForgetsNoOrder: nor does the first word without a master, which
// knows of no order.
func TestLaw10ACrashForgetsNoOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newRig(t, "")
		before.run()
		ups := []NamedState{{"main", before.state(power.OK, 0)}}
		hold := policy.Order{Kind: policy.OrderHold, By: "bob", Until: before.now().Add(time.Hour)}
		before.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: ups, Order: hold})
		before.wantPhase(policy.Held)
		before.stop()
		r := newRig(t, "")
		r.start, r.store.b = before.start, before.store.b
		r.run()
		defer r.stop()
		r.wantPhase(policy.Held)
		r.Update(Update{Master: "rack1", Link: power.LinkNone})
		r.wantPhase(policy.Held)
		r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: ups})
		r.wantPhase(policy.Idle)
	})
}

func TestAStateFileOfAnotherBootOrDamagedIsWorthNothing(t *testing.T) {
	for name, spoil := range map[string]func(r *rig){
		"another boot": func(r *rig) { r.o.BootID = "b2" },
		"damaged":      func(r *rig) { r.store.err = errors.New("corrupt") },
		"no JSON":      func(r *rig) { r.store.b = json.RawMessage(`{"boot":7}`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := crashed(t)
				spoil(r)
				r.run()
				defer r.stop()
				time.Sleep(2 * time.Minute)
				r.wantPhase(policy.Idle)
				r.want("phase ask_", []string(nil)...)
			})
		})
	}
}

// TestLaw10AStateFileThatHangsHoldsNobody: what it held is lost, and a second.
func TestLaw10AStateFileThatHangsHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := crashed(t)
		r.store.hang = make(chan struct{})
		r.run()
		time.Sleep(restoreWait)
		r.feed(power.Fail)
		r.wantPhase(policy.Grace)
		close(r.store.hang)
		r.stop()
	})
}

func TestTheStateFileIsWrittenWhenSomethingIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, "")
		r.run()
		defer r.stop()
		u := Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.OK, 0)}}}
		r.Update(u)
		synctest.Wait()
		if r.store.b == nil {
			t.Fatal("nothing was saved")
		}
		r.store.b = nil
		r.Update(u) // a heartbeat
		synctest.Wait()
		if r.store.b != nil {
			t.Errorf("a heartbeat was saved: %s", r.store.b)
		}
		r.feed(power.Fail)
		var k kept
		if err := json.Unmarshal(r.store.b, &k); err != nil || k.Boot != "b1" || k.Machine.Phase != policy.Grace {
			t.Errorf("%s %v", r.store.b, err)
		}
	})
}

// FuzzStateFile: whatever stands in the file, the driver goes on, keeps a deadline
// that it can wait for, and obeys what it hears next.
func FuzzStateFile(f *testing.F) {
	at := power.Uptime(3 * time.Hour)
	machine := policy.NewMachine(policy.Config{Grace: time.Minute, Methods: 1})
	machine.Step(at, policy.Power{State: power.State{Status: power.Fail, Last: power.Fail, Outage: "b1-1", OutageSince: at}, Link: power.LinkUp})
	good, err := json.Marshal(kept{Boot: "b1", Machine: machine.Snapshot()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(good))
	f.Add([]byte(`{"boot":"b1","machine":{"phase":5}}`))
	f.Add([]byte(`{"boot":"b1","machine":{"phase":4,"outage":true,"deadline":{"at":-9223372036854775808,"set":true}}}`))
	f.Add([]byte(`{"boot":"b1","machine":{"phase":200,"state":{"Status":99}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := NewDriver(Options{
			Name: "web1", Chain: []shutdown.Executor{shutdown.None()}, BootID: "b1",
			Now: func() power.Uptime { return at }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		before := d.m.Snapshot()
		d.adopt(b)
		var k kept
		if json.Unmarshal(b, &k) != nil || k.Boot != "b1" {
			if !reflect.DeepEqual(before, d.m.Snapshot()) {
				t.Errorf("a file that is worth nothing was used: %q", b)
			}
		}
		for range 20 {
			d.turn()
		}
		d.step(policy.Power{State: power.State{Status: power.OK, Last: power.OK}, Link: power.LinkUp})
		if p := d.m.View().Phase; p < policy.Idle || p > policy.Done {
			t.Errorf("the phase is %d", p)
		}
	})
}
