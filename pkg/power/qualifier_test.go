package power_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// config is the default settle times on a cable whose pulled-out reading is on
// battery and low.
func config() power.QualifierConfig {
	c := power.QualifierConfig{
		BatLowJump: 10 * time.Second, HasLow: true, PulledReadsLow: true, Boot: "3f1c2a9b-77",
		Ledger: power.LedgerConfig{Runtime: 10 * time.Minute, Recharge: 4 * time.Hour},
	}
	c.Settle.Fail, c.Settle.BatLow, c.Settle.OK = 100*time.Millisecond, 500*time.Millisecond, 2*time.Second
	return c
}

// at returns a moment well after boot, in seconds.
func at(seconds float64) power.Uptime { return power.Uptime((1000 + seconds) * float64(time.Second)) }

// watch drives a qualifier as its owner must: Tick whenever it asks for it. It
// returns each change of the status as "12.5 FAIL".
type watch struct {
	q     *power.Qualifier
	last  power.State
	heard []string
}

func newWatch(c power.QualifierConfig) *watch { return &watch{q: power.NewQualifier(c)} }

func (w *watch) until(now power.Uptime) {
	for {
		d, ok := w.q.Deadline()
		if !ok || d.After(now) {
			return
		}
		w.hear(d, w.q.Tick(d))
	}
}

func (w *watch) hear(now power.Uptime, s power.State) {
	if s.Status != w.last.Status {
		w.heard = append(w.heard, fmt.Sprintf("%g %s", now.Sub(at(0)).Seconds(), s.Status))
	}
	w.last = s
}

func (w *watch) read(seconds float64, s power.Signals) {
	w.until(at(seconds))
	w.hear(at(seconds), w.q.Step(at(seconds), s))
}

// play reads "0 mains; 3 battery; 3.2 battery low; 9 blind" and returns the last
// state at the moment of the last word, which may be "end".
func (w *watch) play(script string) power.State {
	for part := range strings.SplitSeq(script, ";") {
		word := strings.Fields(part)
		var seconds float64
		if _, err := fmt.Sscan(word[0], &seconds); err != nil {
			panic(err)
		}
		if word[1] == "end" {
			w.until(at(seconds))
			w.hear(at(seconds), w.q.Tick(at(seconds)))
			continue
		}
		says := strings.Join(word[1:], " ")
		w.read(seconds, power.Signals{
			Blind:     says == "blind",
			OnBattery: strings.Contains(says, "battery"),
			Low:       strings.Contains(says, "low"),
			Replace:   strings.Contains(says, "replace"),
		})
	}
	return w.last
}

func TestQualifierBelieves(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"nothing before it has lasted", "0 mains; 1.999 end", ""},
		{"mains after its settle time", "0 mains; 3 end", "2 OK"},
		{"battery after its settle time", "0 mains; 5 battery; 6 end", "2 OK, 5.1 FAIL"},
		{"no blip", "0 mains; 5 battery; 5.099 mains; 9 end", "2 OK"},
		{"no blip of mains", "0 mains; 5 battery; 6 mains; 7.999 battery; 20 end", "2 OK, 5.1 FAIL"},
		{"low minutes later at its settle time", "0 mains; 5 battery; 300 battery low; 301 end", "2 OK, 5.1 FAIL, 300.5 BATLOW"},
		{"no blip of low", "0 mains; 5 battery; 300 battery low; 300.499 battery; 301 end", "2 OK, 5.1 FAIL"},
		{"low gone after a settle time", "0 mains; 5 battery; 300 battery low; 310 battery; 311 end", "2 OK, 5.1 FAIL, 300.5 BATLOW, 310.1 FAIL"},
		{"low that flickers stays", "0 mains; 5 battery; 300 battery low; 310 battery; 310.09 battery low; 311 end", "2 OK, 5.1 FAIL, 300.5 BATLOW"},
		{"the end of the outage", "0 mains; 5 battery; 300 battery low; 310 mains; 313 end", "2 OK, 5.1 FAIL, 300.5 BATLOW, 312 OK"},
		{"low on mains is no order", "0 mains; 5 mains low; 500 end", "2 OK"},
		{"blindness at once", "0 mains; 5 blind; 5 end", "2 OK, 5 UNKNOWN"},
		{"nothing that began before blindness", "0 mains; 5 battery; 5.05 blind; 6 battery; 6.099 end", "2 OK, 5.05 UNKNOWN"},
		{"what lasts after blindness", "0 mains; 5 battery; 5.05 blind; 6 battery; 6.1 end", "2 OK, 5.05 UNKNOWN, 6.1 FAIL"},
		{"mains after blindness, not at once", "0 mains; 5 blind; 9 mains; 11 end", "2 OK, 5 UNKNOWN, 11 OK"},
		{"low after blindness, without a FAIL in between", "0 mains; 5 battery; 300 battery low; 310 blind; 320 battery low; 321 end",
			"2 OK, 5.1 FAIL, 300.5 BATLOW, 310 UNKNOWN, 320.5 BATLOW"},
		{"an outage from the first look on", "0 battery; 1 end", "0.1 FAIL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWatch(config())
			w.play(tc.script)
			if got := strings.Join(w.heard, ", "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestQualifierJumpRule(t *testing.T) {
	const fail = "2 OK, 10.1 FAIL"
	plain := func(c *power.QualifierConfig) {}
	for _, tc := range []struct {
		name   string
		change func(*power.QualifierConfig)
		script string
		want   string
		pulls  uint32
	}{
		{"pulled at once, back after 5 s", plain, "0 mains; 10 battery low; 15 mains; 20 end", fail + ", 17 OK", 1},
		{"battery first", plain, "0 mains; 10 battery; 10.3 battery low; 15 mains; 20 end", fail + ", 17 OK", 1},
		{"low first", plain, "0 mains; 9.7 mains low; 10 battery low; 15 mains; 20 end", fail + ", 17 OK", 1},
		{"low first, and much too early", plain, "0 mains; 5 mains low; 10 battery low; 15 mains; 20 end", fail + ", 17 OK", 1},
		{"back one after the other, low first", plain, "0 mains; 10 battery low; 14 battery; 15 mains; 20 end", fail + ", 17 OK", 1},
		{"back one after the other, battery first", plain, "0 mains; 10 battery low; 14 mains low; 15 mains; 20 end", fail + ", 16 OK", 1},
		{"left out", plain, "0 mains; 10 battery low; 20 end", fail + ", 20 BATLOW", 0},
		{"left out, battery first by 9 s", plain, "0 mains; 10 battery; 19 battery low; 25 end", fail + ", 20 BATLOW", 0},
		{"low gone and battery on: no plug", plain, "0 mains; 10 battery; 11 battery low; 12 battery; 40 mains; 43 end", fail + ", 42 OK", 0},
		{"a contact that bounces starts anew", plain, "0 mains; 10 battery low; 18 mains; 18.1 battery low; 28 end", fail, 1},
		{"time blind does not count", plain, "0 mains; 10 battery low; 13 blind; 60 battery low; 66.9 end",
			fail + ", 13 UNKNOWN, 60.1 FAIL", 0},
		{"time seen around blindness counts", plain, "0 mains; 10 battery low; 13 blind; 60 battery low; 67 end",
			fail + ", 13 UNKNOWN, 60.1 FAIL, 67 BATLOW", 0},
		{"not where a pulled cable reads otherwise", func(c *power.QualifierConfig) { c.PulledReadsLow = false },
			"0 mains; 10 battery low; 11 end", fail + ", 10.5 BATLOW", 0},
		{"not with a weak battery", plain, "0 mains; 10 mains low; 71 mains low; 100 battery low; 101 end",
			"2 OK, 100.1 FAIL, 100.5 BATLOW", 0},
		{"not in debt", plain, "0 mains; 10 battery; 75 mains; 100 battery low; 101 end",
			fail + ", 77 OK, 100.1 FAIL, 100.5 BATLOW", 0},
		{"but with a little debt", plain, "0 mains; 10 battery; 60 mains; 100 battery low; 109.9 end",
			fail + ", 62 OK, 100.1 FAIL", 0},
		{"nor with debt that the pulled plug itself pretends", plain, "0 mains; 10 battery; 69 mains; 100 battery low; 109.9 end",
			fail + ", 71 OK, 100.1 FAIL", 0},
		{"low before FAIL is due", func(c *power.QualifierConfig) { c.PulledReadsLow, c.Settle.BatLow = false, 50*time.Millisecond },
			"0 mains; 10 battery low; 11 end", "2 OK, 10.05 BATLOW", 0},
		{"no low line, no low", func(c *power.QualifierConfig) { c.HasLow = false },
			"0 mains; 10 battery low; 100 end", fail, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config()
			tc.change(&c)
			w := newWatch(c)
			w.play(tc.script)
			if got := strings.Join(w.heard, ", "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if got := w.q.Cable().Pulls; got != tc.pulls {
				t.Errorf("%d pulls, want %d", got, tc.pulls)
			}
		})
	}
}

// TestPulledAHundredTimes: what NUT shut a rack down for in 40 of 100 cases.
func TestPulledAHundredTimes(t *testing.T) {
	w := newWatch(config())
	w.play("0 mains; 5 end")
	now := 5.0
	for i := range 100 {
		out := 0.5 + 4.5*float64(i)/99
		apart := 0.0 // how far apart the pins part
		if i%2 == 1 {
			apart = out / 3
		}
		first := "battery"
		if i%4 == 1 {
			first = "mains low"
		}
		script := fmt.Sprintf("%f %s; %f battery low; %f %s; %f mains",
			now, first, now+apart, now+out-apart, first, now+out)
		w.play(script)
		now += out + []float64{0.1, 3}[i/2%2] // sometimes back in before OK is believed
	}
	w.play(fmt.Sprintf("%f end", now+5))
	for _, h := range w.heard {
		if strings.Contains(h, "BATLOW") {
			t.Fatalf("a pulled cable was believed: %s", h)
		}
	}
	if c := w.q.Cable(); !c.Suspect || c.Pulls != 100 {
		t.Errorf("not told as a cable: %+v", c)
	}
	if w.last.Status != power.OK || w.last.Debt != 0 || w.last.WeakBattery {
		t.Errorf("it left something behind: %+v", w.last)
	}
	w.play(fmt.Sprintf("%f end", now+2*3600))
	if w.q.Cable().Suspect {
		t.Error("suspect for ever")
	}
}

func TestQualifierOutage(t *testing.T) {
	w := newWatch(config())
	s := w.play("0 mains; 10 battery; 11 end")
	id := s.Outage
	want := power.State{
		Status: power.Fail, Last: power.Fail, Since: at(10), Outage: id, OutageSince: at(10),
		Runtime: 10 * time.Minute, HasLow: true,
	}
	if diff := cmp.Diff(want, s); diff != "" || id == "" {
		t.Errorf("after FAIL, outage %q:\n%s", id, diff)
	}
	s = w.play("100 battery low; 101 end")
	if s.Since != at(100) || s.OutageSince != at(10) || s.Outage != id {
		t.Errorf("after BATLOW: %+v", s)
	}
	s = w.play("110 battery; 111 end")
	if s.Status != power.Fail || s.Since != at(110) || s.Outage != id {
		t.Errorf("after low cleared: %+v", s)
	}
	s = w.play("120 blind; 121 end")
	if s.Status != power.Unknown || s.Known() != power.Fail || s.Outage != id || s.OutageSince != at(10) || s.Reason == "" || s.Since != at(120) {
		t.Errorf("blind: %+v", s)
	}
	s = w.play("500 battery; 501 end")
	if s.Status != power.Fail || s.Outage != id || s.OutageSince != at(10) || s.Reason != "" {
		t.Errorf("seen again: %+v", s)
	}
	s = w.play("510 mains; 512 end")
	if s.Status != power.OK || s.Outage != "" || s.Since != at(510) {
		t.Errorf("after OK: %+v", s)
	}
	s = w.play("520 battery; 521 end")
	if s.Outage == id || s.Outage == "" {
		t.Errorf("outage %q again", s.Outage)
	}
	// 500 seconds on battery, blind or not, less ten on mains by what it lasted until low.
	if want := 500*time.Second - 10*time.Second*90/(4*3600); (s.Debt - want).Abs() > time.Millisecond {
		t.Errorf("debt %s, want %s", s.Debt, want)
	}
	other := power.NewQualifier(power.QualifierConfig{Boot: "another"})
	other.Step(at(10), power.Signals{OnBattery: true})
	if s := other.Tick(at(10)); s.Outage == "" || s.Outage == id {
		t.Errorf("outage %q on another boot", s.Outage)
	}
	ids := map[string]bool{}
	for _, name := range []string{"", "a", "b"} { // two UPSes fail in the same moment
		q := power.NewQualifier(power.QualifierConfig{Boot: "boot", Name: name})
		q.Step(at(10), power.Signals{OnBattery: true})
		ids[q.Tick(at(10)).Outage] = true
	}
	if len(ids) != 3 {
		t.Errorf("the outages of three UPSes have the ids %v", ids)
	}
}

func TestQualifierWeakBattery(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         bool
	}{
		{"low for a minute", "0 mains; 10 mains low; 70 end", true},
		{"low for less", "0 mains; 10 mains low; 69.9 mains; 200 end", false},
		{"worn for a minute", "0 mains; 10 mains replace; 70 end", true},
		{"low on battery is not it", "0 mains; 10 battery low; 200 end", false},
		{"blindness starts anew", "0 mains; 10 mains low; 50 blind; 60 mains low; 119.9 end", false},
		{"stays when low goes", "0 mains; 10 mains low; 80 mains; 14479.9 end", true},
		{"until a full recharge", "0 mains; 10 mains low; 80 mains; 14480 end", false},
		{"in one piece", "0 mains; 10 mains low; 80 mains; 9000 battery; 9001 mains; 14490 end", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWatch(config())
			if s := w.play(tc.script); s.WeakBattery != tc.want {
				t.Errorf("weak battery: %v", s.WeakBattery)
			}
		})
	}
}

func TestQualifierCounts(t *testing.T) {
	w := newWatch(config())
	w.play("0 mains; 5 battery; 5.05 mains; 9 battery; 9.05 mains; 20 battery; 30 mains; 31 battery; 32 end")
	// Two blips on battery, and one of mains within the outage. Mains after the
	// first blip had been believed before, so taking it back is no flap.
	if got := w.q.Cable(); got.Flaps != 3 || got.Suspect || got.Pulls != 0 {
		t.Errorf("%+v", got)
	}
	for _, n := range []uint32{3, 3, 7, 2, 2} { // the port was opened again before the 2
		w.q.Step(at(40), power.Signals{OnBattery: true, Pulses: n})
	}
	if got := w.q.Cable().Pulses; got != 9 {
		t.Errorf("%d pulses, want 9", got)
	}
}

// TestQualifierAsleep: a process that was stopped learns from what it sees then.
func TestQualifierAsleep(t *testing.T) {
	for _, tc := range []struct {
		name string
		wake func(q *power.Qualifier) power.State
		want power.Status
	}{
		{"the timer comes first", func(q *power.Qualifier) power.State { return q.Tick(at(3600)) }, power.OK},
		{"the wires come first", func(q *power.Qualifier) power.State { return q.Step(at(3600), power.Signals{}) }, power.OK},
		{"and then it lasts", func(q *power.Qualifier) power.State { q.Tick(at(3600)); return q.Tick(at(3600.1)) }, power.Fail},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWatch(config())
			w.play("0 mains; 5 end")
			w.q.Step(at(5), power.Signals{OnBattery: true, Low: true})
			if s := tc.wake(w.q); s.Status != tc.want || s.Outage != "" && s.OutageSince != at(3600) {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestQualifierBackwardsTime(t *testing.T) {
	w := newWatch(config())
	w.play("0 mains; 5 battery; 6 end")
	spent := w.q.Snapshot().Debt
	if s := w.q.Step(at(1), power.Signals{OnBattery: true}); s.Status != power.Fail || s.Debt != 0 {
		t.Errorf("%+v", s)
	}
	w.q.Tick(at(6))
	if debt := w.q.Snapshot().Debt; debt != spent {
		t.Errorf("%s of battery are spent, want %s: the same seconds counted twice", debt, spent)
	}
}
