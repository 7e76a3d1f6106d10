package memrack

import (
	"slices"
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
		if f.mayHearBad(j, now) && !f.mayKnow {
			f.mayKnow, f.mayFrom = true, now
			for _, i := range f.feeds {
				f.mayFrom = min(f.mayFrom, j.ups[i].chainAt)
			}
		}
		f.mayLow = f.mayLow || f.mayKnow && slices.ContainsFunc(f.feeds, func(i int) bool { return j.mayHear(f, i) && j.ups[i].mayBeLow(now) })
		if !f.touch {
			continue
		}
		if f.status == upsv1.Status_STATUS_OK {
			if j.sure(f, f.since) && j.good(f, now) && !j.murky(f) {
				f.mayKnow, f.mayLow = false, false
			}
			continue
		}
		if j.sure(f, f.failAt) && f.seenOf == f.failAt {
			f.knew = f.failAt
		}
	}
}

// mayHearBad reports whether the node may hear now that one of its feeds is bad.
func (f *simFacts) mayHearBad(j *simJudge, now time.Duration) bool {
	if f.need < len(f.feeds) && !slices.ContainsFunc(f.feeds, func(i int) bool { return j.ups[i].deafTo(f) || j.unclear(f, i, now) }) {
		return !j.good(f, now) // all of them are heard
	}
	for _, i := range f.feeds {
		u := j.ups[i]
		if u.deafTo(f) || !j.mayHear(f, i) {
			continue
		}
		if u.doubt || u.status != upsv1.Status_STATUS_OK || now-u.since < acting || now < u.murky {
			return true
		}
	}
	return false
}

// good reports whether enough of the node's feeds are well, and have been for long
// enough to be believed.
func (j *simJudge) good(f *simFacts, now time.Duration) bool {
	good := 0
	for _, i := range f.feeds {
		if u := j.ups[i]; u.status == upsv1.Status_STATUS_OK && now-u.since >= acting {
			good++
		}
	}
	return good >= f.need
}

// unclear reports whether what the node hears of a feed, if anything, may not be what
// is so.
func (j *simJudge) unclear(f *simFacts, feed int, now time.Duration) bool {
	u, master := j.ups[feed], j.nodes[j.ups[feed].master]
	return !j.hears(f, feed) || u.outside || u.doubt && u.status == upsv1.Status_STATUS_OK || now < u.murky || now-master.agentAt < 2*acting && master.agentAt > 0
}

// mayBeLow reports whether the plug may be read as BATLOW, or may have been since the
// outage began.
func (u *simSaid) mayBeLow(now time.Duration) bool {
	return u.chainLow || u.pulled && now-u.pullAt >= jump-time.Second
}

// deafTo reports whether the node does not obey this UPS.
func (u *simSaid) deafTo(f *simFacts) bool { return f.deaf && u.cable == "" }

// sees reports whether its masters' plugs say something now.
func (f *simFacts) sees() bool {
	return !slices.ContainsFunc(f.feeds, func(i int) bool { return f.w.ups[i].outside })
}

// murky reports whether one of its plugs may be read as anything.
func (j *simJudge) murky(f *simFacts) bool {
	return slices.ContainsFunc(f.feeds, func(i int) bool { return j.w.rack.Since() < j.ups[i].murky })
}

// sure reports whether the node has heard for certain what is so since at.
func (j *simJudge) sure(f *simFacts, at time.Duration) bool {
	now := j.w.rack.Since()
	return f.touch && now-at >= acting && now-f.touchAt >= attaching
}
