//go:build linux && (amd64 || arm64)

package vtty

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// TTY is one serial port. Its far end is the test's.
type TTY struct {
	tb    testing.TB
	path  string
	start time.Time
	done  chan struct{}

	mu      sync.Mutex // guards all below, and the UPS behind the port
	pty     *pty       // nil while the adapter is out
	excl    bool       // TIOCEXCL
	shared  bool       // it keeps nobody out
	b0      bool       // the termios stands at B0
	hupcl   bool
	brk     bool // a break is on
	out, in line.Lines
	counts  counts
	waiters []*waiter
	refused map[string]bool
	peer    *UPS
	boards  []*board
	events  []Event
	news    chan struct{} // closed at the next event
}

// counts is what TIOCGICOUNT answers (struct serial_icounter_struct, linux/serial.h).
type counts struct {
	CTS, DSR, RI, DCD      int32
	RX, TX                 int32
	Frame, Overrun, Parity int32
	Breaks, BufferOverrun  int32
	reserved               [9]int32
}

// waiter is one call that is answered later.
type waiter struct {
	call  *call
	ready func() bool            // t.mu is held
	reply func(errno unix.Errno) // t.mu is held; 0 is success
}

// New makes a port with all its lines low, and takes it away, with every program
// that still runs on it, when the test ends.
func New(tb testing.TB) *TTY {
	tb.Helper()
	t := &TTY{
		tb: tb, path: filepath.Join(tb.TempDir(), "usb-Lastwatt_Virtual_UPS_port-if00-port0"),
		start: time.Now(), done: make(chan struct{}),
		refused: map[string]bool{}, news: make(chan struct{}),
	}
	t.mu.Lock()
	t.plug()
	t.mu.Unlock()
	go t.bury()
	tb.Cleanup(t.close)
	return t
}

// Path is where programs find the port: a link whose name stays when the adapter
// is pulled and put back, as in /dev/serial/by-id.
func (t *TTY) Path() string { return t.path }

// SetInputs sets the lines that the program reads. Not to be used on a port with
// a [UPS], which sets them itself.
func (t *TTY) SetInputs(in line.Lines) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setInputs(in & line.Inputs)
}

// Inputs returns the lines that the program reads.
func (t *TTY) Inputs() line.Lines {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.in
}

// Outputs returns the lines that the program drives.
func (t *TTY) Outputs() line.Lines {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	return t.out
}

// IsOpen reports whether any program has the port open.
func (t *TTY) IsOpen() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	return t.pty != nil && t.pty.open.Load()
}

// Refuse makes the port answer the named ioctls with ENOTTY, as drivers do that
// lack them: cp210x has no TIOCMIWAIT, pl2303 and ch341 have no TIOCGICOUNT.
func (t *TTY) Refuse(calls ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range calls {
		t.refused[c] = true
	}
}

// Share makes the port open to all who try, as if each were root, whom TIOCEXCL
// doesn't keep out.
func (t *TTY) Share() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shared = true
}

// Unplug pulls the adapter out of the machine: the path disappears, every call
// on the port fails with EIO.
func (t *TTY) Unplug() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pty == nil {
		return
	}
	t.settle()
	os.Remove(t.path)
	t.pty.close()
	t.pty, t.excl, t.brk = nil, false, false
	was := t.out
	t.out = 0
	t.record(Event{Kind: Unplug}, was)
	t.tell()
	for _, w := range t.waiters {
		w.reply(unix.EIO)
	}
	t.waiters = nil
}

// Replug puts the adapter back: a new port, as it comes out of the box, under the
// same path.
func (t *TTY) Replug() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pty != nil {
		return
	}
	t.plug()
	t.record(Event{Kind: Plug}, 0)
	t.tell()
}

// plug makes the pty and the link to it. t.mu is held.
func (t *TTY) plug() {
	t.tb.Helper()
	p, err := openPTY()
	if err != nil {
		t.tb.Fatalf("vtty: cannot make a pseudo-terminal: %v", err)
	}
	next := t.path + ".new" // a rename puts it there at once and whole
	if err := os.Symlink(p.name, next); err != nil {
		t.tb.Fatalf("vtty: %v", err)
	}
	if err := os.Rename(next, t.path); err != nil {
		t.tb.Fatalf("vtty: %v", err)
	}
	t.pty, t.counts, t.b0, t.hupcl = p, counts{}, false, true
	go p.watch(t)
}

// close ends every program on the port and the port.
func (t *TTY) close() {
	close(t.done)
	t.mu.Lock()
	boards := t.boards
	t.mu.Unlock()
	for _, b := range boards {
		b.close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pty != nil {
		t.pty.master.Close()
		t.pty = nil
	}
	if t.peer != nil {
		t.peer.stop()
	}
}

// bury forgets waiting calls whose callers died or were interrupted.
func (t *TTY) bury() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-t.done:
			return
		case <-tick.C:
		}
		t.mu.Lock()
		t.dismiss(func(w *waiter) bool { return !w.call.alive() })
		t.mu.Unlock()
	}
}

// dismiss ends the waiters that match. t.mu is held.
func (t *TTY) dismiss(match func(*waiter) bool) {
	keep := t.waiters[:0]
	for _, w := range t.waiters {
		if match(w) {
			w.reply(unix.EINTR) // nobody listens any more; frees what it holds
			continue
		}
		keep = append(keep, w)
	}
	t.waiters = keep
}

// setInputs changes the inputs, counts the edges, and wakes who waits for them.
// t.mu is held.
func (t *TTY) setInputs(in line.Lines) {
	edges := t.in ^ in
	if edges == 0 {
		return
	}
	fell := edges & t.in
	t.in = in
	for _, c := range []struct {
		hit bool
		n   *int32
	}{
		{edges&line.CTS != 0, &t.counts.CTS},
		{edges&line.DSR != 0, &t.counts.DSR},
		{edges&line.DCD != 0, &t.counts.DCD},
		{fell&line.RI != 0, &t.counts.RI}, // TERI: a 16550 tells only the trailing edge
	} {
		if c.hit {
			*c.n++
		}
	}
	t.wake()
	t.record(Event{Kind: Input}, t.out)
}

// wake answers the waiters whose time has come. t.mu is held.
func (t *TTY) wake() {
	keep := t.waiters[:0]
	for _, w := range t.waiters {
		if w.ready() {
			w.reply(0)
			continue
		}
		keep = append(keep, w)
	}
	t.waiters = keep
}

// setOutputs changes the outputs and logs why. t.mu is held.
func (t *TTY) setOutputs(out line.Lines, why Event) {
	was := t.out
	t.out = out & line.Outputs
	t.record(why, was)
	if was != t.out {
		t.tell()
	}
}

// setBreak begins or ends a break. t.mu is held.
func (t *TTY) setBreak(on bool, pid int) {
	if t.brk == on {
		return
	}
	t.brk = on
	kind := Unbreak
	if on {
		kind = Break
		t.counts.Breaks++
	}
	t.record(Event{Kind: kind, PID: pid}, t.out)
	t.tell()
}

// tell lets the UPS look at the port's outputs. t.mu is held.
func (t *TTY) tell() {
	if t.peer != nil {
		t.peer.look()
	}
}

// settle takes note of data sent and of the last close, which the kernel tells
// only at the pty's other end. t.mu is held.
func (t *TTY) settle() {
	if t.pty == nil {
		return
	}
	data, hup := t.pty.drain()
	if len(data) > 0 {
		t.counts.TX += int32(len(data))
		t.record(Event{Kind: Data, Data: data}, t.out)
		if t.peer != nil {
			t.peer.hear(data)
		}
	}
	if !hup || !t.pty.open.Load() {
		return
	}
	t.pty.open.Store(false)
	t.excl, t.brk = false, false
	out := t.out
	if t.hupcl {
		out = 0
	}
	t.setOutputs(out, Event{Kind: Close})
}
