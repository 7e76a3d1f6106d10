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

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// steps gives a reporter a story, line by line, and returns what was due when.
func steps(t *testing.T, r *reporter, story string) (due []string) {
	t.Helper()
	for _, e := range chronicles(t, story) {
		for _, id := range r.Step(power.Uptime(e.At), e) {
			due = append(due, fmt.Sprintf("%s %s", id, e.At-time.Hour))
		}
	}
	return due
}

func TestWhenAReportIsDue(t *testing.T) {
	for _, tt := range []struct {
		name, story string
		want        []string
		deadline    time.Duration // after the story's beginning; 0: none
	}{
		{"nobody went", "0s web1 attached\n1m main FAIL o1\n2m main OK o1", []string{"o1 2m0.1s"}, 0},
		{"it is not over", "0s web1 attached\n1m main FAIL o1\n2m web1 COMMITTED\n2m web1 lost", nil, 0},
		{"one is not back", "0s web1 attached\n1m main FAIL o1\n2m web1 COMMITTED\n2m web1 lost\n3m main OK o1", nil, 18 * time.Minute},
		{"all are back", "0s web1 attached\n1m main FAIL o1\n2m web1 COMMITTED\n2m web1 lost\n3m main OK o1\n5m web1 attached boot=n2", []string{"o1 5m0s"}, 0},
		{"one was removed", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n5m web1 removed", []string{"o1 5m0s"}, 0},
		{"one does not come back", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n17m59s web2 lost\n18m web2 lost\n19m web1 attached", []string{"o1 18m0s"}, 0},
		{"two, one in the other", "0s web1 attached\n1m left FAIL o1\n2m right FAIL o2\n2m web1 lost\n3m right OK o2\n4m left OK o1\n5m web1 attached", []string{"o1 5m0s", "o2 5m0s"}, 0},
		{"it was told", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n4m reported o1\n5m web1 attached", nil, 0},
	} {
		r := newReporter(newFold("rack1", time.UTC), "boot0")
		got := steps(t, r, tt.story)
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: due %q, want %q", tt.name, got, tt.want)
		}
		at, timed := r.Deadline()
		if timed != (tt.deadline > 0) || timed && time.Duration(at)-time.Hour != tt.deadline {
			t.Errorf("%s: deadline %s %v, want %s", tt.name, time.Duration(at)-time.Hour, timed, tt.deadline)
		}
		if !timed {
			continue
		}
		if due := r.Step(at - 1); due != nil {
			t.Errorf("%s: due before the deadline: %q", tt.name, due)
		}
		if due := r.Step(at); !slices.Equal(due, []string{"o1"}) || r.Step(at) != nil {
			t.Errorf("%s: at the deadline %q is due", tt.name, due)
		}
	}
}

func TestAStartTellsNoOldNews(t *testing.T) {
	r := newReporter(newFold("rack1", time.UTC), "boot0")
	for i := range 9 {
		for _, e := range chronicles(t, fmt.Sprintf("%dm main FAIL o%d\n%dm main OK o%d", 2*i+1, i, 2*i+2, i)) {
			r.fold.add(e)
		}
	}
	r.catchUp()
	if due := r.Step(power.Uptime(time.Hour)); !slices.Equal(due, []string{"o6", "o7", "o8"}) {
		t.Errorf("due %q", due)
	}
}

// aMaster is as much of one as reports and history need, its journal in dir.
func aMaster(dir, boot string, offset time.Duration) *Master {
	start := time.Now()
	m := &Master{
		cfg: Config{Name: "rack1", Data: dir, UPS: []UPS{{Name: "main"}}}, version: "v1", boot: boot, log: slog.New(slog.DiscardHandler),
		now: func() power.Uptime { return power.Uptime(offset + time.Since(start)) }, history: make(chan struct{}, 1),
	}
	m.journal = journal.NewWriter(journal.WriterOptions{
		Path: m.journalPath(), Boot: boot, Log: m.log, Mark: ofAnOutage, Now: func() time.Duration { return time.Duration(m.now()) },
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

func (m *Master) says(events ...event) {
	for _, e := range events {
		m.events.add(e)
	}
	synctest.Wait()
}

func failure(m *Master, id string) event {
	now := m.now()
	return event{On: "ups/main", Kind: kindState, Status: "FAIL", Outage: id, Since: now, Began: now, Nodes: []nodeThen{{Name: "web1", Link: linkUp, Boot: "n1"}}}
}

func allWell(m *Master, id string) event {
	return event{On: "ups/main", Kind: kindState, Status: "OK", Outage: id, Since: m.now()}
}

// TestAReportIsToldOnceOverRestarts: of the master in mid-outage, before the report
// was due, and after it was told.
func TestAReportIsToldOnceOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		told := &tellings{}
		m := aMaster(dir, "b1", time.Hour)
		stop := m.runReports(t, told)
		m.says(failure(m, "o1"), event{On: "node/web1", Kind: kindPhase, Phase: phaseCommitted})
		time.Sleep(time.Minute)
		m.says(event{On: "node/web1", Kind: kindLink, Link: linkLost})
		stop()

		m = aMaster(dir, "b1", 2*time.Hour)
		stop = m.runReports(t, told)
		m.says(allWell(m, "o1"))
		time.Sleep(reportWait - time.Minute)
		stop()
		if got := told.all(); len(got) != 0 {
			t.Errorf("told before web1 was back: %q", got)
		}

		m = aMaster(dir, "b1", 2*time.Hour+reportWait-time.Minute)
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
		var reports []string
		if err := journal.Read(m.journalPath(), func(e journal.Entry) error {
			var ev event
			if err := json.Unmarshal(e.Data, &ev); err == nil && ev.Kind == kindReport {
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

// lay writes a story as the journal at path.
func lay(t *testing.T, path, story string) {
	t.Helper()
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	for _, e := range chronicles(t, story) {
		if _, err := j.Append(e); err != nil {
			t.Fatal(err)
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
	lay(t, m.journalPath(), "1m main FAIL abc-1\n2m main OK abc-1\n3m main FAIL abc-12\n4m main OK abc-12\n5m main FAIL def-1")
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
	var all []*outage
	for i := range 100 {
		o := &outage{id: fmt.Sprint(i), over: true, parts: map[string]*part{}}
		for k := range 1000 {
			name := fmt.Sprintf("%s%d", strings.Repeat("n", 50), k)
			o.parts[name] = &part{of: o, name: name}
		}
		all = append(all, o)
	}
	h := answerHistory(all, "cannot read 2 lines")
	if n := len(h.GetOutages()); n == 0 || n == 100 || h.GetWarning() != fmt.Sprintf("cannot read 2 lines; the oldest %d of 100 outages are left out: the answer would be too large", 100-n) {
		t.Errorf("%d outages, %s", n, h.GetWarning())
	}
	m := &Master{cfg: Config{Data: t.TempDir()}}
	m.journal = journal.NewWriter(journal.WriterOptions{Path: m.journalPath()})
	lay(t, m.journalPath(), "1m main FAIL o1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := m.readOutages(ctx, newFold("rack1", time.UTC)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a reader who left: %v", err)
	}
}

func TestWhatIsKeptWhenTheJournalHasTooMuch(t *testing.T) {
	entry := func(e event) journal.Entry {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Entry{Name: eventRecord, Data: data}
	}
	for _, tt := range []struct {
		e    event
		want bool
	}{
		{event{On: "ups/main", Kind: kindState, Status: "FAIL", Outage: "o1"}, true},
		{event{On: "ups/main", Kind: kindReport, Outage: "o1"}, true},
		{event{On: "node/web1", Kind: kindPhase, Phase: phaseDone}, true},
		{event{On: "node/web1", Kind: kindLink, Link: linkUp, Phase: "IDLE"}, false},
		{event{On: "node/web1", Kind: "problem", Text: `says "outage":"o1" and "phase":"DONE"`}, false},
	} {
		if got := ofAnOutage(entry(tt.e)); got != tt.want {
			t.Errorf("%+v: kept %v", tt.e, got)
		}
	}
}
