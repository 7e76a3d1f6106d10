package memrack

import (
	"encoding/json"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

// simulate plays a plan and returns its judge. It makes a bubble of its own.
// With logs to, every daemon's log and every step goes there.
func simulate(t *testing.T, p simPlan, to io.Writer) (j *simJudge) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, p, to)
		j = w.judge
		w.play()
		j.over = true
		w.whole()
		j.returns()
		w.release()
		for range 5 { // the longest way back that is left: shut down, boot, attach
			w.live(w.rack.Since() + 30*time.Second)
			j.look()
		}
		j.end()
		j.stories()
		for _, n := range w.nodes {
			w.endLate(n)
			w.stop(n, true)
		}
		synctest.Wait()
		j.wires()
		j.journals()
	})
	return j
}

// whole mends everything that was broken, and takes back what was ordered.
func (w *simWorld) whole() {
	all := func(what string, of []*simNode) {
		for _, n := range of {
			w.do(simStep{what: what, on: n.i})
		}
	}
	masters, nodes := w.nodes[:w.plan.masters], w.nodes[w.plan.masters:]
	for i, u := range w.ups {
		if u.wire != nil {
			w.do(simStep{what: "replug", on: i})
			w.do(simStep{what: "plug", on: i})
		}
		w.do(simStep{what: "mains on", on: i})
	}
	w.do(simStep{what: "switch on"})
	all("disk well", w.nodes)
	all("resume", nodes)
	all("heal", nodes)
	all("start master", masters)
	all("start agent", nodes)
	w.live(w.rack.Since() + time.Minute)
	for end := w.rack.Since() + lateMost; w.rack.Since() < end && slices.ContainsFunc(masters, func(n *simNode) bool { return !n.agent }); {
		w.live(w.rack.Since() + 10*time.Second)
	}
	for _, n := range w.nodes { // nobody brings back whom no master knows, and who joins again runs
		if n.struck && !n.powered {
			w.switchOn(n)
		}
	}
	w.live(w.rack.Since() + time.Minute)
	all("rejoin", nodes)
	w.release()
}

// release releases who runs: who is off and released is not brought back.
func (w *simWorld) release() {
	for _, n := range w.nodes {
		if n.powered && !n.ending {
			w.do(simStep{what: "release", on: n.i})
		}
	}
}

// lateMost is how long a master's machine may be about to come back: its UPS was told to
// cut and takes its time, and it starts.
const lateMost = 6 * time.Minute

// end holds that every machine runs and is watched again.
func (j *simJudge) end() {
	for m, host := range j.w.nodes[:j.w.plan.masters] {
		is := map[string]*upsv1.NodeStatus{}
		for _, n := range j.status(host).GetNodes() {
			is[n.GetName()] = n
		}
		for _, f := range j.nodes {
			if f.i != m && !f.member(j.w, m) {
				continue
			}
			n := is[f.name]
			switch p := n.GetReport().GetPhase(); {
			case !f.powered:
				j.blame("end", f, "it is off")
			case n.GetLink() != upsv1.Link_LINK_UP:
				j.blame("end", f, "its link to %s is %s", host.name, n.GetLink())
			case p != upsv1.Phase_PHASE_IDLE:
				j.blame("end", f, "it is %s", p)
			}
		}
	}
}

// wires holds that no program moved an output away from where the cable wants it.
func (j *simJudge) wires() {
	for _, u := range j.ups {
		if u.wire == nil {
			continue
		}
		for _, o := range u.wire.Strays() {
			at, host := o.At.Sub(j.w.rack.start), j.nodes[u.master]
			if slices.ContainsFunc(host.lates, func(s span) bool { return s.from <= at && at <= s.to }) {
				continue // judged when it was done
			}
			j.blame("law 4", j.nodes[u.master], "the outputs of %s stood at %s", u.name, o.Levels)
		}
	}
}

// journals holds that what was seen was written down.
func (j *simJudge) journals() {
	for _, f := range j.nodes {
		var phases []string
		asks, cancelled := 0, 0
		err := f.disk.ReadJournal(f.dir()+"/data/journal.jsonl", func(e journal.Entry) error {
			var r struct{ Node, To, What string }
			if e.Name != "phase" && e.Name != "poweroff" {
				return nil
			}
			if err := json.Unmarshal(e.Data, &r); err != nil {
				return err
			}
			switch {
			case e.Name == "phase":
				phases = append(phases, r.To)
			case r.What == "asked":
				asks++
			case r.What == "cancelled", r.What == "refused" && f.master != nil: // before it sealed
				cancelled++
			}
			return nil
		})
		if err != nil {
			j.blame("law 12", f, "its journal: %v", err)
		}
		if f.ailing {
			continue // what it could not write is not there
		}
		// What is taken back in the same moment is written down and was never done.
		if asks < len(f.askTimes) || asks > len(f.askTimes)+cancelled {
			j.blame("law 12", f, "its power-off was asked for %d times, and its journal has %d", len(f.askTimes), asks)
		}
		for _, p := range f.told {
			i := slices.Index(phases, p)
			if i < 0 {
				j.blame("law 12", f, "it was seen in %q, one after the other; its journal doesn't tell of %s", f.told, p)
				break
			}
			phases = phases[i+1:]
		}
	}
}
