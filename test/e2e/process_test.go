//go:build linux && (amd64 || arm64)

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for anything: long enough for a busy machine,
// and nothing takes it but a failure.
const patience = 60 * time.Second

// process is one started program, its output in a file.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when it has ended
	err   error         // how; valid then
}

// launch starts a program whose output goes to dir, and ends it with the test.
func launch(t testing.TB, name, dir string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, log: filepath.Join(dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(plainEnv(), cmd.Env...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start %s: %v", name, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", name, p.tail())
		}
	})
	return p
}

// plainEnv is this environment without a service manager's words, and without a
// PATH: a node under test must not find wall(1) and frighten people.
func plainEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool {
		for _, name := range []string{"NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "JOURNAL_STREAM=", "PATH="} {
			if strings.HasPrefix(kv, name) {
				return true
			}
		}
		return false
	})
}

func (p *process) signal(sig syscall.Signal) {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("cannot signal %s: %v", p.name, err)
	}
}

// kill ends the program as a crash does: at once, nothing written, nothing said.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop ends the program politely.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end on SIGTERM", p.name)
	}
	if p.err != nil {
		p.t.Errorf("%s ended with %v", p.name, p.err)
	}
}

// over reports whether the program has ended.
func (p *process) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// tail returns the last lines that the program wrote.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log) // no log, no tail
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// until waits until done is true, and fails the test if that takes too long. what
// says what was waited for; got is asked then what there was instead.
func until(t testing.TB, what string, done func() bool, got func() string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited for %s; instead: %s", what, got())
		case <-tick.C:
		}
	}
}

// exists reports whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
