package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func (f *fake) Examine(ctx context.Context, r *upsv1.ExamineRequest) (*upsv1.ExamineResponse, error) {
	if f.hang != nil {
		f.hang()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.exam, f.act(fmt.Sprintf("examine, drill %v", r.GetDrill()))
}

func (f *fake) ExamineNode(_ context.Context, r *upsv1.ExamineNodeRequest) (*upsv1.ExamineNodeResponse, error) {
	if f.self == nil {
		return nil, status.Error(codes.PermissionDenied, "uid 1000 may not call ExamineNode; it is for master, operator, local")
	}
	f.asked <- fmt.Sprintf("examine this node, drill %v", r.GetDrill())
	return f.self, nil
}

// provedRack is a rack on which everything was proved.
func provedRack() *upsv1.ExamineResponse {
	st := wellRack()
	st.Proofs = []*upsv1.UpsProof{{Ups: "main", Outages: 3, LastWall: "2026-05-01T17:04:00+02:00", LowWall: "2026-03-01T02:00:00Z"}}
	n := st.Nodes[0]
	n.Report.Methods, n.Report.Wake = []string{"logind", "systemctl"}, []string{"cycle", "wol"}
	n.Proof = &upsv1.NodeProof{Outages: 3, LastOutage: "b-3", LastWall: "2026-05-01T17:20:00Z", StopTime: dur(61 * time.Second), BackWall: "2026-05-01T17:20:00Z"}
	return &upsv1.ExamineResponse{Status: st, Nodes: []*upsv1.NodeExam{{
		Name: "web1", Took: dur(12 * time.Millisecond), Answer: &upsv1.ExamineNodeResponse{Node: n},
	}}}
}

// sickRack is one with everything that doctor can say.
func sickRack() *upsv1.ExamineResponse {
	r := provedRack()
	st := r.Status
	st.Ups = append(st.Ups, &upsv1.UpsState{Name: "old", Cable: "apc-940-0023a", Reason: "cannot open /dev/ttyUSB1: no such file or directory"},
		&upsv1.UpsState{Name: "toy", Status: upsv1.Status_STATUS_OK, Sim: true, HasLow: true})
	st.Proofs = append(st.Proofs, &upsv1.UpsProof{Ups: "old"}, &upsv1.UpsProof{Ups: "toy"})
	node := func(name string, link upsv1.Link, methods, wake []string, x *upsv1.NodeExam) {
		n := &upsv1.NodeStatus{Name: name, Link: link, IsMasterHost: name == "rack1", Report: &upsv1.NodeReport{
			Phase: upsv1.Phase_PHASE_IDLE, Status: upsv1.Status_STATUS_OK, StopTime: dur(2 * time.Minute), Methods: methods, Wake: wake}}
		x.Name = name
		if x.Answer != nil {
			x.Answer.Node = n
		}
		st.Nodes, r.Nodes = append(st.Nodes, n), append(r.Nodes, x)
	}
	ran := []*upsv1.HookResult{{Name: "/usr/local/sbin/stop-db --now", Took: dur(1234 * time.Millisecond)}, {Name: "/opt/mail", Error: "exit status 1", Took: dur(20 * time.Millisecond)}}
	node("a-long-name-for-a-machine-in-a-rack", upsv1.Link_LINK_UP, []string{"logind"}, []string{"cycle", "wol", "rtc", "hook"}, &upsv1.NodeExam{Took: dur(time.Second), Answer: &upsv1.ExamineNodeResponse{Ran: ran}})
	node("db1", upsv1.Link_LINK_LOST, nil, nil, &upsv1.NodeExam{Error: "192.0.2.7:8494: no answer"})
	node("nas1", upsv1.Link_LINK_LOST, []string{"logind"}, []string{"cycle"}, &upsv1.NodeExam{Took: dur(3 * time.Millisecond), Answer: &upsv1.ExamineNodeResponse{
		CannotPowerOff: "logind does not let this daemon power off", LeftOut: "another drill runs on this node; try again when it has ended"}})
	node("rack1", upsv1.Link_LINK_UP, []string{"none"}, []string{"cycle"}, &upsv1.NodeExam{Answer: &upsv1.ExamineNodeResponse{CannotPowerOff: "it never goes"}})
	st.Nodes[2].Virtualization = "kvm"
	// What a node that is out of touch says is newer than what its master has heard.
	r.Nodes[3].Answer.Node = proto.CloneOf(st.Nodes[3])
	st.Nodes[3].Report = &upsv1.NodeReport{Problems: []*upsv1.Problem{{On: "node/nas1", Name: "hook", Text: "mended since"}}}
	st.Problems = []*upsv1.Problem{
		{On: "node/a-long-name-for-a-machine-in-a-rack", Name: "unproved", Text: "it was never seen through an outage", Weakness: true},
		{On: "node/nas1", Name: "hook", Text: "mended since"},
		{On: "node/nas1", Name: "unproved", Text: "it was never seen through an outage", Weakness: true},
		{On: "node/nas1", Name: "no-way-back", Text: "it comes back by the UPS's own power cycle only, and no cable of its UPSes can cut the load", Age: dur(time.Hour)},
		{On: "node/rack1", Name: "unproved", Text: "it was never seen through an outage", Weakness: true},
		{On: "ups/old", Name: "never-seen-before", Text: "a newer master's words\x1b[2J"},
	}
	return r
}

func TestDoctor(t *testing.T) {
	for name, c := range map[string]struct {
		exam *upsv1.ExamineResponse
		args []string
		want result
	}{
		"all is well": {provedRack(), nil, result{0, `master rack1

UPS   STATE  CABLE              SAYS LOW BATTERY  OUTAGES SEEN
main  OK     liebert-powersure  seen 2026-03-01   3, last 2026-05-01

NODE  REACHED  POWER  GOES  STOP TIME  COMES BACK BY  PROVED
web1  12 ms    OK     yes   1m1s seen  cycle wol      3x, back 2026-05-01

every machine would go down and come back
`, ""}},
		"everything is wrong": {sickRack(), []string{"--no-hooks"}, result{3, `master rack1

UPS   STATE    CABLE              SAYS LOW BATTERY    OUTAGES SEEN
main  OK       liebert-powersure  seen 2026-03-01     3, last 2026-05-01
old   UNKNOWN  apc-940-0023a      has no wire for it  never
toy   OK                          sim                 never

NODE           REACHED   POWER  GOES     STOP TIME  COMES BACK BY  PROVED
web1           12 ms     OK     yes      1m1s seen  cycle wol      3x, back 202…
a-long-name-…  1000 ms   OK     yes      2m said    cycle wol rt…  never
db1            no        OK     ?        2m said                   never
nas1           3 ms      OK     no       2m said    cycle          never
rack1          own host  OK     dry run  2m said    cycle          never

old: cannot open /dev/ttyUSB1: no such file or directory
a-long-name-for-a-machine-in-a-rack: drill hook /usr/local/sbin/stop-db --now:
  done in 1.234s
a-long-name-for-a-machine-in-a-rack: drill hook /opt/mail failed after 20ms:
  exit status 1
db1: cannot be examined: 192.0.2.7:8494: no answer
db1: a guest (kvm): the machine that it runs on has to name it in wait_for
nas1: would not go down: logind does not let this daemon power off
nas1: drill hooks not run: another drill runs on this node; try again when it
  has ended
rack1: would not go down: it never goes

problem never-seen-before, ups/old: a newer master's words?[2J

problem no-way-back, node/nas1: it comes back by the UPS's own power cycle only,
  and no cable of its UPSes can cut the load
  do: Use a cable that can cut the load, or allow wol, rtc or hook in [wake]
  method.

weakness unproved, node/a-long-name-for-a-machine-in-a-rack, node/nas1,
  node/rack1: it was never seen through an outage
  do: Pull the UPS's mains plug once for a few seconds, best with a node in a
  dry run first.

1 node could not be examined, 2 nodes would not go down, 2 problems, 3
  weaknesses
`, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{exam: c.exam, acts: true}
			path := f.serve(t)
			got := run(t, nil, append([]string{"--socket", path, "doctor"}, c.args...)...)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
				fmt.Println(got.Out)
			}
			if want := fmt.Sprintf("examine, drill %v", c.args == nil); <-f.asked != want {
				t.Errorf("the master was not asked to %s", want)
			}
			for _, line := range strings.Split(got.Out, "\n") {
				if len([]rune(line)) > maxWidth {
					t.Errorf("too wide: %s", line)
				}
			}
		})
	}
}

func TestDoctorForPrograms(t *testing.T) {
	f := &fake{exam: provedRack(), acts: true}
	got := run(t, nil, "--socket", f.serve(t), "--json", "doctor")
	want := `{
  "master": "rack1",
  "alone": false,
  "drill_hooks": true,
  "ups": [
    {
      "name": "main",
      "state": "OK",
      "cable": "liebert-powersure",
      "has_low": true,
      "sim": false,
      "outages": 3,
      "last_outage_end": "2026-05-01T17:04:00+02:00",
      "low_seen": "2026-03-01T02:00:00Z",
      "kill_seen": ""
    }
  ],
  "nodes": [
    {
      "name": "web1",
      "role": "compute",
      "master_host": false,
      "reached": true,
      "reached_seconds": 0.012,
      "state": "OK",
      "phase": "IDLE",
      "methods": [
        "logind",
        "systemctl"
      ],
      "stop_time_seconds": 120,
      "stop_time_measured_seconds": 61,
      "wake": [
        "cycle",
        "wol"
      ],
      "outages": 3,
      "last_outage": "b-3",
      "last_outage_end": "2026-05-01T17:20:00Z",
      "back_seen": "2026-05-01T17:20:00Z",
      "hooks": []
    }
  ],
  "problems": []
}
`
	if d := cmp.Diff(result{0, want, ""}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestDoctorOfANodeAlone(t *testing.T) {
	node := wellRack().Nodes[0]
	node.Report.Methods, node.Report.Wake = []string{"logind"}, []string{"wol"}
	f := &fake{
		node: &upsv1.GetNodeStatusResponse{Node: node, Masters: []*upsv1.NodeMaster{
			{Name: "rack1", Link: upsv1.Link_LINK_UP, Ups: wellRack().Ups},
			{Name: "rack2", Link: upsv1.Link_LINK_LOST, Error: "connection refused", Ups: wellRack().Ups},
		}},
		self: &upsv1.ExamineNodeResponse{Node: node},
	}
	got := run(t, nil, "--socket", f.serve(t), "doctor")
	got.Out = regexp.MustCompile(`web1  [0-9]+ ms +OK`).ReplaceAllString(got.Out, "web1  9 ms     OK")
	want := `only this node was examined, by its own agent; upsctl doctor on the master's
  host examines the whole rack

UPS         STATE    CABLE              SAYS LOW BATTERY  OUTAGES SEEN
rack1/main  OK       liebert-powersure  -                 -
rack2/main  UNKNOWN  liebert-powersure  -                 -

NODE  REACHED  POWER  GOES  STOP TIME  COMES BACK BY  PROVED
web1  9 ms     OK     yes   2m said    wol            -

rack2/main: its master is out of touch: connection refused

something is not as it should be; see above
`
	if d := cmp.Diff(result{3, want, ""}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if what := <-f.asked; what != "examine this node, drill true" {
		t.Errorf("it was asked to %s", what)
	}
}

func TestDoctorThatCannotAsk(t *testing.T) {
	refusing := &fake{acts: true, refuse: status.Error(codes.PermissionDenied, "bob may not call Examine; it is for operator, local")}
	for name, c := range map[string]struct{ socket, want string }{
		"a viewer":            {refusing.serve(t), "upsctl: cannot examine: bob may not call Examine; it is for operator, local; on a daemon's socket be root or of group lastwatt, else ask with an operator's key\n"},
		"nobody on the agent": {(&fake{node: &upsv1.GetNodeStatusResponse{}}).serve(t), "upsctl: cannot examine: uid 1000 may not call ExamineNode; it is for master, operator, local; on a daemon's socket be root or of group lastwatt, else ask with an operator's key\n"},
		"no daemon":           {"/nowhere", "upsctl: cannot ask: no daemon answers at /nowhere (it does not exist); start upsmaster or upsagent, or name its socket with --socket\n"},
	} {
		if d := cmp.Diff(result{1, "", c.want}, run(t, nil, "--socket", c.socket, "doctor")); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	c, out, errs := testCLI("")
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{acts: true, hang: cancel}
	c.outTTY, c.socket = true, f.serve(t)
	got := result{c.run(ctx, []string{"--socket", c.socket, "doctor"}), out.String(), errs.String()}
	want := result{1, "", "the drill hooks run now, on every node that has any; Ctrl-C ends them\nupsctl: cannot examine: interrupted; drill hooks that still ran are being ended\n"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Ctrl-C (-want +got):\n%s", d)
	}
}
