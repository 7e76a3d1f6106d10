//go:build linux && (amd64 || arm64)

package vtty

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// Kind is what an [Event] is about.
type Kind string

// The kinds of events.
const (
	Open    Kind = "open"    // a program opened the port
	Close   Kind = "close"   // the last program that had it open closed it
	Ioctl   Kind = "ioctl"   // a program made the call Event.Call on the port
	Break   Kind = "break"   // a break on TxD began
	Unbreak Kind = "unbreak" // it ended
	Data    Kind = "data"    // a program sent Event.Data
	Input   Kind = "input"   // the other side changed an input
	Unplug  Kind = "unplug"  // the adapter was pulled out
	Plug    Kind = "plug"    // it was put back
)

// Event is one thing that happened on the port.
type Event struct {
	// At is when, on a monotonic clock that starts at zero in [New].
	At time.Duration
	// PID is the process that did it; 0 where it was nobody's call.
	PID  int
	Kind Kind
	// Call is the ioctl's name ("TIOCMSET"), or its number where it has none here.
	Call string
	// Was and Lines are the outputs before and after; Inputs the inputs after.
	Was, Lines, Inputs line.Lines
	// B0 and HUPCL are the port's termios after it.
	B0, HUPCL bool
	// Data is what was sent.
	Data []byte
}

// Output reports whether e is something that the UPS at the other end can see:
// a changed output, a break, or data.
func (e Event) Output() bool {
	return e.Was != e.Lines || e.Kind == Break || e.Kind == Unbreak || e.Kind == Data
}

// String tells e in one line.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9.3fms %-7s", float64(e.At)/float64(time.Millisecond), e.Kind)
	if e.Call != "" {
		b.WriteString(" " + e.Call)
	}
	if e.PID != 0 {
		fmt.Fprintf(&b, " by %d", e.PID)
	}
	if e.Kind == Data {
		fmt.Fprintf(&b, " %.40q", e.Data)
	}
	fmt.Fprintf(&b, " out %s", e.Lines)
	if e.Was != e.Lines {
		fmt.Fprintf(&b, " (was %s)", e.Was)
	}
	fmt.Fprintf(&b, " in %s", e.Inputs)
	if e.B0 {
		b.WriteString(" B0")
	}
	if e.HUPCL {
		b.WriteString(" HUPCL")
	}
	return b.String()
}

// record logs an event with the port's present state. t.mu is held.
func (t *TTY) record(e Event, was line.Lines) {
	e.At = time.Since(t.start)
	e.Was, e.Lines, e.Inputs = was, t.out, t.in
	e.B0, e.HUPCL = t.b0, t.hupcl
	t.events = append(t.events, e)
	close(t.news)
	t.news = make(chan struct{})
}

// Events returns all that has happened so far, oldest first.
func (t *TTY) Events() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	return append([]Event(nil), t.events...)
}

// Now is the present moment on the clock of [Event.At].
func (t *TTY) Now() time.Duration { return time.Since(t.start) }

// WaitEvent returns the first event for which pred is true, of those that have
// happened and those to come, or the context's error.
func (t *TTY) WaitEvent(ctx context.Context, pred func(Event) bool) (Event, error) {
	for seen := 0; ; {
		t.mu.Lock()
		t.settle()
		fresh, news := t.events[seen:], t.news
		t.mu.Unlock()
		for _, e := range fresh {
			if pred(e) {
				return e, nil
			}
		}
		seen += len(fresh)
		select {
		case <-ctx.Done():
			return Event{}, fmt.Errorf("no such event on the port: %w", context.Cause(ctx))
		case <-news:
		}
	}
}
