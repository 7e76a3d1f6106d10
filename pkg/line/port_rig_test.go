//go:build linux && (amd64 || arm64)

package line_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// watching is a helper process that watches a port.
type watching struct {
	*testing.T
	cmd    *exec.Cmd
	stdin  io.Closer
	told   *json.Decoder
	stderr bytes.Buffer
	store  int // our end of the socket that takes the opened port
}

// watch starts the helper on the port, with the stored port if there is one.
func watch(t *testing.T, tty *vtty.TTY, cable, how string, stored *os.File) *watching {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "store")
	defer theirs.Close()
	w := &watching{T: t, store: pair[0]}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w.cmd = tty.Command(self, tty.Path(), cable, how)
	// A race-detecting program sleeps for a second at its exit unless told not to.
	w.cmd.Env = append(os.Environ(), helperMark+"=1", "GORACE=atexit_sleep_ms=0")
	w.cmd.ExtraFiles = []*os.File{theirs}
	if stored != nil {
		w.cmd.ExtraFiles = append(w.cmd.ExtraFiles, stored)
	}
	w.cmd.Stderr = &w.stderr
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.told = json.NewDecoder(out)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.cmd.Process.Kill()
		w.cmd.Wait()
		w.drop()
	})
	return w
}

// next returns the next sample.
func (w *watching) next() told {
	w.Helper()
	var s told
	if err := w.told.Decode(&s); err != nil {
		w.Fatalf("no sample: %v\n%s", err, w.stderr.String())
	}
	return s
}

// until returns the first sample that pred likes.
func (w *watching) until(pred func(told) bool) told {
	w.Helper()
	for {
		if s := w.next(); pred(s) {
			return s
		}
	}
}

func reads(inputs line.Lines) func(told) bool {
	return func(s told) bool { return s.Err == "" && s.Lines&line.Inputs == inputs }
}

func blind(why error) func(told) bool {
	return func(s told) bool { return strings.Contains(s.Err, why.Error()) }
}

// stored returns the port that the helper had stored.
func (w *watching) stored() *os.File {
	w.Helper()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(w.store, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		w.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		w.Fatalf("no port was stored: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		w.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "port")
	w.Cleanup(func() { f.Close() })
	return f
}

// drop closes the store and with it a port that lies in it.
func (w *watching) drop() {
	unix.Close(w.store)
	w.store = -1
}

// end tells the helper to stop, and waits until it has.
func (w *watching) end() {
	w.Helper()
	w.drop()
	w.stdin.Close()
	if err := w.cmd.Wait(); err != nil {
		w.Fatalf("the helper failed: %v\n%s", err, w.stderr.String())
	}
}
