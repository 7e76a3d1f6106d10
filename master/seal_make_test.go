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
