package memrack

import (
	"slices"
	"strings"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
)

// visitedOff notes in which phase a machine was seen last to which something happens while
// it may be off.
func (j *simJudge) visitedOff(f *simFacts, what string) {
	if f.phase != 0 && !j.over {
		j.seen[visit{phaseWord(f.phase), what}]++
	}
}

// down: a machine goes off.
func (j *simJudge) down(n *simNode) {
	f := j.nodes[n.i]
	if !f.ending {
		f.released = false
	}
	f.met = f.met || f.firstAsk > 0 || f.livedAt >= f.chainAt
}

// keeping is how long a master may take to write down that a failure began.
const keeping = 2 * time.Second

// unkept: a UPS's master dies with no time to write anything down.
func (j *simJudge) unkept(u *simSaid) {
	if now := j.w.rack.Since(); u.status != upsv1.Status_STATUS_OK && now-u.since < keeping {
		for _, f := range j.nodes {
			f.unkept = f.unkept || f.any(func(v *simSaid) bool { return v == u })
		}
	}
}

// back: a machine is switched on.
func (j *simJudge) back(n *simNode) { j.visitedOff(j.nodes[n.i], "back") }

// wakes judges a packet that wakes a machine: its power must be back by then, and have
// lasted, as far as its master can see.
func (j *simJudge) wakes(n *simNode, p packet) {
	f := j.nodes[n.i]
	j.visitedOff(f, "wake")
	good := 0
	for _, u := range f.plugs {
		steady := u.status == upsv1.Status_STATUS_OK && (p.at-u.okAt >= j.w.plan.back.holdOff-time.Second || u.outAt > u.okAt)
		if steady || j.nodes[u.master].name != p.from || u.doubtful(p.at) || p.at-u.since < acting {
			good++
		}
	}
	if good < n.need {
		j.blame("law 7", f, "%s wakes it at %s, and its power is not back for %s", p.from, p.at, j.w.plan.back.holdOff)
	}
}

// rebooted judges a late unit that starts its machine again: there must be mains.
func (j *simJudge) rebooted(n *simNode) {
	host, now := j.nodes[n.i], j.w.rack.Since()
	j.visitedOff(host, "reboot")
	j.reboots++
	if host.any(func(u *simSaid) bool { return u.mains || now-u.changed < acting || u.doubtful(now) }) {
		return
	}
	j.blame("law 7", host, "it is started again in place of the halt, on battery")
}

// returns lets time pass until everybody runs whom an outage put down, and holds that they
// do, or that a master says who doesn't. What remains off then somebody switches on.
func (j *simJudge) returns() {
	w, b := j.w, j.w.plan.back
	most := 5*time.Minute + max(b.holdOff, b.limit) + time.Duration(len(j.nodes))*b.stagger
	for end := w.rack.Since() + most; w.rack.Since() < end && j.away() != nil; {
		w.live(w.rack.Since() + 10*time.Second)
	}
	lost := j.away()
	for _, f := range lost {
		if f.comes() && f.met && !f.partlyDeaf() && !j.excused(f) {
			j.blame("law 7", f, "it is off since %s, its power is back, and it %s; packets came at %s", f.off, f.manner(), f.woken())
		}
	}
	if slices.ContainsFunc(lost, func(f *simFacts) bool { return !j.excused(f) }) {
		w.live(w.rack.Since() + overdue + time.Duration(len(j.nodes))*b.stagger)
	}
	named := j.named()
	for _, f := range j.away() {
		if !j.excused(f) && !slices.Contains(named, f.name) {
			j.blame("law 7", f, "it is off since %s, and no master says so; packets came at %s", f.off, f.woken())
		}
		w.switchOn(f.simNode)
	}
	if lost != nil {
		w.live(w.rack.Since() + time.Minute)
	}
}

// overdue is how long after its turn a machine is missed, and a little more.
const overdue = 10*time.Minute + 30*time.Second

// away returns the machines that don't run, or will not.
func (j *simJudge) away() (all []*simFacts) {
	for _, f := range j.nodes {
		if !f.powered || f.ending || f.taken {
			all = append(all, f)
		}
	}
	return all
}

// comes reports whether something starts the machine for certain, by what it is.
func (f *simFacts) comes() bool {
	return f.master != nil || f.card == listens || f.wasDark && !f.noRestore
}

func (f *simFacts) manner() string {
	var w words
	w.add(f.card == listens, "listens to the packet")
	w.add(f.master != nil, "is a master's")
	w.add(f.wasDark && !f.noRestore, "starts by its power")
	return strings.Join(w, ", ")
}

func (f *simFacts) woken() []time.Duration {
	if f.node == nil {
		return nil
	}
	all := f.node.Woken()
	return slices.DeleteFunc(all, func(at time.Duration) bool { return at < f.off })
}

// excused reports whether no outage put the machine down, or its masters need not know.
func (j *simJudge) excused(f *simFacts) bool {
	return f.ordered || f.struck || f.released || f.unheard || f.unkept || f.any(func(u *simSaid) bool { return j.nodes[u.master].ailing })
}

// named returns the nodes that a master says are not back.
func (j *simJudge) named() (all []string) {
	for _, host := range j.w.nodes[:j.w.plan.masters] {
		for _, p := range j.status(host).GetProblems() {
			if name, ok := strings.CutPrefix(p.GetOn(), "node/"); ok && (p.GetName() == health.StaysDown || p.GetName() == health.NodeLost) {
				all = append(all, name)
			}
		}
	}
	return all
}
