package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

func TestEvents(t *testing.T) {
	f := func() *fake {
		return &fake{acts: true, events: []*upsv1.StreamEventsResponse{
			{Seq: 6, Wall: "2026-01-01T09:00:00+02:00", On: "master/rack1", Kind: "start", Text: "of another boot"},
			{Seq: 7, Age: dur(90 * time.Second), Wall: "2026-01-02T15:02:35Z", On: "ups/main", Kind: "state", Text: "OK -> FAIL"},
			{Seq: 8, Age: dur(time.Second), Wall: "2026-01-02T15:04:04Z", On: "node/e\x1b[2Jvil", Kind: "phase", Text: "IDLE\n-> GRACE"},
			{Seq: 9, Age: dur(0), Wall: "never", On: "ups/main", Kind: "report", Text: "15:02 failed; " + strings.Repeat("more ", 14)},
		}}
	}
	for _, tt := range []struct{ args, want string }{
		{"", `Jan  1 07:00:00         master/rack1 start: of another boot
Jan  2 15:02:35  1m30s  ups/main     state: OK -> FAIL
Jan  2 15:04:04     1s  node/e?[2Jvil phase: IDLE?-> GRACE
never         ups/main     report: 15:02 failed; more more more more more more
                           more more more more more more more more 
`},
		{"--on ups/main --kind state", "Jan  2 15:02:35  1m30s  ups/main     state: OK -> FAIL\n"},
		{"--on node/web9", ""},
		{"--json --kind state", `{"age_seconds":90,"kind":"state","on":"ups/main","seq":7,"text":"OK -> FAIL","wall":"2026-01-02T15:02:35Z"}` + "\n"},
		{"--json --kind start", `{"age_seconds":null,"kind":"start","on":"master/rack1","seq":6,"text":"of another boot","wall":"2026-01-01T09:00:00+02:00"}` + "\n"},
		{"--json --kind phase", `{"age_seconds":1,"kind":"phase","on":"node/e\u001b[2Jvil","seq":8,"text":"IDLE\n-> GRACE","wall":"2026-01-02T15:04:04Z"}` + "\n"},
	} {
		args := append([]string{"--socket", f().serve(t), "events"}, strings.Fields(tt.args)...)
		if diff := cmp.Diff(result{0, tt.want, ""}, run(t, nil, args...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.args, diff)
		}
	}
}

// TestEventsFitATerminal: whatever the names and texts are.
func TestEventsFitATerminal(t *testing.T) {
	for _, on := range []string{"ups/main", "node/" + strings.Repeat("n", 30), "node/" + strings.Repeat("n", 63)} {
		c, out, _ := testCLI("")
		e := &upsv1.StreamEventsResponse{Wall: "2026-01-02T15:02:35Z", On: on, Kind: "problem", Text: strings.Repeat("some words ", 30)}
		if err := c.printEvent(e); err != nil {
			t.Error(err)
		}
		for i, l := range strings.Split(out.String(), "\n") {
			if n := utf8.RuneCountInString(l); n > maxWidth && i > 0 {
				t.Errorf("%d characters: %s", n, l)
			}
		}
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.HasSuffix(got, "some words some words") || strings.Count(got, "words") != 30 {
			t.Errorf("not all of it: %s", got)
		}
	}
}

// someOutages is what a master may tell: a real outage that put its own machine
// down too, a blip, one that goes on.
func someOutages() *upsv1.GetHistoryResponse {
	return &upsv1.GetHistoryResponse{Outages: []*upsv1.OutageReport{
		{Outage: "d74e3fc9-16aaa", Ups: "main", Began: "2026-01-02T15:02:35Z", Sim: true, GoingOn: true, Summary: "15:02 failed (pretended); it is not over"},
		{Outage: "d74e3fc9-15aaa", Ups: "main", Began: "2025-12-24T17:02:11Z", Lasted: dur(17 * time.Minute), LowAfter: dur(492 * time.Second),
			MasterOff: dur(9 * time.Minute), Summary: "17:02 failed; 2 of 3 down in 1m14s; slowest nas 1m1s; battery low after 8m12s; the master's machine was off from 9m on; power back after about 17m; db1 was not attached",
			Nodes: []*upsv1.NodeStory{
				{Name: "db1", Absent: true},
				{Name: "nas", Committed: dur(5 * time.Minute), Accepted: dur(301 * time.Second), Down: dur(361 * time.Second), Back: dur(19 * time.Minute), Went: true},
				{Name: "web1", Committed: dur(5 * time.Minute), Accepted: dur(301 * time.Second), Went: true, Note: "went, nobody saw when"},
				{Name: "web2", Lost: dur(2300 * time.Millisecond), Back: dur(5 * time.Second)},
			}},
		{Outage: "0123abcd-zzz", Ups: "main", Began: "2024-12-24T17:02:11Z", Summary: "17:02 failed; nobody had to go down; nobody saw its end"},
	}}
}

func TestHistory(t *testing.T) {
	all := someOutages()
	one := func(i int) *upsv1.GetHistoryResponse {
		return &upsv1.GetHistoryResponse{Outages: all.GetOutages()[i : i+1]}
	}
	for _, tt := range []struct {
		args  string
		story *upsv1.GetHistoryResponse
		asked string
		want  result
	}{
		{"", all, `history "" 0`, result{0, `BEGAN         UPS         LASTED   LOW    DOWN    SLOWEST  OUTAGE
Jan  2 15:02  main (sim)  goes on  -      0 of 0  -        d74e3fc9-16aaa
Dec 24 17:02  main        ~17m     8m12s  2 of 3  nas 1m1s  d74e3fc9-15aaa
Dec 24  2024  main        ?        -      0 of 0  -        0123abcd-zzz
`, ""}},
		{"last", one(1), `history "" 1`, result{0, `outage d74e3fc9-15aaa of ups main, Wed Dec 24 2025, 17:02:11
17:02 failed; 2 of 3 down in 1m14s; slowest nas 1m1s; battery low after 8m12s;
  the master's machine was off from 9m on; power back after about 17m; db1 was
  not attached

17:02:11  +0s    the power failed
17:02:13  +2.3s  web2 was lost
17:02:16  +5s    web2 was back
17:07:11  +5m    nas asked to power off
17:07:11  +5m    web1 asked to power off
17:07:12  +5m1s  nas: its system accepted
17:07:12  +5m1s  web1: its system accepted
17:08:12  +6m1s  nas was down
17:10:23  +8m12s  the battery was low
17:11:11  +9m    the master's machine went off
17:19:11  ~17m   the power was back
17:21:11  ~19m   nas was back

NODE  ASKED  ACCEPTED  DOWN  TOOK  BACK
db1   -      -         -     -     -     not attached
nas   5m     5m1s      6m1s  1m1s  ~19m
web1  5m     5m1s      -     -     -     went, nobody saw when
web2  -      -         -     -     5s    lost
`, ""}},
		{"d74e3fc9-16", one(0), `history "d74e3fc9-16" 0`, result{0, `pretended outage d74e3fc9-16aaa of ups main, Fri Jan  2 2026, 15:02:35
15:02 failed (pretended); it is not over

15:02:35  +0s  the power failed
               it is not over
`, ""}},
		{"", &upsv1.GetHistoryResponse{Warning: "cannot read 3 lines"}, `history "" 0`, result{0, "no outage is on record\n", "note: cannot read 3 lines\n"}},
		{"last", &upsv1.GetHistoryResponse{}, `history "" 1`, result{0, "no outage is on record\n", ""}},
		{"--json", &upsv1.GetHistoryResponse{Warning: "w"}, `history "" 0`, result{0, "{\n  \"outages\": [],\n  \"warning\": \"w\"\n}\n", ""}},
	} {
		t.Run("history "+tt.args+" of "+fmt.Sprint(len(tt.story.GetOutages())), func(t *testing.T) {
			f := &fake{acts: true, story: tt.story}
			got := run(t, nil, append([]string{"--socket", f.serve(t), "history"}, strings.Fields(tt.args)...)...)
			got.Out = squeeze(got.Out)
			tt.want.Out = squeeze(tt.want.Out)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			select {
			case asked := <-f.asked:
				if asked != tt.asked {
					t.Errorf("asked %s, want %s", asked, tt.asked)
				}
			default:
				t.Error("nothing was asked")
			}
		})
	}
}

// squeeze leaves one blank where a table has several: their widths are its own test.
func squeeze(s string) string {
	for strings.Contains(s, "  ") {
		s = strings.ReplaceAll(s, "  ", " ")
	}
	return s
}

func TestHistoryIsWideAsATerminal(t *testing.T) {
	all := someOutages()
	o := all.GetOutages()[1]
	o.Outage, o.Ups = "d74e3fc9-14ujs6t7yab", "cellar-left"
	for i := range 12 {
		o.Nodes = append(o.Nodes, &upsv1.NodeStory{Name: fmt.Sprintf("%s-%d", strings.Repeat("n", 5*i), i),
			Committed: dur(5 * time.Minute), Down: dur(time.Hour), Back: dur(48 * time.Hour), Lost: dur(time.Second), Note: "went down while the master was not running"})
	}
	for _, args := range [][]string{{"history"}, {"history", "last"}} {
		f := &fake{acts: true, story: &upsv1.GetHistoryResponse{Outages: []*upsv1.OutageReport{o}}}
		for _, l := range strings.Split(run(t, nil, append([]string{"--socket", f.serve(t)}, args...)...).Out, "\n") {
			if n := utf8.RuneCountInString(l); n > maxWidth {
				t.Errorf("%d characters: %s", n, l)
			}
		}
	}
}

func TestHistoryForPrograms(t *testing.T) {
	f := &fake{acts: true, story: someOutages()}
	got := run(t, nil, "--socket", f.serve(t), "--json", "history")
	var h struct {
		Outages []struct {
			Outage, UPS, Began, Summary string
			Sim                         bool
			GoingOn                     bool     `json:"going_on"`
			Lasted                      *float64 `json:"lasted_seconds"`
			Nodes                       []struct {
				Name string
				Went bool
				Down *float64 `json:"down_seconds"`
			}
		}
	}
	if err := json.Unmarshal([]byte(got.Out), &h); err != nil || got.Code != 0 || len(h.Outages) != 3 {
		t.Fatalf("%v: %+v", err, got)
	}
	o := h.Outages[1]
	if *o.Lasted != 1020 || h.Outages[0].Lasted != nil || !h.Outages[0].GoingOn || !h.Outages[0].Sim || *o.Nodes[1].Down != 361 || o.Nodes[0].Went || !o.Nodes[2].Went || o.Nodes[2].Down != nil {
		t.Errorf("%s", got.Out)
	}
}

func TestHistoryRefused(t *testing.T) {
	f := &fake{acts: true, refuse: status.Error(codes.NotFound, `there is no outage "x"; the newest are a, b`)}
	path := f.serve(t)
	for _, tt := range []struct {
		args []string
		want result
	}{
		{[]string{"history", "x"}, result{1, "", "upsctl: cannot read the history: there is no outage \"x\"; the newest are a, b\n"}},
		{[]string{"history", "x", "y"}, result{2, "", "upsctl: upsctl history does not take \"y\"\nusage: upsctl history [last | ID]; see 'upsctl history --help'\n"}},
		{[]string{"history", ""}, result{2, "", "upsctl: an outage's id is not empty\nusage: upsctl history [last | ID]; see 'upsctl history --help'\n"}},
	} {
		if diff := cmp.Diff(tt.want, run(t, nil, append([]string{"--socket", path}, tt.args...)...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.args, diff)
		}
	}
}
