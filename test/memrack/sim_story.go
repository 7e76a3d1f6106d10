package memrack

import (
	"fmt"
	"slices"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// span is a time in which a plug said that the power is bad.
type span struct {
	from, to time.Duration
	seen     bool // by a master, for certain
}

// rough is by how much a master may be late in what it tells afterwards.
const rough = 10 * time.Second

// note keeps what a story will be held against: when a UPS was bad, and when it may
// have been taken for bad.
func (u *simSaid) note(now, d time.Duration, bad, seen bool) {
	grow := func(spans []span, seen bool) []span {
		if n := len(spans); n > 0 && spans[n-1].to >= now-d {
			spans[n-1].to, spans[n-1].seen = now, spans[n-1].seen || seen
			return spans
		}
		return append(spans, span{max(now-d, u.since), now, seen})
	}
	if bad {
		u.was = grow(u.was, seen)
	}
	if bad || u.doubt || now < u.murky {
		u.maybe = grow(u.maybe, false)
	}
}

// stories holds the masters' reports of the outages against what happened.
func (j *simJudge) stories() {
	for m, host := range j.w.nodes[:j.w.plan.masters] {
		if host.ailing {
			continue // what it could not write it can't tell
		}
		var told []*upsv1.OutageReport
		err := j.w.ask(host, func(c simClients) error {
			resp, err := c.control.GetHistory(c.ctx, &upsv1.GetHistoryRequest{})
			told = resp.GetOutages()
			if resp.GetWarning() != "" {
				j.blame("story", j.nodes[m], "its history warns: %s", resp.GetWarning())
			}
			return err
		})
		if err != nil {
			j.blame("story", j.nodes[m], "it can't tell its history: %v", err)
			continue
		}
		for _, u := range j.ups {
			if u.master == m {
				j.story(j.nodes[m], u, slices.DeleteFunc(slices.Clone(told), func(o *upsv1.OutageReport) bool { return o.GetUps() != u.name }))
			}
		}
	}
}

// story holds the reports of one UPS's outages against what happened.
func (j *simJudge) story(f *simFacts, u *simSaid, told []*upsv1.OutageReport) {
	var began []time.Duration
	for _, o := range told {
		at, err := time.Parse(time.RFC3339, o.GetBegan())
		if err != nil {
			j.blame("story", f, "an outage of %s began at %q: %v", u.name, o.GetBegan(), err)
			return
		}
		since := at.Sub(j.w.rack.start)
		began = append(began, since)
		if !slices.ContainsFunc(u.maybe, func(s span) bool { return s.from-rough <= since && since <= s.to+rough }) {
			j.blame("story", f, "it tells of an outage of %s at %s: %s", u.name, since, o.GetSummary())
		}
		if o.GetGoingOn() {
			j.blame("story", f, "in the end it tells of an outage of %s that goes on: %s", u.name, o.GetSummary())
		}
		j.parts(u, since, o)
	}
	for _, n := range j.nodes {
		if len(n.plugs) == 1 && n.plugs[0] == u {
			j.left(n, told, began)
		}
	}
	for _, s := range u.was {
		covered := slices.ContainsFunc(began, func(at time.Duration) bool { return at <= s.to+rough })
		if s.seen && s.to-s.from > acting && !covered {
			j.blame("story", f, "%s was on battery from %s to %s, which it saw, and it tells of %d outages: %s", u.name, s.from, s.to, len(told), began)
		}
	}
}

// left holds that no power-off that a master heard of is left out.
func (j *simJudge) left(f *simFacts, told []*upsv1.OutageReport, began []time.Duration) {
	if f.struck {
		return // a story says no more of it than that
	}
	for _, at := range f.heardAsks {
		if !slices.ContainsFunc(told, func(o *upsv1.OutageReport) bool {
			from := began[slices.Index(told, o)]
			return slices.ContainsFunc(o.GetNodes(), func(n *upsv1.NodeStory) bool {
				return n.GetName() == f.name && n.GetCommitted() != nil && from+n.GetCommitted().AsDuration() >= at-rough-f.hooks()-f.sealing() // one that goes twice in it: the newest counts
			})
		}) {
			var all []string
			for i, o := range told {
				all = append(all, fmt.Sprintf("%s: %s", began[i], o.GetSummary()))
			}
			j.blame("story", f, "it asked for its power-off at %s, and no story tells of it: %q", at, all)
		}
	}
}

// parts holds what a report tells of each node against what its executor was asked.
func (j *simJudge) parts(u *simSaid, began time.Duration, o *upsv1.OutageReport) {
	for _, n := range o.GetNodes() {
		i := slices.IndexFunc(j.nodes, func(f *simFacts) bool { return f.name == n.GetName() })
		if i < 0 {
			j.blame("story", j.nodes[u.master], "it tells of %q, which there is not", n.GetName())
			continue
		}
		// With hooks, or before it sealed, it may have been called back before it asked; who
		// goes though it was called back goes without asking again.
		if f := j.nodes[i]; n.GetCommitted() != nil && f.hook == 0 && f.master == nil && f.liar != stubborn {
			j.part(f, o, "asked for its power-off", began, n.GetCommitted().AsDuration(), f.askTimes)
		}
		if f := j.nodes[i]; n.GetAccepted() != nil {
			j.part(f, o, "got its power-off accepted", began, n.GetAccepted().AsDuration(), f.tookTimes)
		}
	}
}

// part holds one thing that a node is told to have done against when it did.
func (j *simJudge) part(f *simFacts, o *upsv1.OutageReport, what string, began, after time.Duration, did []time.Duration) {
	at, late := began+after, rough
	if o.GetMasterOff() != nil {
		late += time.Minute
	}
	if !slices.ContainsFunc(did, func(d time.Duration) bool { return d <= at+late && at <= d+late }) {
		j.blame("story", f, "in the outage of %s at %s it is told to have %s after %s; it did at %s", o.GetUps(), began, what, after, did)
	}
}
