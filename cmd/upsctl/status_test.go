package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

const wellText = `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR  LINES    CABLE
main  OK     12s  DTR DCD  liebert-powersure

NODE  ROLE     PHASE  STATE  COUNTDOWN  LINK  PROBLEM
web1  compute  IDLE   OK     -          up
`

const darkText = `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR  LINES        CABLE
main  FAIL   48s  DTR CTS DCD  liebert-powersure

NODE  ROLE      PHASE    STATE   COUNTDOWN  LINK  PROBLEM
web1  compute   GRACE    FAIL    4m12s      up
db1   database  HELD     FAIL    25m        lost  held by root, node-lost
nas1  storage   WAITING  BATLOW  -          off   waits for 2

node/db1: node-lost, for 1m30s: it was last heard 1m30s ago; look at upsagent
  and the network there, for it hears of no power failure
`

// deadMaster is what an agent says when its master is gone.
func deadMaster() *fake {
	m := darkRack()
	return &fake{
		status: []*upsv1.GetStatusResponse{{Unreachable: []*upsv1.UnreachableMaster{{Name: "rack1", Address: "192.0.2.1:8493", Error: "connection refused"}}}},
		node: &upsv1.GetNodeStatusResponse{Node: m.Nodes[0], Masters: []*upsv1.NodeMaster{
			{Name: "rack1", Address: "192.0.2.1:8493", Link: upsv1.Link_LINK_LOST, Ups: m.Ups},
		}},
	}
}

// TestStatusExit: each thing that should make somebody look does, alone.
func TestStatusExit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*upsv1.MasterStatus)
		want   int
	}{
		{"all is well", func(*upsv1.MasterStatus) {}, exitWell},
		{"on battery", func(m *upsv1.MasterStatus) { m.Ups[0].Status = upsv1.Status_STATUS_FAIL }, exitAttention},
		{"battery low", func(m *upsv1.MasterStatus) { m.Ups[0].Status = upsv1.Status_STATUS_BATLOW }, exitAttention},
		{"blind", func(m *upsv1.MasterStatus) { m.Ups[0].Status = upsv1.Status_STATUS_UNSPECIFIED }, exitAttention},
		{"a status of the future", func(m *upsv1.MasterStatus) { m.Ups[0].Status = 99 }, exitAttention},
		{"a problem", func(m *upsv1.MasterStatus) { m.Problems = []*upsv1.Problem{{On: "ups/main", Name: "x"}} }, exitAttention},
		{"a weakness", func(m *upsv1.MasterStatus) {
			m.Problems = []*upsv1.Problem{{On: "ups/main", Name: "x", Weakness: true}}
		}, exitWell},
		{"held", func(m *upsv1.MasterStatus) { m.Nodes[0].Report.Phase = upsv1.Phase_PHASE_HELD }, exitAttention},
		{"never reported", func(m *upsv1.MasterStatus) { m.Nodes[0].Report = nil }, exitAttention},
		{"lost", func(m *upsv1.MasterStatus) { m.Nodes[0].Link = upsv1.Link_LINK_LOST }, exitAttention},
		{"never seen", func(m *upsv1.MasterStatus) { m.Nodes[0].Link = upsv1.Link_LINK_UNSPECIFIED }, exitAttention},
		{"said that it goes", func(m *upsv1.MasterStatus) { m.Nodes[0].Link = upsv1.Link_LINK_OFF }, exitWell},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := wellRack()
			tt.change(m)
			if got := run(t, nil, "--socket", (&fake{status: answer(m)}).serve(t), "status"); got.Code != tt.want {
				t.Errorf("exit status %d, want %d\n%s", got.Code, tt.want, got.Out)
			}
		})
	}
}

// TestStatusJSON holds the keys of the contract (and those that were added).
func TestStatusJSON(t *testing.T) {
	m := darkRack()
	m.Nodes = m.Nodes[:2]
	m.Problems = append(m.Problems, &upsv1.Problem{On: "ups/main", Name: "never-low", Text: "nobody has seen it", Weakness: true})
	m.Ups[0].Runtime, m.Ups[0].Debt = dur(20*time.Minute), dur(90*time.Second)
	got := run(t, nil, "--socket", (&fake{status: answer(m)}).serve(t), "status", "--all", "--json")
	var have any
	if err := json.Unmarshal([]byte(got.Out), &have); err != nil || got.Code != exitAttention {
		t.Fatalf("%v: %+v", err, got)
	}
	var want any
	if err := json.Unmarshal([]byte(`{"masters":[{"name":"rack1","address":"192.0.2.1:8493","reachable":true,"version":"v1",
		"ups":[{"name":"main","state":"FAIL","age_seconds":48,"outage":"b-48","outage_age_seconds":48,"debt_seconds":90,"runtime_seconds":1200,
			"has_low":true,"cable":"liebert-powersure","lines":["DTR","CTS","DCD"],"weak_battery":false,"drill":false,"sim":false,"margin_seconds":null}]}],
		"nodes":[
			{"name":"web1","role":"compute","phase":"GRACE","state":"FAIL","deadline_seconds":252,"grace_seconds":300,"link":"up","last_heard_seconds":1,
			"waiting_on":[],"waiting_count":0,"feeds":["rack1/main"],"stop_time_seconds":120,"master_host":false,"answers":null,"announced":null},
			{"name":"db1","role":"database","phase":"HELD","state":"FAIL","deadline_seconds":1500,"grace_seconds":0,"link":"lost","last_heard_seconds":90,
			"waiting_on":[],"waiting_count":0,"held_by":"root","feeds":[],"stop_time_seconds":0,"master_host":false,"answers":null,"announced":null}],
		"problems":[{"on":"node/db1","name":"node-lost","text":"it was last heard 1m30s ago; look at upsagent and the network there, for it hears of no power failure","age_seconds":90}],
		"weaknesses":[{"on":"ups/main","name":"never-low","text":"nobody has seen it","age_seconds":null}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestJSONIsHarmless: it says everything exactly, and nothing that a terminal or a
// reader could take for something else.
func TestJSONIsHarmless(t *testing.T) {
	const hostile = "a\x1b\u009b\u202e\x7f\U000e0001<é>"
	var b strings.Builder
	if err := writeJSON(&b, hostile, ""); err != nil {
		t.Fatal(err)
	}
	if want := `"a\u001b\u009b\u202e\u007f\udb40\udc01<é>"` + "\n"; b.String() != want {
		t.Errorf("got %s, want %s", b.String(), want)
	}
	var back string
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil || back != hostile {
		t.Errorf("read back %q, %v", back, err)
	}
}

func TestColourOnlyWhereWanted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		tty    bool
		env    map[string]string
		colour bool
	}{
		{"terminal", true, nil, true},
		{"pipe", false, nil, false},
		{"told not to", true, map[string]string{"NO_COLOR": "1"}, false},
		{"told nothing", true, map[string]string{"NO_COLOR": ""}, true},
		{"dumb", true, map[string]string{"TERM": "dumb"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, func(c *cli) {
				c.outTTY = tt.tty
				c.env = func(k string) string { return tt.env[k] }
			}, "--socket", (&fake{status: answer(darkRack())}).serve(t), "status")
			if strings.Contains(got.Out, "\x1b[33mFAIL\x1b[0m") != tt.colour {
				t.Errorf("colour is not %v:\n%q", tt.colour, got.Out)
			}
			plain := strings.NewReplacer("\x1b[33m", "", "\x1b[31m", "", "\x1b[1;31m", "", "\x1b[0m", "").Replace(got.Out)
			if diff := cmp.Diff(darkText, plain); diff != "" {
				t.Errorf("without its colours (-want +got):\n%s", diff)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestStatusOfWhoIsOff: how that is known, wherever a node is told of.
func TestStatusOfWhoIsOff(t *testing.T) {
	for off, want := range map[upsv1.Off][3]string{
		upsv1.Off_OFF_UNSPECIFIED: {"off   node-lost", "", "said that it goes; a guest (kvm)\n"},
		upsv1.Off_OFF_PROBED:      {"off (probed), node-lost", `"off": "probed"`, "; a guest (kvm); off: it has gone silent"},
		upsv1.Off_OFF_ASSUMED:     {"off (assumed), node-lost", `"off": "assumed"`, "; off by now, as far as anybody knows"},
		upsv1.Off_OFF_CUT:         {"off (cut), node-lost", `"off": "cut"`, "; off: its power was cut"},
		99:                        {"off   node-lost", "", "said that it goes; a guest (kvm)\n"},
	} {
		m := wellRack()
		m.Problems = []*upsv1.Problem{{On: "node/web1", Name: "node-lost", Text: "it is off"}}
		m.Nodes[0].Link, m.Nodes[0].Off, m.Nodes[0].Virtualization = upsv1.Link_LINK_OFF, off, "kvm"
		socket := (&fake{status: answer(m)}).serve(t)
		for i, args := range [][]string{{"status"}, {"status", "--json"}, {"status", "--plain"}} {
			got := run(t, nil, append([]string{"--socket", socket}, args...)...)
			if !strings.Contains(got.Out, want[i]) || off == 0 && strings.Contains(got.Out, "(probed)") {
				t.Errorf("%v of %s: %q is not told\n%s%s", args, off, want[i], got.Out, got.Err)
			}
		}
	}
}
