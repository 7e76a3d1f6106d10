package agent

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/power"
)

func TestHeartbeatIsBounded(t *testing.T) {
	for _, tt := range []struct{ said, want time.Duration }{
		{time.Second, time.Second},
		{0, 100 * time.Millisecond},
		{-time.Hour, 100 * time.Millisecond},
		{time.Hour, 30 * time.Second},
	} {
		if got := heartbeat(&upsv1.AttachResponse{Heartbeat: durationpb.New(tt.said)}); got != tt.want {
			t.Errorf("a tempo of %s is taken as %s, want %s", tt.said, got, tt.want)
		}
	}
}

func TestSteadyKeepsMomentsThatOnlyJittered(t *testing.T) {
	was := power.State{Status: power.Fail, Outage: "x", Since: 1_000_000_000, OutageSince: 1_000_000_000}
	for _, tt := range []struct {
		name   string
		change func(*power.State)
		kept   bool
	}{
		{"20 ms later on the wire", func(s *power.State) { s.Since += 20e6; s.OutageSince += 20e6 }, true},
		{"a second: the master knows better", func(s *power.State) { s.Since -= 1e9; s.OutageSince -= 1e9 }, false},
		{"another status", func(s *power.State) { s.Status = power.BatLow; s.Since += 20e6 }, false},
		{"another outage", func(s *power.State) { s.Outage = "y"; s.Since += 20e6 }, false},
	} {
		now := was
		tt.change(&now)
		sent := now
		states := []node.NamedState{{Name: "main", State: now}}
		steady(states, []node.NamedState{{Name: "main", State: was}})
		want := sent
		if tt.kept {
			want = was
		}
		if got := states[0].State; got != want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, want)
		}
	}
}

// TestHelloSaysWhatItRunsIn: a guest comes back only with its host, so its master tells.
func TestHelloSaysWhatItRunsIn(t *testing.T) {
	a := newTestAgent(t, "", nil)
	a.guest = "kvm"
	if got := a.hello().GetVirtualization(); got != "kvm" {
		t.Errorf("it says %q", got)
	}
}
