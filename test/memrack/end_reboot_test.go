package memrack

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// crash is what a panic of the host's kernel makes of it: all ends, and what was accepted
// is forgotten. It boots some seconds later, with a clock and a name of its own.
func (w *endWorld) crash() {
	m := w.rack.masters[0]
	w.disk.Crash(rand.New(rand.NewPCG(7, uint64(time.Since(w.failed))))) //nolint:gosec // a story, not a secret
	w.rack.Net.Cut(m.host)
	if w.host.exec.dead != nil {
		close(w.host.exec.dead)
		w.host.exec.dead = nil
	}
	go m.process.stop(nil) // what it waits for is over for the others
	synctest.Wait()
	w.rack.Net.Drop(m.host)
	w.rack.Net.Heal(m.host)
	w.begun = false
	w.host.mu.Lock()
	w.host.accepted = time.Now() // so that it is not started before
	w.host.mu.Unlock()
	w.live(masterEnds - time.Second)
	w.disk.Wipe(w.rack.masterDir(m) + "/run")
	m.boots++
	m.machine = &machine{boot: fmt.Sprintf("%s-boot%d", m.name, m.boots), born: time.Now(), off: m.machine.off, disk: w.disk}
	w.host.mu.Lock()
	w.host.accepted = time.Time{}
	w.host.mu.Unlock()
	w.host.start()
	synctest.Wait()
}

// TestLaw05TheHostBootsInTheOutage crashes the master's machine in every third second of
// the transaction. It boots into the outage with an allowance that is long over, and yet
// nobody is cut off who runs: who was up is on its disk. The others take longer to be off
// than the host to boot and to go.
func TestLaw05TheHostBootsInTheOutage(t *testing.T) {
	t.Parallel()
	for at := time.Second; at < 240*time.Second; at += 3 * time.Second {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				host, nodes := endRack()
				host.goes = 3 * time.Second
				for i := range nodes {
					nodes[i].config = strings.Replace(nodes[i].config, "stop_time = \"1", "stop_time = \"4", 1)
					nodes[i].goes += 30 * time.Second
				}
				w := newEndWorld(t, host, nodes...)
				defer w.stop()
				w.fails()
				w.liveTo(at)
				if w.ended != "" {
					return
				}
				w.crash()
				w.liveTo(at + 6*time.Minute)
				for _, e := range w.wrong {
					t.Error(e)
				}
				if w.ended != "cut" {
					t.Errorf("the host is %q (%v): %v", w.ended, w.sealErr, w.marks)
				}
			})
		})
	}
}
