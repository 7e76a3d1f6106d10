package power

import "time"

// Uptime is a moment on one machine's own clock, in nanoseconds since that
// machine booted, time asleep included (CLOCK_BOOTTIME, clock_gettime(2)).
// It is a type of its own so that no wall-clock time can be used where a
// decision is made: wall clocks jump, and a board without an RTC boots in the
// past exactly after a power cut. Uptimes of two machines, or of two boots, are
// not comparable: between machines only ages travel.
type Uptime int64

// Add returns the moment d after u.
func (u Uptime) Add(d time.Duration) Uptime { return u + Uptime(d) }

// Sub returns how long after v the moment u is; negative if u is before v.
func (u Uptime) Sub(v Uptime) time.Duration { return time.Duration(u - v) }

// Before reports whether u is earlier than v.
func (u Uptime) Before(v Uptime) bool { return u < v }

// After reports whether u is later than v.
func (u Uptime) After(v Uptime) bool { return u > v }

// String returns u as time since boot, for example "1h2m3.4s".
func (u Uptime) String() string { return time.Duration(u).String() }
