//go:build linux && (amd64 || arm64)

package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// TestLaw02PulledCable pulls the cable that reads as on battery and low when it is
// out, a hundred times for half a second to five, all pins at once or one after the
// other, in either order. No machine may go down. Ports side by side keep it short.
func TestLaw02PulledCable(t *testing.T) {
	t.Parallel()
	const (
		ports = 8
		pulls = 13
	)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var racks []*rack
	for range ports {
		r := newRack(t, rackOptions{cable: "nut-7", settle: `ok = "200ms"`}) // else as it comes
		r.startMaster()
		r.join("node", agentOptions{grace: "1h"}) // only BATLOW can put it down
		racks = append(racks, r)
	}
	var all sync.WaitGroup
	for i, r := range racks {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			var out time.Duration
			for range pulls {
				out += pull(r, random)
				if r.agents["node"].went() {
					t.Errorf("port %d: the agent powered off after the cable was out for %v in all", i, out)
					return
				}
			}
		})
	}
	all.Wait()
	for _, r := range racks {
		s := r.await("OK with the cable in", func(s status) bool { return s.ups().State == "OK" && s.node("node").Phase == "IDLE" })
		if !s.problem("ups/main", "cable") {
			t.Errorf("nobody is told to look at the cable:\n%s", s.text)
		}
	}
	// And it is no deafness: a battery that says low after a while is believed.
	for _, r := range racks {
		r.ups.Mains(false)
	}
	for _, r := range racks {
		r.await("on battery for longer than the jump time", func(s status) bool { return s.ups().State == "FAIL" && s.ups().Age > 10.5 })
		r.ups.Low(true)
	}
	for _, r := range racks {
		r.agents["node"].awaitGone()
	}
}

// pull pulls the cable and puts it back, and returns for how long it was out.
func pull(r *rack, random *rand.Rand) time.Duration {
	gap := time.Duration(0)
	if random.IntN(2) == 0 {
		gap = time.Duration(20+random.IntN(400)) * time.Millisecond
	}
	order := []line.Lines{line.CTS, line.DCD}
	random.Shuffle(2, func(i, j int) { order[i], order[j] = order[j], order[i] })
	out := 500*time.Millisecond + time.Duration(random.Int64N(int64(4500*time.Millisecond)))
	r.ups.Pull(vtty.AtComputer, gap, order...)
	<-time.After(out) // the pull itself takes its time: nothing happens that could be waited for
	r.ups.Plug(gap, order...)
	<-time.After(time.Duration(random.IntN(700)) * time.Millisecond)
	return out
}

// TestPulledCableThatReadsAsMains pulls a cable whose pulled-out reading is mains:
// nothing can be seen, and nothing may happen.
func TestPulledCableThatReadsAsMains(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"apc-back-ups", "nut-2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRack(t, rackOptions{cable: name})
			r.startMaster()
			r.join("node", agentOptions{grace: "0s"}) // any FAIL would put it down
			r.ups.Pull(vtty.AtComputer, 0)
			r.await("all lines low", func(s status) bool {
				return fmt.Sprint(s.ups().Lines) == fmt.Sprint((r.cable.Idle()).Names())
			})
			r.ups.Plug(0)
			if s := r.status(); s.ups().State != "OK" || r.agents["node"].went() {
				t.Errorf("a pull that reads as mains did something:\n%s", s.text)
			}
		})
	}
}
