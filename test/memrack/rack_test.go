package memrack_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/test/memrack"
)

const (
	ok     = upsv1.Status_STATUS_OK
	fail   = upsv1.Status_STATUS_FAIL
	batlow = upsv1.Status_STATUS_BATLOW
	settle = 3 * time.Second // more than the longest settle time, OK's 2 s
)

// rack runs test on a rack with one agent whose grace is 5 minutes.
func rack(t *testing.T, test func(t *testing.T, r *memrack.Rack, web *memrack.Node)) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "")
		defer r.Stop()
		web := r.Join("web1", "")
		r.Advance(settle)
		test(t, r, web)
	})
}

// phase fails the test unless both the node and its master say want.
func phase(t *testing.T, r *memrack.Rack, n *memrack.Node, name string, want upsv1.Phase) {
	t.Helper()
	if got := r.Own(n).GetPhase(); got != want {
		t.Errorf("%s says %s of itself, want %s", name, got, want)
	}
	if got := r.Node(name).GetReport().GetPhase(); got != want {
		t.Errorf("the master says that %s is %s, want %s", name, got, want)
	}
}

func TestFailCountsDownAndOKStandsDown(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
		r.Sim(fail)
		r.Advance(time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_GRACE)
		if left := r.Node("web1").GetReport().GetDeadline().AsDuration(); left > 5*time.Minute || left < 4*time.Minute+58*time.Second {
			t.Errorf("%s left 1s after the failure, want 5m less that", left)
		}
		r.Advance(4 * time.Minute)
		r.Sim(ok)
		r.Advance(settle)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
		r.Advance(time.Hour)
		if offs := web.Offs(); len(offs) != 0 {
			t.Errorf("power-off asked at %v, want never", offs)
		}
	})
}

func TestGoesAtTheDeadlineFromTheLine(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Sim(fail) // at 3 s
		r.Advance(10 * time.Minute)
		// Grace counts from the line, not from when it was believed or heard.
		if offs := web.Offs(); len(offs) != 1 || (offs[0]-settle-5*time.Minute).Abs() > 10*time.Millisecond {
			t.Errorf("power-off asked at %v, want once, at 5m3s", offs)
		}
		phase(t, r, web, "web1", upsv1.Phase_PHASE_DONE)
	})
}

func TestLaw06BatLowGoesAtOnceAndOutranksAHold(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Sim(fail)
		r.Advance(10 * time.Second)
		if _, err := upsv1.NewControlServiceClient(r.Client()).Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"web1"}, For: durationpb.New(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		r.Advance(time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_HELD)
		r.Advance(20 * time.Minute)
		if offs := web.Offs(); len(offs) != 0 {
			t.Fatalf("power-off asked at %v while held", offs)
		}
		r.Sim(batlow)
		r.Advance(time.Second)
		if offs := web.Offs(); len(offs) != 1 {
			t.Errorf("power-off asked at %v after BATLOW, want once", offs)
		}
	})
}

func TestLaw02SilenceStopsNothing(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Sim(fail)
		r.Advance(time.Minute)
		r.Net.Cut("web1") // its switch has died
		r.Advance(10 * time.Second)
		if l := r.Node("web1").GetLink(); l != upsv1.Link_LINK_LOST {
			t.Errorf("10 s after the cut the master says that the link is %s", l)
		}
		r.Advance(10 * time.Minute)
		if offs := web.Offs(); len(offs) != 1 || (offs[0]-settle-5*time.Minute).Abs() > 10*time.Millisecond {
			t.Errorf("power-off asked at %v, want once, at its own deadline 5m3s", offs)
		}
	})
}

func TestLaw02SilenceStartsNothing(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Net.Cut("web1")
		r.Advance(24 * time.Hour)
		if offs := web.Offs(); len(offs) != 0 {
			t.Errorf("power-off asked at %v because the master was silent", offs)
		}
		r.Net.Heal("web1")
		r.Advance(30 * time.Second)
		if l := r.Node("web1").GetLink(); l != upsv1.Link_LINK_UP {
			t.Errorf("30 s after the network is back the link is %s", l)
		}
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
	})
}

func TestRestartedMasterKnowsTheOutagesAge(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Sim(fail)
		r.Advance(2 * time.Minute)
		before := r.Status().GetUps()[0]
		r.StopMaster()
		r.Advance(20 * time.Second)
		r.StartMaster()
		r.Advance(100 * time.Millisecond)
		r.Sim(fail) // a sim port begins with OK; a real line would still say FAIL
		r.Advance(10 * time.Second)
		after := r.Status().GetUps()[0]
		if after.GetOutage() != before.GetOutage() || after.GetOutageAge().AsDuration() < 2*time.Minute+20*time.Second {
			t.Errorf("outage %s of age %s before the restart, %s of %s after", before.GetOutage(), before.GetOutageAge().AsDuration(), after.GetOutage(), after.GetOutageAge().AsDuration())
		}
		phase(t, r, web, "web1", upsv1.Phase_PHASE_GRACE)
		late := r.Join("late", "") // hears of the outage two minutes and a half into it
		r.Advance(5 * time.Minute)
		for name, n := range map[string]*memrack.Node{"web1": web, "late": late} {
			if offs := n.Offs(); len(offs) != 1 || (offs[0]-settle-5*time.Minute).Abs() > 10*time.Millisecond {
				t.Errorf("%s: power-off asked at %v, want at 5m3s", name, offs)
			}
		}
	})
}

func TestCrashedAgentKeepsItsDeadlineWithTheMasterDead(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Sim(fail)
		r.Advance(time.Minute)
		r.StopMaster()
		r.StopAgent(web)
		r.Advance(10 * time.Second)
		r.StartAgent(web)
		r.Advance(time.Second)
		if got := r.Own(web).GetPhase(); got != upsv1.Phase_PHASE_GRACE {
			t.Fatalf("after its restart the agent says %s, want GRACE", got)
		}
		r.Advance(10 * time.Minute)
		if offs := web.Offs(); len(offs) != 1 || (offs[0]-settle-5*time.Minute).Abs() > 10*time.Millisecond {
			t.Errorf("power-off asked at %v, want once, at 5m3s", offs)
		}
	})
}

func TestShutdownOrderIsObeyedOnceAndNotRemembered(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		c := upsv1.NewControlServiceClient(r.Client())
		if _, err := c.Shutdown(t.Context(), &upsv1.ShutdownRequest{Nodes: []string{"web1"}}); err != nil {
			t.Fatal(err)
		}
		r.Advance(time.Second)
		if offs := web.Offs(); len(offs) != 1 {
			t.Fatalf("power-off asked at %v, want once", offs)
		}
		r.StopAgent(web)
		r.Advance(time.Second)
		if l := r.Node("web1").GetLink(); l != upsv1.Link_LINK_OFF {
			t.Errorf("after it said that it goes its link is %s, want off", l)
		}
		if _, err := c.Shutdown(t.Context(), &upsv1.ShutdownRequest{Nodes: []string{"web1"}}); err == nil {
			t.Error("a node that can't hear it was told to shut down: it would go when it comes back")
		}
		if _, err := c.Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"web1", "nobody"}, For: durationpb.New(time.Minute)}); err == nil {
			t.Error("a hold of a node that doesn't exist was accepted")
		}
	})
}

func TestFiftyAgentsHearAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "")
		defer r.Stop()
		var nodes []*memrack.Node
		for i := range 50 {
			nodes = append(nodes, r.Join("n"+string(rune('a'+i/10))+string(rune('0'+i%10)), "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n"))
		}
		r.Advance(settle)
		began := r.Since()
		r.Sim(fail)
		r.Advance(2 * time.Second)
		for i, n := range nodes {
			// 100 ms is FAIL's settle time; nothing else may take time.
			if offs := n.Offs(); len(offs) != 1 || offs[0]-began > 101*time.Millisecond {
				t.Errorf("node %d: power-off asked at %v, want 100ms after %s", i, offs, began)
			}
		}
	})
}

func TestLaw08WhoMayNotJoin(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, _ *memrack.Node) {
		used := r.Token()
		if err := r.JoinBy(r.Add("web2", ""), used); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ name, token, want string }{
			{"web3", used, "used by another key"},
			{"web1b", "lw1-aaaa", "token"},
			{"rack1", r.Token(), "the master's own"},
		} {
			err := r.JoinBy(r.Add(tt.name, ""), tt.token)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: err %v, want one with %q", tt.name, err, tt.want)
			}
			if n := r.Node(tt.name); n != nil {
				t.Errorf("%s was refused and is a node all the same: %v", tt.name, n)
			}
		}
	})
}

func TestHoldAndFailureHeardInOneBreath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "")
		defer r.Stop()
		web := r.Join("web1", "[policy]\ngrace = \"0s\"\ngrace_min = \"0s\"\n")
		r.Advance(settle)
		if _, err := upsv1.NewControlServiceClient(r.Client()).Hold(t.Context(), &upsv1.HoldRequest{Nodes: []string{"web1"}, For: durationpb.New(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		r.StopAgent(web)
		r.Forget(web) // the agent begins anew and hears all of it at once
		r.Sim(fail)
		r.Advance(time.Second)
		r.StartAgent(web)
		r.Advance(10 * time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_HELD)
		if offs := web.Offs(); len(offs) != 0 {
			t.Errorf("power-off asked at %v although it is held", offs)
		}
	})
}

func TestStatusOfAllAsksTheNodesThemselves(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Join("web2", "")
		r.Net.Cut("web2:8494") // its own service can't be reached; its stream can
		began := time.Now()
		st, err := upsv1.NewPowerServiceClient(r.Client()).GetStatus(t.Context(), &upsv1.GetStatusRequest{All: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(st.GetAsked()) != 1 || st.GetAsked()[0].GetName() != "web1" || st.GetAsked()[0].GetReport().GetPhase() != upsv1.Phase_PHASE_IDLE {
			t.Errorf("asked %v, want web1's own word and nobody else's", st.GetAsked())
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s, want 2 s at most", took)
		}
	})
}

func TestStatusOfAllIsInTimeWithAMasterThatHangs(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Net.Cut("master:8493") // its host has died: no answer, not even a refusal
		r.Advance(10 * time.Second)
		began := r.Since()
		st := r.AskAgent(web)
		if took := r.Since() - began; took > 2*time.Second {
			t.Errorf("it took %s, want 2 s at most", took)
		}
		if len(st.GetUnreachable()) != 1 || st.GetUnreachable()[0].GetName() != "rack1" {
			t.Errorf("unreachable %v, want rack1", st.GetUnreachable())
		}
	})
}
