package memrack

import (
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// endLead is how long before a master's host goes everybody hears of it.
const endLead = 10 * time.Second

// sealing is for how long a master's host may wait for others, and for what it writes,
// before it asks for its power-off.
func (n *simNode) sealing() time.Duration {
	if n.master == nil {
		return 0
	}
	return endLead + 5*time.Second
}

// mayEnd reports whether a node may have been told that the host of one of its masters is
// about to go: that host has asked for its power-off, or its time may nearly be up.
func (j *simJudge) mayEnd(f *simFacts, at time.Duration) bool {
	return f.any(func(u *simSaid) bool {
		host := j.nodes[u.master]
		if host == f || !host.powered || !host.mayKnow || !j.mayBeBad(u.master, at) {
			return false
		}
		asked := host.askedAt >= host.chainAt && host.askedAt > 0 || host.taken
		return asked || host.early(at+endLead) <= time.Second
	})
}

// mayBeBad reports whether any UPS of a master may be on battery, as far as it knows.
func (j *simJudge) mayBeBad(master int, at time.Duration) bool {
	for _, u := range j.ups {
		if u.master == master && (u.status != upsv1.Status_STATUS_OK || u.doubt || at < u.murky || at-u.since < acting) {
			return true
		}
	}
	return false
}
