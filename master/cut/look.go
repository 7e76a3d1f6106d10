package cut

import (
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// mainsSteady is how long the lines must say mains before it is believed. During
	// a kill some UPSes flap between battery and line about four times a second (APC
	// 940-0128A); this is what the daemon waits for too ([ups.settle] ok).
	mainsSteady = 2 * time.Second
	// batterySteady is how long they must say battery before a kill begins. Half a
	// turn of such flapping is 125 ms.
	batterySteady = 300 * time.Millisecond
	// chatter is how long a UPS may be neither before it is taken for one that
	// chatters between the two (an APC CS with its shield off ground): it is not on
	// steady mains, and what it says at the moment counts.
	chatter = 10 * time.Second
)

// Reading is what one UPS's port says at one moment.
type Reading struct {
	// Open: the port is open and was read. False: nothing is known, and outputs that
	// were set are no longer.
	Open    bool
	Signals power.Signals
}

// seen is what lines say, at one moment.
type seen int

const (
	nothing seen = iota
	mains
	battery
)

// look turns readings into what can be believed.
type look struct {
	is       seen
	since    power.Uptime
	restless power.Uptime // since when nothing has lasted
	begun    bool
}

// take takes a reading. Blind: what it says means nothing now.
func (l *look) take(now power.Uptime, r Reading, blind bool) {
	is := battery
	switch {
	case !r.Open || r.Signals.Blind || blind:
		is = nothing
	case !r.Signals.OnBattery:
		is = mains
	}
	switch {
	case !l.begun:
		*l = look{is: is, since: now, restless: now, begun: true}
	case is != l.is:
		if now.Sub(l.since) >= mainsSteady {
			l.restless = now
		}
		l.is, l.since = is, now
	}
}

// mains reports whether the UPS is believed to be on mains.
func (l *look) mains(now power.Uptime) bool {
	return l.is == mains && now.Sub(l.since) >= mainsSteady
}

// battery reports whether the UPS is on battery, surely enough to cut its load.
func (l *look) battery(now power.Uptime) bool {
	return l.is == battery && (now.Sub(l.since) >= batterySteady || now.Sub(l.restless) >= chatter)
}

// blind returns for how long nothing has been seen.
func (l *look) blind(now power.Uptime) time.Duration {
	if l.is != nothing {
		return 0
	}
	return now.Sub(l.since)
}
