package master

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/policy"
)

func TestMeasuredStopTimes(t *testing.T) {
	const s, m = time.Second, policy.OffMargin
	for name, tt := range map[string]struct {
		is   []stopTook
		want measuredStop
	}{
		"never":                           {nil, measuredStop{}},
		"once":                            {[]stopTook{{7 * s, true}}, measuredStop{7*s + m, true}},
		"of ten it is the longest":        {[]stopTook{{1 * s, true}, {9 * s, true}, {3 * s, true}, {4 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}, {5 * s, true}}, measuredStop{9*s + m, true}},
		"no more than its link":           {[]stopTook{{7 * s, false}, {8 * s, false}}, measuredStop{8*s + m, false}},
		"what probes have shown outranks": {[]stopTook{{7 * s, true}, {80 * s, false}}, measuredStop{7*s + m, true}},
	} {
		if got := (nodeProof{Stops: tt.is}).measured(); got != tt.want {
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
	p := newProofs("b")
	p.prove("web1", "o", time.Time{}, stopTook{time.Hour, true})
	for range stopsKept {
		p.prove("web1", "o", time.Time{}, stopTook{time.Second, true})
	}
	if got := p.Nodes["web1"].measured().takes; got != time.Second+policy.OffMargin {
		t.Errorf("%s", got)
	}
}

// TestLaw05AnUnprobedStopTimeShortensNothing: a link's end comes early, so what it
// measures may only be longer than what the owner wrote.
func TestLaw05AnUnprobedStopTimeShortensNothing(t *testing.T) {
	wrote := &upsv1.Policy{StopTime: durationpb.New(time.Minute)}
	for name, tt := range map[string]struct {
		hello *upsv1.Policy
		m     measuredStop
		want  time.Duration // 0: what the node says
	}{
		"never measured":       {wrote, measuredStop{}, 0},
		"probed, shorter":      {wrote, measuredStop{40 * time.Second, true}, 40 * time.Second},
		"probed, longer":       {wrote, measuredStop{2 * time.Minute, true}, 2 * time.Minute},
		"unprobed, shorter":    {wrote, measuredStop{40 * time.Second, false}, 0},
		"unprobed, longer":     {wrote, measuredStop{2 * time.Minute, false}, 2 * time.Minute},
		"unprobed, an old one": {nil, measuredStop{2 * time.Minute, false}, 0},
	} {
		h := newWaitHub(t)
		s := h.attach("web1", "", &upsv1.Hello{BootId: "b", Policy: tt.hello}, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
		h.measure(map[string]measuredStop{"web1": tt.m})
		want := tt.want
		if want == 0 {
			want = time.Minute
		}
		if got := h.standingOf(h.nodes["web1"]).StopTime; got != want {
			t.Errorf("%s: it counts as %s, want %s", name, got, want)
		}
		if got := h.response(s, "rack1", time.Second).GetStopTime().AsDuration(); got != tt.want {
			t.Errorf("%s: the node is told %s, want %s", name, got, tt.want)
		}
	}
}
