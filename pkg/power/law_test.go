package power_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lastwatt/lastwatt/pkg/power"
	"pgregory.net/rapid"
)

// anySignals draws what a UPS might say next.
func anySignals(t *rapid.T) power.Signals {
	b := rapid.Bool()
	return power.Signals{
		Blind: rapid.IntRange(0, 4).Draw(t, "blind") == 0, OnBattery: b.Draw(t, "battery"),
		Low: b.Draw(t, "low"), Replace: b.Draw(t, "replace"), Pulses: rapid.Uint32Range(0, 9).Draw(t, "pulses"),
	}
}

func anyPause(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{
		0, time.Millisecond, 99 * time.Millisecond, time.Second, 9 * time.Second, time.Minute, 5 * time.Hour,
	}).Draw(t, "pause")
}

func anyQualifier(t *rapid.T) *power.Qualifier {
	c := config()
	b := rapid.Bool()
	c.HasLow, c.PulledReadsLow = b.Draw(t, "has low"), b.Draw(t, "pulled reads low")
	if b.Draw(t, "no settle times") {
		c.Settle.Fail, c.Settle.BatLow, c.Settle.OK = 0, 0, 0
	}
	return power.NewQualifier(c)
}

// tickTo calls Tick as often as the qualifier wants it, and holds that this is not
// for ever.
func tickTo(t *rapid.T, q *power.Qualifier, now, to power.Uptime, check func(power.State)) {
	for {
		d, ok := q.Deadline()
		if ok && !d.After(now) {
			t.Fatalf("at %s: due at %s", now, d)
		}
		if !ok || d.After(to) {
			return
		}
		now = d
		check(q.Tick(now))
	}
}

// TestLaw02BlindnessMakesNothingTrue: while blind, what was known stays known.
func TestLaw02BlindnessMakesNothingTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := anyQualifier(t)
		now := at(0)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			q.Step(now, anySignals(t))
			to := now.Add(anyPause(t))
			tickTo(t, q, now, to, func(power.State) {})
			now = to
		}
		before := q.Step(now, power.Signals{Blind: true})
		to := now.Add(anyPause(t))
		tickTo(t, q, now, to, func(power.State) {})
		after := q.Tick(to)
		before.Debt, after.Debt = 0, 0
		if diff := cmp.Diff(before, after); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestLaw06LowCountsOnlyOnBattery, and what belongs to a state always holds.
func TestLaw06LowCountsOnlyOnBattery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := anyQualifier(t)
		now := at(0)
		empty := false // the wires ever said on battery and low in one breath
		check := func(s power.State) {
			if s.Known() == power.BatLow && !(empty && s.HasLow) {
				t.Fatalf("BATLOW, and it never was: %+v", s)
			}
			if (s.Outage != "") != s.Known().OnBattery() {
				t.Fatalf("outage %q in %s", s.Outage, s.Known())
			}
			if s.Debt < 0 || (s.Reason == "") != (s.Status != power.Unknown) {
				t.Fatalf("%+v", s)
			}
			if s.Status != power.Unknown && s.Status != s.Last {
				t.Fatalf("%s, last %s", s.Status, s.Last)
			}
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			in := anySignals(t)
			empty = empty || !in.Blind && in.OnBattery && in.Low
			check(q.Step(now, in))
			to := now.Add(anyPause(t))
			tickTo(t, q, now, to, check)
			now = to
		}
	})
}
