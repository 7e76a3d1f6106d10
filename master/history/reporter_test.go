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
		for _, o := range r.Step(power.Uptime(e.At), e) {
			what := fmt.Sprintf("%s %s", o.ID, e.At-time.Hour)
			if _, amends := o.Report(); amends {
				what += " amended"
			}
			due = append(due, what)
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
		{"one does not come back", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n17m59s web2 lost\n18m web2 lost\n19m web1 attached", []string{"o1 18m0s", "o1 19m0s amended"}, 0},
		{"one comes back late, and goes again", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n18m web2 lost\n19m web1 attached\n20m web1 lost\n21m web1 attached", []string{"o1 18m0s", "o1 19m0s amended"}, 0},
		{"the last of two is back late", "0s web1 attached\n0s web2 attached\n1m main FAIL o1\n2m web1 lost\n2m web2 lost\n3m main OK o1\n4m web1 attached\n4m reported o1\n30m web2 attached", []string{"o1 30m0s amended"}, 0},
		{"two, and one is back in the next outage", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n4m reported o1\n30m main FAIL o2\n31m web1 attached\n32m main OK o2", []string{"o1 31m0s amended", "o2 32m0.1s"}, 0},
		{"it was amended", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n4m reported o1\n4m reported o1 amends\n5m web1 attached", nil, 0},
		{"two, one in the other", "0s web1 attached\n1m left FAIL o1\n2m right FAIL o2\n2m web1 lost\n3m right OK o2\n4m left OK o1\n5m web1 attached", []string{"o1 5m0s", "o2 5m0s"}, 0},
		{"it was told, and all are back since", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n4m reported o1\n5m web1 attached", []string{"o1 5m0s amended"}, 0},
		{"it was told when all were back", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n3m web1 attached\n4m reported o1\n5m web1 lost\n6m web1 attached", []string{"o1 3m0s"}, 0},
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

// TestWhatAnAmendmentSays: never as if it were another outage.
func TestWhatAnAmendmentSays(t *testing.T) {
	for _, tt := range []struct{ name, story, want string }{
		{
			"it was woken", "0s web1 attached\n1m main FAIL o1\n2m web1 COMMITTED\n2m web1 lost\n3m main OK o1\n18m reported o1\n40m web1 woken again again\n41m web1 attached boot=n2",
			"the outage of 17:01: everybody is back now; web1 38m after the power, woken 3 times",
		},
		{
			"two, one of them in time", "0s web1 attached\n0s web2 attached\n1m main FAIL o1\n2m web1 lost\n2m web2 lost\n3m main OK o1\n4m web1 attached\n18m reported o1\n30m web2 attached",
			"the outage of 17:01: everybody is back now; web2 27m after the power",
		},
		{
			"a day later", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n18m reported o1\n30h web1 attached",
			"the outage of 20 November 17:01: everybody is back now; web1 29h57m after the power",
		},
		{
			"many", "0s a attached\n0s b attached\n0s c attached\n0s d attached\n1m main FAIL o1\n2m a lost\n2m b lost\n2m c lost\n2m d lost\n3m main OK o1\n18m reported o1\n20m a attached\n23m c attached\n21m b attached\n22m d attached",
			"the outage of 17:01: everybody is back now; 4 came late, c 20m after the power as the last",
		},
		{
			"it was struck off", "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n18m reported o1\n20m web1 removed",
			"the outage of 17:01: nobody is waited for any more",
		},
	} {
		r := NewReporter(NewFold("rack1", time.UTC), "boot0")
		var got []string
		for _, e := range chronicles(t, tt.story) {
			for _, o := range r.Step(power.Uptime(e.At), e) {
				if text, amends := o.Report(); amends {
					got = append(got, text)
				}
			}
		}
		if !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: told %q, want %q", tt.name, got, tt.want)
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
	// Who came back late, and was not told of, is old news too.
	r = NewReporter(NewFold("rack1", time.UTC), "boot0")
	for _, e := range chronicles(t, "0s web1 attached\n1m main FAIL o1\n2m web1 lost\n3m main OK o1\n18m reported o1\n30m web1 attached") {
		r.Add(e)
	}
	r.CatchUp()
	if due := ids(r.Step(power.Uptime(2 * time.Hour))); due != nil {
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
