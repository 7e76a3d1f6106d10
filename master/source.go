package master

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
)

// sample is what a source says at one moment.
type sample struct {
	signals power.Signals
	lines   []string // the lines that are high, for people
	soon    bool     // blind only until the driver knows the lines
}

// source is where a UPS's signals come from: a tty, a simulation.
type source interface {
	// Run reads until ctx ends; it comes back from every fault by itself.
	Run(ctx context.Context) error
	// Samples is of size one, the newest wins; each is the full present picture.
	Samples() <-chan sample
	// String names the source, for people and the log.
	String() string
}

var (
	_ source = (*lineSource)(nil)
	_ source = (*simSource)(nil)
	_ source = noSource{}
)

// lineSource decodes the lines of a tty by the cable.
type lineSource struct {
	watcher *line.Watcher
	cable   line.Cable
	port    string
	out     chan sample
}

func newLineSource(o line.WatcherOptions) *lineSource {
	return &lineSource{watcher: line.NewWatcher(o), cable: o.Cable, port: o.Path, out: make(chan sample, 1)}
}

// String names the port and the cable.
func (s *lineSource) String() string { return fmt.Sprintf("%s by cable %s", s.port, s.cable.Name) }

// Samples implements source.
func (s *lineSource) Samples() <-chan sample { return s.out }

// Run implements source.
func (s *lineSource) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.watcher.Run(ctx) }()
	for {
		select {
		case in := <-s.watcher.Samples():
			out := sample{lines: in.Lines.Names()}
			if in.Err != nil {
				out = sample{signals: power.Signals{Blind: true, Reason: in.Err.Error()}, soon: errors.Is(in.Err, line.ErrSettling)}
			} else {
				out.signals = s.cable.Decode(in.Lines)
			}
			out.signals.Pulses = in.Pulses
			offer(s.out, out)
		case err := <-ended:
			return err
		}
	}
}

// simSource says what an operator told it to say; OK until then.
type simSource struct {
	out chan sample

	mu     sync.Mutex // guards status
	status power.Status
}

func newSimSource() *simSource {
	s := &simSource{out: make(chan sample, 1)}
	_ = s.set(power.OK)
	return s
}

// String implements source.
func (s *simSource) String() string { return "sim" }

// Samples implements source.
func (s *simSource) Samples() <-chan sample { return s.out }

// Run implements source: there is nothing to read.
func (s *simSource) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// set makes the simulated UPS say st.
func (s *simSource) set(st power.Status) error {
	var sig power.Signals
	switch st {
	case power.OK:
	case power.Fail:
		sig.OnBattery = true
	case power.BatLow:
		sig.OnBattery, sig.Low = true, true
	default:
		return errors.New("a simulated UPS can be ok, fail or batlow")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = st
	offer(s.out, sample{signals: sig})
	return nil
}

// noSource is a UPS whose port is not configured: blind for ever, and says so.
type noSource struct{}

// String implements source.
func (noSource) String() string { return "no port" }

// Samples implements source: it never has one.
func (noSource) Samples() <-chan sample { return nil }

// Run implements source.
func (noSource) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// offer puts s into a mailbox of size one in place of what lies there. Its one
// writer at a time is the caller's duty.
func offer(c chan sample, s sample) {
	for {
		select {
		case c <- s:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}
