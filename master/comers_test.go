package master

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/health"
)

// Random outages found it: a node that names none of several feeds goes with the first that
// fails, and was woken on the first that was back, to go down again at once.
func TestLaw07WhoNamesNoFeedNeedsAllOfThem(t *testing.T) {
	feeds := []string{"rack1/main", "rack1/side", "rack2/main"}
	for _, tc := range []struct {
		name    string
		need    uint32
		problem bool
		want    int
	}{
		{"named, and it needs one", 1, false, 1},
		{"named, and it needs two", 2, false, 2},
		{"not named", 1, true, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, _, _ := testHub()
			h.name = "rack1"
			report := inPhase(upsv1.Phase_PHASE_IDLE, feeds...)
			if tc.problem {
				report.Problems = []*upsv1.Problem{{Name: health.Feeds}}
			}
			h.attach("web1", "", &upsv1.Hello{BootId: "b", Policy: &upsv1.Policy{Need: tc.need}}, report)
			_, nodes, _ := h.comers(Config{UPS: make([]UPS, len(h.ups))})
			if len(nodes) != 1 {
				t.Fatalf("%d nodes", len(nodes))
			}
			if diff := cmp.Diff(tc.want, nodes[0].Need); diff != "" {
				t.Errorf("it needs (-want +got):\n%s", diff)
			}
		})
	}
}
