package memrack

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// examine asks the master about everybody and returns a line for each node.
func (r *Rack) examine(drill bool) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Hour)
	defer cancel()
	resp, err := upsv1.NewControlServiceClient(r.Client()).Examine(ctx, &upsv1.ExamineRequest{Drill: drill})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(resp.GetNodes()) != len(resp.GetStatus().GetNodes()) {
		r.t.Errorf("%d nodes, %d exams", len(resp.GetStatus().GetNodes()), len(resp.GetNodes()))
	}
	var out []string
	for i, n := range resp.GetNodes() {
		if st := resp.GetStatus().GetNodes()[i]; st.GetName() != n.GetName() {
			r.t.Errorf("exam %d is of %s, the status of %s", i, n.GetName(), st.GetName())
		}
		a := n.GetAnswer()
		line := fmt.Sprintf("%s: error %q cannot %q left out %q", n.GetName(), n.GetError(), a.GetCannotPowerOff(), a.GetLeftOut())
		for _, h := range a.GetRan() {
			line += fmt.Sprintf(" ran %s %q", h.GetName(), h.GetError())
		}
		if a != nil && (a.GetNode().GetName() != n.GetName() || a.GetNode().GetReport().GetPhase() == 0) {
			line += " without its state"
		}
		out = append(out, line)
	}
	return out
}

func TestEverybodyIsExaminedSideBySide(t *testing.T) {
	const hooks = "[[hook]]\non = [\"commit\"]\nrun = [\"/bin/true\"]\ndrill = true\n[[hook]]\non = [\"fail\"]\nrun = [\"/bin/false\"]\ndrill = true\n"
	synctest.Test(t, func(t *testing.T) {
		r := New(t, "[node]\n[node.shutdown]\nmethod = [\"none\"]\n")
		defer r.Stop()
		r.Join("db1", hooks)
		gone := r.Join("gone", "")
		r.Join("mute", "")
		r.Join("web1", "[shutdown]\nmethod = [\"none\"]\n")
		r.Sim(upsv1.Status_STATUS_OK)
		r.Advance(5 * time.Second)
		r.StopAgent(gone)
		r.Net.Cut("mute:8494") // its agent still reaches the master
		start := r.Since()
		const dry = `method = ["none"] in [shutdown] is a dry run`
		want := []string{
			`db1: error "" cannot "" left out "" ran /bin/true "" ran /bin/false "/bin/false: exit status 1"`,
			`gone: error "gone:8494: REFUSED" cannot "" left out ""`,
			`mute: error "mute:8494: no answer" cannot "" left out ""`,
			`rack1: error "" cannot "it never goes: ` + strings.ReplaceAll(dry, `"`, `\"`) + `" left out ""`,
			`web1: error "" cannot "it never goes: ` + strings.ReplaceAll(dry, `"`, `\"`) + `" left out ""`,
		}
		got := r.examine(true)
		for i := range got { // a network in memory has its own words
			if before, _, ok := strings.Cut(got[i], "gone:8494: "); ok {
				got[i] = before + `gone:8494: REFUSED" cannot "" left out ""`
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if took := r.Since() - start; took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		var hook bool
		for _, p := range r.Node("db1").GetReport().GetProblems() {
			hook = hook || p.GetName() == "hook" && p.GetText() == "the hook /bin/false failed in a drill: /bin/false: exit status 1"
		}
		if !hook {
			t.Error("a hook that fails in a drill is no problem")
		}
		r.Sim(upsv1.Status_STATUS_FAIL)
		r.Advance(time.Second)
		if got := r.examine(true)[0]; got != `db1: error "" cannot "" left out "this node is on battery or going down; try again when the power is back"` {
			t.Errorf("on battery: %s", got)
		}
	})
}
