package memrack

import (
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

const (
	stopTime = 10 * time.Second // as in every configuration
	margin   = 30 * time.Second // of a runtime that is known
	goodbye  = 2 * time.Minute  // for so long a master's goodbye is good
	gives    = 10 * time.Second // for so long a cancelled power-off may say that it is accepted
)

// heard judges what was asked for, and what should have been by now.
func (j *simJudge) heard() {
	j.learn()
	j.w.mu.Lock()
	calls := j.w.calls
	j.w.calls = nil
	j.w.mu.Unlock()
	for _, c := range calls {
		f := j.nodes[c.node]
		if c.accepted {
			f.tookTimes = append(f.tookTimes, c.at)
		} else {
			f.askTimes = append(f.askTimes, c.at)
		}
		if c.boot == f.boot && f.powered {
			j.asked(f, c)
		}
	}
	for _, f := range j.nodes {
		j.hearAsk(f)
		if f.powered && f.agent && !f.asleep && !f.taken && f.askedAt < f.chainAt && f.status != upsv1.Status_STATUS_OK && !f.partlyDeaf() {
			j.due(f)
		}
	}
}

// partlyDeaf reports whether the node doesn't obey one of its feeds.
func (f *simFacts) partlyDeaf() bool {
	return f.any(func(u *simSaid) bool { return u.ignoredBy(f) })
}

func (j *simJudge) asked(f *simFacts, c simCall) {
	what := "asked for its power-off"
	if c.accepted {
		what = "got its power-off accepted"
	}
	switch early := f.early(c.at); {
	case f.ordered, c.stood:
	case f.status == upsv1.Status_STATUS_OK && j.sure(f, f.since) && f.good(c.at) && !f.murky():
		j.blame("law 3", f, "%s although it has heard OK", what)
	case !f.mayKnow:
		j.blame("law 2", f, "%s although it never heard of a failure", what)
	case c.accepted, f.mayEnd || j.mayEnd(f, c.at): // judged when it was asked for; or its host goes
	case f.holds(c.at):
		j.blame("hold", f, "%s although it is held for %s more", what, f.heldTo-c.at)
	case early > time.Second:
		j.blame("allowance", f, "%s %s before its time was up, grace %s", what, early, f.grace)
	case true:
		j.inOrder(f, c.at)
	}
	f.simNode.asked = true
	if !c.accepted && f.askedAt < f.chainAt {
		f.left(c.at)
		f.firstAsk = c.at
	}
	if !c.accepted && f.askedAt < f.chainAt && !f.ordered && f.status != upsv1.Status_STATUS_OK && j.sure(f, f.failAt) { // what it says is heard
		f.unheardAsk = c.at
	}
	f.unheard = f.unheard || c.stood && c.at-f.since > gives
	if c.accepted && !f.taken {
		f.taken, f.offAt = true, c.at+f.going
		j.took(f)
	} else if !c.accepted {
		f.askedAt = c.at
	}
}

// early returns by how much a node that goes at at went before its allowance was up,
// as far as can be known: any of its feeds may have been the one that decided when the
// outage began.
func (f *simFacts) early(at time.Duration) time.Duration {
	from, allow := f.mayFrom, f.grace
	for _, u := range f.plugs {
		if f.mayLow || u.mayBeLow(at) {
			return 0 // BATLOW makes it go
		}
		spent := u.most
		if f.w.nodes[u.master].ailing {
			spent += u.guess()
		}
		if heardOK := u.status == upsv1.Status_STATUS_OK && at-u.since > acting && f.touch && at-f.touchAt > attaching; !heardOK {
			from = min(from, u.chainAt)
			spent -= max(0, min(at, f.w.rack.Since())-u.since) // not what this outage costs
		}
		switch {
		case u.shown > 0:
			allow = min(allow, f.grace-spent, u.shown-spent-f.stopMost()-margin)
		case u.known:
			allow = min(allow, u.runtime-spent-f.stopMost()-margin)
		default:
			allow = min(allow, f.grace-spent)
		}
	}
	if f.waits() { // what counts is for how long it has had no contact; with it, never
		if f.touch && f.touchAt+attaching < f.failAt {
			return at - from
		}
		return 0
	}
	return from + max(allow, min(f.grace, f.min)) - at
}

// stopMost is the longest stop time that may have been measured of a machine: from its
// commit to its silence, and the margin that comes with it.
func (n *simNode) stopMost() time.Duration {
	takes := n.hooks() + n.accepting + n.going + margin + acting
	if n.refuses > 0 || n.hang {
		takes += time.Minute
	}
	return max(stopTime, takes)
}

// holds reports whether a hold must have kept the node up.
func (f *simFacts) holds(at time.Duration) bool {
	low := f.mayLow || f.any(func(u *simSaid) bool { return u.mayBeLow(at) })
	return f.heldAt+acting < at && at < f.heldTo && !low && f.status == upsv1.Status_STATUS_FAIL &&
		f.askedAt < f.chainAt && f.touch && f.touchAt+attaching < f.heldAt && f.touchAt+attaching < f.failAt
}

// due blames a node in an outage that should have gone by now and has not.
func (j *simJudge) due(f *simFacts) {
	now := j.w.rack.Since()
	late := acting + f.hooks() + f.doubted() + f.sealing()
	if f.status == upsv1.Status_STATUS_BATLOW && f.touch {
		from := max(f.since, f.agentAt)
		if f.touchAt > f.since-attaching {
			from = max(from, f.touchAt+attaching)
		}
		if now > from+f.batlowGrace+j.waitsLow(f.simNode)+late {
			j.blame("law 6", f, "BATLOW for %s, batlow_grace %s, and it has not asked for its power-off", now-f.since, f.batlowGrace)
			f.askedAt = now // once
			return
		}
	}
	if f.knew != f.failAt {
		return
	}
	// Who waits goes later; while anything is heard nobody can say by how much.
	late += f.waitsMost()
	lost := f.aloneAt + goodbye + attaching + f.lost
	if f.heldTo >= f.chainAt {
		if !f.waits() && f.alone && now > max(lost, f.heldAt+attaching+f.lost, f.agentAt+goodbye+attaching+f.lost, f.seenAt+f.grace)+late {
			j.blame("law 2", f, "held, on battery without contact for %s, lost_limit %s, and it has not asked for its power-off", now-f.aloneAt, f.lost)
			f.askedAt = now
		}
		return
	}
	from := f.agentAt
	if len(f.waitFor) > 0 {
		from = never
		if f.alone {
			from = max(f.agentAt, f.aloneAt) + goodbye + attaching
		}
	}
	if allow := f.allowed(); !f.waits() && now > max(f.seenAt+allow, from)+late {
		j.blame("law 2", f, "on battery for %s, grace %s, owing %s, in touch %t, and it has not asked for its power-off", now-f.failAt, f.grace, f.owed, f.touch)
		f.askedAt = now
	}
	if f.waits() && f.alone && now > max(lost, f.agentAt+goodbye+attaching+f.lost)+late {
		j.blame("law 2", f, "on battery without contact for %s, lost_limit %s, and it has not asked for its power-off", now-f.aloneAt, f.lost)
		f.askedAt = now
	}
}

// doubted is for how long a low line may be doubted on one of the node's feeds.
func (f *simFacts) doubted() time.Duration {
	if f.any(func(u *simSaid) bool { return u.cable != "" }) {
		return jump
	}
	return 0
}

// allowed returns how long on battery the node may stay at most, by what its master
// must know of the battery.
func (f *simFacts) allowed() time.Duration {
	if len(f.plugs) > 1 {
		return f.grace
	}
	u := f.plugs[0]
	left := f.grace - f.owed
	switch {
	case u.shown > 0:
		left = f.grace // by then it is known how long the battery lasts
	case u.known:
		left = min(f.grace, u.runtime-f.owed-stopTime)
	}
	return max(left, min(f.grace, f.min))
}

// batteryDied: the machine runs, and nothing feeds it any more.
func (j *simJudge) batteryDied(n *simNode) {
	f, now := j.nodes[n.i], j.w.rack.Since()
	j.died++
	takes := n.hooks() + n.accepting + n.going + acting + time.Second + f.doubted() + n.sealing()
	fits := f.knew == f.failAt && !n.waits() && len(n.waitFor) == 0 && now-f.seenAt > n.grace+takes
	since := f.lowAt // or the newest that its plugs said: low is doubted anew each time
	for _, u := range f.plugs {
		since = max(since, u.since)
	}
	low := f.lowAt != 0 && f.touch && f.touchAt < f.failAt-attaching && now-since > n.batlowGrace+j.waitsLow(n)+takes
	// BATLOW outranks a hold; else it was held to the end by its owner's will.
	if f.agent && !f.asleep && f.status != upsv1.Status_STATUS_OK && f.agentAt < f.failAt && (f.heldTo < f.chainAt || low) && n.refuses == 0 && !n.hang && !f.partlyDeaf() && (fits || low) {
		j.blame("battery", f, "it still runs when the battery dies, %s after the failure, grace %s", now-f.failAt, n.grace)
	}
}

func (j *simJudge) held(n *simNode, d time.Duration, err error) {
	if err == nil {
		f := j.nodes[n.i]
		f.heldAt, f.heldTo = j.w.rack.Since(), j.w.rack.Since()+d
		if f.phase == upsv1.Phase_PHASE_COMMITTED {
			f.heldAt = never // too late, unless it is called back
		}
		f.ordered = f.ordered && f.taken // a hold takes the place of the order
	}
}

func (j *simJudge) released(n *simNode, err error) {
	if err == nil {
		f := j.nodes[n.i]
		f.heldTo = min(f.heldTo, j.w.rack.Since())
		f.released = f.released || !f.powered || f.ending
	}
}

func (j *simJudge) ordered(n *simNode, err error) {
	if f := j.nodes[n.i]; err == nil {
		f.ordered = true
	}
}
