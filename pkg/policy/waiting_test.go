package policy_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// Now is an hour after the boot; ago is so long before.
const (
	now    = power.Uptime(time.Hour)
	minute = time.Minute
	second = time.Second
)

func ago(d time.Duration) power.Uptime { return now.Add(-d) }

// TestStillUp: who counts as off, and until when the others are waited for. wait_limit
// is 2m; stop times are 1m unless said.
func TestStillUp(t *testing.T) {
	const off, open = -1, -2
	for _, tt := range []struct {
		name string
		is   policy.Standing
		want time.Duration // from now
	}{
		{"idle", policy.Standing{Attached: true, Phase: policy.Idle}, open},
		{"held", policy.Standing{Attached: true, Phase: policy.Held}, open},
		{"in grace", policy.Standing{Attached: true, Phase: policy.Grace, Timed: true, Goes: ago(-minute)}, open},
		{"waiting itself", policy.Standing{Attached: true, Phase: policy.Waiting}, open},
		{"a phase of the future", policy.Standing{Attached: true, Phase: 77}, open},
		{"not heard of its deadline yet", policy.Standing{Attached: true, Phase: policy.Grace, Timed: true, Goes: ago(time.Hour)}, open},
		{"committed", policy.Standing{Attached: true, Phase: policy.Committed, Committed: ago(30 * second)}, 90 * second},
		{"committed, stops slowly", policy.Standing{Attached: true, Phase: policy.Done, Committed: ago(30 * second), StopTime: 10 * minute}, 570 * second},
		{"committed and hangs", policy.Standing{Attached: true, Phase: policy.Done, Committed: ago(5 * minute)}, 0},
		{"committed, its link ended", policy.Standing{Phase: policy.Done, Committed: ago(second)}, 119 * second},
		{"committed, and probes find nobody", policy.Standing{Phase: policy.Done, Committed: ago(40 * second), Answered: ago(35 * second), Silent: ago(30 * second)}, off},
		{"committed, not seen, should be off", policy.Standing{Phase: policy.Committed, Committed: ago(91 * second)}, off},
		{"lost in idle", policy.Standing{Phase: policy.Idle, Heard: ago(10 * second)}, 110 * second},
		{"lost for long", policy.Standing{Phase: policy.Idle, Heard: ago(30 * minute)}, 0},
		{"lost in grace", policy.Standing{Phase: policy.Grace, Heard: ago(10 * second), Timed: true, Goes: ago(-5 * minute)}, 110 * second},
		{"lost, its deadline just passed", policy.Standing{Phase: policy.Grace, Heard: ago(60 * second), Timed: true, Goes: ago(90 * second)}, 60 * second},
		{"lost, its deadline long passed", policy.Standing{Phase: policy.Grace, Heard: ago(60 * second), Timed: true, Goes: ago(91 * second)}, off},
		{"back after it was lost", policy.Standing{Attached: true, Phase: policy.Idle, Heard: ago(0)}, open},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.is.Name, tt.is.Present = "web1", true
			if tt.is.StopTime == 0 {
				tt.is.StopTime = minute
			}
			got := policy.StillUp(now, 2*minute, 1, []policy.Standing{tt.is})
			want := policy.Awaited{Up: []string{"web1"}, Depth: 1}
			switch tt.want {
			case off:
				want.Up = nil
			case open:
				want.Open = true
			case 0:
				if len(got.Up) != 1 || got.Limit.After(now) || got.Limit == 0 || got.Open {
					t.Errorf("%+v, want one whose limit has passed", got)
				}
				return
			default:
				want.Limit = now.Add(tt.want)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if tt.is.Attached {
				return
			}
			tt.is.Present = false
			if got := policy.StillUp(now, 2*minute, 1, []policy.Standing{tt.is}); got.Up != nil {
				t.Errorf("it was not there when the outage began, and is waited for: %+v", got)
			}
		})
	}
}

// The slowest decides, and one whose time is not up leaves the others' limits standing.
func TestStillUpOfSeveral(t *testing.T) {
	all := []policy.Standing{
		{Name: "a", Attached: true, Present: true, Phase: policy.Committed, Committed: ago(30 * second)},
		{Name: "b", Attached: true, Present: true, Phase: policy.Committed, Committed: ago(minute)},
		{Name: "c", Present: true, Phase: policy.Committed, Committed: ago(minute), Answered: ago(40 * second), Silent: ago(31 * second)},
	}
	want := policy.Awaited{Up: []string{"a", "b"}, Limit: now.Add(90 * second), Depth: 3}
	if d := cmp.Diff(want, policy.StillUp(now, 2*minute, 3, all)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	all = append(all, policy.Standing{Name: "d", Attached: true, Present: true, Phase: policy.Grace})
	want.Up, want.Open = append(want.Up, "d"), true
	if d := cmp.Diff(want, policy.StillUp(now, 2*minute, 3, all)); d != "" {
		t.Errorf("with one in grace (-want +got):\n%s", d)
	}
}
