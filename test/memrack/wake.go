package memrack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/agent"
	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

// waking is what has to do with waking on one machine: what was armed on it, and the magic
// packets that came to its card.
type waking struct {
	mac   net.HardwareAddr
	start time.Time

	mu    sync.Mutex
	armed []string      // since it was made
	alarm time.Duration // of its clock, since the rack began; 0: none
	woken []packet
}

// packet is a magic packet that came.
type packet struct {
	at   time.Duration // since the rack began
	from string        // the master's host
}

var _ agent.Waking = (*waking)(nil)

// newWaking returns that of the n-th machine: 02 is an address that nobody assigned
// (IEEE 802, locally administered).
func newWaking(start time.Time, n int) *waking {
	return &waking{start: start, mac: net.HardwareAddr{2, 0, 0, 0, byte(n >> 8), byte(n)}}
}

func (w *waking) Addresses() ([]net.HardwareAddr, error) { return []net.HardwareAddr{w.mac}, nil }
func (w *waking) Check(string) error                     { return nil }

func (w *waking) Arm(way string, after time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = append(w.armed, way)
	if way == policy.WakeRTC {
		w.alarm = time.Since(w.start) + after
	}
	return nil
}

func (w *waking) Disarm(time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alarm = 0
	return nil
}

// waking of a master's own host is nobody's business.
func (m *Master) waking(r *Rack) *waking { return newWaking(r.start, 0xffff) }

// waker returns what a master wakes nodes by: packets reach every machine of the rack.
func (r *Rack) waker(from *Master) master.Waker {
	return func(_ context.Context, macs []net.HardwareAddr) error {
		for _, mac := range macs {
			for _, n := range r.nodes {
				if n.waking.mac.String() == mac.String() {
					n.waking.note(packet{time.Since(r.start), from.host})
				}
			}
		}
		return nil
	}
}

func (w *waking) note(p packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = append(w.woken, p)
}

// Woken returns when magic packets came for a node, since the rack began.
func (n *Node) Woken() []time.Duration {
	n.waking.mu.Lock()
	defer n.waking.mu.Unlock()
	var all []time.Duration
	for _, p := range n.waking.woken {
		all = append(all, p.at)
	}
	return all
}

// Armed returns what was armed on a node, one after the other.
func (n *Node) Armed() []string {
	n.waking.mu.Lock()
	defer n.waking.mu.Unlock()
	return slices.Clone(n.waking.armed)
}

// SwitchOff ends a node's agent as a shutdown does: it says that it goes, and what lay in
// run is gone.
func (r *Rack) SwitchOff(n *Node) {
	r.t.Helper()
	r.StopAgent(n)
	r.Forget(n)
	r.Net.Power(n.name, false)
}

// SwitchOn boots a node.
func (r *Rack) SwitchOn(n *Node) {
	r.t.Helper()
	n.boots++
	r.Net.Power(n.name, true)
	n.machine = &machine{boot: fmt.Sprintf("%s-boot%d", n.name, n.boots), born: time.Now(), off: recorder{r, n}, disk: n.machine.disk}
	r.StartAgent(n)
}

// GiveDisk gives the first master's machine a disk in memory, which a crash can hurt. Its
// daemon begins anew.
func (r *Rack) GiveDisk() {
	r.StopMaster()
	r.masters[0].machine.disk = NewDisk()
	r.StartMaster()
}

// RebootMaster lets the first master's machine be off for a while, without a word to
// anybody: the battery is empty. Of what a disk in memory had not synced something is lost.
func (r *Rack) RebootMaster(off time.Duration) {
	r.t.Helper()
	m := r.masters[0]
	if d := m.machine.disk; d != nil {
		d.Crash(rand.New(rand.NewPCG(uint64(r.Since()), 7))) //nolint:gosec // a story, not a secret
	}
	r.Net.Cut(m.host)
	m.process.stop(nil)
	r.Net.Drop(m.host)
	r.Net.Heal(m.host)
	r.Advance(off)
	m.boots++
	m.machine = &machine{boot: fmt.Sprintf("%s-boot%d", m.name, m.boots), born: time.Now(), off: m.machine.off, disk: m.machine.disk}
	r.StartMaster()
	synctest.Wait() // it listens
}
