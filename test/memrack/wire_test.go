package memrack_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/test/memrack"
)

// The settle times of these tests, the ones that master.toml has by itself.
const (
	settleFail = 100 * time.Millisecond
	settleLow  = 500 * time.Millisecond
	settleOK   = 2 * time.Second
	jump       = 10 * time.Second
	// slack is how late a change may be seen: where no hint can be had, at the next look.
	slack = 60 * time.Millisecond
)

// wireRig is a Watcher and a Qualifier on a wire, in a bubble, joined as a master joins
// them.
type wireRig struct {
	*testing.T
	*memrack.Wire
	cable line.Cable
	start time.Time
	mark  time.Duration // when the last operation was

	mu    sync.Mutex // guards all below
	state power.State
	story []told
	wires power.CableHealth
}

// told is a status that was believed, and when.
type told struct {
	At     time.Duration
	Status power.Status
	Outage string
}

// onWire runs test with a UPS on mains, seen so for a while.
func onWire(t *testing.T, c line.Cable, d memrack.Driver, seed uint64, test func(r *wireRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &wireRig{T: t, Wire: memrack.NewWire(c, d, seed), cable: c, start: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		w := line.NewWatcher(line.WatcherOptions{Path: "/dev/wire", Cable: c, Log: slog.New(slog.DiscardHandler), Open: r.Open})
		var all sync.WaitGroup
		all.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() { r.believe(ctx, w) })
		r.after(10 * time.Second)
		r.is(power.OK)
		test(r)
		cancel()
		all.Wait()
		if r.Used() {
			t.Error("the port was left open")
		}
		if s := r.Strays(); len(s) > 0 {
			t.Errorf("law 4: the outputs left their idle levels %s: %v", c.Idle(), s)
		}
	})
}

// now is the machine's clock, which was switched on an hour before.
func (r *wireRig) now() power.Uptime { return power.Uptime(time.Hour + time.Since(r.start)) }

// believe feeds the qualifier until ctx ends.
func (r *wireRig) believe(ctx context.Context, w *line.Watcher) {
	cfg := power.QualifierConfig{BatLowJump: jump, HasLow: r.cable.HasLow(), PulledReadsLow: r.cable.PulledReadsLow(), Boot: "boot"}
	cfg.Settle.Fail, cfg.Settle.BatLow, cfg.Settle.OK = settleFail, settleLow, settleOK
	q := power.NewQualifier(cfg)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var st power.State
		select {
		case in := <-w.Samples():
			s := power.Signals{Blind: true}
			if in.Err != nil {
				s.Reason = in.Err.Error()
			} else {
				s = r.cable.Decode(in.Lines)
			}
			s.Pulses = in.Pulses
			st = q.Step(r.now(), s)
		case <-timer.C:
			st = q.Tick(r.now())
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		if st.Status != r.state.Status || st.Outage != r.state.Outage {
			r.story = append(r.story, told{time.Since(r.start), st.Status, st.Outage})
		}
		r.state, r.wires = st, q.Cable()
		r.mu.Unlock()
		if at, ok := q.Deadline(); ok {
			timer.Reset(max(0, at.Sub(r.now())))
		}
	}
}

// after lets d pass.
func (r *wireRig) after(d time.Duration) {
	time.Sleep(d) // the bubble's time
	synctest.Wait()
}

// do does an operation; what is believed from then on is a new story.
func (r *wireRig) do(f func()) {
	r.mu.Lock()
	r.story, r.mark = nil, time.Since(r.start)
	r.mu.Unlock()
	f()
	synctest.Wait()
}

// is fails the test unless the status is want. Blind it has to have a reason.
func (r *wireRig) is(want power.Status) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state.Status != want || (r.state.Reason == "") == (want == power.Unknown) {
		r.Errorf("%v after the start: %s, %q; want %s; since the last operation: %v", time.Since(r.start), r.state.Status, r.state.Reason, want, r.story)
	}
}

// believed fails the test unless want, and nothing else, has been believed since the
// last operation, and after d.
func (r *wireRig) believed(want power.Status, d time.Duration) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.story) != 1 || r.story[0].Status != want {
		r.Errorf("believed %v, want %s alone", r.story, want)
	} else if took := r.story[0].At - r.mark; took < d || took > d+slack {
		r.Errorf("%s was believed after %v, want %v and %v at most", want, took, d, slack)
	}
}

// statuses returns what has been believed since the last operation.
func (r *wireRig) statuses() (all []power.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.story {
		all = append(all, s.Status)
	}
	return all
}

func (r *wireRig) health() power.CableHealth {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wires
}

// eachCable runs test for every cable of the catalogue, in parallel.
func eachCable(t *testing.T, test func(t *testing.T, c line.Cable)) {
	for _, c := range line.Catalogue() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

func TestEveryCableIsBelievedOnAWire(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]memrack.Driver{
		"full": {}, "no hints": {NoHints: true}, "no counters": {NoCounters: true},
		"neither": {NoHints: true, NoCounters: true}, "cached": {Cached: true, NoHints: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachCable(t, func(t *testing.T, c line.Cable) {
				onWire(t, c, d, 1, func(r *wireRig) {
					r.do(func() { r.Set(true, false) })
					r.after(2 * jump)
					r.believed(power.Fail, settleFail)
					r.do(func() { r.Set(true, true) })
					r.after(time.Minute)
					if c.HasLow() {
						r.believed(power.BatLow, settleLow)
					} else {
						r.is(power.Fail)
					}
					r.do(func() { r.Set(false, false) })
					r.after(time.Minute)
					r.believed(power.OK, settleOK)
					if h := r.health(); h.Pulses != 0 || h.Flaps != 0 || h.Suspect {
						t.Errorf("a faultless cable: %+v", h)
					}
				})
			})
		})
	}
}

// TestLowAtOnceWaitsForTheJumpRule on a cable that a pulled plug makes say the same,
// and on no other.
func TestLowAtOnceWaitsForTheJumpRule(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		onWire(t, c, memrack.Driver{}, 1, func(r *wireRig) {
			r.do(func() { r.Set(true, true) })
			r.after(settleFail + slack)
			r.is(power.Fail)
			if !c.HasLow() {
				r.after(time.Minute)
				r.is(power.Fail)
				return
			}
			due := settleLow
			if c.PulledReadsLow() {
				due = jump
			}
			r.after(due - settleFail - 2*slack)
			r.is(power.Fail)
			r.after(2 * slack)
			r.is(power.BatLow)
		})
	})
}

// TestPulledPlugIsNoEmptyBattery: quick or slow, on mains, with a battery that is rested.
func TestPulledPlugIsNoEmptyBattery(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		for _, gap := range []time.Duration{0, 30 * time.Millisecond, 99 * time.Millisecond, 101 * time.Millisecond, 400 * time.Millisecond} {
			for seed := range uint64(4) {
				onWire(t, c, memrack.Driver{NoHints: seed == 3}, seed, func(r *wireRig) { pulled(r, gap) })
			}
		}
	})
}

// pulled pulls the plug, holds what may be believed, and puts it back.
func pulled(r *wireRig, gap time.Duration) {
	what := memrack.WhenPulled(r.cable)
	r.do(func() { r.Pull(gap) })
	r.after(jump - slack)
	if what.Ends == power.BatLow {
		r.is(power.Fail)
		if !r.health().Suspect {
			r.Errorf("gap %v: nothing is said about the cable", gap)
		}
	} else {
		r.is(what.Ends)
	}
	for _, s := range r.statuses() {
		if s == power.BatLow || s == power.Fail && !what.Fail {
			r.Errorf("gap %v: %s was believed", gap, s)
		}
	}
	r.after(2*time.Second + slack)
	r.is(what.Ends) // nobody can tell any more
	r.do(func() { r.Plug(gap) })
	r.after(4*400*time.Millisecond + settleOK + slack)
	r.is(power.OK)
}

// TestPulledPlugInAnOutage: pulled right after the mains failed, it is no empty battery
// either.
func TestPulledPlugInAnOutage(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		for _, gap := range []time.Duration{0, 30 * time.Millisecond, 400 * time.Millisecond} {
			for seed := range uint64(4) {
				onWire(t, c, memrack.Driver{}, seed, func(r *wireRig) {
					r.Set(true, false)
					r.after(3 * time.Second)
					r.is(power.Fail)
					r.do(func() { r.Pull(gap) })
					r.after(jump - 3*time.Second - slack)
					for _, s := range r.statuses() {
						if s == power.BatLow {
							r.Errorf("gap %v: %v was believed", gap, r.statuses())
						}
					}
				})
			}
		}
	})
}

func TestWhenPulledAgreesWithTheCatalogue(t *testing.T) {
	t.Parallel()
	for _, c := range line.Catalogue() {
		got, s := memrack.WhenPulled(c), c.PulledAtComputer().Signals
		want := memrack.Pulled{Ends: power.OK, Fail: got.Fail, BatLow: c.PulledReadsLow()}
		switch {
		case s.Blind:
			want.Ends = power.Unknown
		case s.OnBattery && s.Low:
			want.Ends, want.Fail = power.BatLow, true
		case s.OnBattery:
			want.Ends, want.Fail = power.Fail, true
		default:
			want.Fail = false
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-catalogue +judge):\n%s", c.Name, diff)
		}
	}
}

func TestGlitchOfLowIsIgnored(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		longest := settleLow - time.Millisecond
		if c.Reads()&line.RI != 0 {
			longest = settleLow - slack // of RI no hint can be had
		}
		onWire(t, c, memrack.Driver{}, 1, func(r *wireRig) {
			r.Set(true, false)
			r.after(2 * jump) // the jump rule is over
			for _, d := range []time.Duration{time.Microsecond, 10 * time.Millisecond, longest} {
				r.do(func() { r.Glitch(d) })
				r.after(5 * time.Second)
				if r.is(power.Fail); len(r.statuses()) > 0 {
					t.Errorf("a glitch of %v: %v", d, r.statuses())
				}
			}
			if h := r.health(); c.HasLow() != (h.Flaps+h.Pulses > 0) {
				t.Errorf("seen of it: %+v", h)
			}
			if r.do(func() { r.Glitch(settleLow + 2*slack) }); c.HasLow() {
				r.after(settleLow + slack)
				r.is(power.BatLow) // it could have been seen
			}
		})
	})
}

func TestBounceIsOneOutage(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		for seed := range uint64(10) {
			rnd := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // a story, not a secret
			onWire(t, c, memrack.Driver{NoHints: seed%3 == 0}, seed, func(r *wireRig) {
				bounce := func() { r.Bounce(time.Duration(rnd.Int64N(int64(1900*time.Millisecond))), 1+rnd.IntN(30)) }
				r.do(func() { r.Set(true, false); bounce() })
				r.after(30 * time.Second)
				if diff := cmp.Diff([]power.Status{power.Fail}, r.statuses()); diff != "" {
					t.Error(diff)
				}
				r.do(func() { r.Set(false, false); bounce() })
				r.after(30 * time.Second)
				if diff := cmp.Diff([]power.Status{power.OK}, r.statuses()); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestUnpluggedAdapterIsBlindAndComesBack(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		onWire(t, c, memrack.Driver{}, 1, func(r *wireRig) {
			r.Set(true, false)
			r.after(time.Minute)
			r.is(power.Fail)
			r.do(r.Unplug)
			r.after(slack + time.Second)
			r.believed(power.Unknown, 0)
			r.after(time.Hour)
			r.is(power.Unknown)
			if last := r.known(); last != power.Fail {
				t.Errorf("what was known is %s", last)
			}
			r.Set(false, false)
			r.do(r.Replug)
			r.after(5*time.Second + settleOK + slack)
			if r.is(power.OK); r.health().Pulses != 0 {
				t.Errorf("pulses out of new counters: %+v", r.health())
			}
		})
	})
}

// TestMeddledOutputsAreSetBack before what they do to the inputs is believed.
func TestMeddledOutputsAreSetBack(t *testing.T) {
	t.Parallel()
	eachCable(t, func(t *testing.T, c line.Cable) {
		for _, to := range []line.Lines{0, line.DTR, line.RTS, line.Outputs} {
			onWire(t, c, memrack.Driver{}, 1, func(r *wireRig) {
				r.do(func() { r.Meddle(to) })
				r.after(time.Second + slack)
				if all := r.Outputs(); all[len(all)-1].Levels != c.Idle() {
					t.Errorf("%s was left, idle is %s", to, c.Idle())
				}
				r.after(time.Minute)
				r.is(power.OK)
				for _, s := range r.statuses() {
					if s.OnBattery() { // blind it may be: a cable's present wire goes low too
						t.Errorf("%s made it believe %v", to, r.statuses())
					}
				}
			})
		}
	})
}

func (r *wireRig) known() power.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Known()
}

// TestWireIsAPort holds what the rest relies on: the counters, the hints, the outputs.
func TestWireIsAPort(t *testing.T) {
	t.Parallel()
	c, _ := line.Lookup("nut-1") // RI on battery, DCD low, DTR up, RTS cuts
	synctest.Test(t, func(t *testing.T) {
		w := memrack.NewWire(c, memrack.Driver{}, 1)
		open := memrack.OpenWires(map[string]*memrack.Wire{"/dev/wire": w})
		if _, err := open("/dev/other", c); !errors.Is(err, line.ErrMissing) {
			t.Errorf("a port that is not there: %v", err)
		}
		o, err := open("/dev/wire", c)
		if err != nil {
			t.Fatal(err)
		}
		var held *line.HeldError
		if _, err := open("/dev/wire", c); !errors.As(err, &held) {
			t.Errorf("opened twice: %v", err)
		}
		reads := func(want line.Lines, counts line.Counters, hint bool) {
			t.Helper()
			got, err := o.Port.Levels()
			n, _ := o.Port.Counters()
			if err != nil || got != want || n != counts || len(o.Hints) > 0 != hint {
				t.Errorf("%s, %v, hint %v, %v; want %s, %v, hint %v", got, n, len(o.Hints) > 0, err, want, counts, hint)
			}
			for len(o.Hints) > 0 {
				<-o.Hints
			}
		}
		reads(line.DTR, line.Counters{}, false)
		w.Set(true, false)
		reads(line.DTR|line.RI, line.Counters{}, false) // the rise of RI is silent
		w.Set(false, true)
		reads(line.DTR|line.DCD, line.Counters{0, 0, 1, 1}, true)
		if err := o.Port.Drive(line.RTS); err != nil {
			t.Error(err)
		}
		reads(line.RTS, line.Counters{0, 0, 1, 2}, true) // no supply
		if err := o.Port.Drive(line.DTR); err != nil {
			t.Error(err)
		}
		o.Port.Close()
		o.Port.Close()
		o2, err := w.Open("/dev/wire", c)
		if err != nil {
			t.Fatal(err)
		}
		w.HostOff()
		o2.Port.Close()
		if _, err := w.Open("/dev/wire", c); err != nil {
			t.Fatal(err)
		}
		var moves []string
		for _, m := range w.Outputs() {
			moves = append(moves, fmt.Sprint(m.Levels, " ", m.Program))
		}
		if diff := cmp.Diff([]string{"DTR RTS false", "DTR true", "RTS true", "DTR true", "none false", "DTR RTS false", "DTR true"}, moves); diff != "" {
			t.Error(diff)
		}
		if s := w.Strays(); len(s) != 1 || s[0].Levels != line.RTS {
			t.Errorf("strays %v", s)
		}
	})
}
