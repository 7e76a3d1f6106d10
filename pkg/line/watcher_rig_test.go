package line

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakePort is a port in memory.
type fakePort struct {
	mu      sync.Mutex // guards all below
	lines   Lines
	counts  Counters
	counted bool // the driver counts
	hints   chan struct{}
	cache   string
	lost    error
	deaf    bool // the outputs can't be read back
	stuck   bool // the outputs can't be set
	idles   int
	gets    int
	closed  bool
	inRead  func() // happens between the two halves of the next reading
}

func (p *fakePort) Levels() (Lines, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.between()
	p.gets++
	if p.deaf {
		return p.lines &^ Outputs, p.lost
	}
	return p.lines, p.lost
}

func (p *fakePort) Counters() (Counters, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.between()
	return p.counts, p.counted
}

// between does what is to happen after the first half of a reading.
func (p *fakePort) between() {
	if f := p.inRead; f != nil {
		p.inRead = nil
		f()
	}
}

func (p *fakePort) Drive(levels Lines) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idles++
	if !p.stuck {
		p.lines = p.lines&^Outputs | levels
	}
	return nil
}

func (p *fakePort) Close() { p.change(func() { p.closed = true }) }

// change changes the port.
func (p *fakePort) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// readings returns how often the levels have been read.
func (p *fakePort) readings() (n int) {
	p.change(func() { n = p.gets })
	return n
}

// edge changes lines as a driver that counts sees it, without a hint.
func (p *fakePort) edge(toggle Lines) { p.change(func() { p.toggle(toggle) }) }

// toggle is edge for who has the lock.
func (p *fakePort) toggle(toggle Lines) {
	p.lines ^= toggle
	for i, one := range counted() {
		if toggle&one != 0 && (one != RI || p.lines&RI == 0) { // of RI the trailing edge
			p.counts[i]++
		}
	}
}

// hint wakes the Watcher as a waiter does, and only if it listens.
func (p *fakePort) hint() bool {
	synctest.Wait()
	select {
	case p.hints <- struct{}{}:
		synctest.Wait()
		return true
	default:
		return false
	}
}

// rig is a Watcher on fake ports, in a bubble.
type rig struct {
	*testing.T
	w     *Watcher
	log   bytes.Buffer
	mu    sync.Mutex // guards all below
	port  *fakePort  // the one that the next open finds; nil: failure
	err   error      // of that failure
	opens []time.Time
	start time.Time
	stop  context.CancelFunc
}

// watched runs test with a Watcher for the cable running on port.
func watched(t *testing.T, cable string, p *fakePort, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, ok := Lookup(cable)
		if !ok {
			t.Fatal("no such cable")
		}
		r := &rig{T: t, port: p, start: time.Now()}
		open := func(_ string, c Cable) (Opened, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.opens = append(r.opens, time.Now())
			if r.port == nil {
				return Opened{}, r.err
			}
			p := r.port
			p.change(func() {
				p.lines |= c.Idle()
				if p.hints == nil {
					p.hints = make(chan struct{})
				}
			})
			return Opened{Port: p, Hints: p.hints, Cache: p.cache}, nil
		}
		r.w = NewWatcher(WatcherOptions{Path: "/dev/fake", Cable: c, Log: slog.New(slog.NewTextHandler(&r.log, nil)), Open: open})
		ctx, cancel := context.WithCancel(t.Context())
		r.stop = cancel
		done := make(chan error, 1)
		go func() { done <- r.w.Run(ctx) }()
		synctest.Wait()
		test(r)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		if r.port != nil && !r.port.closed {
			t.Error("the port was left open")
		}
	})
}

// plugged puts another port behind the path, or none and what an open then says.
func (r *rig) plugged(p *fakePort, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.port, r.err, r.opens = p, err, nil
}

// after lets d pass.
func (r *rig) after(d time.Duration) *rig {
	time.Sleep(d) // the bubble's time
	synctest.Wait()
	return r
}

// want checks the sample in the mailbox.
func (r *rig) want(inputs Lines, pulses uint32) {
	r.Helper()
	select {
	case s := <-r.w.Samples():
		if s.Err != nil || s.Lines&Inputs != inputs || s.Pulses != pulses {
			r.Errorf("sample %v, %d pulses, err %v; want %v, %d pulses", s.Lines, s.Pulses, s.Err, inputs, pulses)
		}
	default:
		r.Errorf("no sample; want %v, %d pulses", inputs, pulses)
	}
}

func (r *rig) wantBlind(why error) {
	r.Helper()
	select {
	case s := <-r.w.Samples():
		if !errors.Is(s.Err, why) || s.Lines != 0 {
			r.Errorf("sample %v, err %v; want blind: %v", s.Lines, s.Err, why)
		}
	default:
		r.Errorf("no sample; want blind: %v", why)
	}
}

func (r *rig) wantNone() {
	r.Helper()
	select {
	case s := <-r.w.Samples():
		r.Errorf("sample %+v; want none", s)
	default:
	}
}
