package memrack_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// hostLast is a master's host that has a minute's grace and goes after everybody.
const hostLast = "[node]\nobey_sim = true\n[node.policy]\ngrace = \"1m\"\nwait_for = [\"*\"]\n"

// seenOff is how long after a machine is off that is known: the margin, and a probe.
const seenOff = 31500 * time.Millisecond

// waitRack is a rack whose machines are off 5 s after they asked for it, unless they hang.
type waitRack struct {
	*memrack.Rack
	t     *testing.T
	began time.Duration // the outage
	nodes map[string]*memrack.Node
	hangs map[string]bool
	off   map[string]bool
	host  time.Duration // when the master's host went; 0: not
}

// waiters runs test on a rack of web1, db1 and the master's host.
func waiters(t *testing.T, web, db string, test func(r *waitRack)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &waitRack{Rack: memrack.New(t, hostLast), t: t, hangs: map[string]bool{}, off: map[string]bool{}}
		defer r.Stop()
		r.nodes = map[string]*memrack.Node{"web1": r.Join("web1", web), "db1": r.Join("db1", db)}
		r.Advance(settle)
		test(r)
	})
}

func policyText(grace string, waitFor ...string) string {
	return fmt.Sprintf("[policy]\ngrace = %q\nwait_for = [%s]\n[shutdown]\nstop_time = \"10s\"\n", grace, strings.Join(quoted(waitFor), ", "))
}

func quoted(all []string) (q []string) {
	for _, s := range all {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return q
}

// fail begins the outage.
func (r *waitRack) fail() {
	r.Sim(fail)
	r.began = r.Since()
}

// live lets d pass; machines that asked for it go off.
func (r *waitRack) live(d time.Duration) {
	r.t.Helper()
	for end := r.Since() + d; r.Since() < end; {
		r.Advance(min(500*time.Millisecond, end-r.Since()))
		if r.host == 0 && r.Node("rack1").GetReport().GetPhase() == upsv1.Phase_PHASE_DONE {
			r.host = r.Since() - r.began
		}
		for _, name := range []string{"db1", "web1"} {
			n := r.nodes[name]
			if at := r.went(name); at >= 0 && !r.off[name] && !r.hangs[name] && r.Since()-r.began-at >= 5*time.Second {
				r.off[name] = true
				r.StopAgent(n)
				r.Net.Power(name, false)
			}
		}
	}
}

// went returns how long into the outage a machine asked for its power-off; -1: not.
func (r *waitRack) went(name string) time.Duration {
	r.t.Helper()
	if n := r.nodes[name]; n != nil {
		if offs := n.Offs(); len(offs) > 0 {
			return offs[0] - r.began
		}
		return -1
	}
	if r.host > 0 {
		return r.host
	}
	return -1
}

// want fails the test unless the machine went then, give or take what news takes.
func (r *waitRack) want(name string, at time.Duration) {
	r.t.Helper()
	if got := r.went(name); got < at-time.Second || got > at+time.Second {
		r.t.Errorf("%s went %s into the outage, want %s", name, got, at)
	}
}

// problem returns what is told of a node under a name.
func (r *waitRack) problem(on, name string) string {
	for _, p := range r.Status().GetProblems() {
		if p.GetOn() == on && p.GetName() == name {
			return p.GetText()
		}
	}
	return ""
}

func TestWaitersGoInOrder(t *testing.T) {
	waiters(t, policyText("2m"), policyText("30s", "web1"), func(r *waitRack) {
		r.fail()
		r.live(31 * time.Second)
		phase(r.t, r.Rack, r.nodes["db1"], "db1", upsv1.Phase_PHASE_WAITING)
		if is := r.Node("db1").GetReport(); !slices.Equal(is.GetWaitingOn(), []string{"web1"}) || is.GetWaitingCount() != 1 || is.GetDeadline() != nil {
			t.Errorf("db1 waits on %v (%d), until %v; want web1, open", is.GetWaitingOn(), is.GetWaitingCount(), is.GetDeadline())
		}
		r.live(30 * time.Second)
		if is := r.Node("rack1").GetReport(); !slices.Equal(is.GetWaitingOn(), []string{"db1", "web1"}) {
			t.Errorf("the host waits on %v", is.GetWaitingOn())
		}
		r.live(3 * time.Minute)
		r.want("web1", 2*time.Minute)
		r.want("db1", 2*time.Minute+5*time.Second+seenOff)
		r.want("rack1", 2*time.Minute+10*time.Second+2*seenOff)
	})
}

func TestWhoHangsIsWaitedForToTheLimit(t *testing.T) {
	waiters(t, policyText("1m"), policyText("30s", "web1"), func(r *waitRack) {
		r.hangs["web1"] = true
		r.fail()
		r.live(10 * time.Minute)
		r.want("web1", time.Minute)
		r.want("db1", 3*time.Minute) // 2m after web1's commit
		r.want("rack1", 3*time.Minute+5*time.Second+seenOff)
	})
}

func TestLaw06BatLowShortensTheWaits(t *testing.T) {
	waiters(t, policyText("10m"), policyText("30s", "web1"), func(r *waitRack) {
		r.hangs["web1"], r.hangs["db1"] = true, true
		r.fail()
		r.live(2 * time.Minute)
		r.Sim(batlow)
		r.live(5 * time.Minute)
		low := 2*time.Minute + 500*time.Millisecond // the line's settling
		r.want("web1", low)
		r.want("db1", low+20*time.Second)
		r.want("rack1", low+40*time.Second) // two wait below each other
	})
}

func TestLaw03PowerBackEndsTheWaiting(t *testing.T) {
	waiters(t, policyText("10m"), policyText("30s", "web1"), func(r *waitRack) {
		r.fail()
		r.live(5 * time.Minute)
		phase(r.t, r.Rack, r.nodes["db1"], "db1", upsv1.Phase_PHASE_WAITING)
		r.Sim(ok)
		r.live(10 * time.Minute)
		for _, name := range []string{"web1", "db1", "rack1"} {
			if is := r.Node(name).GetReport(); is.GetPhase() != upsv1.Phase_PHASE_IDLE || len(is.GetWaitingOn()) > 0 {
				t.Errorf("%s is %s and waits on %v", name, is.GetPhase(), is.GetWaitingOn())
			}
		}
		if r.went("web1") >= 0 || r.went("db1") >= 0 {
			t.Error("a machine went although power came back")
		}
	})
}

func TestACircleIsToldAndHarmsNobody(t *testing.T) {
	waiters(t, policyText("1m", "db1"), policyText("30s", "web1", "db9"), func(r *waitRack) {
		if text := r.problem("node/web1", "wait-cycle"); !strings.Contains(text, "web1 waits for db1 waits for web1") {
			t.Errorf("of the circle is told %q", text)
		}
		if text := r.problem("node/db1", "wait-cycle"); text != "" {
			t.Errorf("the circle is broken at web1, and db1 has %q too", text)
		}
		if text := r.problem("node/db1", "wait-nobody"); !strings.Contains(text, "db9") {
			t.Errorf("of a name that nobody has is told %q", text)
		}
		r.fail()
		r.live(5 * time.Minute)
		r.want("web1", time.Minute)
		r.want("db1", 65*time.Second+seenOff)
		r.want("rack1", 70*time.Second+2*seenOff)
	})
}

// Whoever is lost is waited for from his last word; who waits and is lost himself, from
// then.
func TestALostLinkBoundsTheWaiting(t *testing.T) {
	t.Run("of who is waited for", func(t *testing.T) {
		waiters(t, policyText("20m"), policyText("30s", "web1"), func(r *waitRack) {
			r.fail()
			r.live(time.Minute)
			r.Net.Cut("web1")
			r.live(5 * time.Minute)
			r.want("db1", 3*time.Minute)
			// It may be the master that nobody reaches: db1 is off when its time for that is over.
			r.want("rack1", 3*time.Minute+10*time.Second+30*time.Second)
		})
	})
	t.Run("of who waits", func(t *testing.T) {
		waiters(t, policyText("20m"), policyText("30s", "web1"), func(r *waitRack) {
			r.fail()
			r.live(time.Minute)
			r.Net.Cut("db1")
			r.live(5 * time.Minute)
			r.want("db1", 3*time.Minute+1500*time.Millisecond) // three beats until it is noticed
		})
	})
}

// The switch dies with the mains: nobody hears of anybody, and the order holds all the
// same where graces are equal.
func TestWaitersWithoutANetwork(t *testing.T) {
	waiters(t, policyText("1m"), policyText("1m", "web1"), func(r *waitRack) {
		r.Net.Off()
		r.fail()
		r.Net.On()
		r.live(200 * time.Millisecond)
		r.Net.Off()
		r.live(10 * time.Minute)
		r.want("web1", time.Minute)
		r.want("db1", 3*time.Minute)
	})
}

// A node that was not there when the outage began can't be known to be up.
func TestWhoWasNotThereIsNotWaitedFor(t *testing.T) {
	waiters(t, policyText("20m"), policyText("30s", "web1"), func(r *waitRack) {
		r.StopAgent(r.nodes["web1"])
		r.Advance(settle)
		r.fail()
		r.live(2 * time.Minute)
		r.want("db1", 30*time.Second) // its machine runs, and could be down again by now
		r.want("rack1", 35*time.Second+seenOff)
	})
	waiters(t, policyText("20m"), policyText("1m", "web1"), func(r *waitRack) {
		r.StopAgent(r.nodes["web1"])
		r.Advance(settle)
		r.fail()
		r.live(30 * time.Second)
		r.StartAgent(r.nodes["web1"]) // it was booting
		r.live(2 * time.Minute)
		phase(r.t, r.Rack, r.nodes["db1"], "db1", upsv1.Phase_PHASE_WAITING)
		r.Sim(batlow)
		r.live(time.Minute)
		r.want("db1", 170*time.Second+500*time.Millisecond) // wait_limit_batlow: nobody can be seen to be off so soon
	})
}

// A master that is restarted has heard nobody yet, which is no sign that they are off.
func TestARestartedMasterWaitsForWhoWasUp(t *testing.T) {
	waiters(t, policyText("20m"), policyText("30s", "web1"), func(r *waitRack) {
		r.fail()
		r.live(2 * time.Minute)
		r.StopMaster()
		r.Net.Cut("web1") // it comes back late
		r.Advance(5 * time.Second)
		r.StartMaster()
		r.Advance(100 * time.Millisecond)
		r.Sim(fail) // a sim port begins with OK; a real line would still say FAIL
		r.live(10 * time.Second)
		for _, name := range []string{"db1", "rack1"} {
			if is := r.Node(name).GetReport(); is.GetPhase() != upsv1.Phase_PHASE_WAITING || !slices.Contains(is.GetWaitingOn(), "web1") {
				t.Errorf("after the master's restart %s is %s and waits on %v", name, is.GetPhase(), is.GetWaitingOn())
			}
		}
		r.Net.Heal("web1")
		r.live(5 * time.Minute)
		phase(r.t, r.Rack, r.nodes["db1"], "db1", upsv1.Phase_PHASE_WAITING)
	})
}
