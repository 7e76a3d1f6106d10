package master

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// aMaster is as much of one as reports and history need, its journal in dir.
func aMaster(dir, boot string, offset time.Duration) *Master {
	start := time.Now()
	m := &Master{
		cfg: Config{Name: "rack1", Data: dir, UPS: []UPS{{Name: "main"}}}, version: "v1", boot: boot, log: slog.New(slog.DiscardHandler),
		now: func() power.Uptime { return power.Uptime(offset + time.Since(start)) }, history: make(chan struct{}, 1),
	}
	m.journal = journal.NewWriter(journal.WriterOptions{
		Path: m.journalPath(), Boot: boot, Log: m.log, Mark: history.OfAnOutage, Now: func() time.Duration { return time.Duration(m.now()) },
	})
	m.events = &events{journal: m.journal, now: m.now, boot: boot, log: m.log}
	return m
}

// tellings are what was told.
type tellings struct {
	mu   sync.Mutex
	list []string
}

func (s *tellings) add(id, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, id+" "+text)
}

func (s *tellings) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// runReports runs the journal and the reports until stop is called.
func (m *Master) runReports(t *testing.T, told *tellings) (stop func()) {
	t.Helper()
	m.reports = &reports{m: m, tell: told.add}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- m.journal.Run(ctx) }()
	go func() { ended <- m.reports.Run(ctx) }()
	synctest.Wait()
	return func() {
		t.Helper()
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

func (m *Master) says(events ...history.Event) {
	for _, e := range events {
		m.events.add(e)
	}
	synctest.Wait()
}

func failure(m *Master, id string) history.Event {
	now := m.now()
	return history.Event{On: "ups/main", Kind: history.KindState, Status: "FAIL", Outage: id, Since: now, Began: now, Nodes: []history.NodeThen{{Name: "web1", Link: history.LinkUp, Boot: "n1"}}}
}

func allWell(m *Master, id string) history.Event {
	return history.Event{On: "ups/main", Kind: history.KindState, Status: "OK", Outage: id, Since: m.now()}
}

// TestAReportIsToldOnceOverRestarts: of the master in mid-outage, before the report
// was due, and after it was told.
func TestAReportIsToldOnceOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		told := &tellings{}
		m := aMaster(dir, "b1", time.Hour)
		stop := m.runReports(t, told)
		m.says(failure(m, "o1"), history.Event{On: "node/web1", Kind: history.KindPhase, Phase: history.PhaseCommitted})
		time.Sleep(time.Minute)
		m.says(history.Event{On: "node/web1", Kind: history.KindLink, Link: history.LinkLost})
		stop()

		m = aMaster(dir, "b1", 2*time.Hour)
		stop = m.runReports(t, told)
		m.says(allWell(m, "o1"))
		time.Sleep(history.ReportWait - time.Minute)
		stop()
		if got := told.all(); len(got) != 0 {
			t.Errorf("told before web1 was back: %q", got)
		}

		m = aMaster(dir, "b1", 2*time.Hour+history.ReportWait-time.Minute)
		stop = m.runReports(t, told)
		time.Sleep(59 * time.Second)
		if got := told.all(); len(got) != 0 {
			t.Errorf("a restart made it sooner: %q", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := told.all()
		if len(got) != 1 || !strings.HasPrefix(got[0], "o1 ") || !strings.HasSuffix(got[0], " failed; 1 of 1 down in 1m; power back after 1h; web1 is not back") {
			t.Errorf("told %q", got)
		}
		time.Sleep(time.Hour)
		stop()

		m = aMaster(dir, "b2", 0)
		stop = m.runReports(t, told)
		m.says(failure(m, "o2"), allWell(m, "o2"))
		time.Sleep(time.Hour)
		stop()
		if got = told.all(); len(got) != 2 || !strings.HasPrefix(got[1], "o2 ") {
			t.Errorf("told %q", got)
		}

		// It is back after all, and nobody is told of that twice either.
		for i := range 2 {
			m = aMaster(dir, "b2", time.Duration(i+2)*time.Hour)
			stop = m.runReports(t, told)
			m.says(history.Event{On: "node/web1", Kind: history.KindLink, Link: history.LinkUp, Boot: "n2"})
			time.Sleep(time.Minute)
			stop()
		}
		got = told.all()
		if len(got) != 3 || !strings.HasPrefix(got[2], "o1 the outage of ") || !strings.HasSuffix(got[2], " after the power") {
			t.Errorf("told %q", got)
		}
		var reports []string
		if err := journal.Read(m.journalPath(), func(e journal.Entry) error {
			var ev history.Event
			if err := json.Unmarshal(e.Data, &ev); err == nil && ev.Kind == history.KindReport {
				reports = append(reports, ev.Outage+" "+ev.Text)
			}
			return nil
		}); err != nil || !slices.Equal(reports, got) {
			t.Errorf("in the journal %q, told %q: %v", reports, got, err)
		}
	})
}

func TestWhatIsInMemoryAndOnDiskIsTakenOnce(t *testing.T) {
	e := journal.Entry{Seq: 7, Boot: "b1", At: 100, Name: "event", Data: json.RawMessage(`{}`)}
	old := &caughtUp{last: 7, now: map[string]bool{identity(e): true}}
	unnumbered, later, other := e, e, e
	unnumbered.Seq, later.Seq, other.Seq = 0, 8, 0
	other.Data = json.RawMessage(`{"on":""}`)
	if !old.written(e) || !old.written(unnumbered) || old.written(later) || old.written(other) {
		t.Error("not told apart")
	}
}

// lay writes the journal at path: an outage with its end for each id, and everybody
// who was there.
func lay(t *testing.T, path string, who []history.NodeThen, ids ...string) {
	t.Helper()
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	for i, id := range ids {
		at := power.Uptime(i+1) * power.Uptime(time.Minute)
		for _, e := range []history.Event{
			{On: "ups/main", Kind: history.KindState, Status: "FAIL", Outage: id, Since: at, Began: at, Nodes: who},
			{On: "ups/main", Kind: history.KindState, Status: "OK", Outage: id, Since: at + 1},
		} {
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(journal.Entry{Boot: "b0", At: time.Duration(at), Name: history.Record, Data: data}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestGetHistory(t *testing.T) {
	m := aMaster(t.TempDir(), "b1", 0)
	ask := func(req *upsv1.GetHistoryRequest) (ids string, err error) {
		h, err := controlService{m: m}.GetHistory(t.Context(), req)
		for _, o := range h.GetOutages() {
			ids += " " + o.GetOutage()
		}
		if w := h.GetWarning(); w != "" {
			ids += " (" + w + ")"
		}
		return ids, err
	}
	if ids, err := ask(&upsv1.GetHistoryRequest{}); ids != "" || err != nil {
		t.Errorf("no journal: %q, %v", ids, err)
	}
	if _, err := ask(&upsv1.GetHistoryRequest{Outage: "x"}); status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), `there is no outage "x", nor any other`) {
		t.Errorf("no journal: %v", err)
	}
	lay(t, m.journalPath(), nil, "abc-1", "abc-12", "def-1")
	for _, tt := range []struct {
		req  *upsv1.GetHistoryRequest
		want string
		code codes.Code
		text string
	}{
		{&upsv1.GetHistoryRequest{}, " def-1 abc-12 abc-1", codes.OK, ""},
		{&upsv1.GetHistoryRequest{Last: 1}, " def-1", codes.OK, ""},
		{&upsv1.GetHistoryRequest{Last: 99}, " def-1 abc-12 abc-1", codes.OK, ""},
		{&upsv1.GetHistoryRequest{Outage: "d"}, " def-1", codes.OK, ""},
		{&upsv1.GetHistoryRequest{Outage: "abc-1"}, " abc-1", codes.OK, ""},
		{&upsv1.GetHistoryRequest{Outage: "abc"}, "", codes.InvalidArgument, `2 outages begin with "abc", abc-12 and abc-1 among them; write more of it`},
		{&upsv1.GetHistoryRequest{Outage: "x"}, "", codes.NotFound, `there is no outage "x"; the newest are def-1, abc-12, abc-1`},
	} {
		ids, err := ask(tt.req)
		if ids != tt.want || status.Code(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%v: %q, %v", tt.req, ids, err)
		}
	}
	m.history <- struct{}{} // somebody else reads, for ever
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (controlService{m: m}).GetHistory(ctx, &upsv1.GetHistoryRequest{}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a second reader: %v", err)
	}
}

func TestHistoryTellsWhatItLeavesOut(t *testing.T) {
	m := &Master{cfg: Config{Name: "rack1", Data: t.TempDir()}}
	m.journal = journal.NewWriter(journal.WriterOptions{Path: m.journalPath()})
	var who []history.NodeThen
	for k := range 1000 {
		who = append(who, history.NodeThen{Name: fmt.Sprintf("%s%d", strings.Repeat("n", 50), k)})
	}
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprint("o", i))
	}
	lay(t, m.journalPath(), who, ids...)
	all, _, err := m.readOutages(t.Context(), history.NewFold("rack1", time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	h := answerHistory(all, "cannot read 2 lines")
	if n := len(h.GetOutages()); n == 0 || n == 100 || h.GetWarning() != fmt.Sprintf("cannot read 2 lines; the oldest %d of 100 outages are left out: the answer would be too large", 100-n) {
		t.Errorf("%d outages, %s", n, h.GetWarning())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := m.readOutages(ctx, history.NewFold("rack1", time.UTC)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a reader who left: %v", err)
	}
}

func TestAStoryForTheWire(t *testing.T) {
	d := func(minutes int) *time.Duration { d := time.Duration(minutes) * time.Minute; return &d }
	pb := func(minutes int64) *durationpb.Duration { return &durationpb.Duration{Seconds: 60 * minutes} }
	got := reportOf(history.Story{
		ID: "o1", UPS: "main", Began: time.Date(2026, 11, 20, 17, 2, 0, 0, time.FixedZone("", 2*3600)), Pretended: true, GoingOn: true,
		Lasted: d(1), LowAfter: d(2), MasterOff: d(3), Summary: "all in one line",
		Nodes: []history.NodeStory{{Name: "web1", Absent: true, Went: true, Note: "woken once", Committed: d(4), Accepted: d(5), Down: d(6), Back: d(7), Lost: d(8)}, {Name: "web2"}},
	})
	want := &upsv1.OutageReport{
		Outage: "o1", Ups: "main", Began: "2026-11-20T17:02:00+02:00", Sim: true, GoingOn: true,
		Lasted: pb(1), LowAfter: pb(2), MasterOff: pb(3), Summary: "all in one line",
		Nodes: []*upsv1.NodeStory{{Name: "web1", Absent: true, Went: true, Note: "woken once", Committed: pb(4), Accepted: pb(5), Down: pb(6), Back: pb(7), Lost: pb(8)}, {Name: "web2"}},
	}
	if !proto.Equal(want, got) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
