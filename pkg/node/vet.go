package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// name is how people know the hook.
func (h Hook) name() string {
	if h.Unit != "" {
		return "unit " + h.Unit
	}
	return strings.Join(h.Run, " ")
}

// argv is what is run. systemctl waits until a oneshot unit has ended.
func (h Hook) argv() []string {
	if h.Unit != "" {
		return []string{"systemctl", "start", "--no-ask-password", "lastwatt-hook@" + h.Unit + ".service"}
	}
	return h.Run
}

// vet refuses a hook that somebody else than root or the daemon's own user could
// have written (law 9). It looks at the file system.
func vet(h Hook) error { return h.Vet(os.Geteuid()) }

// Vet says why a daemon that runs as user uid would refuse to run h, nil if it would
// not: somebody else than root or that user could have written it. It looks at the
// file system.
func (h Hook) Vet(uid int) error {
	if h.Unit != "" {
		return nil // systemd's own files
	}
	path := h.Run[0]
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("it is not there: %w", err)
	}
	if !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program; write a file that may be executed", path)
	}
	if err := trusted(path, st, uid); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if st, err = os.Stat(dir); err != nil {
		return fmt.Errorf("it is not there: %w", err)
	}
	if st.Mode()&fs.ModeSticky != 0 {
		return nil // there nobody may replace another's file: unlink(2), EPERM
	}
	return trusted(dir, st, uid)
}

func trusted(path string, st fs.FileInfo, uid int) error {
	if s, ok := st.Sys().(*syscall.Stat_t); ok && s.Uid != 0 && int(s.Uid) != uid {
		return fmt.Errorf("%s belongs to user %d, so it is not run as a hook; chown root %s", path, s.Uid, path)
	}
	if st.Mode()&0o002 != 0 {
		return fmt.Errorf("%s can be written by everybody, so it is not run as a hook; chmod o-w %s", path, path)
	}
	return nil
}

// RunProgram returns what runs a local program that is not a hook, by exec (nil:
// [shutdown.Exec]), under the same rules: it belongs to root or to us, is run without a
// shell, and of our environment it gets nothing but env and a path to programs. It is
// killed when ctx ends.
func RunProgram(exec shutdown.Runner) func(ctx context.Context, argv, env []string, stdin string) error {
	exec = exec.OrReal()
	return func(ctx context.Context, argv, env []string, stdin string) error {
		if len(argv) == 0 {
			return errors.New("no program is named")
		}
		if err := vet(Hook{Run: argv}); err != nil {
			return err
		}
		out, err := exec(ctx, shutdown.Cmd{Argv: argv, Env: append([]string{hookPath}, env...), Stdin: stdin})
		if out = strings.TrimSpace(out); err != nil && out != "" {
			return fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
}

// Wall tells the people who are logged in, by wall(1). Where that is missing or
// refuses, nobody is told: the log has the message anyway.
func Wall(ctx context.Context, text string) {
	_, _ = shutdown.Exec(ctx, shutdown.Cmd{Argv: []string{"wall"}, Stdin: "Lastwatt: " + text + "\n"})
}
