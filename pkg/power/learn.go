package power

import "time"

// lowLasts is how long low must last to say something of the battery: some UPSes say
// so for a moment when they take the load over.
const lowLasts = 10 * time.Second

// watched is what the present outage may show of the battery. Its zero value: nothing,
// because somebody did not look.
type watched struct {
	whole  bool          // the wires were read all the time, from mains on
	before time.Duration // the debt then
	lowAt  Uptime        // since when low is believed, while spent is not 0
	spent  time.Duration // the debt at that moment
	sure   bool          // low has lasted
	told   bool          // for the first time: one outage shows one thing
}

// oldOutage is one that was not over when an earlier boot ended.
type oldOutage struct {
	id        string
	age, debt time.Duration // as last written, and at its first FAIL
}

// watch begins or goes on to watch an outage whose first reading is being read now; saw:
// mains were read until now. A moment on mains does not end an outage.
func (q *Qualifier) watch(saw bool) {
	switch {
	case q.state.Outage != "":
		q.watched.whole = q.watched.whole && saw
	case saw && !q.cfg.Pretended && q.ledger.assumed == 0:
		q.watched = watched{whole: true, before: q.ledger.Debt()}
	default:
		q.watched = watched{}
	}
}

// begin begins an outage, or goes on with the one that was on when this machine was
// last heard of: how long it was off nobody knows, so the age is the least there can be.
func (q *Qualifier) begin() {
	q.state.OutageSince, q.outageDebt = q.sideFrom, q.edgeDebt
	q.state.Outage = outageID(q.cfg, q.sideFrom)
	q.outageFull = q.ledger.Runtime()
	if q.old != nil {
		q.state.Outage, q.state.OutageSince, q.outageDebt = q.old.id, Uptime(-q.old.age), q.old.debt
		q.ledger.Spend(time.Duration(q.sideFrom))
		q.old = nil
	}
}

// noteLow takes that status is believed now.
func (q *Qualifier) noteLow(status Status) {
	w := &q.watched
	switch {
	case status != BatLow:
		w.spent, w.sure = 0, false
	case w.spent != 0: // said already
	case !w.whole || q.Cable().Suspect || q.doubted:
	default:
		w.lowAt, w.spent = q.levelFrom, max(1, q.ledger.Debt()-q.now.Sub(q.levelFrom))
	}
}

// learn takes what the present outage has shown.
func (q *Qualifier) learn() {
	w := &q.watched
	if w.spent != 0 && !w.sure && q.seeing && q.raw.low && q.now.Sub(w.lowAt) >= lowLasts {
		w.sure = true
		if !w.told {
			q.ledger.low(w.spent, w.before)
		}
		w.told = true
	}
}

// outlasted takes that the mains are back, and that the battery lasted until then.
func (q *Qualifier) outlasted() {
	if q.watched.sure {
		q.ledger.lasted(q.sideFrom.Sub(q.watched.lowAt), false)
	}
	q.watched = watched{}
}

// BatteryRecord is what must be known of a UPS's battery after a boot.
type BatteryRecord struct {
	Debt    time.Duration `json:"debt"`
	Assumed time.Duration `json:"assumed,omitempty"`
	ToLow   Spans         `json:"to_low,omitempty"`
	Reserve Spans         `json:"reserve,omitempty"`
	// Outage is the one that was on; OutageAge how old it was, and OutageDebt the debt
	// at its first FAIL.
	Outage     string        `json:"outage,omitempty"`
	OutageAge  time.Duration `json:"outage_age,omitempty"`
	OutageDebt time.Duration `json:"outage_debt,omitempty"`
	// LowAge is for how long the UPS had said low then; 0: it had not.
	LowAge time.Duration `json:"low_age,omitempty"`
}

// Record returns what must be known after a boot, as of the last call.
func (q *Qualifier) Record() BatteryRecord {
	l := q.ledger
	r := BatteryRecord{Debt: l.debt, Assumed: l.assumed, ToLow: l.toLow, Reserve: l.reserve}
	switch {
	case q.old != nil:
		r.Outage, r.OutageAge, r.OutageDebt = q.old.id, q.old.age, q.old.debt
	case q.state.Outage != "":
		r.Outage, r.OutageAge, r.OutageDebt = q.state.Outage, q.now.Sub(q.state.OutageSince), q.outageDebt
		if q.watched.sure {
			r.LowAge = q.now.Sub(q.watched.lowAt)
		}
	}
	return r
}

// Aged returns r as it is d later, as far as that is known: in an outage the battery is
// spent.
func (r BatteryRecord) Aged(d time.Duration) BatteryRecord {
	if r.Outage != "" {
		r.Debt += max(0, d)
		r.OutageAge += max(0, d)
	}
	return r
}

// Learned makes q know what outages have shown, of which an earlier process of this
// boot has kept the record.
func (q *Qualifier) Learned(r BatteryRecord) { q.ledger.toLow, q.ledger.reserve = r.ToLow, r.Reserve }

// Recall makes q know what the record of an earlier boot says: the debt as it was,
// because a battery that feeds nothing and is not fed stays as it is, and the outage,
// which goes on if the first reading is one on battery. died: nothing but the battery's
// end can have stopped that boot. It may come late, when a disk answers late.
func (q *Qualifier) Recall(r BatteryRecord, died bool) {
	q.Learned(r)
	l := q.ledger
	if r.LowAge > 0 {
		l.lasted(r.LowAge, died)
	}
	owed := l.Owed()
	l.assumed = max(0, r.Assumed)
	l.Set(owed + max(0, r.Debt))
	if q.state.Last == Unknown && r.Outage != "" {
		q.old = &oldOutage{r.Outage, max(0, r.OutageAge), max(0, r.OutageDebt)}
	}
}

// Assume says that there is no record of the battery: see [Ledger.Assume].
func (q *Qualifier) Assume() { q.ledger.Assume() }

// Renew says that the battery is another one now: nothing is known of it.
func (q *Qualifier) Renew() {
	q.ledger.toLow, q.ledger.reserve = nil, nil
	q.ledger.Assume()
}

// Battery returns what is known of the battery now.
func (q *Qualifier) Battery() Battery { return q.ledger.Battery() }
