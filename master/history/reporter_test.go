package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// steps gives a reporter a story, line by line, and returns what was due when.
func steps(t *testing.T, r *Reporter, story string) (due []string) {
	t.Helper()
	for _, e := range chronicles(t, story) {
		for _, id := range ids(r.Step(power.Uptime(e.At), e)) {
			due = append(due, fmt.Sprintf("%s %s", id, e.At-time.Hour))
		}
	}
	return due
}

func ids(all []*Outage) (ids []string) {
	for _, o := range all {
		ids = append(ids, o.ID)
	}
	return ids
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
		r := NewReporter(NewFold("rack1", time.UTC), "boot0")
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
		if due := ids(r.Step(at - 1)); due != nil {
			t.Errorf("%s: due before the deadline: %q", tt.name, due)
		}
		if due := ids(r.Step(at)); !slices.Equal(due, []string{"o1"}) || r.Step(at) != nil {
			t.Errorf("%s: at the deadline %q is due", tt.name, due)
		}
	}
}

func TestAStartTellsNoOldNews(t *testing.T) {
	r := NewReporter(NewFold("rack1", time.UTC), "boot0")
	for i := range 9 {
		for _, e := range chronicles(t, fmt.Sprintf("%dm main FAIL o%d\n%dm main OK o%d", 2*i+1, i, 2*i+2, i)) {
			r.Add(e)
		}
	}
	r.CatchUp()
	if due := ids(r.Step(power.Uptime(time.Hour))); !slices.Equal(due, []string{"o6", "o7", "o8"}) {
		t.Errorf("due %q", due)
	}
}

func TestWhatIsKeptWhenTheJournalHasTooMuch(t *testing.T) {
	entry := func(e Event) journal.Entry {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return journal.Entry{Name: Record, Data: data}
	}
	for _, tt := range []struct {
		e    Event
		want bool
	}{
		{Event{On: "ups/main", Kind: KindState, Status: "FAIL", Outage: "o1"}, true},
		{Event{On: "ups/main", Kind: KindReport, Outage: "o1"}, true},
		{Event{On: "node/web1", Kind: KindPhase, Phase: PhaseDone}, true},
		{Event{On: "node/web1", Kind: KindLink, Link: LinkUp, Phase: "IDLE"}, false},
		{Event{On: "node/web1", Kind: "problem", Text: `says "outage":"o1" and "phase":"DONE"`}, false},
	} {
		if got := OfAnOutage(entry(tt.e)); got != tt.want {
			t.Errorf("%+v: kept %v", tt.e, got)
		}
	}
}
