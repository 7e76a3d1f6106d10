package memrack

import (
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// simPower is a UPS: its mains, its battery, and what its plug says of them.
type simPower struct {
	simUPS
	mains   bool
	changed time.Duration // when the mains did
	charge  time.Duration // left in the battery
	worn    bool          // low as soon as it is on battery
	said    upsv1.Status  // to the plug
	told    upsv1.Status  // what the plug says
	wire    *Wire         // nil: a sim port
	heard   int           // orders to cut the load that it made something of
	judged  int           // that were judged
	cutAt   time.Duration // when it obeys one; 0: there is none
	output  bool          // it feeds its load
	outAt   time.Duration // when that changed

	pulled  bool // the plug is out, and reads as reads
	pullAt  time.Duration
	blind   bool // the adapter is gone
	outside bool // who looks at the plug sees nothing of the UPS
}

func newPower(u simUPS, seed uint64) *simPower {
	p := &simPower{simUPS: u, mains: true, charge: u.runtime, said: upsv1.Status_STATUS_OK, told: upsv1.Status_STATUS_OK, output: true}
	if c, ok := line.Lookup(u.cable); ok {
		p.wire = NewWire(c, u.driver, seed)
	}
	return p
}

// pass lets the battery run down or charge.
func (u *simPower) pass(d time.Duration) {
	if u.mains {
		u.charge = min(u.runtime, u.charge+time.Duration(float64(d)*float64(u.runtime)/float64(u.recharge)))
	} else if u.output {
		u.charge = max(0, u.charge-d)
	}
}

// offLeast is how long a UPS that cut its load leaves it off at least.
const offLeast = 5 * time.Second

// feed switches the output, as the battery, the mains and an order want it.
func (u *simPower) feed(now time.Duration) (output bool) {
	was := u.output
	switch {
	case u.output && u.cutAt != 0 && now >= u.cutAt:
		u.output = u.mains && !u.through // some take an order back when the mains are
		u.cutAt = 0
	case u.output && !u.mains && u.charge == 0:
		u.output, u.cutAt = false, 0
	case !u.output && u.mains && now-u.changed >= u.restart && now-u.outAt >= offLeast:
		u.output = true
	}
	if was != u.output {
		u.outAt = now
	}
	return u.output
}

// obey takes an order to cut the load, if it is one that the UPS heeds: it was heard for as
// long as the UPS wants it, on battery at its beginning and its end.
func (u *simPower) obey(o Order, start time.Time, now time.Duration) (over bool) {
	from := o.From.Sub(start)
	told := from + u.wire.wants()
	if o.To.IsZero() && now < told {
		return false
	}
	if heard := o.To.IsZero() || !o.To.Before(o.From.Add(u.wire.wants())); heard && !u.heedless && !o.Mains && !o.Apart && !(u.mains && u.changed <= told) && u.output {
		u.cutAt = told + time.Duration(u.takes*float64(u.wire.cable.Kill.Delay))
	}
	return true
}

// guess is what a master takes for spent whose disk doesn't say, of a battery that there is.
func (u *simPower) guess() time.Duration {
	switch {
	case u.wire == nil:
		return 0
	case u.known:
		return u.runtime / 2
	default:
		return 150 * time.Second
	}
}

// show notes for how long the battery is seen to have lasted when it says low.
func (u *simSaid) show(now time.Duration) {
	if u.told != upsv1.Status_STATUS_BATLOW || u.wire == nil {
		return
	}
	lasted := time.Nanosecond
	if u.status == upsv1.Status_STATUS_FAIL {
		lasted = max(lasted, now-u.since)
	}
	if u.shown == 0 || lasted < u.shown {
		u.shown = lasted
	}
}

// is is what the UPS would say now.
func (u *simPower) is() upsv1.Status {
	switch {
	case u.mains:
		return upsv1.Status_STATUS_OK
	case u.low() && (u.worn || u.charge <= u.reserve):
		return upsv1.Status_STATUS_BATLOW
	default:
		return upsv1.Status_STATUS_FAIL
	}
}

// jump is how long low may be kept back on a cable that reads low when it is pulled,
// as master.toml has it by default.
const jump = 10 * time.Second

// shows returns what who looks at the plug sees of the UPS.
func (u *simPower) shows(now time.Duration) upsv1.Status {
	u.outside = u.blind
	if u.wire == nil || !u.pulled || u.blind {
		return u.is()
	}
	switch s := WhenPulled(u.wire.cable).Ends; {
	case s == power.Unknown:
		u.outside = true
		return u.is()
	case s == power.BatLow && now-u.pullAt >= jump:
		return upsv1.Status_STATUS_BATLOW
	case s.OnBattery():
		return upsv1.Status_STATUS_FAIL
	default: // it looks like mains, whatever happens
		return upsv1.Status_STATUS_OK
	}
}

// mute reports whether the plug says nothing of what the UPS does.
func (u *simPower) mute() bool { return u.pulled || u.blind }
