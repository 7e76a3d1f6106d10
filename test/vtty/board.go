//go:build linux && (amd64 || arm64)

package vtty

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Command is exec.Command for a program that is to see this port. The caller may
// set all of the command's fields but Path and Args; files in ExtraFiles arrive
// from 3 on. Where LISTEN_FDS is in its environment, LISTEN_PID is set to the
// program's own id.
func (t *TTY) Command(name string, args ...string) *exec.Cmd {
	t.tb.Helper()
	return Command([]*TTY{t}, name, args...)
}

// Command is [TTY.Command] for a program that is to see several ports.
func Command(ttys []*TTY, name string, args ...string) *exec.Cmd {
	ttys[0].tb.Helper()
	return command(ttys[0].tb, ttys, nil, name, args)
}

// command makes the command of a program that is to see ports, a disk, or both.
func command(tb testing.TB, ttys []*TTY, disk *Disk, name string, args []string) *exec.Cmd {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatalf("vtty: cannot find this test's binary: %v", err)
	}
	path, lookErr := exec.LookPath(name)
	if lookErr == nil {
		path, lookErr = filepath.Abs(path)
	}
	// Not in TempDir: a socket's path has 107 bytes (unix(7)).
	dir, err := os.MkdirTemp("", "vtty")
	if err != nil {
		tb.Fatalf("vtty: %v", err)
	}
	b := &board{ttys: ttys, disk: disk, dir: dir}
	b.door, err = net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		tb.Fatalf("vtty: %v", err)
	}
	for _, t := range ttys {
		t.mu.Lock()
		t.boards = append(t.boards, b)
		t.mu.Unlock()
	}
	traps := trapPorts
	if disk != nil {
		traps = trapDisk
		tb.Cleanup(b.close)
	}
	go b.serve()
	cmd := exec.Command(self)
	cmd.Args = append([]string{childMark, filepath.Join(dir, "s"), traps, path, name}, args...)
	cmd.Err = lookErr
	return cmd
}

// board answers the trapped calls of one command and of all that it starts.
type board struct {
	ttys []*TTY
	disk *Disk // nil: none
	dir  string
	door *net.UnixListener // nil: it came in by a [Door]
	away bool              // its programs have a root directory of their own

	mu       sync.Mutex
	closed   bool
	listener *os.File
	fd       int // the listener's
	pidfd    int
}

// serve takes the listener from the child, then answers calls until nobody is
// left who could make one.
func (b *board) serve() {
	conn, err := b.door.AcceptUnix()
	b.door.Close()
	os.RemoveAll(b.dir)
	if err != nil {
		return // never started
	}
	b.welcome(conn)
}

// welcome serves the child at the other end of conn.
func (b *board) welcome(conn *net.UnixConn) {
	fd, pidfd, err := receive(conn)
	if err != nil {
		return // it said on its stderr why it couldn't
	}
	b.mu.Lock()
	b.listener, b.fd, b.pidfd = os.NewFile(uintptr(fd), "seccomp"), fd, pidfd
	closed := b.closed
	b.mu.Unlock()
	if closed {
		b.end()
		return
	}
	raw, err := b.listener.SyscallConn()
	if err == nil {
		_ = raw.Read(func(uintptr) bool { return b.answerAll() }) // ends when closed
	}
	b.end()
}

// receive returns the child's listener and a handle on it.
func receive(conn *net.UnixConn) (listener, pidfd int, err error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, -1, err
	}
	pidfd = -1
	if err := raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pidfd, _ = unix.PidfdOpen(int(cred.Pid), 0)
		}
	}); err != nil {
		return -1, -1, err
	}
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return -1, -1, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return -1, -1, err
	}
	if len(msgs) != 1 {
		return -1, -1, errors.New("no listener arrived")
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		return -1, -1, fmt.Errorf("no listener arrived: %w", err)
	}
	// Non-blocking only for the poller's sake: a listener's calls take no notice.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return -1, -1, err
	}
	return fds[0], pidfd, nil
}

// close kills the program and lets go of the listener; calls that still wait get
// ENOSYS from the kernel then.
func (b *board) close() {
	if b.door != nil {
		b.door.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	if b.listener == nil {
		return
	}
	if b.pidfd >= 0 {
		_ = unix.PidfdSendSignal(b.pidfd, unix.SIGKILL, nil, 0) // it may have ended
	}
	// Close waits for an answer that is being given, and serve for its turn to end.
	go b.listener.Close()
}

// end closes what serve opened.
func (b *board) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listener.Close()
	if b.pidfd >= 0 {
		unix.Close(b.pidfd)
		b.pidfd = -1
	}
}

// notification is struct seccomp_notif (linux/seccomp.h).
type notification struct {
	ID    uint64
	TID   uint32
	Flags uint32
	NR    int32
	Arch  uint32
	IP    uint64
	Args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

// addition is struct seccomp_notif_addfd.
type addition struct {
	ID         uint64
	Flags      uint32
	SrcFD      uint32
	NewFD      uint32
	NewFDFlags uint32
}

// answerAll answers the calls that wait, and reports whether no more can come.
func (b *board) answerAll() bool {
	for {
		fds := []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, 0); err != nil && !errors.Is(err, unix.EINTR) {
			return true
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			return fds[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0
		}
		var n notification
		if errno := b.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); errno != 0 {
			continue // the caller died or was interrupted in between
		}
		b.answer(&call{board: b, id: n.ID, tid: int(n.TID), nr: int(n.NR), args: n.Args})
	}
}

// ioctl makes a call on the listener. All of them wait for a lock, which every
// signal interrupts, and Go's runtime sends itself signals.
func (b *board) ioctl(req uint, arg unsafe.Pointer) unix.Errno {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(b.fd), uintptr(req), uintptr(arg))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// call is one trapped system call. Every call is answered once, in time or later.
type call struct {
	board *board
	id    uint64
	tid   int
	nr    int
	args  [6]uint64
}

// alive reports whether the caller still waits for this call.
func (c *call) alive() bool {
	id := c.id
	return c.board.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == 0
}

// pass lets the kernel carry out the call.
func (c *call) pass() {
	c.send(response{ID: c.id, Flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// done answers the call: 0, or an error.
func (c *call) done(errno unix.Errno) {
	c.send(response{ID: c.id, Error: -int32(errno)})
}

// send gives the answer. It fails only if the caller died or was interrupted;
// then there is nobody to tell.
func (c *call) send(r response) {
	_ = c.board.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
}

// give puts a copy of fd into the caller and answers the call with its number.
func (c *call) give(fd int, cloexec bool) {
	a := addition{ID: c.id, Flags: unix.SECCOMP_ADDFD_FLAG_SEND, SrcFD: uint32(fd)}
	if cloexec {
		a.NewFDFlags = unix.O_CLOEXEC
	}
	// A signal to this thread, and Go's runtime sends them, would end the wait for
	// the caller to take the file after the call counts as answered, and the caller
	// would get 0 in place of a descriptor (seccomp_notify_addfd, kernel/seccomp.c).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		c.done(unix.ENOSYS)
		return
	}
	errno := c.board.ioctl(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a))
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil) // it worked a moment ago
	// The error may be the caller's (no room for another file) or mean that the
	// caller is gone; done then finds that out.
	if errno != 0 {
		c.done(errno)
	}
}
