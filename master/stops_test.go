package master

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/proof"
)

// TestLaw05AnUnprobedStopTimeShortensNothing: a link's end comes early, so what it
// measures may only be longer than what the owner wrote.
func TestLaw05AnUnprobedStopTimeShortensNothing(t *testing.T) {
	wrote := &upsv1.Policy{StopTime: durationpb.New(time.Minute)}
	for name, tt := range map[string]struct {
		hello *upsv1.Policy
		m     proof.StopTime
		want  time.Duration // 0: what the node says
	}{
		"never measured":       {wrote, proof.StopTime{}, 0},
		"probed, shorter":      {wrote, proof.StopTime{Takes: 40 * time.Second, Sure: true}, 40 * time.Second},
		"probed, longer":       {wrote, proof.StopTime{Takes: 2 * time.Minute, Sure: true}, 2 * time.Minute},
		"unprobed, shorter":    {wrote, proof.StopTime{Takes: 40 * time.Second}, 0},
		"unprobed, longer":     {wrote, proof.StopTime{Takes: 2 * time.Minute}, 2 * time.Minute},
		"unprobed, an old one": {nil, proof.StopTime{Takes: 2 * time.Minute}, 0},
	} {
		h := newWaitHub(t)
		s := h.attach("web1", "", &upsv1.Hello{BootId: "b", Policy: tt.hello}, inPhase(upsv1.Phase_PHASE_GRACE, "rack1/main"))
		h.measure(map[string]proof.StopTime{"web1": tt.m})
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
