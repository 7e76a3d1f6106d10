package line

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// probed runs test with a Probe on the port, in a bubble. It returns how Run ended.
func probed(t *testing.T, o ProbeOptions, port *fakePort, test func(ctx context.Context, p *Probe)) (ended error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cable := probing(o)
		open := func(string, Cable) (Opened, error) {
			if port == nil {
				return Opened{}, ErrMissing
			}
			port.hints = make(chan struct{})
			_ = port.Drive(cable.Idle())
			return Opened{Port: port, Hints: port.hints, Cache: port.cache}, nil
		}
		p := newProbe(NewWatcher(WatcherOptions{Path: "/dev/fake", Cable: cable, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Open: open}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		synctest.Wait()
		test(ctx, p)
		cancel()
		ended = <-done
		if port != nil && !port.closed {
			t.Error("the port was left open")
		}
	})
	return ended
}

// next returns the change that is there, without its time.
func next(t *testing.T, p *Probe) Change {
	t.Helper()
	select {
	case c := <-p.Changes():
		return c
	default:
		t.Fatal("no change was told")
		return Change{}
	}
}

func TestProbeTellsEveryChange(t *testing.T) {
	t.Parallel()
	port := &fakePort{lines: DCD, counted: true}
	err := probed(t, ProbeOptions{}, port, func(_ context.Context, p *Probe) {
		if c := next(t, p); c.Lines != DCD || c.Was != DCD || c.Err != nil {
			t.Errorf("first %+v", c)
		}
		began := time.Now()
		for range 200 { // more than any mailbox of one could hold
			port.edge(CTS)
			time.Sleep(2 * fastPoll) // the bubble's
		}
		synctest.Wait()
		for i := range 200 {
			c := next(t, p)
			if rose := i%2 == 0; (c.Rose() == CTS) != rose || (c.Fell() == CTS) == rose {
				t.Fatalf("change %d: %v rose, %v fell", i, c.Rose(), c.Fell())
			}
			if late := c.At.Sub(began.Add(time.Duration(i) * 2 * fastPoll)); late < 0 || late > fastPoll {
				t.Fatalf("change %d was timed %v late", i, late)
			}
		}
		port.edge(RI)
		port.edge(RI) // over before it could be read; only its fall is counted
		time.Sleep(fastPoll)
		synctest.Wait()
		if c := next(t, p); c.Pulses != 1 || c.Rose()|c.Fell() != 0 {
			t.Errorf("a pulse: %+v", c)
		}
	})
	if err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestLaw04ProbeDrivesWhatItWasTold: the outputs stand at what was asked for from the
// open on, and go to other levels in one step.
func TestLaw04ProbeDrivesWhatItWasTold(t *testing.T) {
	t.Parallel()
	port := &fakePort{lines: DTR | RTS} // as the kernel's open leaves them
	err := probed(t, ProbeOptions{}, port, func(ctx context.Context, p *Probe) {
		if c := next(t, p); c.Lines != 0 {
			t.Errorf("a port of unknown cable opens with %v", c.Lines)
		}
		before := port.idles
		if err := p.Drive(ctx, RTS|CTS); err != nil {
			t.Fatal(err)
		}
		if c := <-p.Changes(); c.Rose() != RTS || c.Lines != RTS {
			t.Errorf("driven: %+v", c)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if port.idles != before+1 || port.lines != RTS {
			t.Errorf("%d calls for one step, lines %v", port.idles-before, port.lines)
		}
		port.change(func() { port.lines = DTR }) // a meddler
		time.Sleep(time.Second)
		synctest.Wait()
		if port.lines != RTS {
			t.Errorf("a meddler's levels stay: %v", port.lines)
		}
	})
	if err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestProbeEndsWithItsPort(t *testing.T) {
	t.Parallel()
	port := &fakePort{}
	err := probed(t, ProbeOptions{}, port, func(ctx context.Context, p *Probe) {
		port.change(func() { port.lost = ErrLost })
		time.Sleep(time.Minute)
		synctest.Wait()
		for range p.Changes() { // it is closed
		}
		if err := p.Drive(ctx, DTR); !errors.Is(err, errProbeEnded) {
			t.Errorf("Drive of a lost port: %v", err)
		}
	})
	if !errors.Is(err, ErrLost) {
		t.Errorf("Run = %v, want %v", err, ErrLost)
	}
	if err := probed(t, ProbeOptions{}, nil, func(context.Context, *Probe) {}); !errors.Is(err, ErrMissing) {
		t.Errorf("Run on no port = %v, want %v", err, ErrMissing)
	}
}

func TestProbeOfADriverThatDoesNotKnowYet(t *testing.T) {
	t.Parallel()
	port := &fakePort{cache: "pl2303"}
	_ = probed(t, ProbeOptions{}, port, func(_ context.Context, p *Probe) {
		if c := next(t, p); !errors.Is(c.Err, ErrSettling) {
			t.Errorf("first %+v", c)
		}
		port.edge(CTS)
		time.Sleep(fastPoll)
		synctest.Wait()
		if c := next(t, p); c.Err != nil || c.Lines != CTS || c.Was != CTS {
			t.Errorf("the first reading came as a change: %+v", c)
		}
	})
}

// TestLaw04ProbedCables: whatever is to be held, the port is parked only where a fall
// of both outputs is no kill on any known cable that stands so, and a known cable is
// treated as the master treats it.
func TestLaw04ProbedCables(t *testing.T) {
	t.Parallel()
	for _, hold := range []Lines{0, DTR, RTS, DTR | RTS} {
		c := probing(ProbeOptions{Hold: hold})
		if c.Idle() != hold || c.Parkable() != (hold == 0) || c.Reads() != Inputs {
			t.Errorf("unknown, holding %v: idle %v, parkable %v, reads %v", hold, c.Idle(), c.Parkable(), c.Reads())
		}
	}
	for _, known := range Catalogue() {
		c := probing(ProbeOptions{Cable: known, Hold: DTR | RTS})
		if c.Idle() != known.Idle() || c.Parkable() != known.Parkable() || c.Reads() != Inputs {
			t.Errorf("%s: idle %v, parkable %v, reads %v", known.Name, c.Idle(), c.Parkable(), c.Reads())
		}
	}
}
