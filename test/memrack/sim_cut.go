package memrack

import (
	"errors"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/cut"
)

// seeing is for how long mains may be back without being seen by who looks for a moment
// before it gives the order: twice its step, and what a bounce hides.
const seeing = 150 * time.Millisecond

// kill judges an order to cut the load when it begins.
func (j *simJudge) kill(i int, o Order) {
	u, at := j.ups[i], o.From.Sub(j.w.rack.start)
	host := j.nodes[u.master]
	switch {
	case host.late == nil || at < host.lates[len(host.lates)-1].from:
		j.blame("law 4", host, "%s is told to cut the load, and no late unit runs", u.name)
	case !host.seals[u.name]:
		j.blame("law 4", host, "%s is told to cut the load without a seal for it", u.name)
	case !host.tookBad[u.name]:
		j.blame("law 4", host, "%s is told to cut the load, and it was not its failure that put the host down", u.name)
	}
	if o.Apart {
		return // nobody hears it
	}
	if o.Mains && u.mains && at-u.changed > seeing {
		j.blame("law 4", host, "%s is told to cut the load %s after its mains are back", u.name, at-u.changed)
	}
	for _, f := range j.nodes {
		if f != host && f.powered && f.dependsOn(u) && !j.mayBeCut(f, at) {
			j.blame("law 5", f, "it runs when %s is told to cut the load; it asked for its power-off at %s", u.name, max(0, f.firstAsk))
		}
	}
}

// dependsOn reports whether the machine dies when that UPS, and each of the same master that
// has no mains, is cut.
func (f *simFacts) dependsOn(u *simSaid) bool {
	return f.any(func(v *simSaid) bool { return v == u }) && !f.lives(func(v *simPower) bool {
		return v != u.simPower && v.output && (v.mains || v.master != u.master)
	})
}

// mayBeCut reports whether a machine that runs may be cut all the same: it was committed for
// its stop time and the margin, or nobody could know that it is there or that it would not go.
func (j *simJudge) mayBeCut(f *simFacts, at time.Duration) bool {
	if f.firstAsk > 0 {
		return at-(f.firstAsk-f.hooks()) >= stopTime+margin-2*time.Second
	}
	switch {
	case f.livedAt < f.chainAt || f.struck: // its masters need not know of it
		return true
	case !f.agent || f.asleep || f.stuck || f.brokeAt > f.livedAt: // it does not do what it said
		return true
	}
	// It commits before its hooks, and asks after them.
	return f.hook > 0 && j.report(f.simNode).GetPhase() >= upsv1.Phase_PHASE_COMMITTED
}

// loadCut: a UPS obeyed.
func (j *simJudge) loadCut(i int) {
	j.cut++
	for _, f := range j.nodes {
		if f.any(func(u *simSaid) bool { return u == j.ups[i] }) {
			j.visitedOff(f, "load cut")
		}
	}
}

// took: the system of a master's host accepted its power-off. What is wrong with its UPSes
// then is why, if no man made it go.
func (j *simJudge) took(host *simFacts) {
	if host.master == nil {
		return
	}
	host.tookBad, host.tookRan = map[string]bool{}, host.agentAt
	for _, f := range j.nodes {
		f.met = f.met || f.touch && f.touchAt < j.w.rack.Since()-attaching && f.any(func(u *simSaid) bool { return u.master == host.i })
	}
	for _, u := range j.ups {
		if u.master == host.i {
			host.tookBad[u.name] = u.status != upsv1.Status_STATUS_OK || u.doubt || j.w.rack.Since() < u.murky || j.w.rack.Since()-u.since < acting
		}
	}
}

// sealed judges what a host's late unit finds.
func (j *simJudge) sealed(n *simNode, seal cut.Seal, err error) {
	host := j.nodes[n.i]
	host.seals = map[string]bool{}
	for _, s := range seal.UPS {
		host.seals[s.Name] = err == nil
	}
	if err == nil || host.ordered || host.ailing || host.liar != honest {
		return
	}
	now := j.w.rack.Since()
	for _, u := range host.plugs {
		bad := u.status != upsv1.Status_STATUS_OK && now-u.since > n.going+acting && !u.outside && !u.doubtful(now)
		if u.wire != nil && bad && host.tookRan < u.since-acting {
			j.blame("law 7", host, "its power-off was accepted on battery, and its late unit has no seal: %v", err)
			return
		}
	}
	if !errors.Is(err, cut.ErrNone) {
		j.blame("law 4", host, "its seal is no good: %v", err)
	}
}

// doubtful reports whether the plug may be read as anything.
func (u *simSaid) doubtful(now time.Duration) bool { return u.murky > now || u.pulled || u.blind }
