//go:build linux && (amd64 || arm64)

package e2e

import (
	"math"
	"testing"
	"time"
)

// slack is what two looks at one countdown may differ by: a look takes its time.
const slack = 1.5

// deadline returns the moment of a node's deadline on this test's clock, in seconds.
func deadline(t *testing.T, s status, node string) float64 {
	t.Helper()
	d := s.node(node).Deadline
	if d == nil {
		t.Fatalf("%s has no deadline:\n%s", node, s.text)
	}
	return float64(time.Now().UnixNano())/1e9 + *d
}

// TestAgentKilledInGrace kills an agent during its countdown, then the master, and
// starts the agent again: it goes at the moment at which it would have gone.
func TestAgentKilledInGrace(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	a := r.join("node", agentOptions{grace: "15s"})
	r.ups.Mains(false)
	r.await("GRACE", in("node", "GRACE"))
	before := deadline(t, a.await("GRACE", in("node", "GRACE")), "node")
	// The state file is not waited for: it is there when the agent says nothing is
	// wrong with it, or it isn't, and then the test is red.
	until(t, "the state file", func() bool { return exists(a.path("run/state.json")) }, a.tail)
	a.kill()
	r.master.kill()
	a.start()
	s := a.await("GRACE again, without a master", func(s status) bool { return s.node("node").Phase == "GRACE" })
	if after := deadline(t, s, "node"); math.Abs(after-before) > slack {
		t.Errorf("the deadline moved by %.1f s", after-before)
	}
	if s.node("node").Link == "up" {
		t.Errorf("there is no master:\n%s", s.text)
	}
	a.awaitGone()
	if late := float64(time.Now().UnixNano())/1e9 - before; math.Abs(late) > slack {
		t.Errorf("it went %.1f s after its deadline", late)
	}
}

// TestMasterKilledInFail kills the master during an outage: its agents go on, and
// the next master knows how old the outage is.
func TestMasterKilledInFail(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.manager = newManager(t, r.dir)
	r.startMaster()
	short, long := r.join("short", agentOptions{grace: "8s"}), r.join("long", agentOptions{grace: "5m"})
	began := time.Now()
	r.ups.Mains(false)
	r.await("GRACE", func(s status) bool {
		return s.node("short").Phase == "GRACE" && s.node("long").Phase == "GRACE" && s.ups().Outage != ""
	})
	first := r.status()
	before := deadline(t, first, "long")
	r.master.kill()
	s := long.await("the link to be lost", func(s status) bool { return s.node("long").Link == "lost" })
	if s.node("long").Phase != "GRACE" || s.code != 3 {
		t.Errorf("exit status %d:\n%s", s.code, s.text)
	}
	short.awaitGone() // by its own clock

	r.startMaster()
	s = r.await("the agent back", func(s status) bool { return s.node("long").Link == "up" && s.ups().State == "FAIL" })
	if s.ups().Outage != first.ups().Outage {
		t.Errorf("the outage is %q now and was %q", s.ups().Outage, first.ups().Outage)
	}
	age, want := s.ups().OutageAge, time.Since(began).Seconds()
	if age == nil || math.Abs(*age-want) > slack {
		t.Errorf("the new master says that the outage is %v s old, want about %.1f:\n%s", age, want, s.text)
	}
	if after := deadline(t, s, "long"); math.Abs(after-before) > slack {
		t.Errorf("the deadline moved by %.1f s", after-before)
	}
	r.ups.Mains(true)
	r.await("IDLE", func(s status) bool { return s.ups().State == "OK" && s.node("long").Phase == "IDLE" })
	if long.went() {
		t.Error("the patient agent powered off")
	}
}

// TestLaw02SilenceIsNoOutage kills the master while the mains are there: that is a
// problem and nothing else, and a new master has its agents back.
func TestLaw02SilenceIsNoOutage(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	a := r.join("node", agentOptions{grace: "0s"})
	r.master.kill()
	s := a.await("the loss to be told", func(s status) bool { return s.node("node").Link == "lost" && s.problem("node/node", "link-lost") })
	if s.node("node").Phase != "IDLE" || a.went() || s.code != 3 {
		t.Errorf("exit status %d:\n%s", s.code, s.text)
	}
	r.startMaster()
	r.await("the agent back", func(s status) bool { return s.node("node").Link == "up" })
	r.ups.Mains(false)
	a.awaitGone()
}

// TestAdapterPulled pulls the serial adapter out of the master and puts it back, on
// mains and on battery.
func TestAdapterPulled(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	a := r.join("node", agentOptions{grace: "1h"})

	r.tty.Unplug()
	s := r.await("blind", func(s status) bool { return s.ups().State == "UNKNOWN" })
	if !s.problem("ups/main", "blind") || s.code != 3 || s.node("node").Phase != "IDLE" {
		t.Errorf("exit status %d, want 3, and a problem and no more:\n%s", s.code, s.text)
	}
	r.tty.Replug()
	r.await("OK again", func(s status) bool { return s.ups().State == "OK" && !s.problem("ups/main", "blind") })

	r.ups.Mains(false)
	s = r.await("GRACE", in("node", "GRACE"))
	outage, before := s.ups().Outage, deadline(t, s, "node")
	r.tty.Unplug()
	s = r.await("blind in the outage", func(s status) bool { return s.ups().State == "UNKNOWN" })
	if after := deadline(t, s, "node"); s.node("node").Phase != "GRACE" || math.Abs(after-before) > slack {
		t.Errorf("blindness stopped or moved a countdown:\n%s", s.text)
	}
	r.tty.Replug()
	s = r.await("FAIL again", reads("FAIL"))
	if s.ups().Outage != outage {
		t.Errorf("another outage, %q, in place of %q", s.ups().Outage, outage)
	}
	r.ups.Low(true)
	a.awaitGone()
}
