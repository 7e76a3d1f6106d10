package memrack

import (
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// hearAsk: its masters had time to hear of a node's newest power-off.
func (j *simJudge) hearAsk(f *simFacts) {
	if now := j.w.rack.Since(); f.unheardAsk != 0 && now-f.unheardAsk >= 2*time.Second {
		if f.mastersOn && f.mastersAt < f.unheardAsk {
			f.heardAsks = append(f.heardAsks, f.unheardAsk)
		}
		f.unheardAsk = 0
	}
}

// learn notes who may have heard of a failure, and who must have.
func (j *simJudge) learn() {
	now := j.w.rack.Since()
	for _, f := range j.nodes {
		if f.status != upsv1.Status_STATUS_OK {
			f.lastBad = now
		}
		if from := max(f.failAt, f.mastersAt); f.mastersOn && f.status != upsv1.Status_STATUS_OK && f.seenOf != f.failAt && now-from >= time.Second {
			f.seenAt, f.seenOf = from, f.failAt
		}
		if j.mayHearBad(f, now) && !f.mayKnow {
			f.mayKnow, f.mayFrom = true, now
			for _, u := range f.plugs {
				f.mayFrom = min(f.mayFrom, u.chainAt)
			}
		}
		f.mayLow = f.mayLow || f.mayKnow && f.any(func(u *simSaid) bool { return j.mayHear(f, u) && u.mayBeLow(now) })
		f.mayEnd = f.mayEnd || f.mayKnow && j.mayEnd(f, now)
		if !f.touch {
			continue
		}
		if f.status == upsv1.Status_STATUS_OK {
			if j.sure(f, f.since) && f.good(now) && !f.murky() {
				f.mayKnow, f.mayLow, f.mayEnd = false, false, false
			}
			continue
		}
		if j.sure(f, f.failAt) && f.seenOf == f.failAt {
			f.knew, f.livedAt = f.failAt, now
		}
	}
}

// mayHearBad reports whether the node may hear now that one of its feeds is bad.
func (j *simJudge) mayHearBad(f *simFacts, now time.Duration) bool {
	if f.need < len(f.feeds) && !f.any(func(u *simSaid) bool { return u.ignoredBy(f) || j.unclear(f, u, now) }) {
		return !f.good(now) // all of them are heard
	}
	return f.any(func(u *simSaid) bool {
		return !u.ignoredBy(f) && j.mayHear(f, u) &&
			(u.doubt || u.status != upsv1.Status_STATUS_OK || now-u.since < acting || now < u.murky)
	})
}

// good reports whether enough of the node's feeds are well, and have been for long
// enough to be believed.
func (f *simFacts) good(now time.Duration) bool {
	good := 0
	for _, u := range f.plugs {
		if u.status == upsv1.Status_STATUS_OK && now-u.since >= acting {
			good++
		}
	}
	return good >= f.need
}

// unclear reports whether what the node hears of a feed, if anything, may not be what
// is so.
func (j *simJudge) unclear(f *simFacts, u *simSaid, now time.Duration) bool {
	master := j.nodes[u.master]
	return !j.hears(f, u) || u.outside || u.doubt && u.status == upsv1.Status_STATUS_OK || now < u.murky || now-master.agentAt < 2*acting && master.agentAt > 0
}

// mayBeLow reports whether the plug may be read as BATLOW, or may have been since the
// outage began.
func (u *simSaid) mayBeLow(now time.Duration) bool {
	return u.chainLow || u.pulled && now-u.pullAt >= jump-time.Second
}

// ignoredBy reports whether the node does not obey this UPS.
func (u *simSaid) ignoredBy(f *simFacts) bool { return f.deaf && u.cable == "" }

// murky reports whether one of its plugs may be read as anything.
func (f *simFacts) murky() bool {
	return f.any(func(u *simSaid) bool { return f.w.rack.Since() < u.murky })
}

// sure reports whether the node has heard for certain what is so since at.
func (j *simJudge) sure(f *simFacts, at time.Duration) bool {
	now := j.w.rack.Since()
	return f.touch && now-at >= acting && now-f.touchAt >= attaching
}
