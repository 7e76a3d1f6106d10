package power

import "time"

// What the ledger assumes when the owner has not said and nothing is learned.
const (
	// assumedRuntime is a short one, because a short one makes debt shrink
	// slowly: makers' run-time charts for small units begin at 3 to 6 minutes at
	// full load.
	assumedRuntime = 5 * time.Minute
	// assumedRecharge is the default of the configuration's battery.recharge.
	assumedRecharge = 4 * time.Hour
)

// LedgerConfig is what is known of a battery.
type LedgerConfig struct {
	// Runtime is how long a full battery lasts; 0: unknown.
	Runtime time.Duration
	// Recharge is how long it takes from empty to full; 0: 4 hours.
	Recharge time.Duration
}

// Ledger is a battery's account: the seconds spent and not yet recharged. Debt
// grows 1:1 on battery and shrinks by runtime/recharge on mains, so that an empty
// battery is out of debt after one recharge time. With an unknown runtime it
// shrinks as if the battery lasted 5 minutes only, which is slow, hence safe. It
// is never negative, and has no upper end: a battery that outlives its expected
// runtime is not thereby less empty.
type Ledger struct {
	cfg  LedgerConfig
	debt time.Duration
}

// NewLedger returns a ledger of a full battery.
func NewLedger(c LedgerConfig) *Ledger {
	if c.Recharge <= 0 {
		c.Recharge = assumedRecharge
	}
	return &Ledger{cfg: c}
}

// Debt returns the battery seconds spent and not yet recharged.
func (l *Ledger) Debt() time.Duration { return l.debt }

// Set replaces the debt, by one kept from before; a negative one counts as none.
func (l *Ledger) Set(debt time.Duration) { l.debt = max(0, debt) }

// Spend says that the battery fed the load for d.
func (l *Ledger) Spend(d time.Duration) { l.debt += max(0, d) }

// Recharge says that the mains fed the load, and the battery, for d.
func (l *Ledger) Recharge(d time.Duration) {
	runtime := l.cfg.Runtime
	if runtime <= 0 {
		runtime = assumedRuntime
	}
	// In floating point: the product of two durations overflows 64 bits.
	back := time.Duration(float64(max(0, d)) * (float64(runtime) / float64(l.cfg.Recharge)))
	l.debt = max(0, l.debt-back)
}
