//go:build linux && (amd64 || arm64)

package vtty

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pty is the pseudo-terminal under a port, from its master's side.
type pty struct {
	master *os.File
	fd     int
	name   string // "/dev/pts/3"
	dev    uint64
	ino    uint64
	open   atomic.Bool // a program has the port open
}

// openPTY makes a pty whose termios is that of a serial port just plugged in.
func openPTY() (*pty, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/ptmx: %w", err)
	}
	p := &pty{master: os.NewFile(uintptr(fd), "/dev/ptmx"), fd: fd}
	if err := p.setUp(); err != nil {
		p.master.Close()
		return nil, err
	}
	return p, nil
}

func (p *pty) setUp() error {
	if err := unix.IoctlSetPointerInt(p.fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("cannot unlock the pty: %w", err)
	}
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("cannot ask the pty's number: %w", err)
	}
	p.name = fmt.Sprintf("/dev/pts/%d", n)
	var st unix.Stat_t
	if err := unix.Stat(p.name, &st); err != nil {
		return fmt.Errorf("cannot look at %s: %w", p.name, err)
	}
	p.dev, p.ino = st.Dev, st.Ino
	tio, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("cannot read the termios: %w", err)
	}
	// As the serial core registers its drivers: B9600|CS8|CREAD|HUPCL|CLOCAL.
	tio.Cflag = unix.B9600 | unix.CS8 | unix.CREAD | unix.HUPCL | unix.CLOCAL
	if err := unix.IoctlSetTermios(p.fd, unix.TCSETS, tio); err != nil {
		return fmt.Errorf("cannot set the termios: %w", err)
	}
	return nil
}

// close hangs up the slave. A child between fork and exec would keep a copy of the
// master and put that off, hence the lock.
func (p *pty) close() {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	p.master.Close()
}

// is reports whether st is this pty's slave. Its number is not given to another one
// while a file of it is open anywhere.
func (p *pty) is(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Dev == p.dev && st.Ino == p.ino
}

// cflag returns the port's control flags. A master's termios calls act on its slave.
func (p *pty) cflag() uint32 {
	tio, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		return 0
	}
	return tio.Cflag
}

// setTermios carries out a program's TCSETS or one of its kin, whose bytes these are.
func (p *pty) setTermios(req uint, termios []byte) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), uintptr(req), uintptr(unsafe.Pointer(&termios[0])))
	return errno
}

// drain returns what the programs sent, and whether none has the port open.
func (p *pty) drain() (data []byte, hup bool) {
	var buf [4096]byte
	for {
		n, err := unix.Read(p.fd, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 || err != nil {
			return data, errors.Is(err, unix.EIO) // EIO: no slave is open
		}
		data = append(data, buf[:n]...)
	}
}

// watch settles the port whenever the pty's other end does something, until the
// master is closed.
func (p *pty) watch(t *TTY) {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return
	}
	for {
		// No lock is taken in there: closing the master waits for it to return. The
		// error is that the master was closed, which is how this ends.
		if err := raw.Read(func(uintptr) bool { return p.stirred() }); err != nil {
			return
		}
		t.mu.Lock()
		if t.pty == p {
			t.settle()
		}
		t.mu.Unlock()
	}
}

// stirred reports whether there is something to settle. Between the last close
// and the next open the master reads as hung up all the time, which is no news.
func (p *pty) stirred() bool {
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return true
	}
	return fds[0].Revents&unix.POLLIN != 0 || fds[0].Revents&unix.POLLHUP != 0 && p.open.Load()
}
