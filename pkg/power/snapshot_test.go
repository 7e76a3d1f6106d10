package power_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// restart hands what w knows to a new process that starts at the given second.
func (w *watch) restart(t *testing.T, seconds float64) *watch {
	t.Helper()
	data, err := json.Marshal(w.q.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var s power.QualifierSnapshot
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	n := newWatch(config())
	n.q.Restore(at(seconds), s)
	return n
}

func TestRestoreKeepsTheOutage(t *testing.T) {
	w := newWatch(config())
	before := w.play("0 mains; 10 battery; 20 end")
	n := w.restart(t, 50)
	s := n.q.Tick(at(50))
	if s.Status != power.Unknown || s.Known() != power.Fail || s.Outage != before.Outage || s.OutageSince != at(10) {
		t.Errorf("before it has looked: %+v", s)
	}
	s = n.play("50 battery; 51 end")
	if s.Status != power.Fail || s.Outage != before.Outage || s.OutageSince != at(10) || s.Since != at(10) || s.Debt != before.Debt {
		t.Errorf("after it has looked: %+v", s)
	}
	s = n.play("60 mains; 62 end")
	if s.Status != power.OK || s.Debt < 49*time.Second || s.Debt > 50*time.Second {
		t.Errorf("the time between the processes was not spent: %+v", s)
	}
}

func TestRestoreFindsThePowerBack(t *testing.T) {
	w := newWatch(config())
	w.play("0 mains; 10 battery; 20 end")
	n := w.restart(t, 50)
	if s := n.play("50 mains; 52 end"); s.Status != power.OK || s.Outage != "" {
		t.Errorf("%+v", s)
	}
	n = n.restart(t, 7000)
	if s := n.play("7000 mains; 7000 end"); s.Debt < 39*time.Second {
		t.Errorf("time that nobody saw was taken for recharging: debt %s", s.Debt)
	}
}

func TestRestoreAndTheJumpRule(t *testing.T) {
	for _, tc := range []struct {
		name, before string
		at           float64
		after, want  string
	}{
		{"rested, on mains before: it holds", "0 mains; 5 end", 6, "6 battery low; 15.9 end", "6.1 FAIL"},
		{"rested, on mains before: and ends", "0 mains; 5 end", 6, "6 battery low; 16 end", "6.1 FAIL, 16 BATLOW"},
		{"on battery for long before: low is low", "0 mains; 5 battery; 30 end", 31, "31 battery low; 32 end", "31.1 FAIL, 31.5 BATLOW"},
		{"on battery for a moment before: the age goes on", "0 mains; 5 battery low; 7 end", 8, "8 battery low; 16 end", "8.1 FAIL, 15 BATLOW"},
		{"BATLOW before: no FAIL in between", "0 mains; 5 battery; 90 battery low; 91 end", 92, "92 battery low; 93 end", "92.5 BATLOW"},
		{"weak before: low is low", "0 mains; 5 mains low; 70 end", 71, "71 battery low; 72 end", "71.1 FAIL, 71.5 BATLOW"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWatch(config())
			w.play(tc.before)
			n := w.restart(t, tc.at)
			n.play(tc.after)
			if got := strings.Join(n.heard, ", "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestRestoreKeepsCounts(t *testing.T) {
	w := newWatch(config())
	w.play("0 mains; 10 battery low; 12 mains; 20 battery; 20.05 mains; 30 end")
	w.q.Step(at(31), power.Signals{Pulses: 4})
	n := w.restart(t, 40)
	n.q.Step(at(40), power.Signals{Pulses: 1})
	if c := n.q.Cable(); c.Pulls != 1 || c.Flaps != 1 || c.Pulses != 5 {
		t.Errorf("%+v", c)
	}
}
