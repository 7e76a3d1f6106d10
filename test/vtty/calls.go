//go:build linux && (amd64 || arm64)

package vtty

import (
	"encoding/binary"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// answer answers a trapped call: its own ports' calls itself, all others by the
// kernel.
func (b *board) answer(c *call) {
	if b.disk != nil && b.disk.take(c) {
		return
	}
	var st unix.Stat_t
	dirfd, path, flags, isOpen := c.opens()
	switch {
	case !isOpen && c.nr != unix.SYS_IOCTL, len(b.ttys) == 0:
		c.pass()
		return
	case isOpen && flags&unix.O_PATH != 0: // names the file, doesn't open the device
		c.pass()
		return
	case isOpen:
		if c.statPath(dirfd, path, &st) != nil {
			c.pass()
			return
		}
	case c.statFile(int32(c.args[0]), &st) != nil:
		c.pass()
		return
	}
	for _, t := range b.ttys {
		if t.take(c, &st, flags, isOpen) {
			return
		}
	}
	c.pass()
}

// opens returns what c opens and how, if it opens something.
func (c *call) opens() (dirfd int32, path string, flags uint64, ok bool) {
	switch c.nr {
	case sysOpen:
		return unix.AT_FDCWD, c.readPath(c.args[0]), c.args[1], true
	case unix.SYS_OPENAT:
		return int32(c.args[0]), c.readPath(c.args[1]), c.args[2], true
	case unix.SYS_OPENAT2:
		var how [8]byte // struct open_how begins with its flags (linux/openat2.h)
		c.read(c.args[2], how[:])
		return int32(c.args[0]), c.readPath(c.args[1]), binary.NativeEndian.Uint64(how[:]), true
	}
	return 0, "", 0, false
}

// take answers c if it is on this port.
func (t *TTY) take(c *call, st *unix.Stat_t, flags uint64, isOpen bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pty == nil || !t.pty.is(st) || !c.alive() {
		return false
	}
	t.settle()
	if isOpen {
		t.opened(c, flags)
		return true
	}
	req := uint(uint32(c.args[1]))
	name := ioctlName(req)
	if t.refused[name] {
		t.record(Event{Kind: Ioctl, Call: name, PID: c.pid()}, t.out)
		c.done(unix.ENOTTY)
		return true
	}
	t.ioctl(c, req, Event{Kind: Ioctl, Call: name, PID: c.pid()})
	return true
}

// opened opens the port for c. The supervisor does it, so that it knows when the
// port is open, and hands the file over.
func (t *TTY) opened(c *call, flags uint64) {
	if t.excl && !t.shared && !c.admin() {
		c.done(unix.EBUSY)
		return
	}
	// A child between fork and exec would keep a copy of the file, and the program's
	// close would not be the last.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Open(t.pty.name, int(flags)&^(unix.O_CREAT|unix.O_EXCL)|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		c.pass() // and the kernel says the same to it
		return
	}
	t.pty.open.Store(true)
	out := t.out
	if !t.b0 { // tty_port_block_til_ready raises both, unless the port stands at B0
		out |= line.DTR | line.RTS
	}
	t.setOutputs(out, Event{Kind: Open, PID: c.pid()})
	give := func(errno unix.Errno) {
		if errno == 0 {
			c.give(fd, flags&unix.O_CLOEXEC != 0)
		} else {
			c.done(errno)
		}
		unix.Close(fd)
	}
	carrier := func() bool { return t.in&line.DCD != 0 }
	if flags&unix.O_NONBLOCK != 0 || t.pty.cflag()&unix.CLOCAL != 0 || carrier() {
		give(0)
		return
	}
	t.waiters = append(t.waiters, &waiter{call: c, ready: carrier, reply: give})
}

// ioctl answers a call on an open port. ev is its event, not yet logged.
func (t *TTY) ioctl(c *call, req uint, ev Event) {
	arg := c.args[2]
	switch req {
	case unix.TIOCMGET:
		t.record(ev, t.out)
		c.done(c.writeInt(arg, int32(t.out|t.in)))
	case unix.TIOCMSET, unix.TIOCMBIS, unix.TIOCMBIC:
		t.set(c, req, ev)
	case unix.TIOCMIWAIT:
		t.record(ev, t.out)
		t.wait(c, line.Lines(arg))
	case unix.TIOCGICOUNT:
		t.record(ev, t.out)
		buf, _ := binary.Append(nil, binary.NativeEndian, t.counts) // fixed size: can't fail
		c.done(c.write(arg, buf))
	case unix.TIOCSBRK, unix.TIOCCBRK:
		t.record(ev, t.out)
		t.setBreak(req == unix.TIOCSBRK, ev.PID)
		c.done(0)
	case unix.TCSBRK, unix.TCSBRKP:
		t.record(ev, t.out)
		t.timedBreak(c, req, ev.PID)
	case unix.TIOCEXCL, unix.TIOCNXCL:
		t.record(ev, t.out)
		t.excl = req == unix.TIOCEXCL
		c.done(0)
	case unix.TIOCGEXCL:
		t.record(ev, t.out)
		v := int32(0)
		if t.excl {
			v = 1
		}
		c.done(c.writeInt(arg, v))
	default:
		if n := termiosSize(req); n > 0 {
			t.setTermios(c, req, make([]byte, n), ev)
			return
		}
		t.record(ev, t.out)
		c.pass()
	}
}

// set drives the outputs as the program says.
func (t *TTY) set(c *call, req uint, ev Event) {
	v, errno := c.readInt(c.args[2])
	if errno != 0 {
		c.done(errno)
		return
	}
	out := line.Lines(v) & line.Outputs
	switch req {
	case unix.TIOCMBIS:
		out = t.out | out
	case unix.TIOCMBIC:
		out = t.out &^ out
	}
	t.setOutputs(out, ev)
	c.done(0)
}

// wait answers c when one of the inputs of mask has had an edge.
func (t *TTY) wait(c *call, mask line.Lines) {
	was := t.counts
	t.waiters = append(t.waiters, &waiter{
		call: c,
		ready: func() bool {
			n := &t.counts
			return mask&line.CTS != 0 && n.CTS != was.CTS || mask&line.DSR != 0 && n.DSR != was.DSR ||
				mask&line.DCD != 0 && n.DCD != was.DCD || mask&line.RI != 0 && n.RI != was.RI
		},
		reply: c.done,
	})
}

// timedBreak sends a break and answers c at its end: TCSBRK 0 for 250 ms, TCSBRKP
// for tenths of a second; TCSBRK of something else is tcdrain (tty_io.c).
func (t *TTY) timedBreak(c *call, req uint, pid int) {
	d := 250 * time.Millisecond
	switch arg := int32(c.args[2]); {
	case arg != 0 && req == unix.TCSBRK:
		c.pass()
		return
	case arg != 0:
		d = time.Duration(arg) * 100 * time.Millisecond
	}
	t.setBreak(true, pid)
	time.AfterFunc(d, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.setBreak(false, pid)
		c.done(0)
	})
}

// setTermios carries out c on the pty, and does what a serial port does with its
// lines when B0 is set or left (uart_set_termios).
func (t *TTY) setTermios(c *call, req uint, buf []byte, ev Event) {
	errno := c.read(c.args[2], buf)
	if errno == 0 {
		errno = t.pty.setTermios(req, buf)
	}
	if errno != 0 {
		t.record(ev, t.out)
		c.done(errno)
		return
	}
	cflag := t.pty.cflag()
	was, out := t.b0, t.out
	t.b0, t.hupcl = cflag&unix.CBAUD == unix.B0, cflag&unix.HUPCL != 0
	switch {
	case t.b0 && !was:
		out = 0
	case was && !t.b0:
		out = line.DTR | line.RTS
	}
	t.setOutputs(out, ev)
	c.done(0)
}

// termiosSize returns how many bytes the calls that set a termios read
// (asm-generic/termbits.h), 0 for any other call.
func termiosSize(req uint) int {
	switch req {
	case unix.TCSETS, unix.TCSETSW, unix.TCSETSF:
		return 36 // struct termios
	case unix.TCSETS2, unix.TCSETSW2, unix.TCSETSF2:
		return 44 // struct termios2
	case unix.TCSETA, unix.TCSETAW, unix.TCSETAF:
		return 18 // struct termio
	}
	return 0
}

// ioctlName returns the call's name, its number where a test has no word for it.
func ioctlName(req uint) string {
	for _, n := range []struct {
		req  uint
		name string
	}{
		{unix.TIOCMGET, "TIOCMGET"}, {unix.TIOCMSET, "TIOCMSET"}, {unix.TIOCMBIS, "TIOCMBIS"},
		{unix.TIOCMBIC, "TIOCMBIC"}, {unix.TIOCMIWAIT, "TIOCMIWAIT"}, {unix.TIOCGICOUNT, "TIOCGICOUNT"},
		{unix.TIOCSBRK, "TIOCSBRK"}, {unix.TIOCCBRK, "TIOCCBRK"}, {unix.TCSBRK, "TCSBRK"}, {unix.TCSBRKP, "TCSBRKP"},
		{unix.TIOCEXCL, "TIOCEXCL"}, {unix.TIOCNXCL, "TIOCNXCL"}, {unix.TIOCGEXCL, "TIOCGEXCL"},
		{unix.TCGETS, "TCGETS"}, {unix.TCSETS, "TCSETS"}, {unix.TCSETSW, "TCSETSW"}, {unix.TCSETSF, "TCSETSF"},
		{unix.TCGETS2, "TCGETS2"}, {unix.TCSETS2, "TCSETS2"}, {unix.TCSETSW2, "TCSETSW2"}, {unix.TCSETSF2, "TCSETSF2"},
		{unix.TCGETA, "TCGETA"}, {unix.TCSETA, "TCSETA"}, {unix.TCSETAW, "TCSETAW"}, {unix.TCSETAF, "TCSETAF"},
		{unix.TCFLSH, "TCFLSH"}, {unix.TIOCGSERIAL, "TIOCGSERIAL"}, {unix.TIOCINQ, "TIOCINQ"}, {unix.TIOCOUTQ, "TIOCOUTQ"},
	} {
		if n.req == req {
			return n.name
		}
	}
	return fmt.Sprintf("%#x", req)
}
