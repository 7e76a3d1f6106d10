package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (f *fake) Drill(r *upsv1.DrillRequest, s grpc.ServerStreamingServer[upsv1.DrillResponse]) error {
	if err := f.act(fmt.Sprintf("drill %s %v %s", r.GetFor().AsDuration(), r.GetBatlow(), strings.Join(r.GetNodes(), "+"))); err != nil {
		return err
	}
	for _, is := range f.drill {
		if err := s.Send(is); err != nil {
			return err
		}
	}
	if f.hang != nil {
		f.hang()
		<-s.Context().Done()
		return s.Context().Err()
	}
	return nil
}

// wellDrill is one in which everybody did as foreseen.
func wellDrill() []*upsv1.DrillResponse {
	n := &upsv1.DrillNode{
		Name: "web1", Answered: dur(12 * time.Millisecond), Planned: dur(5 * time.Minute), Methods: []string{"logind", "systemctl"},
		Report: &upsv1.DrillReport{Id: "b1-drill7", Goes: dur(5 * time.Minute), Over: true, Steps: []*upsv1.DrillStep{
			{Phase: upsv1.Phase_PHASE_GRACE, Reason: "on battery"}, {Phase: upsv1.Phase_PHASE_IDLE, After: dur(30 * time.Second), Reason: "power is back"}}},
	}
	return []*upsv1.DrillResponse{
		{Id: "b1-drill7", Nodes: []*upsv1.DrillNode{{Name: "web1", Missing: "it is attached and did not answer"}}},
		{Id: "b1-drill7", Over: true, Nodes: []*upsv1.DrillNode{n}},
	}
}

// sickDrill is one in which all went wrong that can.
func sickDrill() []*upsv1.DrillResponse {
	phases := func(all ...upsv1.Phase) (steps []*upsv1.DrillStep) {
		for i, p := range all {
			steps = append(steps, &upsv1.DrillStep{Phase: p, After: dur(time.Duration(2*i) * time.Second), Reason: "the battery is low; waiting for web1"})
		}
		return steps
	}
	return []*upsv1.DrillResponse{{
		Id: "b1-drill7", Over: true, Low: dur(2 * time.Second), Ended: "main is on battery", Nodes: []*upsv1.DrillNode{
			{Name: "a-long-name-for-a-machine-in-a-rack", Answered: dur(1500 * time.Millisecond), Planned: dur(2 * time.Second), Late: true, Methods: []string{"logind"},
				Report: &upsv1.DrillReport{Goes: dur(9 * time.Second), Steps: phases(upsv1.Phase_PHASE_GRACE, upsv1.Phase_PHASE_WAITING, upsv1.Phase_PHASE_COMMITTED),
					Method: "logind", CannotPowerOff: "logind does not let this daemon power off", LeftAside: []string{"/opt/stop-db on commit", "/opt/mail on ok"},
					Ran: []*upsv1.DrillHook{
						{Event: "fail", Result: &upsv1.HookResult{Name: "/opt/move", Took: dur(1234 * time.Millisecond)}},
						{Event: "commit", Result: &upsv1.HookResult{Name: "/opt/flush", Error: "exit status 1\x1b[2J", Took: dur(20 * time.Millisecond)}}}}},
			{Name: "db1", Missing: "it is out of touch: it would not hear of a failure either", Methods: []string{"logind"}},
			{Name: "held1", Answered: dur(time.Millisecond), Report: &upsv1.DrillReport{Steps: []*upsv1.DrillStep{{Phase: upsv1.Phase_PHASE_HELD, Reason: "held by ann"}},
				LeftOut: "contact with the master was lost in the drill"}},
			{Name: "other1", Answered: dur(time.Millisecond), Report: &upsv1.DrillReport{Over: true}},
		},
	}}
}

func TestDrill(t *testing.T) {
	for name, c := range map[string]struct {
		drill []*upsv1.DrillResponse
		args  []string
		asked string
		want  result
	}{
		"all is well": {wellDrill(), nil, "drill 30s false ", result{0, `NODE  ANSWERED  TIME UP  PLANNED  REACHED  HOOKS  GOES BY
web1  12ms      5m       5m       GRACE    -      logind systemctl

everybody would have acted in time; nothing has happened to any machine
`, ""}},
		"everything is wrong": {sickDrill(), []string{"--for", "1m", "--batlow", "db1", "web1"}, "drill 1m0s true db1+web1", result{3, `NODE                 ANSWERED  TIME UP  PLANNED  REACHED          HOOKS  GOES BY
a-long-name-for-a-…  1.5s      9s       2s       COMMITTED, late  2      logind
db1                  -         -        -        missing          -      logind
held1                1ms       -        -        HELD             -
other1               1ms       -        -        IDLE             -

a-long-name-for-a-machine-in-a-rack: WAITING after 2s: the battery is low;
  waiting for web1
a-long-name-for-a-machine-in-a-rack: would not go down: logind does not let this
  daemon power off
a-long-name-for-a-machine-in-a-rack: drill hook /opt/move on fail: done in
  1.234s
a-long-name-for-a-machine-in-a-rack: drill hook /opt/flush failed on commit
  after 20ms: exit status 1?[2J
a-long-name-for-a-machine-in-a-rack: would have run too: /opt/stop-db on commit,
  /opt/mail on ok
db1: missing: it is out of touch: it would not hear of a failure either
held1: HELD after 0s: held by ann
held1: contact with the master was lost in the drill
other1: it would not have done anything: what it lives on did not fail

the drill ended before its time: main is on battery; 1 node is missing; 1 node
  is late; 1 node would not go down; 1 hook failed; 1 node was not there to the
  end
`, ""}},
		"without a last word": {wellDrill()[:1], nil, "drill 30s false ", result{1, "",
			"upsctl: cannot finish the drill: the master ended it without a last word; see its log\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{drill: c.drill, acts: true}
			path := f.serve(t)
			got := run(t, nil, append([]string{"--socket", path, "drill"}, c.args...)...)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
				fmt.Println(got.Out)
			}
			if asked := <-f.asked; asked != c.asked {
				t.Errorf("the master was asked to %s", asked)
			}
			for _, line := range strings.Split(got.Out, "\n") {
				if len([]rune(line)) > maxWidth {
					t.Errorf("too wide: %s", line)
				}
			}
		})
	}
}

func TestDrillForPrograms(t *testing.T) {
	got := run(t, nil, "--socket", (&fake{drill: wellDrill(), acts: true}).serve(t), "drill", "--json")
	var is any
	if err := json.Unmarshal([]byte(got.Out), &is); err != nil || got.Code != 0 {
		t.Fatalf("%+v: %v", got, err)
	}
	step := func(phase string, after float64, reason string) any {
		return map[string]any{"phase": phase, "after_seconds": after, "reason": reason}
	}
	want := map[string]any{"id": "b1-drill7", "for_seconds": 30.0, "low_seconds": nil, "nodes": []any{map[string]any{
		"name": "web1", "answered_seconds": 0.012, "reached": "GRACE", "goes_seconds": 300.0, "planned_seconds": 300.0, "late": false,
		"steps": []any{step("GRACE", 0, "on battery"), step("IDLE", 30, "power is back")},
		"hooks": []any{}, "hooks_not_run": []any{}, "methods": []any{"logind", "systemctl"},
	}}}
	if d := cmp.Diff(any(want), is); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDrillThatCannotBe(t *testing.T) {
	busy := &fake{acts: true, refuse: status.Error(codes.FailedPrecondition, "a drill by ann is on; try again when it is over")}
	viewer := &fake{acts: true, refuse: status.Error(codes.PermissionDenied, "bob may not call Drill; it is for operator, local")}
	for name, c := range map[string]struct {
		args []string
		want result
	}{
		"another":  {[]string{"--socket", busy.serve(t), "drill"}, result{1, "", "upsctl: cannot drill: a drill by ann is on; try again when it is over\n"}},
		"a viewer": {[]string{"--socket", viewer.serve(t), "drill"}, result{1, "", "upsctl: cannot drill: bob may not call Drill; it is for operator, local; on a daemon's socket be root or of group lastwatt, else ask with an operator's key\n"}},
		"an agent": {[]string{"--socket", (&fake{}).serve(t), "drill"}, result{1, "", "upsctl: cannot drill: this is not the master's socket, and an agent passes on reads only; do it on the master's host\n"}},
		"no time":  {[]string{"drill", "--for", "0s"}, result{2, "", "upsctl: --for 0s is not more than zero\nusage: upsctl drill [--for 30s] [--batlow] [NODE...]; see 'upsctl drill --help'\n"}},
		"too long": {[]string{"drill", "--for", "1h"}, result{2, "", "upsctl: --for 1h is too long\na drill lasts 5m at most\n"}},
	} {
		if d := cmp.Diff(c.want, run(t, nil, c.args...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	c, out, errs := testCLI("")
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{acts: true, drill: wellDrill()[:1], hang: cancel}
	c.outTTY, c.socket = true, f.serve(t)
	got := result{c.run(ctx, []string{"--socket", c.socket, "drill"}), out.String(), errs.String()}
	want := result{1, "", "the drill lasts 30s, and then until the last hook has ended; Ctrl-C ends it\n" +
		"upsctl: cannot finish the drill: interrupted; it is over, and nothing has happened to any machine\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Ctrl-C (-want +got):\n%s", d)
	}
}

func TestStatusShowsADrill(t *testing.T) {
	for want, d := range map[string]*upsv1.DrillStatus{
		"drill by ann on 1 node, for 12s more: no machine goes down by it":          {By: "ann", Left: dur(12 * time.Second), Count: 1},
		"drill by ann on 3 nodes, its last hooks go on: no machine goes down by it": {By: "ann", Count: 3},
	} {
		m := wellRack()
		m.Drill = d
		path := (&fake{status: []*upsv1.GetStatusResponse{{Masters: []*upsv1.MasterStatus{m}}}}).serve(t)
		for _, args := range [][]string{{"status"}, {"status", "--plain"}} {
			got := run(t, nil, append([]string{"--socket", path}, args...)...)
			if got.Code != 0 || !strings.Contains(got.Out, want) {
				t.Errorf("%v: %+v\nwant %s", args, got, want)
			}
		}
		got := run(t, nil, "--socket", path, "status", "--json")
		if !strings.Contains(got.Out, `"by": "ann"`) || strings.Contains(got.Out, `"drill": true`) {
			t.Errorf("for programs: %s", got.Out)
		}
	}
}
