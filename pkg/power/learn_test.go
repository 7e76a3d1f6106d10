package power_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/power"
	"pgregory.net/rapid"
)

// spans makes spans of minutes; negative: at least so long.
func spans(minutes ...int) (out power.Spans) {
	for _, m := range minutes {
		out = append(out, power.Span{Took: time.Duration(max(m, -m)) * time.Minute, AtLeast: m < 0})
	}
	return out
}

func TestSpansExpect(t *testing.T) {
	for _, tc := range []struct {
		name string
		s    power.Spans
		want time.Duration
	}{
		{"none: what is said", nil, time.Hour},
		{"one is what it is", spans(8), 8 * time.Minute},
		{"of two the shorter counts most", spans(12, 8), 9 * time.Minute},
		{"whatever their order", spans(8, 12), 9 * time.Minute},
		{"of three", spans(8, 12, 16), 10 * time.Minute},
		{"lower bounds count as such", spans(-8, 12), 9 * time.Minute},
	} {
		if got := tc.s.Expect(time.Hour); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var s power.Spans
		least, most := time.Duration(1<<62), time.Duration(0)
		for _, n := range rapid.SliceOfN(rapid.Int64Range(0, int64(24*time.Hour)), 1, 5).Draw(t, "spans") {
			s = append(s, power.Span{Took: time.Duration(n)})
			least, most = min(least, time.Duration(n)), max(most, time.Duration(n))
		}
		if got := s.Expect(0); got < least-1 || got > least+(most-least)/2+1 {
			t.Fatalf("%s of %v: not nearer to the shortest", got, s)
		}
	})
}

// TestWhatAnOutageTeaches: from the first FAIL to low, seen all the way.
func TestWhatAnOutageTeaches(t *testing.T) {
	pull := "0 mains; 10 battery low; 12 mains; 20 end; "
	for _, tc := range []struct {
		name, script   string
		toLow, reserve power.Spans
	}{
		{"nothing without low", "0 mains; 10 battery; 700 mains; 703 end", nil, nil},
		{"low after four minutes", "0 mains; 10 battery; 250 battery low; 261 end", spans(4), nil},
		{"low for a moment is a twitch", "0 mains; 10 battery; 250 battery low; 255 battery; 400 end", nil, nil},
		{"a twitch, and low", "0 mains; 10 battery; 30 battery low; 35 battery; 250 battery low; 261 end", spans(4), nil},
		{"low twice is one outage", "0 mains; 10 battery; 250 battery low; 265 battery; 370 battery low; 390 end", spans(4), nil},
		{"the battery outlives low by four minutes", "0 mains; 10 battery; 250 battery low; 261 end; 490 mains; 493 end", spans(4), spans(-4)},
		{"by less than is said", "0 mains; 10 battery; 250 battery low; 261 end; 270 mains; 273 end", spans(4), nil},
		{"nobody saw it begin", "10 battery; 250 battery low; 261 end", nil, nil},
		{"blind on the way", "0 mains; 10 battery; 100 blind; 101 battery; 250 battery low; 261 end", nil, nil},
		{"blind when it was low", "0 mains; 10 battery; 249 blind; 250 battery low; 261 end", nil, nil},
		{"a moment on mains is no end", "0 mains; 10 battery; 100 mains; 101 battery; 251 battery low; 262 end", power.Spans{{Took: (4*time.Minute - time.Second/24).Round(time.Microsecond)}}, nil},
		{"a plug was pulled within the hour", pull + "30 battery; 270 battery low; 281 end", nil, nil},
		{"the jump rule doubted it", "0 mains; 10 battery low; 40 end", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config()
			c.Ledger.LowReserve = 2 * time.Minute
			w := newWatch(c)
			w.play(tc.script)
			r := w.q.Record()
			if diff := cmp.Diff(tc.toLow, round(r.ToLow)); diff != "" {
				t.Errorf("until low (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.reserve, r.Reserve); diff != "" {
				t.Errorf("after it (-want +got):\n%s", diff)
			}
		})
	}
}

func round(s power.Spans) (out power.Spans) {
	for _, one := range s {
		one.Took = one.Took.Round(time.Microsecond)
		out = append(out, one)
	}
	return out
}

// lows plays outages of so many seconds until low, each after a night on mains.
func lows(w *watch, seconds ...float64) {
	now := 0.0
	for _, s := range seconds {
		w.read(now, power.Signals{})
		w.read(now+100, power.Signals{OnBattery: true})
		w.read(now+100+s, power.Signals{OnBattery: true, Low: true})
		w.until(at(now + 111 + s))
		w.q.Tick(at(now + 111 + s))
		w.read(now+112+s, power.Signals{})
		w.until(at(now + 115 + s))
		now += 100_000
	}
	w.read(now, power.Signals{})
	w.until(at(now + 3))
	w.hear(at(now+3), w.q.Tick(at(now+3)))
}

// TestTheRuntimeIsLearned: shorter at once, longer when three outages have said so.
func TestTheRuntimeIsLearned(t *testing.T) {
	for _, tc := range []struct {
		name string
		said time.Duration
		lows []float64
		want time.Duration
	}{
		{"nothing said, nothing learned", 0, nil, 0},
		{"said", 10 * time.Minute, nil, 10 * time.Minute},
		{"learned where nothing was said", 0, []float64{240}, 6 * time.Minute},
		{"shorter than said", 10 * time.Minute, []float64{240}, 6 * time.Minute},
		{"longer, once", 10 * time.Minute, []float64{1200}, 10 * time.Minute},
		{"longer, twice", 10 * time.Minute, []float64{1200, 1200}, 10 * time.Minute},
		{"longer, three times", 10 * time.Minute, []float64{1200, 1200, 1200}, 22 * time.Minute},
		{"the worst counts most", 10 * time.Minute, []float64{240, 480}, 7 * time.Minute},
		{"what is old is forgotten", 10 * time.Minute, []float64{60, 240, 240, 240, 240, 240}, 6 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config()
			c.Ledger.Runtime, c.Ledger.LowReserve = tc.said, 2*time.Minute
			w := newWatch(c)
			lows(w, tc.lows...)
			if got := w.last.Runtime.Round(time.Microsecond); got != tc.want {
				t.Errorf("runtime %s, want %s", got, tc.want)
			}
			if b := w.q.Battery(); b.Declared != tc.said || b.Lows > 5 || b.Learned() != (b.Runtime != tc.said) {
				t.Errorf("%+v", b)
			}
		})
	}
}

// TestTheRuntimeOfAnOutageStands: what is learned in it counts from the next on, for a
// countdown that began by the one must not jump by the other.
func TestTheRuntimeOfAnOutageStands(t *testing.T) {
	w := newWatch(config())
	if s := w.play("0 mains; 10 battery; 100 battery low; 150 end"); s.Status != power.BatLow || s.Runtime != 10*time.Minute {
		t.Errorf("in it: %+v", s)
	}
	n := w.restart(t, 160)
	n.q.Learned(w.q.Record())
	if s := n.play("160 battery low; 170 end"); s.Status != power.BatLow || s.Runtime != 10*time.Minute {
		t.Errorf("after a restart in it: %+v", s)
	}
	if s := w.play("200 mains; 210 end"); s.Runtime != 90*time.Second+100*time.Second {
		t.Errorf("after it: %+v", s)
	}
}

// TestABatteryInDebtTeachesLessOnly: how far it had recovered is a guess.
func TestABatteryInDebtTeachesLessOnly(t *testing.T) {
	for _, tc := range []struct {
		name string
		low  float64 // seconds of the second outage until low
		want power.Spans
	}{
		{"with the debt it is less than was thought", 100, spans(9, 5)},
		{"or more", 600, spans(9)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config()
			c.Ledger.Recharge = 10 * time.Hour // nine minutes in it are three of a runtime of eleven hours
			c.Ledger.LowReserve = 2 * time.Minute
			w := newWatch(c)
			w.play("0 mains; 100 battery; 640 battery low; 655 end; 655 mains; 660 end")
			again := 660.0
			for w.q.Battery().Debt > 200*time.Second {
				again += 60
				w.q.Tick(at(again))
			}
			w.read(again, power.Signals{OnBattery: true})
			w.read(again+tc.low, power.Signals{OnBattery: true, Low: true})
			w.until(at(again + tc.low + 11))
			w.q.Tick(at(again + tc.low + 11))
			if diff := cmp.Diff(tc.want, roundTo(w.q.Record().ToLow, time.Minute)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func roundTo(s power.Spans, unit time.Duration) (out power.Spans) {
	for _, one := range s {
		one.Took = one.Took.Round(unit)
		out = append(out, one)
	}
	return out
}

// boot begins another boot with what w left, through the disk.
func (w *watch) boot(t *testing.T, c power.QualifierConfig, died bool) *watch {
	t.Helper()
	data, err := json.Marshal(w.q.Record())
	if err != nil {
		t.Fatal(err)
	}
	var r power.BatteryRecord
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	n := newWatch(c)
	n.q.Assume()
	n.q.Recall(r, died)
	return n
}

func other() power.QualifierConfig {
	c := config()
	c.Boot = "the next"
	return c
}

// TestABootKeepsTheDebt: switched off the battery stays as it is, whatever the clock
// of the new boot says.
func TestABootKeepsTheDebt(t *testing.T) {
	w := newWatch(config())
	w.play("0 mains; 10 battery; 130 mains; 133 end")
	owed := w.q.Battery().Debt
	n := w.boot(t, other(), false)
	if s := n.play("0 mains; 2 end"); s.Status != power.OK || s.Debt > owed || s.Debt < owed-time.Second {
		t.Errorf("%+v, owed %s", s, owed)
	}
}

// TestAnOutageGoesOnAfterABoot: into FAIL with its age and debt as they are; into OK
// it is over; blind it never was.
func TestAnOutageGoesOnAfterABoot(t *testing.T) {
	w := newWatch(config())
	before := w.play("0 mains; 10 battery; 40 mains; 60 end; 90 battery; 150 end")
	booted := func() *watch { return w.boot(t, other(), false) }
	t.Run("into FAIL", func(t *testing.T) {
		s := booted().play("0 battery; 1 end")
		if age := at(1).Sub(s.OutageSince); s.Outage != before.Outage || age != time.Minute+1001*time.Second || s.Debt != before.Debt || s.Since != at(0) {
			t.Errorf("age %s, %+v", age, s)
		}
	})
	t.Run("what was spent is added", func(t *testing.T) {
		s := booted().play("0 battery; 1 end; 5 mains; 8 end")
		if want := before.Debt + time.Minute + 1005*time.Second; s.Outage != "" || (s.Debt-want).Abs() > time.Second {
			t.Errorf("%+v, want a debt of %s", s, want)
		}
	})
	t.Run("into OK", func(t *testing.T) {
		n := booted()
		if s := n.play("0 mains; 3 end"); s.Outage != "" || s.Status != power.OK || (s.Debt-before.Debt-time.Minute).Abs() > time.Second {
			t.Errorf("%+v", s)
		}
		if s := n.play("10 battery; 11 end"); s.Outage == before.Outage || s.OutageSince != at(10) {
			t.Errorf("the next one: %+v", s)
		}
	})
	t.Run("mains for a moment", func(t *testing.T) {
		if s := booted().play("0 mains; 0.5 battery; 1 end"); s.Outage == before.Outage || s.OutageSince != at(0.5) {
			t.Errorf("%+v", s)
		}
	})
	t.Run("blind", func(t *testing.T) {
		if s := booted().play("0 blind; 60 end"); s.Known() != power.Unknown || s.Outage != "" {
			t.Errorf("it acts on what an earlier boot saw: %+v", s)
		}
	})
	t.Run("an outage that a boot interrupted teaches nothing", func(t *testing.T) {
		n := booted()
		if n.play("0 battery; 200 battery low; 300 end"); len(n.q.Record().ToLow) > 0 {
			t.Errorf("%+v", n.q.Record())
		}
	})
}

// TestTheReserveIsLearned: the end of a battery nobody sees, but what was seen last.
func TestTheReserveIsLearned(t *testing.T) {
	for _, tc := range []struct {
		name string
		died bool
		want power.Spans
	}{
		{"it died in the low", true, power.Spans{{Took: 60 * time.Second}}},
		{"it was switched off in the low: no less than is said", false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config()
			c.Ledger.LowReserve = 2 * time.Minute
			w := newWatch(c)
			w.play("0 mains; 10 battery; 250 battery low; 310 end")
			n := w.boot(t, c, tc.died)
			if diff := cmp.Diff(tc.want, n.q.Record().Reserve); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if b := n.q.Battery(); tc.died && (b.Reserve != time.Minute || !b.ReserveLearned || b.Runtime != 5*time.Minute) {
				t.Errorf("%+v", b)
			}
		})
	}
}

// TestABatteryWithoutARecordIsHalfFull: neither full nor empty is believed, and it
// does not make a pulled plug an empty battery.
func TestABatteryWithoutARecordIsHalfFull(t *testing.T) {
	for said, half := range map[time.Duration]time.Duration{0: 150 * time.Second, 20 * time.Minute: 10 * time.Minute} {
		c := config()
		c.Ledger.Runtime = said
		w := newWatch(c)
		w.q.Assume()
		if s := w.play("0 mains; 3 end"); (s.Debt - half).Abs() > time.Second {
			t.Errorf("runtime %s: debt %s", said, s.Debt)
		}
		if got, known := w.q.Battery().Charge(); known != (said > 0) || known && (got < 0.5 || got > 0.51) {
			t.Errorf("runtime %s: charge %g %t", said, got, known)
		}
		if s := w.play("10 battery low; 15 end"); s.Status != power.Fail {
			t.Errorf("the plug is pulled: %s", s.Status)
		}
		if w.play("20 battery; 200 battery low; 230 end"); len(w.q.Record().ToLow) > 0 {
			t.Error("an outage taught something of a battery of which nobody knows how full it was")
		}
		w.play("240 mains; 250 end")
		w.q.Tick(at(250 + 30000))
		if b := w.q.Battery(); b.Assumed != 0 {
			t.Errorf("after two recharge times %s are still a guess", b.Assumed)
		}
	}
}

// TestARecordThatComesLate: a disk answers late; what was spent meanwhile stays spent.
func TestARecordThatComesLate(t *testing.T) {
	w := newWatch(config())
	w.q.Assume()
	w.play("0 battery; 60 end")
	w.q.Recall(power.BatteryRecord{Debt: 3 * time.Minute, ToLow: spans(5), Outage: "old", OutageAge: time.Hour}, false)
	if b := w.q.Battery(); b.Debt != 4*time.Minute || b.Assumed != 0 || b.Lows != 1 {
		t.Errorf("%+v", b)
	}
	if s := w.play("61 end"); s.Outage == "old" || s.OutageSince != at(0) {
		t.Errorf("an outage that is believed became another: %+v", s)
	}
}

func TestCharge(t *testing.T) {
	for _, tc := range []struct {
		b     power.Battery
		want  float64
		known bool
	}{
		{power.Battery{}, 1, true},
		{power.Battery{Debt: time.Second}, 0, false},
		{power.Battery{Debt: time.Minute, Runtime: 4 * time.Minute}, 0.75, true},
		{power.Battery{Debt: time.Hour, Runtime: 4 * time.Minute}, 0, true},
	} {
		if got, known := tc.b.Charge(); got != tc.want || known != tc.known {
			t.Errorf("%+v: %g %t", tc.b, got, known)
		}
	}
}
