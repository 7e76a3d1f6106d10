package line

import (
	"errors"
	"fmt"
	"log/slog"
)

// What can be wrong with a port. The errors that a [Watcher] tells wrap one of
// these, or are a [*HeldError], and say what to do.
var (
	ErrMissing      = errors.New("no such port")
	ErrNotTTY       = errors.New("not a serial port")
	ErrPermission   = errors.New("permission denied")
	ErrNoModemLines = errors.New("its driver has no modem lines")
	ErrLost         = errors.New("the port is gone")
	// ErrSettling: the driver answers from a memory that starts empty, and no
	// change has filled it yet.
	ErrSettling = errors.New("the driver does not know the lines yet")
)

// HeldError says that another process has the port and lets nobody else in.
type HeldError struct {
	PID  int    // 0: can't be seen
	Name string // of the process; empty: can't be seen
}

// Error implements error.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return "held by another process"
	}
	return fmt.Sprintf("held by %s (pid %d)", e.Name, e.PID)
}

// cannotOpen is the one form of a failed open: what, why, what to do.
func cannotOpen(path string, cause error, fix string) error {
	return fmt.Errorf("cannot open %s: %w; %s", path, cause, fix)
}

// Handle is one open serial port, as a [Watcher] needs it. It has one user.
type Handle interface {
	// Levels reads the levels of all lines, inputs and outputs.
	Levels() (Lines, error)
	// Counters returns how often each input has changed; false: nobody counts.
	Counters() (Counters, bool)
	// Drive sets the outputs to these levels.
	Drive(outputs Lines) error
	// Close ends the use of the port and everything that waits on it. The
	// outputs stay as they are.
	Close()
}

// Opened is a port and what is known about it.
type Opened struct {
	Port Handle
	// Hints delivers a value when a line has probably changed. It is closed when
	// no more will come, which may be at once.
	Hints <-chan struct{}
	// Cache names the driver if it answers from a memory that starts empty.
	Cache string
}

// Opener opens the port at path. Its outputs stand at the cable's idle levels when
// it returns, from the first call that could change them.
type Opener func(path string, c Cable) (Opened, error)

// OpenPort is the [Opener] of this system's serial ports, for who needs one without a
// [Watcher].
func OpenPort(path string, c Cable) (Opened, error) {
	return openPort(WatcherOptions{Path: path, Cable: c, Log: slog.New(slog.DiscardHandler)}, nil)
}

// Counters is how often CTS, DSR, RI and DCD have changed, in the order of the
// kernel's struct serial_icounter_struct (linux/serial.h). It wraps around.
type Counters [4]uint32

// counted are the lines in the order of Counters.
func counted() [4]Lines { return [4]Lines{CTS, DSR, RI, DCD} }

// edges compares what was counted with what was seen, so that no pulse is lost
// silently.
type edges struct {
	reads Lines // lines that matter
	seen  Lines // levels at the last step
	last  Counters
	// owed is, per line, changes counted less changes seen. It may be negative
	// for a while: the counters are read before the levels, so that it never says
	// more than there was.
	owed [4]int64
}

// step takes the counters and then the levels of one reading and returns how many
// changes have been counted but never seen since the last step.
func (e *edges) step(c Counters, now Lines) (hidden uint32) {
	for i, one := range counted() {
		if e.reads&one == 0 {
			continue
		}
		e.owed[i] += int64(c[i] - e.last[i])
		if (now^e.seen)&one != 0 {
			e.owed[i]--
		}
		// A 16550 counts only RI's trailing edge and other chips both (TERI), so a
		// debt on RI says nothing about the next step.
		if one == RI && e.owed[i] < 0 {
			e.owed[i] = 0
		}
		if e.owed[i] > 0 {
			hidden += uint32(e.owed[i])
			e.owed[i] = 0
		}
	}
	e.last, e.seen = c, now
	return hidden
}
