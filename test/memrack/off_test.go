package memrack_test

import (
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// wantOff fails the test unless the master knows it so.
func wantOff(t *testing.T, r *memrack.Rack, what, name string, want upsv1.Off) {
	t.Helper()
	if got := r.Node(name).GetOff(); got != want {
		t.Errorf("%s: %s is %s, want %s", what, name, got, want)
	}
}

// An agent ends early in a shutdown. The machine is off when nothing of it answers, and
// so long it takes from then on: both its master and itself count with that.
func TestLaw05AStopTimeIsMeasuredByProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, wire := memrack.NewWired(t, "")
		defer r.Stop()
		web := r.Join("web1", policyText("30s"))
		r.Advance(settle)
		wire.Set(true, false)
		r.Advance(30*time.Second + time.Second/2)
		if len(web.Offs()) != 1 {
			t.Fatalf("it asked at %v", web.Offs())
		}
		r.Advance(2 * time.Second)
		r.StopAgent(web)
		r.Advance(28 * time.Second)
		wantOff(t, r, "its guests still stop", "web1", upsv1.Off_OFF_UNSPECIFIED)
		r.Advance(15 * time.Second)
		wantOff(t, r, "longer than its owner thought", "web1", upsv1.Off_OFF_UNSPECIFIED)
		r.Advance(15 * time.Second) // a minute after its commit
		r.SwitchOff(web)
		r.Advance(29 * time.Second)
		wantOff(t, r, "silent for less than the margin", "web1", upsv1.Off_OFF_UNSPECIFIED)
		r.Advance(3 * time.Second)
		wantOff(t, r, "silent for the margin", "web1", upsv1.Off_OFF_PROBED)
		wire.Set(false, false)
		r.Advance(settle)
		wantOff(t, r, "the power is back", "web1", upsv1.Off_OFF_PROBED)
		r.SwitchOn(web)
		r.Advance(30 * time.Second)
		wantOff(t, r, "it is back", "web1", upsv1.Off_OFF_UNSPECIFIED)
		if got := r.Own(web).GetStopTime().AsDuration(); got < 90*time.Second || got > 92*time.Second {
			t.Errorf("its stop time is %s, want a minute, a margin of 30s and a probe", got)
		}
		if got := r.Node("web1").GetProof().GetStopTime().AsDuration(); got < 90*time.Second || got > 92*time.Second {
			t.Errorf("%s is told to be measured", got)
		}
	})
}

// Where probes can't reach a node its time counts: what its owner wrote, and a margin.
func TestLaw05WhoCantBeProbedIsAssumedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, wire := memrack.NewWired(t, "")
		defer r.Stop()
		web := r.Join("web1", policyText("30s"))
		r.Net.Power("web1", false) // its firewall drops echoes, and a router is in between
		r.Advance(settle)
		wire.Set(true, false)
		r.Advance(33 * time.Second)
		r.SwitchOff(web)
		r.Advance(36 * time.Second)
		wantOff(t, r, "39s after its commit", "web1", upsv1.Off_OFF_UNSPECIFIED)
		r.Advance(2 * time.Second)
		wantOff(t, r, "41s after its commit", "web1", upsv1.Off_OFF_ASSUMED)
		wire.Set(false, false)
		r.Advance(settle)
		r.SwitchOn(web)
		r.Advance(30 * time.Second)
		if got := r.Own(web).GetStopTime().AsDuration(); got < 32*time.Second || got > 34*time.Second {
			// Its link lived for 3s, and a margin: that is longer than its owner thought.
			t.Errorf("its stop time is %s", got)
		}
	})
}

// The master's own switch dies while a machine goes down: nobody answers any more, which
// says nothing of that machine.
func TestLaw05ADeadSwitchIsNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "")
		defer r.Stop()
		web := r.Join("web1", "[policy]\ngrace = \"30s\"\n[shutdown]\nstop_time = \"5m\"\n")
		r.Join("db1", policyText("30m"))
		r.Advance(settle)
		r.Sim(fail)
		r.Advance(33 * time.Second)
		r.StopAgent(web) // its guests need minutes
		r.Advance(5 * time.Second)
		r.Net.Off()
		r.Advance(2 * time.Minute)
		wantOff(t, r, "2m after the switch died", "web1", upsv1.Off_OFF_UNSPECIFIED)
		r.Advance(4 * time.Minute)
		wantOff(t, r, "after its time", "web1", upsv1.Off_OFF_ASSUMED)
	})
}
