package line

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatcherTellsTheFirstStateAndEachChange(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.want(DCD, 0)
		r.after(time.Minute).wantNone()
		p.edge(CTS)
		if !p.hint() {
			r.Fatal("nobody waits for hints")
		}
		r.want(CTS|DCD, 0)
		p.edge(DCD)
		p.hint()
		r.want(CTS, 0)
		r.after(time.Minute).wantNone()
	})
}

func TestWatcherKeepsTheNewest(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		for range 5 { // nobody receives
			p.edge(CTS)
			p.hint()
		}
		r.want(CTS|DCD, 0)
		r.wantNone()
	})
}

func TestWatcherNeedsNoHint(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.want(DCD, 0)
		r.after(10*time.Second + 500*time.Millisecond)
		p.edge(CTS)
		r.after(netPoll).want(CTS|DCD, 0)
	})
}

func TestWatcherReadsAgainAfterAHint(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.after(time.Minute).want(DCD, 0)
		p.edge(CTS)
		p.hint()
		r.want(CTS|DCD, 0)
		p.edge(CTS) // before the next wait has begun: no hint
		r.after(recheck).want(DCD, 0)
	})
}

func TestWatcherIsIdle(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.after(time.Minute)
		before := p.readings()
		r.after(time.Hour)
		if n := p.readings() - before; n != 3600 {
			r.Errorf("%d readings in an idle hour, want 3600", n)
		}
	})
}

func TestWatcherPollsWhereItMust(t *testing.T) {
	t.Parallel()
	none := make(chan struct{})
	close(none)
	for _, tt := range []struct {
		name, cable string
		port        *fakePort
		toggle      Lines
	}{
		{"a cable that reads RI", "nut-1", &fakePort{counted: true}, RI},
		{"a driver that can't wait", "liebert-powersure", &fakePort{hints: none}, CTS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			watched(t, tt.cable, tt.port, func(r *rig) {
				r.after(time.Minute).want(0, 0)
				tt.port.edge(tt.toggle)
				r.after(fastPoll).want(tt.toggle, 0)
			})
		})
	}
}

func TestWatcherOutlivesABusyHint(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.want(DCD, 0)
		n := 0
		for n < 10*vainHints && p.hint() {
			n++
		}
		if n != vainHints {
			r.Errorf("%d hints for nothing were taken, want %d", n, vainHints)
		}
		p.edge(CTS)
		r.after(2*fastPoll).want(CTS|DCD, 0)
	})
}

func TestWatcherCountsPulses(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.want(DCD, 0)
		p.edge(CTS)
		p.edge(CTS)
		p.hint()
		r.want(DCD, 2)
		for range 3 {
			p.edge(CTS)
		}
		p.hint()
		r.want(CTS|DCD, 4)
		p.edge(DSR) // not a line of this cable: a change to show, no pulse to count
		p.edge(DSR)
		p.edge(DSR)
		r.after(netPoll).want(CTS|DSR|DCD, 4)
		r.after(time.Minute).wantNone()
	})
}

func TestWatcherMakesUpNoPulse(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.after(time.Minute).want(DCD, 0)
		p.change(func() { p.inRead = func() { p.toggle(CTS) } })
		p.hint()
		r.want(CTS|DCD, 0)
		r.after(time.Minute).wantNone()
	})
}

func TestWatcherOnADriverThatDoesNotCount(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.want(DCD, 0)
		p.change(func() { p.lines |= CTS })
		p.hint()
		r.want(CTS|DCD, 0)
		p.change(func() { p.counted, p.counts = true, Counters{7, 7, 7, 7} }) // it counts after all
		p.hint()
		p.change(func() { p.counted = false }) // and fails again
		p.hint()
		if s := <-r.w.Samples(); s.Pulses > 14 {
			r.Errorf("%d pulses out of counters that could not be read", s.Pulses)
		}
	})
}

func TestWatcherCountsOneEdgeOfRI(t *testing.T) {
	t.Parallel()
	p := &fakePort{counted: true}
	watched(t, "nut-1", p, func(r *rig) {
		r.want(0, 0)
		p.edge(RI)
		r.after(fastPoll).want(RI, 0)
		p.edge(RI)
		r.after(fastPoll).want(0, 0)
		p.edge(RI)
		p.edge(RI)
		r.after(fastPoll).want(0, 1)
	})
}

func TestLostPortIsBlindAndComesBack(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.want(DCD, 0)
		p.edge(CTS)
		p.edge(CTS)
		p.hint()
		r.want(DCD, 2)
		r.after(time.Minute)
		p.change(func() { p.lost = fmt.Errorf("%w: EIO", ErrLost) })
		r.plugged(nil, ErrMissing)
		p.hint()
		r.wantBlind(ErrLost)
		if !p.closed {
			r.Error("the dead port was not closed")
		}
		r.after(10 * time.Minute).wantBlind(ErrMissing)

		r.plugged(nil, ErrMissing)
		r.after(time.Hour)
		for i := 1; i < len(r.opens); i++ {
			if gap := r.opens[i].Sub(r.opens[i-1]); gap > retryMax || gap < retryMax/2 {
				r.Fatalf("attempts are %v apart, want %v to %v", gap, retryMax/2, retryMax)
			}
		}
		if n := strings.Count(r.log.String(), ErrMissing.Error()); n != 1 {
			r.Errorf("the reason was logged %d times, want once", n)
		}
		<-r.w.Samples()

		r.plugged(&fakePort{lines: CTS | DCD, counted: true, counts: Counters{9, 9, 9, 9}}, nil)
		r.after(retryMax).want(CTS|DCD, 2)
		r.after(time.Minute).wantNone()
	})
}

func TestHintsThatEndWithThePort(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.after(500*time.Millisecond).want(DCD, 0)
		p.change(func() { p.lost = ErrLost })
		r.plugged(nil, ErrMissing)
		close(p.hints)
		synctest.Wait()
		r.wantBlind(ErrLost)
	})
}

func TestPortThatDiesAtOnceBacksOff(t *testing.T) {
	t.Parallel()
	p := &fakePort{lost: ErrLost}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.after(time.Hour)
		if n := len(r.opens); n > 3600/2 || n < 3600/5 {
			r.Errorf("%d opens in an hour, each of which pulses the lines", n)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for n := range 100 {
		d := retryAfter(n)
		limit := retryMax
		if n < 5 { // 3.2 s, and the next would be 6.4 s
			limit = retryMin << n
		}
		if d > limit || d < limit/2 {
			t.Errorf("after %d failures %v, want %v to %v", n, d, limit/2, limit)
		}
		seen[d] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d different waits in 100: no jitter", len(seen))
	}
}

func TestCachingDriverIsBlindAtFirst(t *testing.T) {
	t.Parallel()
	t.Run("until it changes", func(t *testing.T) {
		t.Parallel()
		p := &fakePort{cache: "pl2303"}
		watched(t, "nut-7", p, func(r *rig) {
			r.wantBlind(ErrSettling)
			r.after(time.Second).wantNone()
			p.hint()
			r.wantNone() // a hint is no change
			p.change(func() { p.lines |= CTS | DCD })
			r.after(fastPoll).want(CTS|DCD, 0)
		})
	})
	t.Run("for three seconds", func(t *testing.T) {
		t.Parallel()
		p := &fakePort{cache: "pl2303"}
		watched(t, "nut-7", p, func(r *rig) {
			r.wantBlind(ErrSettling)
			r.after(settling - fastPoll).wantNone()
			r.after(2*fastPoll).want(0, 0)
			before := p.readings()
			r.after(time.Minute)
			if n := p.readings() - before; n > 61 {
				r.Errorf("%d readings in a minute once settled, want 60", n)
			}
		})
	})
}

// Law 4: whoever else plays with the outputs, they are set back.
func TestLaw04OutputsAreSetBack(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true}
	watched(t, "liebert-powersure", p, func(r *rig) { // idle: DTR
		r.after(time.Minute)
		if p.idles != 0 {
			r.Fatalf("the outputs were set %d times for nothing", p.idles)
		}
		for range 10 { // another program opens the port again and again
			p.change(func() { p.lines |= RTS })
			r.after(netPoll + recheck)
			if p.lines&Outputs != DTR {
				r.Fatalf("outputs %v, want DTR", p.lines&Outputs)
			}
		}
	})
}

func TestOutputsThatCanNotBeReadAreLeftAlone(t *testing.T) {
	t.Parallel()
	p := &fakePort{lines: DCD, counted: true, deaf: true}
	watched(t, "liebert-powersure", p, func(r *rig) {
		r.after(time.Hour)
		if p.idles != idleTries {
			r.Errorf("the outputs were set %d times, want %d", p.idles, idleTries)
		}
		if n := strings.Count(r.log.String(), "another program"); n != 1 {
			r.Errorf("logged %d times, want once", n)
		}
	})
}

func TestWatcherSaysItsName(t *testing.T) {
	t.Parallel()
	if got := NewWatcher(WatcherOptions{Path: "/dev/ttyS0"}).String(); got != "line /dev/ttyS0" {
		t.Errorf("String = %q", got)
	}
}
