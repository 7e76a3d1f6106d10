package shutdown

import (
	"bufio"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// forceOff is the program that powers the machine off when a shutdown hangs, where init
// itself has no such limit (deploy/sysvinit/lastwatt-force-off). It need not be there.
const forceOff = "/usr/lib/lastwatt/force-off"

// forceAfter is how long a shutdown may take: as systemd is told by our poweroff.target.d.
const forceAfter = 10 * time.Minute

// forceReady is how long it is given to get ready.
const forceReady = 2 * time.Second

// forced is that program. It has to be ready, out of reach of whoever ends all processes,
// before a shutdown is asked for: init may send that signal at once.
type forced struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// prepare starts it in a session of its own, so that it goes on when this daemon ends, and
// returns when it is ready. It does nothing before fire; nil: there is none. That it is
// not there, or does not start, is no reason not to go.
func prepare(path string, after time.Duration) *forced {
	if path == "" {
		return nil
	}
	cmd := exec.Command(path, strconv.Itoa(int(after/time.Second)))
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil || cmd.Start() != nil {
		return nil
	}
	ready := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(out).ReadString('\n') // or it ended
		close(ready)
		_ = cmd.Wait() // else it would stay a zombie while we live
	}()
	limit := time.NewTimer(forceReady)
	defer limit.Stop()
	select {
	case <-ready:
	case <-limit.C:
	}
	return &forced{cmd, in}
}

// fire lets it go on: nothing can take the power-off back. If we end without a word, it
// ends too.
func (f *forced) fire() {
	if f != nil {
		_, _ = io.WriteString(f.in, "go\n")
		_ = f.in.Close()
	}
}

// drop ends it, with its children.
func (f *forced) drop() {
	if f != nil {
		_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
		_ = f.in.Close()
	}
}
