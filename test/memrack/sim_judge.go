package memrack

import (
	"context"
	"fmt"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

const (
	// attaching is how long a node whose network is whole again may take to attach.
	attaching = 30 * time.Second
	// acting is how long a state may take from the wire to a deed.
	acting = 5 * time.Second
	// long is before all that happens.
	long = -time.Hour
)

// simJudge is the oracle: it knows the true mains and battery, who could hear whom,
// and what executors were asked, and holds that against the laws. It shares no line
// with the code that it judges; where it can't know what a node heard it lets the
// node do either.
type simJudge struct {
	w      *simWorld
	nodes  []*simFacts
	wrong  []string
	seen   map[string]map[string]int // phase by event
	died   int                       // machines that ran when the battery died
	failed int                       // outages

	status   upsv1.Status
	since    time.Duration // of status
	failAt   time.Duration // the newest change from OK
	chainAt  time.Duration // the first of those that may be one outage
	chainLow bool          // BATLOW since then
	lowAt    time.Duration // the first BATLOW after failAt; 0: none
	lastBad  time.Duration // the newest moment at which status was not OK
	masterAt time.Duration
	masterOn bool
	seenAt   time.Duration // when a master first saw the failure of failAt: nobody knows of an age that nobody watched
	seenOf   time.Duration // that failAt
}

// simFacts is what the judge knows of a node.
type simFacts struct {
	*simNode
	agentAt  time.Duration
	touch    bool          // its agent and the master run and could talk
	touchAt  time.Duration // since when touch is what it is
	mayKnow  bool          // it may have heard that the power failed
	knew     time.Duration // the failAt that it has heard of for certain; -1: none
	heldAt   time.Duration
	heldTo   time.Duration
	ordered  bool // down, in this boot
	askedAt  time.Duration
	accepted bool
	asks     int

	phase    upsv1.Phase
	deadline time.Duration // the earliest seen in the outage of deadlineOf
	failOf   time.Duration
	told     []string // phases that it was seen in, one by one
}

func newJudge(w *simWorld) *simJudge {
	j := &simJudge{w: w, seen: map[string]map[string]int{}, status: upsv1.Status_STATUS_OK}
	for _, n := range w.nodes {
		j.nodes = append(j.nodes, &simFacts{simNode: n, knew: -1, heldAt: long, heldTo: long, askedAt: long})
	}
	return j
}

// begin says that the rack has been on good power for long.
func (j *simJudge) begin() {
	j.since, j.masterAt, j.failAt, j.lastBad = long, long, long, long
	j.chainAt = long
	for _, f := range j.nodes {
		f.agentAt, f.touchAt, f.mayKnow = long, long, false
	}
}

func (j *simJudge) blame(law string, f *simFacts, format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf("%s: %s: %s: %s", j.w.rack.Since(), law, f.name, fmt.Sprintf(format, args...)))
}

// booted: a machine that was switched on knows nothing.
func (j *simJudge) booted(n *simNode) {
	f := j.nodes[n.i]
	f.mayKnow, f.knew, f.ordered, f.accepted, f.askedAt, f.phase = false, -1, false, false, long, 0
}

// contacts looks who can hear whom.
func (j *simJudge) contacts() {
	now := j.w.rack.Since()
	if j.masterOn != j.w.master {
		j.masterOn, j.masterAt = j.w.master, now
	}
	for _, f := range j.nodes {
		if touch := f.agent && j.w.master && !f.cut; touch != f.touch {
			if touch && now-f.touchAt < 20*time.Second && j.lastBad >= f.touchAt {
				f.mayKnow = true // what was under way when it was cut off
			}
			f.touch, f.touchAt = touch, now
		}
	}
	for _, f := range j.nodes {
		if f.agent && f.agentAt < 0 || !f.agent {
			f.agentAt = now
		}
		if !f.agent {
			f.agentAt = -1
		}
	}
	j.learn()
}

// power: the UPS says something else.
func (j *simJudge) power(s upsv1.Status) {
	now := j.w.rack.Since()
	if j.status == upsv1.Status_STATUS_OK {
		if now-j.since >= acting { // else nobody need have believed that it was over
			j.chainAt, j.chainLow = now, false
		}
		j.failAt, j.lowAt = now, 0
		j.failed++
	}
	if s == upsv1.Status_STATUS_BATLOW && j.lowAt == 0 {
		j.lowAt = now
	}
	j.chainLow = j.chainLow || s == upsv1.Status_STATUS_BATLOW
	j.lastBad = now
	j.status, j.since = s, now
	j.learn()
}

// learn notes who may have heard of a failure, and who must have.
func (j *simJudge) learn() {
	now := j.w.rack.Since()
	if j.status != upsv1.Status_STATUS_OK {
		j.lastBad = now
	}
	if from := max(j.failAt, j.masterAt); j.masterOn && j.status != upsv1.Status_STATUS_OK && j.seenOf != j.failAt && now-from >= time.Second {
		j.seenAt, j.seenOf = from, j.failAt
	}
	bad := j.status != upsv1.Status_STATUS_OK || now-j.since < acting || now-j.masterAt < acting && j.masterAt-j.lastBad < time.Hour
	for _, f := range j.nodes {
		if !f.touch {
			continue
		}
		f.mayKnow = f.mayKnow || bad
		if j.status == upsv1.Status_STATUS_OK {
			if j.sure(f, j.since) {
				f.mayKnow = false
			}
			continue
		}
		if j.sure(f, j.failAt) && j.seenOf == j.failAt {
			f.knew = j.failAt
		}
	}
}

// sure reports whether the node has heard for certain what is so since at.
func (j *simJudge) sure(f *simFacts, at time.Duration) bool {
	now := j.w.rack.Since()
	return f.touch && now-at >= acting && now-f.touchAt >= attaching
}

// heard judges what was asked for, and what should have been by now.
func (j *simJudge) heard() {
	j.learn()
	j.w.mu.Lock()
	calls := j.w.calls
	j.w.calls = nil
	j.w.mu.Unlock()
	for _, c := range calls {
		f := j.nodes[c.node]
		if !c.accepted {
			f.asks++
		}
		if c.boot == f.boot && f.powered {
			j.asked(f, c)
		}
	}
	for _, f := range j.nodes {
		if f.powered && f.agent && !f.accepted && f.askedAt < j.chainAt && j.status != upsv1.Status_STATUS_OK {
			j.due(f)
		}
	}
}

func (j *simJudge) asked(f *simFacts, c simCall) {
	what := "asked for its power-off"
	if c.accepted {
		what = "got its power-off accepted"
	}
	switch {
	case f.ordered:
	case j.status == upsv1.Status_STATUS_OK && j.sure(f, j.since):
		j.blame("law 3", f, "%s although it has heard OK", what)
	case !f.mayKnow:
		j.blame("law 2", f, "%s although it never heard of a failure", what)
	case !c.accepted && j.holds(f, c.at):
		j.blame("hold", f, "%s although it is held for %s more", what, f.heldTo-c.at)
	}
	if c.accepted {
		f.accepted, f.offAt = true, c.at+f.going
	} else {
		f.askedAt = c.at
	}
}

// holds reports whether a hold must have kept the node up.
func (j *simJudge) holds(f *simFacts, at time.Duration) bool {
	return f.heldAt+acting < at && at < f.heldTo && !j.chainLow && j.status == upsv1.Status_STATUS_FAIL &&
		f.askedAt < j.chainAt && f.touch && f.touchAt+attaching < f.heldAt && f.touchAt+attaching < j.failAt
}

// due blames a node in an outage that should have gone by now and has not.
func (j *simJudge) due(f *simFacts) {
	now := j.w.rack.Since()
	if j.status == upsv1.Status_STATUS_BATLOW && f.touch {
		from := max(j.since, f.agentAt)
		if f.touchAt > j.since-attaching {
			from = max(from, f.touchAt+attaching)
		}
		if now > from+f.batlowGrace+acting {
			j.blame("law 6", f, "BATLOW for %s, batlow_grace %s, and it has not asked for its power-off", now-j.since, f.batlowGrace)
			f.askedAt = now // once
			return
		}
	}
	if f.knew != j.failAt || f.heldTo >= j.chainAt {
		return
	}
	if !f.forLow && now > max(j.seenAt+f.grace, f.agentAt)+acting {
		j.blame("law 2", f, "on battery for %s, grace %s, in touch %t, and it has not asked for its power-off", now-j.failAt, f.grace, f.touch)
		f.askedAt = now
	}
	const goodbye = 2 * time.Minute
	if f.forLow && !f.touch && now > max(f.touchAt, f.agentAt)+goodbye+attaching+f.lost {
		j.blame("law 2", f, "on battery without contact for %s, lost_limit %s, and it has not asked for its power-off", now-f.touchAt, f.lost)
		f.askedAt = now
	}
}

// batteryDied: the machine runs, and nothing feeds it any more.
func (j *simJudge) batteryDied(n *simNode) {
	f, now := j.nodes[n.i], j.w.rack.Since()
	j.died++
	takes := n.accepting + n.going + acting + time.Second
	fits := f.knew == j.failAt && !n.forLow && now-j.seenAt > n.grace+takes
	low := j.lowAt != 0 && f.touch && f.touchAt < j.failAt-attaching && now-j.lowAt > n.batlowGrace+takes
	if f.agent && f.agentAt < j.failAt && f.heldTo < j.chainAt && n.refuses == 0 && !n.hang && (fits || low) {
		j.blame("battery", f, "it still runs when the battery dies, %s after the failure, grace %s", now-j.failAt, n.grace)
	}
}

func (j *simJudge) held(n *simNode, d time.Duration, err error) {
	if err == nil {
		f := j.nodes[n.i]
		f.heldAt, f.heldTo = j.w.rack.Since(), j.w.rack.Since()+d
		f.ordered = f.ordered && f.accepted // a hold takes the place of the order
	}
}

func (j *simJudge) released(n *simNode, err error) {
	if err == nil {
		f := j.nodes[n.i]
		f.heldTo = min(f.heldTo, j.w.rack.Since())
	}
}

func (j *simJudge) ordered(n *simNode, err error) {
	if err == nil {
		j.nodes[n.i].ordered = true
	}
}

// event notes in which phases an event found the nodes, and looks at them.
func (j *simJudge) event(what string) {
	j.look()
	for _, f := range j.nodes[1:] {
		if f.agent && f.phase != 0 {
			at := j.seen[phaseWord(f.phase)]
			if at == nil {
				at = map[string]int{}
				j.seen[phaseWord(f.phase)] = at
			}
			at[what]++
		}
	}
}

// look asks each agent where it stands.
func (j *simJudge) look() {
	for _, f := range j.nodes[1:] {
		if !f.agent {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		st, err := f.client.GetNodeStatus(ctx, &upsv1.GetNodeStatusRequest{})
		cancel()
		if err != nil {
			j.blame("law 10", f, "it does not answer on its own socket: %v", err)
			continue
		}
		j.saw(f, st.GetNode().GetReport())
	}
}

func (j *simJudge) saw(f *simFacts, r *upsv1.NodeReport) {
	if p := r.GetPhase(); p != f.phase {
		if f.phase = p; p != upsv1.Phase_PHASE_IDLE {
			f.told = append(f.told, phaseWord(p))
		}
	}
	if f.accepted && f.phase != upsv1.Phase_PHASE_DONE && f.agentAt < f.askedAt {
		j.blame("law 3", f, "its power-off is accepted, and it says %s", phaseWord(f.phase))
	}
	if f.phase != upsv1.Phase_PHASE_GRACE || r.GetDeadline() == nil || f.forLow || j.status == upsv1.Status_STATUS_OK {
		return
	}
	at := j.w.rack.Since() + r.GetDeadline().AsDuration()
	if f.failOf == j.failAt && at > f.deadline+time.Second {
		j.blame("deadline", f, "it moved from %s to %s within one outage", f.deadline, at)
	}
	if f.failOf != j.failAt || at < f.deadline {
		f.failOf, f.deadline = j.failAt, at
	}
}

func phaseWord(p upsv1.Phase) string { return p.String()[len("PHASE_"):] }
