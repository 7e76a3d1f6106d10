package power

import "time"

const (
	// restedDebt is the debt below which a battery is rested: it can't be low
	// within seconds, so the jump rule holds.
	restedDebt = time.Minute
	// weakSettle is how long low must last on mains to be a weak battery. Nothing
	// hurries it, and a plug that is pulled slowly, its low pin first, reads the
	// same: were that taken for a weak battery, the jump rule would be off exactly
	// when the other pins part.
	weakSettle = time.Minute
	// suspectFor is how long a pulled plug stays worth a look after it was back.
	suspectFor = time.Hour
	// asleepAfter: a call that comes so much later than it was due says that
	// nobody watched the wires in between (a suspend, a stopped process).
	asleepAfter = 2 * time.Second

	reasonCannotRead = "cannot read the wires"
	reasonSettling   = "the wires have not said the same for long enough yet"
	reasonNoSample   = "nothing read yet"
)

// QualifierConfig is how one UPS's wires are believed.
type QualifierConfig struct {
	// Settle is how long each status must last before it is believed.
	Settle struct{ Fail, BatLow, OK time.Duration }
	// BatLowJump is how long on battery must last before low is believed, on a
	// rested battery, where PulledReadsLow.
	BatLowJump time.Duration
	// HasLow: this cable can say "battery low" at all.
	HasLow bool
	// PulledReadsLow: the cable reads on battery and low when it is pulled out.
	PulledReadsLow bool
	// Name is the UPS's, Boot is this boot's id: outage ids are made of both.
	Name, Boot string
	// Ledger is what is known of the battery.
	Ledger LedgerConfig
	// Pretended: there is no battery, so nothing is learned of it.
	Pretended bool
}

// CableHealth is what the wires' behaviour says about the cable itself.
type CableHealth struct {
	// Suspect: on battery and low came as they come when the plug is pulled; low
	// is not believed at this moment, or that was so within the last hour.
	Suspect bool
	// Pulls counts how often both vanished again, together: it was the cable.
	Pulls uint32
	// Flaps counts changes that were taken back before they were believed.
	Flaps uint32
	// Pulses counts changes that were over before they could be read.
	Pulses uint32
}

// Qualifier turns the samples of one UPS's wires into its believed [State].
//
// A status is believed when it has been seen to last for its settle time. Time in
// which nobody could look (blind, asleep) does not count as lasting: every settle
// time begins anew afterwards, so blindness can't make anything true. The outage
// and the last status that was known are kept through it.
//
// The jump rule, on a cable that reads on battery and low when pulled out: a
// rested battery takes minutes to go low, so low is not believed before on battery
// has been seen for BatLowJump, whichever line moved first; on battery is believed
// as ever. Time blind does not count; time between two processes does, because the
// state kept from the one before says that it was on battery then. A mains
// reading starts it anew.
//
// Low or worn while on mains is a weak battery once it lasted a minute. It stays
// so, with the jump rule off, until the UPS has been on mains without saying so
// for a full recharge time.
type Qualifier struct {
	cfg    QualifierConfig
	ledger *Ledger
	state  State
	now    Uptime

	seeing    bool    // the wires can be read now
	raw       reading // the newest reading, kept while blind
	sideFrom  Uptime  // since when the wires were seen to say battery, or mains
	levelFrom Uptime  // since when they were seen to say all of raw
	lastSince Uptime  // when state.Last began

	// The stretch on battery since the last mains reading.
	seenBefore time.Duration // seen of it before sideFrom
	edgeDebt   time.Duration // debt when it began
	doubted    bool          // low was seen in it under the jump rule
	lowGone    Uptime        // when that low went, if raw says it did

	outageDebt time.Duration // debt when the outage began
	outageFull time.Duration // the runtime expected then
	watched    watched       // what the outage may show of the battery
	old        *oldOutage    // one of an earlier boot, which may go on
	weakFrom   Uptime        // since when low or worn on mains, or, once weak, not
	pulses     uint32        // the newest Signals.Pulses
	suspect    Uptime        // until when, while after now
	cable      CableHealth
}

// NewQualifier returns a qualifier that has seen nothing: its state is UNKNOWN.
func NewQualifier(c QualifierConfig) *Qualifier {
	if c.Ledger.Recharge <= 0 {
		c.Ledger.Recharge = assumedRecharge
	}
	return &Qualifier{cfg: c, ledger: NewLedger(c.Ledger), state: State{Reason: reasonNoSample}}
}

// Step takes a new sample and returns the state now.
func (q *Qualifier) Step(now Uptime, s Signals) State {
	q.pass(now)
	q.countPulses(s.Pulses)
	if s.Blind {
		q.goBlind(s.Reason)
		return q.present()
	}
	r := reading{battery: s.OnBattery, low: s.Low && q.cfg.HasLow, replace: s.Replace}
	q.read(r)
	q.believe()
	return q.present()
}

// Tick says that time has passed and returns the state now. Call it when Deadline
// says so: a call that is seconds late says that nobody was watching.
func (q *Qualifier) Tick(now Uptime) State {
	q.pass(now)
	return q.present()
}

// Deadline returns when Tick must be called, if nothing is read before.
func (q *Qualifier) Deadline() (Uptime, bool) {
	var next Uptime
	found := false
	for _, d := range []timer{q.settling(), q.weakening(), q.healing(), {q.suspect, q.suspect.After(q.now)}} {
		if d.set && (!found || d.at.Before(next)) {
			next, found = d.at, true
		}
	}
	return next, found
}

// Cable returns what the wires' behaviour says about the cable, as of the last call.
func (q *Qualifier) Cable() CableHealth {
	h := q.cable
	h.Suspect = q.suspect.After(q.now) || q.doubting()
	return h
}

// pass lets time pass up to now with the wires as last read.
func (q *Qualifier) pass(now Uptime) {
	if now.Before(q.now) {
		now = q.now
	}
	for _, t := range []timer{q.settling(), q.weakening()} {
		if t.set && now.After(t.at.Add(asleepAfter)) {
			q.lookAnew(now, t.at)
			break
		}
	}
	elapsed := now.Sub(q.now)
	switch {
	case q.seeing && !q.raw.battery:
		q.ledger.Recharge(elapsed)
	case q.seeing || q.state.Outage != "":
		q.ledger.Spend(elapsed)
	}
	q.now = now
	q.believe()
	q.learn()
}

// lookAnew begins all settle times anew at now; the wires were watched until then.
func (q *Qualifier) lookAnew(now, until Uptime) {
	if q.raw.battery {
		q.seenBefore += max(0, until.Sub(q.sideFrom))
	}
	q.sideFrom, q.levelFrom, q.weakFrom = now, now, now
	q.watched = watched{}
}

func (q *Qualifier) goBlind(reason string) {
	if reason == "" {
		reason = reasonCannotRead
	}
	if q.seeing && q.raw.battery {
		q.seenBefore += q.now.Sub(q.sideFrom)
	}
	if q.state.Status != Unknown || q.state.Since == 0 {
		q.state.Status, q.state.Since = Unknown, q.now
	}
	q.seeing, q.state.Reason = false, reason
	q.watched = watched{}
}

// read takes a reading and keeps the moments at which what it says began.
func (q *Qualifier) read(r reading) {
	old, saw := q.raw, q.seeing
	if saw && r.status() != old.status() && old.status() != q.state.Status && !q.doubting() {
		q.cable.Flaps++
	}
	switch {
	case r.battery && !old.battery:
		q.seenBefore, q.edgeDebt, q.doubted = 0, q.ledger.Debt(), false
		q.watch(saw)
	case !r.battery && old.battery:
		q.offBattery(old)
	}
	if old.low && !r.low {
		q.lowGone = q.now
	}
	if !saw || r.battery != old.battery {
		q.sideFrom, q.levelFrom = q.now, q.now
	} else if r.low != old.low {
		q.levelFrom = q.now
	}
	if !saw || r.battery != old.battery || r.weak() != old.weak() {
		q.weakFrom = q.now
	}
	q.seeing, q.raw = true, r
	if !r.battery {
		q.old = nil // the power was back: whatever comes is another outage
	}
	if q.state.Status == Unknown {
		q.state.Reason = reasonSettling
		if !saw && q.state.Last == Unknown {
			q.state.Since = q.now
		}
	}
	if r.battery && r.low && q.state.Status != BatLow && q.jumpRule() && q.onBattery() < q.cfg.BatLowJump {
		q.doubted = true
	}
}

// offBattery ends a stretch on battery whose last reading was old. If its low was
// doubted and went with it, it was the plug, and the battery was never used.
func (q *Qualifier) offBattery(old reading) {
	together := old.low || q.now.Sub(q.lowGone) <= q.cfg.BatLowJump
	if q.doubted && together && q.state.Last != BatLow {
		q.cable.Pulls++
		q.suspect = q.now.Add(suspectFor)
		q.ledger.Set(q.edgeDebt)
	}
	q.doubted = false
}

// believe makes the newest reading the state if it has lasted for long enough.
func (q *Qualifier) believe() {
	if !q.seeing {
		return
	}
	if t := q.weakening(); t.due(q.now) {
		q.state.WeakBattery, q.weakFrom = true, q.now
	}
	if t := q.healing(); t.due(q.now) {
		q.state.WeakBattery = false
	}
	// Twice at most: FAIL, then BATLOW.
	for range 2 {
		if t := q.settling(); t.due(q.now) {
			q.become(q.next())
		}
	}
}

// become makes status the believed one.
func (q *Qualifier) become(status Status) {
	since := q.sideFrom
	if status == BatLow || q.state.Last == BatLow && status == Fail {
		since = q.levelFrom
	}
	switch {
	case status == OK:
		q.outlasted()
		q.state.Outage, q.state.OutageSince = "", 0
	case q.state.Outage == "":
		q.begin()
	case status == q.state.Last:
		since = q.lastSince
	}
	q.state.Status, q.state.Last, q.state.Reason = status, status, ""
	q.state.Since, q.lastSince = since, since
	q.noteLow(status)
	if status == BatLow {
		q.doubted = false
	}
}

// next returns the status that the newest reading leads to from the present one.
func (q *Qualifier) next() Status {
	switch {
	case !q.raw.battery:
		return OK
	case !q.raw.low:
		return Fail
	case q.state.Status == Fail, q.state.Status == BatLow, q.state.Known() == BatLow:
		return BatLow
	default:
		// On battery is believed before low, and not kept back by it, unless low
		// is the first to be due.
		if q.lowDue().Before(q.sideFrom.Add(q.cfg.Settle.Fail)) {
			return BatLow
		}
		return Fail
	}
}

// settling returns when the newest reading will be believed.
func (q *Qualifier) settling() timer {
	if !q.seeing {
		return timer{}
	}
	next := q.next()
	if next == q.state.Status {
		return timer{}
	}
	switch {
	case next == OK:
		return timer{q.sideFrom.Add(q.cfg.Settle.OK), true}
	case next == BatLow:
		return timer{q.lowDue(), true}
	case q.state.Known() == BatLow:
		return timer{q.levelFrom.Add(q.cfg.Settle.Fail), true}
	default:
		return timer{q.sideFrom.Add(q.cfg.Settle.Fail), true}
	}
}

// lowDue returns when low, which the newest reading says, will be believed.
func (q *Qualifier) lowDue() Uptime {
	due := q.levelFrom.Add(q.cfg.Settle.BatLow)
	if q.jumpRule() {
		due = max(due, q.sideFrom.Add(q.cfg.BatLowJump-q.seenBefore))
	}
	return due
}

// jumpRule reports whether low must wait for on battery to be old enough.
func (q *Qualifier) jumpRule() bool {
	return q.cfg.PulledReadsLow && q.edgeDebt-q.ledger.assumed < restedDebt && !q.state.WeakBattery
}

// onBattery returns how long the wires were seen to say on battery.
func (q *Qualifier) onBattery() time.Duration { return q.seenBefore + q.now.Sub(q.sideFrom) }

// doubting reports whether low is seen now and kept back by the jump rule.
func (q *Qualifier) doubting() bool {
	return q.seeing && q.doubted && q.raw.battery && q.raw.low
}

// weakening returns when low or worn on mains will be a weak battery.
func (q *Qualifier) weakening() timer {
	set := q.seeing && !q.raw.battery && q.raw.weak() && !q.state.WeakBattery
	return timer{q.weakFrom.Add(weakSettle), set}
}

// healing returns when a weak battery will be trusted again.
func (q *Qualifier) healing() timer {
	set := q.seeing && !q.raw.battery && !q.raw.weak() && q.state.WeakBattery
	return timer{q.weakFrom.Add(q.cfg.Ledger.Recharge), set}
}

// present returns the state with what belongs to the moment filled in.
func (q *Qualifier) present() State {
	s := q.state
	s.Runtime, s.HasLow = q.ledger.Runtime(), q.cfg.HasLow
	s.Debt = q.ledger.Debt()
	if s.Outage != "" {
		s.Debt, s.Runtime = q.outageDebt, q.outageFull
	}
	return s
}

// countPulses adds what is new in a counter that starts at zero with each open.
func (q *Qualifier) countPulses(n uint32) {
	if n >= q.pulses {
		q.cable.Pulses += n - q.pulses
	} else {
		q.cable.Pulses += n
	}
	q.pulses = n
}
