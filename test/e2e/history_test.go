//go:build linux && (amd64 || arm64)

package e2e

import (
	"os"
	"strings"
	"testing"
)

// off is what the power does to a machine that went: its agent is gone at once, and
// with it all that lay in run.
func (a *agent) off() {
	a.r.t.Helper()
	a.kill()
	if err := os.RemoveAll(a.path("run")); err != nil {
		a.r.t.Fatal(err)
	}
	if err := os.Mkdir(a.path("run"), 0o700); err != nil {
		a.r.t.Fatal(err)
	}
}

// TestHistoryOverAKilledMaster: the master dies in mid-outage, with one node down and
// one about to go; the next one tells the whole story, and its report once.
func TestHistoryOverAKilledMaster(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{})
	r.startMaster()
	early, late := r.join("early", agentOptions{grace: "1s"}), r.join("late", agentOptions{grace: "4s"})
	r.join("stays", agentOptions{grace: "5m"})
	if got := r.upsctl("history"); got != "no outage is on record\n" {
		t.Errorf("before any outage: %q", got)
	}
	r.ups.Mains(false)
	early.awaitGone()
	r.await("the commit of early", in("early", "DONE"))
	early.off()
	r.await("early off", func(s status) bool { return s.node("early").Link == "lost" })
	r.master.kill()
	late.awaitGone()
	late.off()
	r.startMaster()
	r.await("the same outage", func(s status) bool { return s.node("stays").Link == "up" && s.ups().State == "FAIL" })
	if got := r.upsctl("history", "last"); !strings.Contains(got, "1 of 3 down") || !strings.Contains(got, "it is not over") || !strings.Contains(got, "late was lost") {
		t.Errorf("in mid-outage:\n%s", got)
	}
	r.ups.Mains(true)
	r.await("mains", reads("OK"))
	if got := r.upsctl("events", "--kind", "report"); got != "" {
		t.Errorf("a report before the nodes are back: %s", got)
	}
	early.start()
	late.start()
	told := func() string { return r.upsctl("events", "--kind", "report") }
	until(t, "the report", func() bool { return told() != "" }, r.master.tail)
	list, story := r.upsctl("history"), r.upsctl("history", "last")
	if strings.Count(list, "\n") != 2 || !strings.Contains(list, " 1 of 3 ") {
		t.Errorf("the list:\n%s", list)
	}
	for _, want := range []string{"failed; 1 of 3 down in ", "power back after ", "early was down", "early was back", "the power was back"} {
		if !strings.Contains(story, want) {
			t.Errorf("no %q in:\n%s", want, story)
		}
	}
	r.master.kill()
	r.startMaster()
	if got := told(); strings.Count(got, "report: ") != 1 {
		t.Errorf("the report after another start:\n%s", got)
	}
}
