package memrack

import (
	"slices"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
)

// visit is an event that found a node in a phase.
type visit struct{ phase, event string }

// visits counts them.
type visits map[visit]int

// event looks at the nodes, and notes in which phases a step found those that it
// means.
func (j *simJudge) event(s simStep) {
	j.look()
	for _, f := range j.nodes {
		means := false
		switch simEvents()[s.what].of {
		case ofUPS:
			means = slices.Contains(f.plugs, j.ups[s.on])
		case ofMaster:
			means = f.any(func(u *simSaid) bool { return u.master == s.on })
		case ofNode, ofMachine:
			means = f.i == s.on
		case ofNobody:
			means = f.master == nil
		case ofWorld: // noted where it comes about
		}
		if means {
			j.visited(f, s.what)
		}
	}
}

// visited notes in which phase something found a node, as it was last seen.
func (j *simJudge) visited(f *simFacts, what string) {
	if (f.agent || what == "start agent") && f.phase != 0 && !j.over {
		j.seen[visit{phaseWord(f.phase), what}]++
	}
}

// look asks each daemon where its machine stands, and what it finds wrong.
func (j *simJudge) look() {
	for _, f := range j.nodes {
		switch {
		case !f.agent || f.asleep:
		case f.master != nil:
			st := j.status(f.simNode)
			for _, n := range st.GetNodes() {
				j.problems(n.GetReport().GetProblems())
				if n.GetName() == f.name {
					j.saw(f, n.GetReport())
				}
			}
			j.problems(st.GetProblems())
			j.pretends(f, st)
		default:
			j.saw(f, j.report(f.simNode))
		}
	}
}

// pretends holds that nothing real bears the mark of a drill, and that none goes on
// beside a UPS on battery.
func (j *simJudge) pretends(f *simFacts, st *upsv1.MasterStatus) {
	for _, u := range st.GetUps() {
		if u.GetDrill() {
			j.blame("law 11", f, "its UPS %s is told of as a drill's", u.GetName())
		}
		if s := u.GetStatus(); st.GetDrill().GetLeft() != nil && (s == upsv1.Status_STATUS_FAIL || s == upsv1.Status_STATUS_BATLOW) {
			j.blame("law 11", f, "its UPS %s is on battery, and its drill goes on", u.GetName())
		}
	}
	if st.GetDrill() != nil {
		j.found["drill"]++
	}
}

// report returns what a node says of itself; nil: it does not answer.
func (j *simJudge) report(n *simNode) (r *upsv1.NodeReport) {
	_ = j.w.ask(n, func(c simClients) error {
		st, err := c.node.GetNodeStatus(c.ctx, &upsv1.GetNodeStatusRequest{})
		r = st.GetNode().GetReport()
		return err
	})
	return r
}

// status returns what a master knows; nil: it does not answer.
func (j *simJudge) status(host *simNode) (st *upsv1.MasterStatus) {
	if !host.agent {
		return nil
	}
	_ = j.w.ask(host, func(c simClients) error {
		resp, err := c.power.GetStatus(c.ctx, &upsv1.GetStatusRequest{})
		if ms := resp.GetMasters(); len(ms) > 0 {
			st = ms[0]
		}
		return err
	})
	return st
}

// problems notes what is found wrong somewhere.
func (j *simJudge) problems(ps []*upsv1.Problem) {
	for _, p := range ps {
		j.found[p.GetName()]++
		if p.GetName() == health.Internal {
			j.wrong = append(j.wrong, "a fault of the program: "+p.GetText())
		}
	}
}

// reloaded holds that a machine tells of a configuration that does not run, and of
// nothing when it runs.
func (j *simJudge) reloaded(n *simNode, good bool, err error) {
	f := j.nodes[n.i]
	if !good && err == nil {
		j.blame("law 10", f, "it runs by a configuration that is wrong")
	}
	var ps []*upsv1.Problem
	if n.master != nil {
		ps = j.status(n).GetProblems()
	} else {
		ps = j.report(n).GetProblems()
	}
	told := slices.ContainsFunc(ps, func(p *upsv1.Problem) bool { return p.GetName() == health.ConfigNotAdopted })
	if told != (err != nil) {
		j.blame("law 10", f, "a reload ended with %v, and %q is told: %t", err, health.ConfigNotAdopted, told)
	}
}

func (j *simJudge) saw(f *simFacts, r *upsv1.NodeReport) {
	if r == nil {
		return
	}
	j.problems(r.GetProblems())
	if p := r.GetPhase(); p != f.phase {
		if f.phase = p; p != upsv1.Phase_PHASE_IDLE {
			f.told = append(f.told, phaseWord(p))
		}
	}
	if r.GetDrill() && f.phase > upsv1.Phase_PHASE_HELD {
		j.blame("law 11", f, "it is in %s, and a drill goes on there", phaseWord(f.phase))
	}
	if f.taken && f.phase != upsv1.Phase_PHASE_DONE && f.agentAt < f.askedAt && f.liar == honest {
		j.blame("law 3", f, "its power-off is accepted, and it says %s", phaseWord(f.phase))
	}
	if f.phase != upsv1.Phase_PHASE_GRACE || r.GetDeadline() == nil || f.waits() || f.status == upsv1.Status_STATUS_OK {
		return
	}
	if f.murky() || f.partlyDeaf() || !f.touch || f.touchAt > f.failAt-attaching {
		f.failOf = -1 // it may have read that it was over; or it counts by lost_limit
		return
	}
	at := j.w.rack.Since() + r.GetDeadline().AsDuration()
	if f.failOf == f.failAt && at > f.deadline+time.Second {
		j.blame("deadline", f, "it moved from %s to %s within one outage", f.deadline, at)
	}
	if f.failOf != f.failAt || at < f.deadline {
		f.failOf, f.deadline = f.failAt, at
	}
}

func phaseWord(p upsv1.Phase) string { return p.String()[len("PHASE_"):] }
