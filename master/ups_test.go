package master

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/health"
	"github.com/lastwatt/lastwatt/pkg/power"
)

func TestWhatIsWrongWithAUPS(t *testing.T) {
	for _, tc := range []struct {
		name  string
		u     upsRunner
		state power.State
		want  []string
	}{
		{"nothing", upsRunner{}, power.State{Status: power.OK}, nil},
		{"on battery", upsRunner{}, power.State{Status: power.Fail}, nil},
		{"blind", upsRunner{}, power.State{Reason: "the port is gone"}, []string{health.Blind}},
		{"no port, so blind is no news", upsRunner{bare: true}, power.State{}, []string{health.NoPort}},
		{"weak", upsRunner{}, power.State{Status: power.OK, WeakBattery: true}, []string{health.WeakBattery}},
		{"mute", upsRunner{mute: true}, power.State{Status: power.OK}, []string{health.CableMute}},
	} {
		tc.u.q, tc.u.now = power.NewQualifier(power.QualifierConfig{}), func() power.Uptime { return 0 }
		var got []string
		for _, p := range tc.u.problems(tc.state) {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// TestLaw11ASimulatedStateSaysSo: from the first to the last.
func TestLaw11ASimulatedStateSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		sim, told := newSimSource(), 0
		u := upsRunner{
			name: "main", src: sim, sim: true, q: power.NewQualifier(power.QualifierConfig{}),
			now: func() power.Uptime { return power.Uptime(time.Hour + time.Since(start)) },
			tell: func(r upsRecord) {
				told++
				if !r.state.Sim {
					t.Errorf("%s as if it were real", r.state.Status)
				}
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = u.Run(ctx) }()
		for _, s := range []power.Status{power.Fail, power.BatLow, power.OK} {
			_ = sim.set(s)
			time.Sleep(time.Minute)
		}
		cancel()
		synctest.Wait()
		if told < 3 {
			t.Errorf("%d states were told", told)
		}
	})
}

// TestWhatAnEarlierRunKnewIsToldWhenItIsRead: a master that begins while its UPS reads
// well does not say first what it knew of an outage that is over.
func TestWhatAnEarlierRunKnewIsToldWhenItIsRead(t *testing.T) {
	for name, tc := range map[string]struct {
		samples []sample // half a second apart
		want    string   // what was told, one status after the other
	}{
		"the power is back":       {[]sample{{}}, "UNKNOWN OK"},
		"it is not":               {[]sample{{signals: power.Signals{OnBattery: true}}}, "UNKNOWN FAIL"},
		"nobody can say":          {[]sample{{signals: power.Signals{Blind: true}}}, "UNKNOWN UNKNOWN, was FAIL"},
		"the driver knows later":  {[]sample{{signals: power.Signals{Blind: true}, soon: true}, {}}, "UNKNOWN OK"},
		"nothing is read":         {nil, "UNKNOWN UNKNOWN, was FAIL"},
		"blind after it was read": {[]sample{{signals: power.Signals{OnBattery: true}}, {signals: power.Signals{Blind: true}}}, "UNKNOWN FAIL UNKNOWN, was FAIL"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				now := func() power.Uptime { return power.Uptime(time.Hour + time.Since(start)) }
				cfg := power.QualifierConfig{Boot: "b"}
				cfg.Settle.Fail, cfg.Settle.OK = 100*time.Millisecond, 2*time.Second
				before := power.NewQualifier(cfg)
				before.Step(power.Uptime(time.Minute), power.Signals{OnBattery: true})
				before.Tick(power.Uptime(time.Minute + 200*time.Millisecond))
				q := power.NewQualifier(cfg)
				q.Restore(now(), before.Snapshot())
				src, told := &simSource{out: make(chan sample, 1)}, []string{}
				u := upsRunner{name: "main", src: src, q: q, now: now, tell: func(r upsRecord) {
					text := r.state.Status.String()
					if r.state.Status == power.Unknown && r.state.Known() != power.Unknown {
						text += ", was " + r.state.Known().String()
					}
					if len(told) == 0 || told[len(told)-1] != text {
						told = append(told, text)
					}
				}}
				ctx, cancel := context.WithCancel(t.Context())
				go func() { _ = u.Run(ctx) }()
				for _, s := range tc.samples {
					synctest.Wait()
					offer(src.out, s)
					time.Sleep(500 * time.Millisecond)
				}
				time.Sleep(time.Minute)
				cancel()
				synctest.Wait()
				if got := strings.Join(told, " "); got != tc.want {
					t.Errorf("told %q, want %q", got, tc.want)
				}
			})
		})
	}
}

// TestLaw01NewestSampleWins: a reader that is late gets what is, not what was.
func TestLaw01NewestSampleWins(t *testing.T) {
	c := make(chan sample, 1)
	for n := range uint32(3) {
		offer(c, sample{signals: power.Signals{Pulses: n}})
	}
	if s := <-c; s.signals.Pulses != 2 {
		t.Errorf("sample %d was read, want the last, 2", s.signals.Pulses)
	}
}
