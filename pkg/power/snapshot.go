package power

import "time"

// QualifierSnapshot is what a qualifier knows, for the next process on the same
// boot. The zero value is one that knows nothing.
type QualifierSnapshot struct {
	At          Uptime        `json:"at"`
	Last        Status        `json:"last"`
	LastSince   Uptime        `json:"last_since"`
	Outage      string        `json:"outage"`
	OutageSince Uptime        `json:"outage_since"`
	OutageDebt  time.Duration `json:"outage_debt"`
	// OutageRuntime is the runtime that was expected when the outage began.
	OutageRuntime time.Duration `json:"outage_runtime,omitempty"`
	Debt          time.Duration `json:"debt"`
	// Assumed is the part of Debt that nobody saw being spent.
	Assumed     time.Duration `json:"assumed,omitempty"`
	WeakBattery bool          `json:"weak_battery"`
	// OnBattery is what the wires said last; OnBatterySeen for how long they had
	// been seen to; EdgeDebt the debt when that began.
	OnBattery     bool          `json:"on_battery"`
	OnBatterySeen time.Duration `json:"on_battery_seen"`
	EdgeDebt      time.Duration `json:"edge_debt"`
	Pulls         uint32        `json:"pulls"`
	Flaps         uint32        `json:"flaps"`
	Pulses        uint32        `json:"pulses"`
}

// Snapshot returns what q knows, as of the last call.
func (q *Qualifier) Snapshot() QualifierSnapshot {
	s := QualifierSnapshot{
		At: q.now, Last: q.state.Last, LastSince: q.lastSince,
		Outage: q.state.Outage, OutageSince: q.state.OutageSince, OutageDebt: q.outageDebt,
		OutageRuntime: q.outageFull, Debt: q.ledger.Debt(), Assumed: q.ledger.assumed, WeakBattery: q.state.WeakBattery,
		OnBattery: q.raw.battery, OnBatterySeen: q.seenBefore, EdgeDebt: q.edgeDebt,
		Pulls: q.cable.Pulls, Flaps: q.cable.Flaps, Pulses: q.cable.Pulses,
	}
	if q.seeing && q.raw.battery {
		s.OnBatterySeen = q.onBattery()
	}
	return s
}

// Restore makes a new q know what s says. The snapshot must be of this boot; the
// caller checks. The state stays UNKNOWN until the wires are read, with Last and
// the outage as they were. The time since the snapshot counts as spent if there
// was an outage, and not as recharged if there was none.
func (q *Qualifier) Restore(now Uptime, s QualifierSnapshot) {
	gap := max(0, now.Sub(s.At))
	q.now = now
	q.state = State{
		Since: now, Last: s.Last, Outage: s.Outage, OutageSince: s.OutageSince,
		WeakBattery: s.WeakBattery, Reason: reasonNoSample,
	}
	q.lastSince, q.outageDebt, q.outageFull = s.LastSince, s.OutageDebt, s.OutageRuntime
	q.old, q.watched = nil, watched{}
	q.ledger.assumed = s.Assumed
	q.ledger.Set(s.Debt)
	if s.Outage != "" {
		q.ledger.Spend(gap)
	}
	q.raw.battery = s.OnBattery
	q.edgeDebt = s.EdgeDebt
	q.seenBefore = s.OnBatterySeen
	if s.OnBattery {
		q.seenBefore += gap
	}
	q.cable = CableHealth{Pulls: s.Pulls, Flaps: s.Flaps, Pulses: s.Pulses}
}
