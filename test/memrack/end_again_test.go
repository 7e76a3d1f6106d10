package memrack

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// again switches the host on after the cut, in a boot of its own; the others stay off.
func (w *endWorld) again(off time.Duration) {
	w.host.mu.Lock()
	w.host.accepted, w.host.off = time.Time{}, false
	w.host.mu.Unlock()
	w.ended, w.begun = "", false
	w.setMains(true)
	w.rack.RebootMaster(off)
}

// TestLaw05WhoIsOffSinceTheCut: the master comes up with its load; who doesn't is known to
// be off, but not before it has had its time, because the mains may have overtaken the cut.
// Another outage then waits for nobody who is.
func TestLaw05WhoIsOffSinceTheCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick := "[policy]\ngrace = \"15s\"\n[shutdown]\nstop_time = \"30s\"\n"
		host := endSpec{
			name: "host", accepts: time.Second, goes: 8 * time.Second,
			config: "[node.policy]\ngrace = \"40s\"\ngrace_min = \"40s\"\nwait_for = [\"*\"]\nwait_limit = \"10m\"\n[node.shutdown]\nstop_time = \"10s\"\n" +
				"[recover]\nhold_off = \"1h\"\n", // who is woken may be up
		}
		w := newEndWorld(t, host,
			endSpec{name: "web", config: quick, accepts: time.Second, goes: 8 * time.Second},
			endSpec{name: "db", config: quick, accepts: time.Second, goes: 8 * time.Second})
		defer w.stop()
		w.fails()
		w.liveTo(4 * time.Minute)
		if w.ended != "cut" {
			t.Fatalf("it ended %q", w.ended)
		}
		off := func(what string, want upsv1.Off) {
			t.Helper()
			for _, name := range []string{"web", "db"} {
				if got := w.rack.Node(name).GetOff(); got != want {
					t.Errorf("%s: %s is %s, want %s", what, name, got, want)
				}
			}
		}
		w.again(20 * time.Second)
		w.live(50 * time.Second)
		off("it may have gone as the master did", upsv1.Off_OFF_UNSPECIFIED)
		w.live(15 * time.Second)
		off("its time is over", upsv1.Off_OFF_CUT)
		// What its late unit has seen takes the place of the 10s that its owner wrote.
		if got := w.report(w.host).GetStopTime().AsDuration(); got < 39*time.Second || got > 41*time.Second {
			t.Errorf("the host's stop time is %s, want the 9s from its seal to its late unit and 30s", got)
		}

		// The next master of this boot knows it too.
		w.host.kill()
		w.host.start()
		w.live(10 * time.Second)
		off("the master was restarted", upsv1.Off_OFF_CUT)

		// One whose system is up answers, though its agent is not there yet.
		w.rack.Net.Power("web", true)
		w.live(7 * time.Second)
		if got := w.rack.Node("web").GetOff(); got != upsv1.Off_OFF_UNSPECIFIED {
			t.Errorf("it answers, and is %s", got)
		}
		w.rack.Net.Power("web", false)
		w.live(time.Minute)

		w.fails()
		w.live(2 * time.Minute)
		if asked := w.marked("host asked"); asked > 41*time.Second || w.ended != "cut" {
			t.Errorf("the host waits %s for those who are off since the cut; it ended %q", asked-40*time.Second, w.ended)
		}
		for _, e := range w.wrong {
			t.Error(e)
		}
		// And so does a boot after that, of a master that never heard them.
		for _, what := range []string{"a second cut later", "a boot without a cut later"} {
			w.again(20 * time.Second)
			w.live(65 * time.Second)
			off(what, upsv1.Off_OFF_CUT)
		}
	})
}

// TestLaw05WhoWentBeforeTheMasterDidHasItsTime: the mains overtake the power-off, the host
// boots, and the mains fail again while a machine that takes long is still going down. Its
// agent has ended, and nobody can probe it.
func TestLaw05WhoWentBeforeTheMasterDidHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, wire := NewWired(t, "[node.shutdown]\nmethod = [\"logind\"]\n")
		defer r.Stop()
		hyp := r.Join("hyp", "[policy]\ngrace = \"10s\"\n[shutdown]\nstop_time = \"5m\"\n")
		web := r.Join("web", "[policy]\ngrace = \"30s\"\nwait_for = [\"hyp\"]\nwait_limit = \"20m\"\n")
		r.Net.Power("hyp", false)
		r.Advance(time.Minute)
		wire.Set(true, false)
		r.Advance(20 * time.Second)
		if len(hyp.Offs()) != 1 || len(web.Offs()) != 0 {
			t.Fatalf("they asked at %v and %v", hyp.Offs(), web.Offs())
		}
		r.StopAgent(hyp)
		r.Advance(2 * time.Second)
		wire.Set(false, false)
		r.RebootMaster(20 * time.Second)
		r.Advance(20 * time.Second)
		wire.Set(true, false)
		r.Advance(time.Minute)
		is := r.Node("web").GetReport()
		if is.GetPhase() != upsv1.Phase_PHASE_WAITING || !slices.Contains(is.GetWaitingOn(), "hyp") {
			t.Errorf("hyp still goes down, and web is %s and waits on %v", is.GetPhase(), is.GetWaitingOn())
		}
		r.Advance(6 * time.Minute)
		if got := r.Node("hyp").GetOff(); got != upsv1.Off_OFF_ASSUMED || len(web.Offs()) != 1 {
			t.Errorf("its time is over, it is %s, and web asked at %v", got, web.Offs())
		}
	})
}

// TestLaw07ACutProvesTheKillAndTheWayBack: a machine that was seen to be off before the
// host went to cut the load is up again by nobody's hand, and the battery would have lasted.
func TestLaw07ACutProvesTheKillAndTheWayBack(t *testing.T) {
	for name, tt := range map[string]struct {
		off  time.Duration // the mains
		want bool
	}{
		"soon":                               {20 * time.Second, true},
		"when the battery may be empty, too": {10 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host := endSpec{
					name: "host", accepts: time.Second, goes: 8 * time.Second,
					config: "[ups.battery]\nruntime = \"12m\"\n[node.policy]\ngrace = \"40s\"\nwait_for = [\"*\"]\nwait_limit = \"10m\"\n[node.shutdown]\nstop_time = \"10s\"\n",
				}
				w := newEndWorld(t, host, endSpec{
					name: "web", config: "[policy]\ngrace = \"15s\"\n[shutdown]\nstop_time = \"30s\"\n", accepts: time.Second, goes: 8 * time.Second,
				})
				defer w.stop()
				w.fails()
				w.liveTo(4 * time.Minute)
				if w.ended != "cut" {
					t.Fatalf("it ended %q", w.ended)
				}
				proved := func() (kill bool) {
					for _, f := range w.rack.Status().GetProblems() {
						if f.GetName() == "kill-unproved" {
							return false
						}
					}
					return w.rack.Status().GetProofs()[0].GetKillWall() != ""
				}
				w.again(tt.off)
				w.live(10 * time.Second)
				if proved() {
					t.Error("proved by the master's own return: its late unit may have begun it anew")
				}
				w.rack.SwitchOn(w.machines[0].node)
				w.live(20 * time.Second)
				if got := proved(); got != tt.want {
					t.Errorf("the kill is proved: %v, want %v", got, tt.want)
				}
				if w.rack.Node("web").GetProof().GetBackWall() == "" {
					t.Error("its way back is not proved")
				}
			})
		})
	}
}
