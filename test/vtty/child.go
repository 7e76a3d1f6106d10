//go:build linux && (amd64 || arm64)

package vtty

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childMark is argv[0] of the re-executed test binary. An argument and not an
// environment variable, so that a test may set the environment as it likes.
const childMark = "lastwatt-vtty-exec"

// What a child's filter traps: the calls of ports alone, or those of disks too.
const (
	trapPorts = "ports"
	trapDisk  = "disk"
)

// Main makes this process the program that [TTY.Command] asked for, if it was
// started for that, and never returns then. Otherwise it does nothing. Call it
// first in TestMain.
func Main() {
	if len(os.Args) < 5 || os.Args[0] != childMark {
		return
	}
	err := become(os.Args[1], os.Args[2] == trapDisk, os.Args[3], os.Args[4:])
	fmt.Fprintf(os.Stderr, "vtty: %v\n", err)
	os.Exit(126) // "found and can't be executed", as a shell says it
}

// become installs the filter, hands its listener to the test that listens at
// socket, and executes path with argv. It returns only if that failed.
func become(socket string, disk bool, path string, argv []string) error {
	// The filter belongs to a thread, and execve keeps the calling thread's.
	runtime.LockOSThread()
	conn, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot make a socket: %w", err)
	}
	if err := unix.Connect(conn, &unix.SockaddrUnix{Name: socket}); err != nil {
		return fmt.Errorf("cannot reach the test at %s: %w", socket, err)
	}
	listener, err := installFilter(filter(disk))
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(conn, []byte{0}, unix.UnixRights(listener), nil, 0); err != nil {
		return fmt.Errorf("cannot hand over the listener: %w", err)
	}
	unix.Close(listener)
	unix.Close(conn)
	if err := unix.Exec(path, argv, childEnv(os.Environ(), os.Getpid())); err != nil {
		return fmt.Errorf("cannot execute %s: %w", path, err)
	}
	return nil
}

// childEnv returns env with LISTEN_PID set to pid where LISTEN_FDS is set: only
// the process that becomes the program knows its own id (sd_listen_fds(3)).
func childEnv(env []string, pid int) []string {
	fds := false
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		switch {
		case strings.HasPrefix(kv, "LISTEN_PID="):
			continue
		case strings.HasPrefix(kv, "LISTEN_FDS="):
			fds = true
		}
		out = append(out, kv)
	}
	if fds {
		out = append(out, "LISTEN_PID="+strconv.Itoa(pid))
	}
	return out
}

// installFilter puts prog on the calling thread and returns its listener.
func installFilter(prog []unix.SockFilter) (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, fmt.Errorf("cannot give up new privileges: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return -1, fmt.Errorf("cannot install the filter (needs Linux 5.14 and no other listener): %w", errno)
	}
	return int(fd), nil
}

// Offsets in struct seccomp_data (linux/seccomp.h); both machines are little endian.
const (
	offNR   = 0
	offArch = 4
	offArg1 = 16 + 8
)

// ttyIoctls is the type byte 'T' of the terminal ioctls, in its place in a
// request's number (asm-generic/ioctl.h).
const ttyIoctls = 'T' << 8

// filter traps what opens a file, the terminal ioctls and, for a disk, what else
// touches files; all other calls, and all of a foreign architecture, go their way.
func filter(disk bool) []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
	)
	calls := slices.Clone(openCalls)
	if disk {
		for nr := range diskCalls() {
			calls = append(calls, nr)
		}
	}
	n := uint8(len(calls))
	f := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: equal, K: auditArch, Jf: n + 5}, // to allow
		{Code: load, K: offNR},
	}
	for i, nr := range calls {
		f = append(f, unix.SockFilter{Code: equal, K: uint32(nr), Jt: n - uint8(i) + 4}) // to trap
	}
	return append(f,
		unix.SockFilter{Code: equal, K: unix.SYS_IOCTL, Jf: 3}, // to allow
		unix.SockFilter{Code: load, K: offArg1},
		unix.SockFilter{Code: and, K: 0xff00},
		unix.SockFilter{Code: equal, K: ttyIoctls, Jt: 1}, // to trap
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_USER_NOTIF},
	)
}
