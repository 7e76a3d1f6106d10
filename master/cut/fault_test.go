package cut_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// TestLaw07AFaultOfItsOwnKeepsNobodyDown: a program that fails at any moment begins anew,
// leaves no line asserted, and has the machine up again.
func TestLaw07AFaultOfItsOwnKeepsNobodyDown(t *testing.T) {
	looks := 0
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cable(t, "nut-7"), from(300))
		if _, err := b.run(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		looks = b.looks
	})
	for n := 1; n < looks; n += looks / 25 {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, cable(t, "nut-7"), from(300))
			b.clock = func(i int) {
				if i == n {
					panic("a fault")
				}
			}
			took, err := b.run(t.Context(), 0)
			b.check("nowhere", "close", 0, took, err)
			if !slices.ContainsFunc(b.said, func(s string) bool { return strings.Contains(s, "a fault") }) {
				t.Errorf("nobody was told: %q", b.said)
			}
		})
	}
}

// TestLaw07AUPSThatMayObeyIsWaitedForAfterAFault: it would cut a machine that boots.
func TestLaw07AUPSThatMayObeyIsWaitedForAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cable(t, "nut-7"), from(136))
		failed := false
		b.clock = func(int) {
			if !failed && b.at().After(at(130)) { // own told at 120.4 for 5.25 s, delay 120 s
				failed = true
				panic("a fault")
			}
		}
		_, err := b.run(t.Context(), 0)
		told := b.told[ownPort]
		if least := told.Add(b.ups[ownPort].cable.Kill.Delay); err != nil || told == 0 || b.rebooted.Before(least) {
			t.Errorf("%v; told at %v, rebooted at %v", err, time.Duration(told), time.Duration(b.rebooted))
		}
	})
}

// TestLaw07AProgramThatAlwaysFailsReboots after an hour, as one that can see nothing.
func TestLaw07AProgramThatAlwaysFailsReboots(t *testing.T) {
	for _, within := range []time.Duration{0, 80 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, cable(t, "nut-7"), never)
			b.clock = func(i int) {
				if i > 1 {
					panic("a fault")
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
			defer cancel()
			took, err := b.run(ctx, within)
			switch {
			case within == 0 && (err != nil || b.rebooted == 0 || took < time.Hour || took > time.Hour+time.Minute):
				t.Errorf("%v after %v", err, took)
			case within > 0 && (err == nil || b.rebooted != 0 || took > within):
				t.Errorf("with %v: %v after %v", within, err, took)
			}
		})
	}
}

// TestAFaultInADriverIsAPortThatIsLost.
func TestAFaultInADriverIsAPortThatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, cable(t, "nut-7"), from(300))
		failed := 0
		b.hang = func(_ int, call string) time.Duration {
			if call == otherPort+" drive "+line.RTS.String() && failed < 3 {
				failed++
				panic("a fault")
			}
			return 0
		}
		took, err := b.run(t.Context(), 0)
		b.check("nowhere", "close", 0, took, err)
	})
}
