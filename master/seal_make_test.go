package master

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// TestLaw05SealedWhenAllAreOff: whoever lived in the outage is off for long when the host
// goes. The seal of that moment can be written, though the clock goes on while it is made,
// and lets the load be cut at once.
func TestLaw05SealedWhenAllAreOff(t *testing.T) {
	h, now, _ := testHub()
	ends(h)
	*now = now.Add(time.Hour)
	h.now = func() power.Uptime {
		*now = now.Add(time.Microsecond)
		return *now
	}
	cable, ok := line.Lookup("nut-7")
	if !ok {
		t.Fatal("no cable")
	}
	s := &seals{hub: h, boot: "b", ups: []UPS{{Name: "main", Port: "/dev/ttyS0", Cable: cable}}}
	seal, own := s.make(nil)
	if !own || len(seal.UPS) != 1 {
		t.Fatalf("sealed: %+v, own %v", seal, own)
	}
	if u := seal.UPS[0]; u.NotBefore.After(*now) {
		t.Errorf("made at %v, not before %v", seal.Made, u.NotBefore)
	}
	if err := cut.Write(nil, filepath.Join(t.TempDir(), "seal.json"), seal); err != nil {
		t.Error(err)
	}
}

// TestLaw07NoBatteryLastsForEver: the seal says when its own is empty for sure, long after
// what it lasts with everybody on it.
func TestLaw07NoBatteryLastsForEver(t *testing.T) {
	for _, c := range []struct{ runtime, want time.Duration }{
		{0, 24 * time.Hour},
		{time.Second, time.Hour},
		{2 * time.Minute, time.Hour},
		{5 * time.Minute, 150 * time.Minute},
		{20 * time.Minute, 10 * time.Hour},
		{2 * time.Hour, 26 * time.Hour},
		{48 * time.Hour, 72 * time.Hour},
	} {
		h, now, _ := testHub()
		ends(h)
		*now = now.Add(time.Hour)
		for i := range h.ups {
			h.ups[i].state.Runtime = c.runtime
		}
		s := &seals{hub: h, boot: "b", ups: []UPS{{Name: "main", Port: "/dev/ttyS0"}}}
		seal, _ := s.make(nil)
		if got := seal.UPS[0].EmptyBy.Sub(*now); got != c.want {
			t.Errorf("%v at full charge: empty %v after the seal, want %v", c.runtime, got, c.want)
		}
		*now = now.Add(time.Minute)
		if again, _ := s.make(&seal); again.UPS[0].EmptyBy != seal.UPS[0].EmptyBy {
			t.Errorf("made again it says %v later", again.UPS[0].EmptyBy.Sub(seal.UPS[0].EmptyBy))
		}
	}
}
