package memrack

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	simSeed  = flag.Uint64("seed", 0, "play the rack of this seed only, and tell its story")
	simSeeds = flag.Uint64("seeds", 25, "play the racks of so many seeds")
	simFrom  = flag.Uint64("from", 1, "the first of them")
)

// TestSim plays a rack through random outages for each seed and holds it against
// the laws. A seed that fails prints its story, without what has no part in it.
func TestSim(t *testing.T) {
	first, last := *simFrom, *simFrom+*simSeeds-1
	if *simSeed != 0 {
		first, last = *simSeed, *simSeed
		t.Log(newPlan(*simSeed))
	}
	var (
		mu      sync.Mutex
		outages int
		died    int
		cut     int
		reboots int
		seen    = visits{}
		found   = map[string]int{}
	)
	start := time.Now()
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed <= last; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				p := newPlan(seed)
				j := simulate(t, p, nil)
				mu.Lock()
				outages, died, cut, reboots = outages+j.failed, died+j.died, cut+j.cut, reboots+j.reboots
				for v, n := range j.seen {
					seen[v] += n
				}
				for name, n := range j.found {
					found[name] += n
				}
				mu.Unlock()
				if len(j.wrong) != 0 {
					p, wrong := shrink(t, p, j.wrong)
					if *simSeed != 0 {
						simulate(t, p, t.Output())
					}
					t.Errorf("%s\n%sagain: go test ./test/memrack -run TestSim -seed=%d -v", strings.Join(wrong, "\n"), p, p.seed)
				}
			})
		}
	})
	took := time.Since(start)
	t.Logf("%d seeds, %d outages in %s: %.1f a second; %d machines ran when a battery died, %d loads were cut, %d late units rebooted", last-first+1, outages, took.Round(time.Second/10), float64(outages)/took.Seconds(), died, cut, reboots)
	t.Log("visited, phase by event:\n" + seen.String())
	t.Log("problems that were seen: " + tally(found))
	if last-first+1 >= coverSeeds {
		seen.check(t)
		checkFound(t, found)
	}
}

// shrink leaves out what the failure doesn't need: halves, quarters, … single steps.
func shrink(t *testing.T, p simPlan, wrong []string) (simPlan, []string) {
	start := time.Now()
	for size := max(1, len(p.steps)/2); ; size /= 2 {
		for i := 0; i < len(p.steps) && time.Since(start) < 20*time.Second; {
			less := p
			less.steps = slices.Delete(slices.Clone(p.steps), i, min(i+size, len(p.steps)))
			if w := simulate(t, less, nil).wrong; len(w) != 0 {
				p, wrong = less, w
			} else {
				i += size
			}
		}
		if size <= 1 {
			return p, wrong
		}
	}
}
