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
	// Runtime is how long a full battery lasts, as its owner says; 0: unknown.
	Runtime time.Duration
	// LowReserve is how much of that is left when the UPS says low, likewise.
	LowReserve time.Duration
	// Recharge is how long it takes from empty to full; 0: 4 hours.
	Recharge time.Duration
}

// Ledger is a battery's account: the seconds spent and not yet recharged, and what
// outages have shown of how many there are. Debt grows 1:1 on battery and shrinks by
// runtime/recharge on mains, so that an empty battery is out of debt after one recharge
// time. With an unknown runtime it shrinks as if the battery lasted 5 minutes only,
// which is slow, hence safe. It is never negative, and has no upper end: a battery that
// outlives its expected runtime is not thereby less empty.
type Ledger struct {
	cfg     LedgerConfig
	debt    time.Duration
	assumed time.Duration // the part of debt that nobody saw being spent
	toLow   Spans
	reserve Spans
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

// Owed returns the part of the debt that was seen being spent.
func (l *Ledger) Owed() time.Duration { return l.debt - l.assumed }

// Set replaces the debt, by one kept from before; a negative one counts as none.
func (l *Ledger) Set(debt time.Duration) {
	l.debt = max(0, debt)
	l.assumed = min(l.assumed, l.debt)
}

// Assume says that nobody knows how full the battery is: neither full nor empty is
// believed, but half.
func (l *Ledger) Assume() {
	l.debt = l.scale() / 2
	l.assumed = l.debt
}

// Spend says that the battery fed the load for d.
func (l *Ledger) Spend(d time.Duration) { l.debt += max(0, d) }

// Recharge says that the mains fed the load, and the battery, for d. What was only
// assumed counts as paid back last.
func (l *Ledger) Recharge(d time.Duration) {
	// In floating point: the product of two durations overflows 64 bits.
	back := time.Duration(float64(max(0, d)) * (float64(l.scale()) / float64(l.cfg.Recharge)))
	l.debt = max(0, l.debt-back)
	l.assumed = min(l.assumed, l.debt)
}

// scale returns the runtime, or what is assumed where it is unknown.
func (l *Ledger) scale() time.Duration {
	if r := l.Runtime(); r > 0 {
		return r
	}
	return assumedRuntime
}

// Runtime returns how long a full battery lasts; 0: unknown. What was learned takes
// the place of what the owner says: shorter at once, longer when [sure] outages have
// shown it.
func (l *Ledger) Runtime() time.Duration {
	low, said := l.toLow.Expect(0), l.cfg.Runtime
	if low <= 0 {
		return said
	}
	learned := low + l.Reserve()
	if said > 0 && learned > said && len(l.toLow) < sure {
		return said
	}
	return learned
}

// Reserve returns for how long the battery lasts once the UPS has said low.
func (l *Ledger) Reserve() time.Duration { return l.reserve.Expect(l.cfg.LowReserve) }

// low says that the UPS said low when the account stood at debt, of which before was
// owed already when the outage began. How much a battery that had not recovered had
// left hangs on the recharge time, so it can make the expected runtime shorter and
// never longer.
func (l *Ledger) low(debt, before time.Duration) {
	now := l.toLow.Expect(max(0, l.cfg.Runtime-l.Reserve()))
	if before < restedDebt || debt < now {
		l.toLow = l.toLow.add(Span{Took: debt})
	}
}

// lasted says that the battery lasted for d after the UPS had said low, and then died,
// or only that it lasted so long.
func (l *Ledger) lasted(d time.Duration, died bool) {
	if died || d > l.Reserve() {
		l.reserve = l.reserve.add(Span{Took: d, AtLeast: !died})
	}
}

// Battery returns what is known of the battery now.
func (l *Ledger) Battery() Battery {
	return Battery{
		Runtime: l.Runtime(), Declared: l.cfg.Runtime, ToLow: l.toLow.Expect(0), Lows: len(l.toLow),
		Reserve: l.Reserve(), ReserveLearned: len(l.reserve) > 0,
		Debt: l.debt, Assumed: l.assumed,
	}
}
