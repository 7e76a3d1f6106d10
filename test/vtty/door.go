//go:build linux && (amd64 || arm64)

package vtty

import (
	"errors"
	"net"
	"os"
)

// Door lets programs see ports that the test doesn't start itself: those of a service
// manager in a container. It listens at socket until the test ends; each execution of
// [Argv], any number of them one after the other or at once, comes in by it. The
// programs may have a root directory and a process namespace of their own, below the
// test's; the port's node, which [TTY.Node] names, has to be among their files.
func Door(socket string, ttys ...*TTY) {
	tb := ttys[0].tb
	tb.Helper()
	door, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		tb.Fatalf("vtty: %v", err)
	}
	ended := make(chan struct{})
	tb.Cleanup(func() {
		door.Close()
		<-ended
		os.Remove(socket)
	})
	go func() {
		defer close(ended)
		for {
			conn, err := door.AcceptUnix()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // that one gave up
			}
			b := &board{ttys: ttys, away: true}
			for _, t := range ttys {
				t.mu.Lock()
				t.boards = append(t.boards, b)
				t.mu.Unlock()
			}
			go b.welcome(conn)
		}
	}()
}

// Argv is what to execute for a program that comes in by a [Door]: this test's own
// binary, argv[0] being what is returned first. Both socket and name are paths as the
// program sees them.
func Argv(socket, name string, args ...string) []string {
	return append([]string{childMark, socket, trapPorts, name, name}, args...)
}

// Node is the port's device node at present. Programs that have other files than the
// test's find the port at whatever place this is mounted to.
func (t *TTY) Node() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pty == nil {
		return ""
	}
	return t.pty.name
}
