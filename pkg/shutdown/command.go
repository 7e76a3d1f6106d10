package shutdown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	// toolLimit bounds systemctl and shutdown(8), which only put a job into a
	// queue: a D-Bus call waits 25 s at most (sd-bus' default), and some more.
	toolLimit = 30 * time.Second
	// commandLimit bounds the owner's command. What takes longer belongs into a
	// commit hook, which is waited for before any method is asked.
	commandLimit = 30 * time.Second
)

// Systemctl returns the method "systemctl": systemctl poweroff, which as root
// works without D-Bus too.
func Systemctl() Executor {
	// -i: an inhibitor lock, such as a package upgrade's, must not outlive the
	// battery (systemctl(1)).
	return command{name: MethodSystemctl, argv: []string{"systemctl", "poweroff", "-i", "--no-ask-password"}, limit: toolLimit, logind: Logind(), going: going}
}

// SysVInit returns the method "sysvinit": shutdown -h -P now. Where the helper for it is
// installed, a shutdown that hangs ends in a forced power-off.
func SysVInit() Executor {
	return command{name: MethodSysVInit, argv: []string{"shutdown", "-h", "-P", "now"}, limit: toolLimit, force: forceOff}
}

// Command returns the method "command": argv is run, and exit status 0 means that
// the system accepted. It is killed after 30 s: what takes longer belongs into a commit hook.
func Command(argv []string) Executor {
	return command{name: MethodCommand, argv: argv, limit: commandLimit}
}

type command struct {
	name   string
	argv   []string
	limit  time.Duration
	force  string                     // a program that ends what hangs, let go when the power-off is accepted; empty: none
	logind Executor                   // who is asked whether we may, unless we are root; nil: nobody
	going  func(context.Context) bool // the system goes down already; nil: nobody can say
}

func (c command) String() string { return c.name }

// Check reports whether the program is there, and for systemctl whether logind
// would let this user.
func (c command) Check(ctx context.Context) error {
	if _, err := find(c.argv[0]); err != nil {
		return fmt.Errorf("cannot power off by %s: %w; install it or choose another [shutdown] method", c.name, err)
	}
	if c.logind == nil || os.Geteuid() == 0 {
		return nil
	}
	if err := c.logind.Check(ctx); err != nil {
		return fmt.Errorf("cannot power off by %s: %w", c.name, err)
	}
	return nil
}

func (c command) PowerOff(ctx context.Context) error {
	path, err := find(c.argv[0])
	if err != nil {
		return fmt.Errorf("cannot power off by %s: %w", c.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	helper := prepare(c.force, forceAfter)
	out, err := Exec(ctx, Cmd{Argv: append([]string{path}, c.argv[1:]...)})
	if err == nil || c.going != nil && c.going(ctx) {
		helper.fire()
		return nil
	}
	helper.drop()
	if out = strings.TrimSpace(out); out != "" {
		return fmt.Errorf("cannot power off by %s: %w: %s", c.name, err, out)
	}
	return fmt.Errorf("cannot power off by %s: %w", c.name, err)
}

// Cancel has nothing to call: a command that still runs ends with its context.
func (c command) Cancel(context.Context) error { return ErrNoCancel }

// find looks for a program as the shell does, and then where administrators'
// programs are: a daemon's PATH may lack them.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil || strings.Contains(name, "/") {
		return path, err
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, e := exec.LookPath(filepath.Join(dir, name)); e == nil {
			return path, nil
		}
	}
	return "", err
}

const (
	// outputMax bounds what is kept of a command's output.
	outputMax = 16 << 10
	// outputDelay is how long a command's descendants may keep its output open
	// after it ended.
	outputDelay = time.Second
)

// Cmd is a program to run.
type Cmd struct {
	// Argv is the program's path and its arguments; no shell takes part.
	Argv []string
	// Env is the whole environment; nil: ours.
	Env []string
	// Stdin is what the program reads; empty: nothing.
	Stdin string
}

// Runner runs a program as [Exec] does, which is the real one.
type Runner func(ctx context.Context, c Cmd) (string, error)

// OrReal returns r, and Exec if there is none.
func (r Runner) OrReal() Runner {
	if r == nil {
		return Exec
	}
	return r
}

// Exec runs a program and returns the first 16 KiB of its output. When ctx ends,
// every process of its group is killed and the error says why.
func Exec(ctx context.Context, c Cmd) (string, error) {
	if len(c.Argv) == 0 {
		return "", errors.New("no command given")
	}
	out := &head{}
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env = c.Env
	if c.Stdin != "" { // else /dev/null
		cmd.Stdin = strings.NewReader(c.Stdin)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = outputDelay
	ownGroup(cmd)
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return out.String(), nil // it ended well; only a child of it keeps the output
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return out.String(), fmt.Errorf("%s did not end in time and was killed", c.Argv[0])
	case ctx.Err() != nil:
		return out.String(), fmt.Errorf("%s was killed: %w", c.Argv[0], context.Cause(ctx))
	}
	return out.String(), fmt.Errorf("%s: %w", c.Argv[0], err)
}

// head keeps the beginning of what is written to it.
type head struct{ b []byte }

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), outputMax-len(h.b))]...)
	return len(p), nil
}

func (h *head) String() string { return string(h.b) }
