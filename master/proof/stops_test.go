package proof

import (
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/policy"
)

func TestMeasuredStopTimes(t *testing.T) {
	const s, m = time.Second, policy.OffMargin
	for name, tt := range map[string]struct {
		is   []StopTook
		want StopTime
	}{
		"never":                           {nil, StopTime{}},
		"once":                            {[]StopTook{{7 * s, true}}, StopTime{7*s + m, true}},
		"of ten it is the longest":        {[]StopTook{{1 * s, true}, {9 * s, true}, {3 * s, true}, {4 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}}, StopTime{9*s + m, true}},
		"no more than its link":           {[]StopTook{{7 * s, false}, {8 * s, false}}, StopTime{8*s + m, false}},
		"what probes have shown outranks": {[]StopTook{{7 * s, true}, {80 * s, false}}, StopTime{7*s + m, true}},
	} {
		if got := (NodeProof{Stops: tt.is}).Measured(); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	var many []time.Duration
	for i := range 40 {
		many = append(many, time.Duration(i+1))
	}
	if got := percentile(many); got != 38 {
		t.Errorf("the 95th percentile of 1…40 is %d, want 38", got)
	}
}

// Only the last ten count: what was mended long ago is forgotten.
func TestOldStopTimesAreForgotten(t *testing.T) {
	p := New("b")
	p.prove("web1", "o", time.Time{}, StopTook{time.Hour, true})
	for range stopsKept {
		p.prove("web1", "o", time.Time{}, StopTook{time.Second, true})
	}
	if got := p.Nodes["web1"].Measured().Takes; got != time.Second+policy.OffMargin {
		t.Errorf("%s", got)
	}
}
