package power_test

import (
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
	"pgregory.net/rapid"
)

func TestLedger(t *testing.T) {
	known := power.LedgerConfig{Runtime: 10 * time.Minute, Recharge: 4 * time.Hour}
	for _, tc := range []struct {
		name            string
		cfg             power.LedgerConfig
		spend, recharge time.Duration
		want            time.Duration
	}{
		{"a full battery", known, 0, 0, 0},
		{"spent 1:1", known, 3 * time.Minute, 0, 3 * time.Minute},
		{"back by runtime/recharge", known, 10 * time.Minute, time.Hour, 7*time.Minute + 30*time.Second},
		{"empty to full in one recharge", known, 10 * time.Minute, 4 * time.Hour, 0},
		{"never negative", known, time.Minute, 1000 * time.Hour, 0},
		{"beyond its runtime", known, 20 * time.Minute, 0, 20 * time.Minute},
		{"runtime unknown: as of 5 minutes", power.LedgerConfig{Recharge: 4 * time.Hour}, 10 * time.Minute, 4 * time.Hour, 5 * time.Minute},
		{"recharge unknown: 4 hours", power.LedgerConfig{Runtime: 8 * time.Minute}, 8 * time.Minute, time.Hour, 6 * time.Minute},
		{"negative times are none", known, -time.Minute, -time.Hour, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := power.NewLedger(tc.cfg)
			l.Spend(tc.spend)
			l.Recharge(tc.recharge)
			if got := l.Debt(); (got - tc.want).Abs() > time.Microsecond {
				t.Errorf("debt %s, want %s", got, tc.want)
			}
		})
	}
}

func TestLedgerIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := power.NewLedger(power.LedgerConfig{
			Runtime:  time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "runtime")),
			Recharge: time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "recharge")),
		})
		l.Set(time.Duration(rapid.Int64Range(-1, int64(time.Hour)).Draw(t, "debt")))
		for _, d := range rapid.SliceOf(rapid.Int64Range(-int64(time.Hour), int64(time.Hour))).Draw(t, "times") {
			before := l.Debt()
			if d < 0 {
				l.Recharge(time.Duration(-d))
			} else {
				l.Spend(time.Duration(d))
			}
			if l.Debt() < 0 || d < 0 && l.Debt() > before || d > 0 && l.Debt() != before+time.Duration(d) {
				t.Fatalf("from %s by %s to %s", before, time.Duration(d), l.Debt())
			}
		}
	})
}
