package power

import "strconv"

// reading is one readable look at the wires.
type reading struct{ battery, low, replace bool }

// status returns the status that r says, believed or not.
func (r reading) status() Status {
	switch {
	case r.battery && r.low:
		return BatLow
	case r.battery:
		return Fail
	default:
		return OK
	}
}

// weak reports whether r, on mains, says that the battery is weak.
func (r reading) weak() bool { return r.low || r.replace }

// timer is a moment at which something is due, if set.
type timer struct {
	at  Uptime
	set bool
}

func (t timer) due(now Uptime) bool { return t.set && !now.Before(t.at) }

// outageID names an outage for ever: a boot happens once, and in it each moment. Two
// UPSes may fail at once, to the nanosecond where a master has just begun.
func outageID(c QualifierConfig, since Uptime) string {
	id := c.Boot[:min(8, len(c.Boot))]
	if c.Name != "" {
		id += "-" + c.Name
	}
	return id + "-" + strconv.FormatInt(int64(since), 36)
}
