package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// fakeWaking is a machine's ways back.
type fakeWaking struct {
	tell   func(string)
	cannot string        // this way can't be armed
	hang   chan struct{} // not nil: Arm waits for it
}

func (f *fakeWaking) Check(way string) error {
	if way == f.cannot {
		return errors.New("it can't")
	}
	return nil
}

func (f *fakeWaking) Arm(way string, after time.Duration) error {
	f.tell("arm " + way + " " + after.String())
	if f.hang != nil {
		<-f.hang
	}
	return f.Check(way)
}

func (f *fakeWaking) Disarm(within time.Duration) error {
	f.tell("disarm " + within.String())
	return nil
}

const rtcToo = `
[policy]
grace = "10s"
grace_min = "0s"
[wake]
method = ["wol", "rtc"]
`

func TestWaysBackAreArmedBeforeThePowerOff(t *testing.T) {
	for name, c := range map[string]struct {
		toml   string
		age    time.Duration // of the outage when it is heard of
		cannot string
		hangs  bool
		want   []string
	}{
		"both":                            {rtcToo, 0, "", false, []string{"10s arm wol 15m0s", "10s arm rtc 15m0s", "10s ask logind"}},
		"an old outage":                   {rtcToo, time.Hour, "", false, []string{"0s arm wol 1h0m0s", "0s arm rtc 1h0m0s", "0s ask logind"}},
		"days":                            {rtcToo, 50 * time.Hour, "", false, []string{"0s arm wol 6h0m0s", "0s arm rtc 6h0m0s", "0s ask logind"}},
		"one can't":                       {rtcToo, 0, "wol", false, []string{"10s arm wol 15m0s", "10s arm rtc 15m0s", "10s ask logind"}},
		"it hangs, and is not waited for": {rtcToo, 0, "", true, []string{"10s arm wol 15m0s", "13s ask logind"}},
		"a dry run":                       {rtcToo + "[shutdown]\nmethod = [\"none\"]\n", 0, "", false, []string{"10s ask none"}},
		"no way":                          {"[policy]\ngrace = \"10s\"\ngrace_min = \"0s\"\n[wake]\nmethod = []\n", 0, "", false, []string{"10s ask logind"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.toml)
				f := &fakeWaking{tell: r.tell, cannot: c.cannot}
				if c.hangs {
					f.hang = make(chan struct{})
				}
				r.o.Waking = f
				r.run()
				defer r.stop()
				defer func() {
					if c.hangs {
						close(f.hang)
					}
				}()
				r.Update(Update{Master: "rack1", Link: power.LinkUp, UPS: []NamedState{{"main", r.state(power.Fail, c.age)}}})
				time.Sleep(time.Minute)
				r.want("_arm_ ask_", c.want...)
			})
		})
	}
}

func TestAnAlarmIsTakenBackWithThePowerOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, rtcToo)
		r.o.Waking = &fakeWaking{tell: r.tell}
		r.chain[0].off, r.chain[1].off = untilKilled, untilKilled
		r.run()
		defer r.stop()
		r.feed(power.OK)
		for range 2 {
			r.feed(power.Fail)
			time.Sleep(15 * time.Second)
			r.wantPhase(policy.Committed)
			r.feed(power.OK)
			r.wantPhase(policy.Idle)
			time.Sleep(5 * time.Second)
		}
		r.want("arm",
			"10s arm wol 15m0s", "10s arm rtc 15m0s", "15s disarm 15m0s",
			"30s arm wol 15m0s", "30s arm rtc 15m0s", "35s disarm 15m0s")
	})
}

func TestAWayThatCannotBeArmedIsNotClaimed(t *testing.T) {
	for name, c := range map[string]struct {
		toml, ways string
		problem    bool
	}{
		"the owner wrote it":   {rtcToo, "rtc", true},
		"nobody wrote it":      {"", "cycle", false},
		"the default, written": {"[wake]\nmethod = [\"cycle\", \"wol\"]\n", "cycle", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.toml)
				r.o.Waking = &fakeWaking{tell: r.tell, cannot: "wol"}
				r.run()
				defer r.stop()
				r.Examine(context.Background(), false)
				if got := r.Snapshot().Wake; !slices.Equal(got, strings.Fields(c.ways)) {
					t.Errorf("it claims to come back by %q, want %q", got, c.ways)
				}
				if got := r.problem(health.WakeUnarmed); (got != "") != c.problem {
					t.Errorf("the problem says %q", got)
				}
			})
		})
	}
}
