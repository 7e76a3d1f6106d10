package memrack

import (
	"fmt"
	"slices"
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
	// never is after all of it.
	never = 1000 * time.Hour
)

// simJudge is the oracle: it knows the true mains and batteries, what the plugs say
// of them, who could hear whom, and what executors were asked, and holds that against
// the laws. It shares no line with the code that it judges; where it can't know what
// a node heard it lets the node do either.
type simJudge struct {
	w       *simWorld
	ups     []*simSaid
	nodes   []*simFacts
	wrong   []string
	seen    visits
	found   map[string]int // problems that were seen, by name
	over    bool           // the plan is: what mends everything counts for nothing
	died    int            // machines that ran when the battery died
	failed  int            // outages
	cut     int            // loads
	reboots int            // of late units
}

// simSaid is what the plug of one UPS has said, and its battery's account.
type simSaid struct {
	*simPower
	status   upsv1.Status
	since    time.Duration // of status
	badAt    time.Duration // the newest change from OK
	okAt     time.Duration // the newest change to OK that nobody can have missed
	chainAt  time.Duration // the first FAIL of those that may be one outage
	chainLow bool          // BATLOW may have been said since then
	murky    time.Duration // until then anything may have been read
	doubt    bool          // it was bad when somebody saw it last
	outAt    time.Duration // the newest moment at which nobody could see it
	most     time.Duration // the longest that it can be believed to have been on battery in all
	least    time.Duration // what a master that watched must know of as spent
	shown    time.Duration // the shortest that a battery may be believed to last; 0: nothing was shown
	was      []span        // it was bad
	maybe    []span        // it may have been taken for bad
}

// simFacts is what the judge knows of a node, and of the power that it lives on: its
// feeds taken together.
type simFacts struct {
	*simNode
	plugs   []*simSaid // of its feeds
	status  upsv1.Status
	since   time.Duration // of status
	failAt  time.Duration // the newest change from OK
	chainAt time.Duration // the first of those that may be one outage
	lowAt   time.Duration // the first BATLOW after failAt; 0: none
	owed    time.Duration // least at chainAt
	lastBad time.Duration // the newest moment at which status was not OK
	seenAt  time.Duration // when its masters first saw the failure of failAt: nobody knows of an age that nobody watched
	seenOf  time.Duration // that failAt

	mastersAt time.Duration // since when its masters are what they are: running, with a plug that says something, or not
	mastersOn bool
	agentAt   time.Duration // since when its agent runs; -1: it does not
	touch     bool          // its agent and its masters run, could talk, and see the UPS
	touchAt   time.Duration // since when touch is what it is
	alone     bool          // it can hear of none of its feeds
	aloneAt   time.Duration // since when
	mayKnow   bool          // it may have heard that the power failed
	mayFrom   time.Duration // the first failure that it may count from, while mayKnow
	mayLow    bool          // it may have heard of BATLOW since
	mayEnd    bool          // or that the host of one of its masters goes
	knew      time.Duration // the failAt that it has heard of for certain; -1: none

	heldAt  time.Duration
	heldTo  time.Duration
	ordered bool // down, in this boot
	askedAt time.Duration
	leftAt  time.Duration // when it first asked in an outage, in touch with everybody; 0: not
	// All of them, in every boot.
	askTimes, tookTimes []time.Duration
	heardAsks           []time.Duration // of those in an outage, what its masters must have heard
	unheardAsk          time.Duration   // the newest that they may not have; 0: none

	firstAsk time.Duration // in this boot and outage; 0: it has not
	livedAt  time.Duration // the newest moment at which it was on battery and in touch for certain
	brokeAt  time.Duration // the newest at which its daemon was not there, or asleep
	released bool          // while it was off: nobody need bring it back
	met      bool          // its masters must know that it lived when the outage came, or when they went
	unkept   bool          // its master died before it can have written down that it lived in the outage
	unheard  bool          // its power-off was accepted so late that its daemon gave up on it
	// Of a master's host: which UPSes may have been bad when its power-off was accepted, since
	// when its master ran then, and for which its late unit had a seal.
	tookBad map[string]bool
	tookRan time.Duration
	seals   map[string]bool

	phase    upsv1.Phase
	deadline time.Duration // the earliest seen in the outage of deadlineOf
	failOf   time.Duration
	told     []string // phases that it was seen in, one by one
}

func newJudge(w *simWorld) *simJudge {
	j := &simJudge{w: w, seen: visits{}, found: map[string]int{}}
	for _, u := range w.ups {
		j.ups = append(j.ups, &simSaid{simPower: u, status: upsv1.Status_STATUS_OK})
	}
	for _, n := range w.nodes {
		f := &simFacts{simNode: n, status: upsv1.Status_STATUS_OK, knew: -1, heldAt: long, heldTo: long, askedAt: long, livedAt: long, brokeAt: long}
		for _, i := range n.feeds {
			f.plugs = append(f.plugs, j.ups[i])
		}
		j.nodes = append(j.nodes, f)
	}
	return j
}

// any reports whether that is so of one of the node's feeds.
func (f *simFacts) any(is func(*simSaid) bool) bool { return slices.ContainsFunc(f.plugs, is) }

// begin says that the rack has been on good power for long.
func (j *simJudge) begin() {
	for _, u := range j.ups {
		u.since, u.chainAt, u.murky, u.badAt, u.okAt = long, long, long, long, long
	}
	for _, f := range j.nodes {
		f.since, f.failAt, f.chainAt, f.lastBad, f.mastersAt = long, long, long, long, long
		f.agentAt, f.touchAt, f.mayKnow = long, long, false
	}
}

func (j *simJudge) blame(law string, f *simFacts, format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf("%s: %s: %s: %s", j.w.rack.Since(), law, f.name, fmt.Sprintf(format, args...)))
}

// booted: a machine that was switched on knows nothing.
func (j *simJudge) booted(n *simNode) {
	f := j.nodes[n.i]
	f.mayLow, f.mayEnd, f.unheard, f.unkept, f.met, f.firstAsk, f.livedAt = false, false, false, false, false, 0, long
	f.mayKnow, f.knew, f.ordered, f.askedAt, f.leftAt, f.phase, f.failOf = false, -1, false, long, 0, 0, -1
	if n.master != nil {
		j.forgot(n) // its run folder is gone
	}
}

// woke: time begins for a machine that slept.
func (j *simJudge) woke(n *simNode) {
	j.nodes[n.i].agentAt = j.w.rack.Since()
	j.contacts()
}

// contacts looks who can hear whom.
func (j *simJudge) contacts() {
	now := j.w.rack.Since()
	for _, f := range j.nodes {
		on := !f.any(func(u *simSaid) bool { return u.outside || !j.w.nodes[u.master].agent })
		if on != f.mastersOn {
			f.mastersOn, f.mastersAt = on, now
		}
		touch := f.agent && !f.asleep && !f.stuck && !f.any(func(u *simSaid) bool { return !j.hears(f, u) || u.outside })
		if touch != f.touch {
			if touch && now-f.touchAt < 20*time.Second && f.lastBad >= f.touchAt {
				f.mayKnow, f.mayFrom = true, f.chainAt // what was under way when it was cut off
			}
			f.touch, f.touchAt = touch, now
		}
		alone := !f.any(func(u *simSaid) bool { return j.mayHear(f, u) && !u.outside })
		if alone != f.alone {
			f.alone, f.aloneAt = alone, now
		}
		if !f.agent || f.asleep || f.stuck {
			f.brokeAt = now
		}
		switch {
		case !f.agent:
			f.agentAt = -1
		case f.agentAt == -1:
			f.agentAt = now
		}
	}
	j.learn()
}

// hears reports whether the node could hear of a feed, both ways.
func (j *simJudge) hears(f *simFacts, u *simSaid) bool { return j.mayHear(f, u) && !f.cut.from }

// mayHear reports whether something of a feed may reach the node.
func (j *simJudge) mayHear(f *simFacts, u *simSaid) bool {
	m := u.master
	return f.agent && !f.stuck && j.w.nodes[m].agent && !f.removed[m] && (f.i == m || j.w.switchUp && !f.cut.to)
}

// power: the plug of a UPS says something else.
func (j *simJudge) power(i int) {
	now, u := j.w.rack.Since(), j.ups[i]
	if u.told == upsv1.Status_STATUS_OK && now-u.badAt >= acting {
		u.okAt = now
	}
	if u.status == upsv1.Status_STATUS_OK {
		u.badAt = now
		if now-u.since >= acting && now > u.murky { // else nobody need have believed that it was over
			u.chainAt, u.chainLow = now, false
		}
		j.failed++
	}
	u.chainLow = u.chainLow || u.told == upsv1.Status_STATUS_BATLOW
	u.show(now)
	u.status, u.since = u.told, now
	for _, f := range j.nodes {
		if slices.Contains(f.plugs, u) {
			j.combine(f)
		}
	}
	j.learn()
}

// combine makes a node's power out of its feeds.
func (j *simJudge) combine(f *simFacts) {
	now := j.w.rack.Since()
	var all []upsv1.Status
	for _, u := range f.plugs {
		if !u.ignoredBy(f) { // else it decides nothing
			all = append(all, u.status)
		}
	}
	if all == nil {
		return
	}
	slices.SortFunc(all, func(a, b upsv1.Status) int { return badness(a) - badness(b) })
	s := all[min(f.need, len(all))-1]
	if s == f.status {
		return
	}
	if f.status == upsv1.Status_STATUS_OK {
		if now-f.since >= acting {
			f.chainAt, f.owed = now, f.owes()
		}
		f.failAt, f.lowAt = now, 0
	}
	if s == upsv1.Status_STATUS_BATLOW && f.lowAt == 0 {
		f.lowAt = now
	}
	f.lastBad = now
	f.status, f.since = s, now
}

func badness(s upsv1.Status) int {
	return slices.Index([]upsv1.Status{upsv1.Status_STATUS_OK, upsv1.Status_STATUS_FAIL, upsv1.Status_STATUS_BATLOW}, s)
}

// muddle: until then the plug of a UPS may be read as anything.
func (j *simJudge) muddle(i int, until time.Duration) {
	now, u := j.w.rack.Since(), j.ups[i]
	if u.status == upsv1.Status_STATUS_OK && now-u.since >= acting && now > u.murky {
		u.chainAt = now
	}
	u.murky = max(u.murky, until+acting)
	// The battery need not count as rested, or it is on battery for longer than the jump
	// rule doubts: low is believed at once.
	if u.most > 45*time.Second || u.worn || u.status != upsv1.Status_STATUS_OK {
		u.chainLow = true
	}
}

// passed: d has passed.
func (j *simJudge) passed(d time.Duration) {
	for _, u := range j.ups {
		now := j.w.rack.Since()
		bad := u.status != upsv1.Status_STATUS_OK
		host := j.w.nodes[u.master]
		if u.outside {
			u.outAt = now
		}
		u.doubt = bad || now < u.murky || u.doubt && (!host.agent || now-max(u.since, u.outAt) < 2*acting)
		if u.doubt || !u.mains || now < u.murky {
			u.most += d
		}
		u.note(now, d, bad, host.agent && !u.outside && now-max(u.since, j.nodes[u.master].mastersAt) > acting)
		switch {
		case bad && host.agent && !u.outside && now-u.since > acting:
			u.least += d
		case !bad:
			full := 5 * time.Minute // what is assumed
			if u.known {
				full = u.runtime
			}
			u.least = max(0, u.least-time.Duration(float64(d)*float64(full)/float64(u.recharge)))
		}
	}
	j.learn()
}

// ended: a daemon ends; with a disk that is sick it forgets what it could not write.
// What its batteries owe a master saves once a minute.
func (j *simJudge) ended(n *simNode, inOrder bool) {
	f := j.nodes[n.i]
	sick := j.w.rack.Since() < n.sickTo
	if sick {
		f.knew = -1
	}
	if n.master == nil {
		return
	}
	for _, u := range j.ups {
		if u.master == n.i && !inOrder {
			u.least = max(0, u.least-time.Minute)
			j.unkept(u)
		}
	}
	if sick {
		j.forgot(n)
	}
}

// began: a master that begins tells nothing before it has read its plugs.
func (j *simJudge) began(master *simNode) {
	for _, u := range j.ups {
		if u.master == master.i && !u.outside && u.status == upsv1.Status_STATUS_OK && j.w.rack.Since()-u.since > acting {
			u.doubt = false
		}
	}
}

// forgot: a master has lost its ages, its debts and its orders.
func (j *simJudge) forgot(master *simNode) {
	for _, u := range j.ups {
		if u.master == master.i {
			u.least = 0
		}
	}
	for _, f := range j.nodes {
		if !f.any(func(u *simSaid) bool { return u.master == master.i }) {
			continue
		}
		if f.knew != f.failAt {
			f.seenOf, f.owed = -1, 0
		}
		f.heldAt = never // it may have forgotten its holds
	}
}

// owes returns the debt that a node's masters must know of.
func (f *simFacts) owes() time.Duration {
	u := f.plugs[0]
	if len(f.plugs) > 1 || f.w.nodes[u.master].ailing {
		return 0
	}
	return u.least
}
