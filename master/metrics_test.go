package master

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
)

func dur(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// moments are what a master may know; each has its golden text in testdata/metrics.
func moments() map[string]measured {
	ups := func(change func(*upsv1.UpsState)) *upsv1.UpsState {
		u := &upsv1.UpsState{Name: "main", Cable: "nut-7", Status: upsv1.Status_STATUS_OK, Last: upsv1.Status_STATUS_OK, Age: dur(time.Hour), HasLow: true, Debt: dur(0)}
		change(u)
		return u
	}
	fresh := &upsv1.MasterStatus{
		Name: "rack1", Version: "v1.2.3",
		Ups:   []*upsv1.UpsState{{Name: "main", Cable: "nut-7", Age: dur(0), Reason: "not read yet"}},
		Nodes: []*upsv1.NodeStatus{{Name: "web1", Report: &upsv1.NodeReport{}}},
		Problems: []*upsv1.Problem{
			{On: "master/rack1", Name: health.NoNode, Age: dur(time.Second)},
			{On: "ups/main", Name: health.Blind, Age: dur(time.Second)},
		},
	}
	well := &upsv1.MasterStatus{
		Name: "rack1", Version: "v1.2.3",
		Ups: []*upsv1.UpsState{ups(func(u *upsv1.UpsState) {
			u.Runtime, u.Debt, u.Charge = dur(12*time.Minute), dur(90*time.Second), proto.Uint32(87)
			u.Battery = &upsv1.Battery{Declared: dur(20 * time.Minute), ToLow: dur(9 * time.Minute), Lows: 2, Reserve: dur(3 * time.Minute), Debt: dur(90 * time.Second)}
			u.Disabled = &upsv1.Disabled{By: "lena", Remaining: dur(time.Minute)}
		})},
		Nodes: []*upsv1.NodeStatus{
			{Name: "rack1", IsMasterHost: true, Link: upsv1.Link_LINK_UP, Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_IDLE, Grace: dur(10 * time.Minute), StopTime: dur(2 * time.Minute)}},
			{Name: "web1", Link: upsv1.Link_LINK_UP, LastHeard: dur(300 * time.Millisecond),
				Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_IDLE, Grace: dur(5 * time.Minute), StopTime: dur(74 * time.Second)},
				Proof:  &upsv1.NodeProof{Outages: 3, BackWall: "2026-01-02T03:04:05Z"}},
		},
		Problems: []*upsv1.Problem{{On: "ups/main", Name: health.KillUnproved, Weakness: true}},
		Proofs:   []*upsv1.UpsProof{{Ups: "main", Outages: 3, LowWall: "2026-01-02T03:04:05Z"}},
		Plans:    []*upsv1.UpsPlan{{Ups: "main", Margin: dur(-90 * time.Second)}},
	}
	outage := &upsv1.MasterStatus{
		Name: "rack1", Version: "v1.2.3",
		Ups: []*upsv1.UpsState{
			ups(func(u *upsv1.UpsState) {
				u.Status, u.Age, u.Outage, u.OutageAge, u.WeakBattery = upsv1.Status_STATUS_BATLOW, dur(5*time.Second), "boot-1", dur(245*time.Second), true
			}),
			ups(func(u *upsv1.UpsState) { // blind in an outage
				u.Name, u.Cable, u.Status, u.Last, u.Outage, u.OutageAge, u.HasLow = "second", "own \xff", 0, upsv1.Status_STATUS_FAIL, "boot-2", dur(240*time.Second), false
				u.Sim = true
			}),
		},
		Nodes: []*upsv1.NodeStatus{
			{Name: "db1", Link: upsv1.Link_LINK_LOST, LastHeard: dur(90 * time.Second), Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_HELD, HeldBy: "bob"}},
			{Name: "nas1", Link: upsv1.Link_LINK_UP, LastHeard: dur(time.Second), Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_WAITING, WaitingOn: []string{"web1", "web2"}, WaitingCount: 2, Deadline: dur(30 * time.Second)}},
			{Name: "web1", Link: upsv1.Link_LINK_OFF, LastHeard: dur(time.Minute), Report: &upsv1.NodeReport{Phase: upsv1.Phase_PHASE_DONE}, Off: upsv1.Off_OFF_PROBED,
				Comeback: &upsv1.Comeback{Outage: "boot-1", Away: dur(time.Minute), Tries: 2}},
			{Name: "web2", Link: upsv1.Link_LINK_LOST, Report: &upsv1.NodeReport{}, Off: upsv1.Off_OFF_CUT},
			{Name: "web3", Link: upsv1.Link_LINK_LOST, Report: &upsv1.NodeReport{}, Off: upsv1.Off_OFF_ASSUMED},
		},
		Problems: []*upsv1.Problem{
			{On: "master/rack1", Name: health.Disk, Text: "the journal", Age: dur(7 * time.Second)},
			{On: "master/rack1", Name: health.Disk, Text: "the state", Age: dur(9 * time.Second)},
			{On: "node/db1", Name: "of a newer version", Age: dur(time.Second)},
			{On: "node/db1", Name: "and \xff another", Age: dur(2 * time.Second)},
		},
	}
	well.Drill = &upsv1.DrillStatus{Id: "d1", By: "lena"}
	return map[string]measured{
		"fresh":  {status: fresh},
		"well":   {status: well, ready: true, changes: map[string]uint64{"ups/main": 7}, cables: map[string]cableCounts{"main": {pulls: 1, flaps: 2, pulses: 3}}},
		"outage": {status: outage, losses: map[string]uint64{"node/db1": 4}},
	}
}

// exposed returns the text of what a collector gathers, as a scrape would read it.
func exposed(t testing.TB, c prometheus.Collector) string {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestExposition: the exact text of each moment. A name that changes breaks
// somebody's alert.
func TestExposition(t *testing.T) {
	seen := ""
	for name, at := range moments() {
		got := strings.ReplaceAll(exposed(t, newCollector(func() measured { return at })), runtime.Version(), "GO")
		golden(t, filepath.Join("testdata", "metrics", name+".txt"), got)
		faults, err := promlint.New(strings.NewReader(got)).Lint()
		for _, f := range faults {
			t.Errorf("%s: %s: %s", name, f.Metric, f.Text)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		seen += got
	}
	for _, f := range figures() {
		if !strings.Contains(seen, "\n"+figurePrefix+f.name) {
			t.Errorf("no moment shows %s", f.name)
		}
	}
}

// TestNothingOfANodeMakesSeries: a node gone wild can't fill the memory of whoever
// scrapes.
func TestNothingOfANodeMakesSeries(t *testing.T) {
	m := testMaster(t)
	s := attached(m.hub, "web1", "b")
	count := func() int { return strings.Count(exposed(t, newCollector(m.measured)), "\n") }
	m.hub.report(s, &upsv1.NodeReport{Problems: []*upsv1.Problem{{Name: "first"}}})
	before := count()
	for i := range 100 {
		m.hub.attach("web1", "", &upsv1.Hello{Role: fmt.Sprint("role", i), BootId: fmt.Sprint(i)}, &upsv1.NodeReport{
			Problems: []*upsv1.Problem{{Name: fmt.Sprint("name", i), On: fmt.Sprint("node/", i), Text: fmt.Sprint(i)}}, HeldBy: fmt.Sprint(i), Feeds: []string{fmt.Sprint(i)},
		})
	}
	if after := count(); after != before {
		t.Errorf("%d lines became %d", before, after)
	}
}

func TestScrapesAreAnswered(t *testing.T) {
	h := testMaster(t).metricsHandler()
	for _, tt := range []struct {
		method string
		code   int
		has    string
	}{
		{"GET", 200, "\nprocess_start_time_seconds "},
		{"GET", 200, "\ngo_goroutines "},
		{"GET", 200, "\nlastwatt_ready 0\n"},
		{"HEAD", 200, ""},
		{"POST", 405, ""},
	} {
		if code, text := get(h, tt.method, "/metrics"); code != tt.code || !strings.Contains(text, tt.has) {
			t.Errorf("%s: %d %.200q, want %d with %q", tt.method, code, text, tt.code, tt.has)
		}
	}
}

func BenchmarkScrape(b *testing.B) {
	for _, nodes := range []int{1, 10, 100, 500} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			m := testMaster(b)
			for i := range nodes {
				attached(m.hub, fmt.Sprintf("node%03d", i), "b")
			}
			h := m.metricsHandler()
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				_, text := get(h, http.MethodGet, "/metrics")
				size = len(text)
			}
			b.ReportMetric(float64(size), "bytes/scrape")
		})
	}
}
