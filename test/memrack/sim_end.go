package memrack

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

// simulate plays a plan and returns its judge. It makes a bubble of its own.
func simulate(t *testing.T, p simPlan) (j *simJudge) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, p)
		j = w.judge
		for _, s := range p.steps {
			w.live(s.at)
			w.do(s)
		}
		w.live(p.end)
		w.whole()
		for range 10 { // the longest way back: shut down, boot, attach
			w.live(w.rack.Since() + 30*time.Second)
			j.look()
		}
		j.end()
		for _, n := range w.nodes {
			w.stop(n, true)
		}
		synctest.Wait()
		j.journals()
	})
	return j
}

// whole mends everything that was broken, and takes back what was ordered.
func (w *simWorld) whole() {
	w.do(simStep{what: "mains on"})
	w.do(simStep{what: "start master"})
	for _, n := range w.nodes[1:] {
		w.do(simStep{what: "heal", node: n.i})
		w.do(simStep{what: "start agent", node: n.i})
	}
	w.live(w.rack.Since() + time.Minute + bootAfter) // the master's host may have to boot
	for _, n := range w.nodes {
		w.do(simStep{what: "release", node: n.i})
	}
}

// end holds that every machine runs and is watched again.
func (j *simJudge) end() {
	is := map[string]*upsv1.NodeStatus{}
	for _, n := range j.w.rack.Status().GetNodes() {
		is[n.GetName()] = n
	}
	for _, f := range j.nodes {
		n := is[f.name]
		switch p := n.GetReport().GetPhase(); {
		case !f.powered:
			j.blame("end", f, "it is off")
		case n.GetLink() != upsv1.Link_LINK_UP:
			j.blame("end", f, "its link is %s", n.GetLink())
		case p != upsv1.Phase_PHASE_IDLE:
			j.blame("end", f, "it is %s", p)
		}
	}
}

// journals holds that what was seen was written down.
func (j *simJudge) journals() {
	for _, f := range j.nodes {
		dir := filepath.Join(j.w.rack.dir, f.name)
		if f.i == 0 {
			dir = filepath.Join(j.w.rack.dir, "master")
		}
		var phases []string
		asks := 0
		err := journal.Read(filepath.Join(dir, "data", "journal.jsonl"), func(e journal.Entry) error {
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
			}
			return nil
		})
		if err != nil {
			j.blame("law 12", f, "its journal: %v", err)
		}
		if asks != f.asks {
			j.blame("law 12", f, "its power-off was asked for %d times, and its journal has %d", f.asks, asks)
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
