package memrack

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/journal"
)

// A seal that lies there when the master starts is removed, told where it was no good,
// and kept where this boot's power-off was accepted.
func TestLaw04ALeftoverSealIsRemoved(t *testing.T) {
	for _, c := range []struct {
		name    string
		alter   func(*cut.Seal)
		torn    bool
		problem string
	}{
		{name: "of this boot, and the host has not gone"},
		{name: "of another boot", alter: func(s *cut.Seal) { s.Boot = "boot0" }, problem: "another boot"},
		{name: "expired", alter: func(s *cut.Seal) { s.Made, s.Expires = s.Made-2, s.Made-1 }, problem: "expired"},
		{name: "foreign", alter: func(s *cut.Seal) { s.UPS[0].Port = "/dev/else" }, problem: "foreign"},
		{name: "torn", torn: true, problem: "torn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				host, _ := endRack()
				w := newEndWorld(t, host)
				defer w.stop()
				w.host.kill()
				seal, path := w.newSeal(), w.sealPath()
				if c.alter != nil {
					c.alter(&seal)
				}
				if err := cut.Write(w.disk.FS(), path, seal); err != nil {
					t.Fatal(err)
				}
				if c.torn {
					if err := journal.SaveOn(w.disk.FS(), path, "half"); err != nil {
						t.Fatal(err)
					}
				}
				w.host.start()
				w.live(10 * time.Second)
				if w.hasSeal() {
					t.Error("it is still there")
				}
				text := ""
				for _, p := range w.rack.Status().GetProblems() {
					if p.GetName() == health.Seal {
						text = p.GetText()
					}
				}
				if (c.problem == "") != (text == "") || !strings.Contains(text, c.problem) {
					t.Errorf("it is told as %q, want %q", text, c.problem)
				}
			})
		})
	}
}

// A master that is killed after its system accepted, and started all the same, keeps its
// seal; a refused power-off leaves none behind, and the next attempt makes its own.
func TestLaw07TheSealStaysWhereThePowerOffWasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, _ := endRack()
		host.refuses, host.goes = 1, time.Hour
		w := newEndWorld(t, host)
		defer w.stop()
		w.fails()
		refused := false
		for w.marked("host accepted") > time.Hour && time.Since(w.failed) < 2*time.Minute {
			w.live(100 * time.Millisecond)
			if !refused && w.marked("host refused") < time.Hour {
				refused = true
				if w.hasSeal() {
					t.Error("it was refused, and there is a seal")
				}
			}
		}
		if !refused || !w.hasSeal() {
			t.Fatalf("refused: %t, then sealed: %t", refused, w.hasSeal())
		}
		w.host.mu.Lock()
		w.host.accepted = time.Time{} // so that the world starts it again
		w.host.mu.Unlock()
		w.host.kill()
		w.host.start()
		w.live(20 * time.Second)
		if !w.hasSeal() {
			t.Error("its power-off was accepted, and the seal is gone")
		}
		w.setMains(true)
		w.live(5 * time.Second)
		seal, err := w.sealNow()
		if err != nil || seal.UPS[0].NotBefore.Sub(w.rack.masters[0].machine.now()) < 24*time.Hour {
			t.Errorf("power is back and the machine goes: it may cut at %v (%v), and should wait for mains", seal.UPS, err)
		}
		w.live(time.Hour)
		if w.hasSeal() {
			t.Error("it has not gone, and the seal has not expired")
		}
	})
}
