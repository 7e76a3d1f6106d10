package memrack_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/test/memrack"
)

func control(r *memrack.Rack) upsv1.ControlServiceClient {
	return upsv1.NewControlServiceClient(r.Client())
}

// problem returns the text of a problem on a thing, "" if there is none.
func problem(r *memrack.Rack, on, name string) string {
	for _, p := range r.Status().GetProblems() {
		if p.GetOn() == on && p.GetName() == name {
			return p.GetText()
		}
	}
	return ""
}

func TestLaw08RemovedNodeIsCutAtOnceAndForEver(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Join("web2", "")
		if _, err := control(r).RemoveMember(t.Context(), &upsv1.RemoveMemberRequest{Name: "web1"}); err != nil {
			t.Fatal(err)
		}
		r.Advance(100 * time.Millisecond)
		if n := r.Node("web1"); n != nil {
			t.Errorf("it is still a node: %v", n)
		}
		// It tries again and again, also with a restarted master, and hears nothing.
		r.StopMaster()
		r.StartMaster()
		r.Advance(time.Minute)
		r.Sim(fail)
		r.Advance(time.Minute)
		if n := r.Node("web1"); n != nil {
			t.Errorf("it came back: %v", n)
		}
		if got := r.Own(web).GetPhase(); got != upsv1.Phase_PHASE_IDLE {
			t.Errorf("it heard of the outage: %s", got)
		}
		if got := r.Node("web2").GetReport().GetPhase(); got != upsv1.Phase_PHASE_GRACE {
			t.Errorf("the node that stayed is %s, want GRACE", got)
		}
		// The others let it in no more either.
		if st := r.AskAs(web, "web2"); st != nil {
			t.Errorf("a removed node still reads another one: %v", st)
		}
	})
}

// TestARemovedNodeComesBackByANewToken: on battery too, where it could not leave: it
// would never hear that the power is back.
func TestARemovedNodeComesBackByANewToken(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		if err := r.JoinBy(web, r.Token()); err == nil || !strings.Contains(err.Error(), "on the roster") {
			t.Errorf("a member joined again: %v", err)
		}
		r.Sim(fail)
		r.Advance(time.Second)
		if _, err := control(r).RemoveMember(t.Context(), &upsv1.RemoveMemberRequest{Name: "web1"}); err != nil {
			t.Fatal(err)
		}
		r.Advance(time.Second)
		r.Sim(ok)
		r.Advance(5 * time.Second)
		if got := r.Own(web).GetPhase(); got != upsv1.Phase_PHASE_GRACE {
			t.Fatalf("a removed node is %s; it can't know that the power is back", got)
		}
		if err := r.JoinBy(web, r.Token()); err != nil {
			t.Fatal(err)
		}
		r.Advance(5 * time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
	})
}

func TestNodesReadEachOther(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Join("web2", "")
		if st := r.AskAs(web, "web2"); st.GetName() != "web2" {
			t.Errorf("web1 asked web2 and got %v", st)
		}
		if st := r.AskAs(web, "web1"); st.GetName() != "web1" {
			t.Errorf("web1 asked itself and got %v", st)
		}
	})
}

func TestLeaveTakesTheNodeOffAndNotOnBattery(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.Sim(fail)
		r.Advance(time.Second)
		if _, err := r.Leave(web); err == nil || !strings.Contains(err.Error(), "on battery") {
			t.Errorf("leaving on battery: %v", err)
		}
		r.Advance(5 * time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_GRACE)
		r.Sim(ok)
		r.Advance(10 * time.Second)
		untold, err := r.Leave(web)
		if err != nil || untold != "" {
			t.Fatalf("%v, the master could not be told: %q", err, untold)
		}
		if n := r.Node("web1"); n != nil {
			t.Errorf("it left and is on the roster: %v", n)
		}
		r.Sim(fail)
		r.Advance(24 * time.Hour)
		if offs := web.Offs(); len(offs) != 0 {
			t.Errorf("it left and went down all the same: %v", offs)
		}
		r.Sim(ok)
		r.Advance(settle)
		if err := r.JoinBy(web, r.Token()); err != nil { // with a new key
			t.Errorf("it can't come back: %v", err)
		}
	})
}

func TestLeaveWithTheMasterDeadSaysSo(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.StopMaster()
		r.Advance(time.Second)
		untold, err := r.Leave(web)
		if err != nil || untold == "" {
			t.Errorf("%v, untold %q; want that the master could not be told", err, untold)
		}
	})
}

func TestReplaceGivesThePlaceToANewKey(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.StopAgent(web)
		r.Wipe(web) // set up anew: its key is gone
		r.StartAgent(web)
		r.Advance(time.Second)
		if err := r.JoinBy(web, r.Token()); err == nil {
			t.Fatal("a second claimant came in under a name that is taken")
		}
		if text := problem(r, "node/web1", "second-claimant"); !strings.Contains(text, "--replace web1") {
			t.Errorf("problem %q, want one that says what to do", text)
		}
		tok, err := control(r).CreateToken(t.Context(), &upsv1.CreateTokenRequest{Replace: "web1"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.JoinBy(web, tok.GetToken()); err != nil {
			t.Fatal(err)
		}
		r.Advance(time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
		if text := problem(r, "node/web1", "second-claimant"); text != "" {
			t.Errorf("the problem stays: %q", text)
		}
	})
}

func TestRevokedTokenLetsNobodyIn(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, _ *memrack.Node) {
		tok := r.Token()
		list, err := control(r).ListTokens(t.Context(), &upsv1.ListTokensRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list.GetTokens() {
			if strings.Contains(tok, one.GetId()) {
				t.Errorf("the list shows a part of the secret: %v", one)
			}
			if one.GetUsedBy() == "" {
				if _, err := control(r).RevokeToken(t.Context(), &upsv1.RevokeTokenRequest{Id: one.GetId()}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := r.JoinBy(r.Add("web9", ""), tok); err == nil {
			t.Error("a revoked token let somebody in")
		}
		if _, err := control(r).RevokeToken(t.Context(), &upsv1.RevokeTokenRequest{Id: "00000000"}); err == nil {
			t.Error("a token that doesn't exist was revoked")
		}
	})
}

func TestGuessingCostsTime(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, _ *memrack.Node) {
		eve := r.Add("eve", "")
		wrong := r.Token()
		list, _ := control(r).ListTokens(t.Context(), &upsv1.ListTokensRequest{})
		for _, one := range list.GetTokens() {
			_, _ = control(r).RevokeToken(t.Context(), &upsv1.RevokeTokenRequest{Id: one.GetId()})
		}
		slowed := 0
		for range 20 {
			if err := r.JoinBy(eve, wrong); err != nil && strings.Contains(err.Error(), "too many tries") {
				slowed++
			}
		}
		if slowed == 0 {
			t.Error("20 wrong tries in a row were all looked at")
		}
	})
}

func TestReplacedMasterTakesOverWithoutTouchingANode(t *testing.T) {
	const pass = "correct horse battery"
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		file, err := control(r).ExportTrust(t.Context(), &upsv1.ExportTrustRequest{Passphrase: pass})
		if err != nil {
			t.Fatal(err)
		}
		r.StopMaster()
		r.WipeMaster() // its machine has died; a new one has its name and address
		r.StartMaster()
		r.Advance(time.Minute)
		if n := r.Node("web1"); n != nil {
			t.Fatalf("a new master with a CA of its own knows the node: %v", n)
		}
		if _, err := control(r).ImportTrust(t.Context(), &upsv1.ImportTrustRequest{Export: file.GetExport(), Passphrase: "wrong horse battery"}); err == nil {
			t.Fatal("a wrong passphrase opens the CA")
		}
		in, err := control(r).ImportTrust(t.Context(), &upsv1.ImportTrustRequest{Export: file.GetExport(), Passphrase: pass})
		if err != nil || in.GetMembers() != 1 {
			t.Fatalf("%v, %v", in, err)
		}
		r.Advance(30 * time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
		r.Sim(fail)
		r.Advance(time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_GRACE)
	})
}

// TestOneKeysConnectionsAreBounded: a node gone wild can't crowd out the others.
func TestOneKeysConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := memrack.New(t, "")
		defer r.Stop()
		web := r.Join("web1", "")
		r.Advance(settle)
		in := r.Flood(web, 50)
		if in > 8 {
			t.Errorf("one key has %d connections at a time, want 8 at most", in)
		}
		r.Sim(fail)
		r.Advance(time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_GRACE)
	})
}

// TestLaw01ClocksDecideNothing: a rack that was set up in 2000 (the bubble's year)
// comes back in 2040; certificates, rosters and identities are as good as ever.
func TestLaw01ClocksDecideNothing(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		r.StopAgent(web)
		r.StopMaster()
		r.Advance(40 * 365 * 24 * time.Hour)
		r.StartMaster()
		r.StartAgent(web)
		r.Advance(5 * time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_IDLE)
		if err := r.JoinBy(r.Add("new", ""), r.Token()); err != nil {
			t.Errorf("nobody can join in 2040: %v", err)
		}
		r.Sim(fail)
		r.Advance(time.Second)
		phase(t, r, web, "web1", upsv1.Phase_PHASE_GRACE)
	})
}

// TestLaw08RemovedPersonsOpenStreamsEnd: what a removed member has open ends too.
func TestLaw08RemovedPersonsOpenStreamsEnd(t *testing.T) {
	rack(t, func(t *testing.T, r *memrack.Rack, web *memrack.Node) {
		watching := r.Watch(web) // with its key, beside its agent's own stream
		if _, err := watching.Recv(); err != nil {
			t.Fatal(err)
		}
		if _, err := control(r).RemoveMember(t.Context(), &upsv1.RemoveMemberRequest{Name: "web1"}); err != nil {
			t.Fatal(err)
		}
		r.Advance(time.Second)
		r.Sim(fail)
		for range 10 {
			st, err := watching.Recv()
			if err != nil {
				return
			}
			if st.GetStatus().GetUps()[0].GetStatus() == fail {
				t.Fatal("a removed member sees the outage")
			}
		}
		t.Error("the stream goes on")
	})
}
