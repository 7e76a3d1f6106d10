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
	// commandLimit bounds the owner's command, which may do work of its own first;
	// the default of [shutdown] stop_time.
	commandLimit = 2 * time.Minute
)

// Systemctl returns the method "systemctl": systemctl poweroff, which as root
// works without D-Bus too.
func Systemctl() Executor {
	// -i: an inhibitor lock, such as a package upgrade's, must not outlive the
	// battery (systemctl(1)).
	return command{name: MethodSystemctl, argv: []string{"systemctl", "poweroff", "-i", "--no-ask-password"}, limit: toolLimit, logind: Logind()}
}

// SysVInit returns the method "sysvinit": shutdown -h -P now.
func SysVInit() Executor {
	return command{name: MethodSysVInit, argv: []string{"shutdown", "-h", "-P", "now"}, limit: toolLimit}
}

// Command returns the method "command": argv is run, and exit status 0 means that
// the system accepted. It is killed after 2 minutes.
func Command(argv []string) Executor {
	return command{name: MethodCommand, argv: argv, limit: commandLimit}
}

type command struct {
	name   string
	argv   []string
	limit  time.Duration
	logind Executor // who is asked whether we may, unless we are root; nil: nobody
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
	argv := append([]string{path}, c.argv[1:]...)
	out, err := Exec(ctx, argv, nil)
	if err == nil {
		return nil
	}
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

// Exec runs argv, whose first element is a path, and returns the first 16 KiB of
// its output. Standard input is empty. env is the whole environment; nil: ours.
// When ctx ends, every process of its group is killed and the error says why.
func Exec(ctx context.Context, argv, env []string) (string, error) {
	if len(argv) == 0 {
		return "", errors.New("no command given")
	}
	out := &head{}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = outputDelay
	ownGroup(cmd)
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return out.String(), nil // it ended well; only a child of it keeps the output
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		return out.String(), fmt.Errorf("%s did not end in time and was killed", argv[0])
	case ctx.Err() != nil:
		return out.String(), fmt.Errorf("%s was killed: %w", argv[0], context.Cause(ctx))
	}
	return out.String(), fmt.Errorf("%s: %w", argv[0], err)
}

// head keeps the beginning of what is written to it.
type head struct{ b []byte }

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), outputMax-len(h.b))]...)
	return len(p), nil
}

func (h *head) String() string { return string(h.b) }
