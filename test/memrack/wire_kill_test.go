package memrack

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestAWireHearsTheOrder: what the late unit does to any cable of the catalogue is heard as
// one order that is long enough, on battery and with the plug in only.
func TestAWireHearsTheOrder(t *testing.T) {
	for _, c := range line.Catalogue() {
		if !c.Kill.Exists() {
			continue
		}
		for name, tc := range map[string]struct {
			does  func(w *Wire)
			heard bool
		}{
			"on battery":              {func(w *Wire) { w.Set(true, false) }, true},
			"on mains":                {func(*Wire) {}, false},
			"on battery, and unheard": {func(w *Wire) { w.Set(true, false); w.Pull(0) }, false},
		} {
			t.Run(c.Name+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := NewWire(c, Driver{}, 1)
					tc.does(w)
					late(t, w)
					var heard []Order
					for _, o := range w.Orders() {
						if !o.Apart {
							heard = append(heard, o)
						}
					}
					if len(heard) > 0 != tc.heard {
						t.Fatalf("it heard %v", heard)
					}
					if !tc.heard {
						return
					}
					if o := heard[0]; o.Mains || o.To.Sub(o.From) < w.wants() {
						t.Errorf("it heard %+v, and wants %s on battery", o, w.wants())
					}
				})
			})
		}
	}
}

// late runs a late unit at w, with a seal that is good, for five minutes.
func late(t *testing.T, w *Wire) {
	t.Helper()
	start := time.Now().Add(-time.Hour)
	now := func() power.Uptime { return power.Uptime(time.Since(start)) }
	seal := cut.Seal{Boot: "boot", Made: now(), Expires: now().Add(time.Hour), UPS: []cut.Sealed{
		{Name: "main", Outage: "o1", Port: "/dev/wire", Cable: w.cable, NotBefore: now(), Own: true},
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_ = cut.Run(ctx, cut.Options{Seal: seal, Now: now, Open: OpenWires(map[string]*Wire{"/dev/wire": w}), System: standing{ctx}, Say: func(string) {}})
}

// standing is a machine that takes its time to reboot.
type standing struct{ ctx context.Context } //nolint:containedctx // of one test

func (standing) Quiet() error { return nil }
func (s standing) Reboot() error {
	<-s.ctx.Done()
	return s.ctx.Err()
}
