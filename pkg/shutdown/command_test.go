package shutdown

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script writes a shell script and returns its path.
func script(t *testing.T, dir, name, body string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// waitGone waits until no process of the group is left.
func waitGone(t *testing.T, group int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("process group %d is still there", group)
		}
	}
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Error(err)
	}
	return pid
}

func ownGroupOf(pid int) bool {
	group, err := syscall.Getpgid(pid)
	return err == nil && group == pid
}

func TestEveryMethodHasAName(t *testing.T) {
	for _, m := range Methods() {
		x, err := New(m, []string{"/bin/true"})
		if err != nil || x.String() != m {
			t.Errorf("%s: %v %v", m, x, err)
		}
	}
	for _, bad := range []struct {
		method string
		argv   []string
		want   string
	}{
		{"halt", nil, `cannot use the shutdown method "halt": not one of logind, systemctl, sysvinit, command, none`},
		{"command", nil, `cannot use the shutdown method "command": no command given`},
		{"command", []string{""}, `cannot use the shutdown method "command": no command given`},
	} {
		if _, err := New(bad.method, bad.argv); err == nil || err.Error() != bad.want {
			t.Errorf("got %v, want %s", err, bad.want)
		}
	}
}

func TestTheDryRunAcceptsEverything(t *testing.T) {
	x, ctx := None(), context.Background()
	for _, err := range []error{x.Check(ctx), x.PowerOff(ctx), x.Cancel(ctx)} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestACommandIsRunByArgv(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	path := script(t, dir, "down", `for a; do echo "<$a>"; done >"$1"; read line || echo "no input" >>"$1"`)
	x := Command([]string{path, out, "$HOME; rm -rf /", "a b"})
	if err := x.Check(context.Background()); err != nil {
		t.Error(err)
	}
	if err := x.PowerOff(context.Background()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if want := "<" + out + ">\n<$HOME; rm -rf />\n<a b>\nno input\n"; err != nil || string(b) != want {
		t.Errorf("the command saw %q, %v", b, err)
	}
	if err := x.Cancel(context.Background()); !errors.Is(err, ErrNoCancel) {
		t.Errorf("there is no way back, and it says %v", err)
	}
}

func TestACommandThatFailsSaysWhy(t *testing.T) {
	dir := t.TempDir()
	path := script(t, dir, "down", "echo not today; exit 4")
	err := Command([]string{path}).PowerOff(context.Background())
	if want := "cannot power off by command: " + path + ": exit status 4: not today"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	missing := Command([]string{filepath.Join(dir, "gone")})
	if err := missing.Check(context.Background()); err == nil || !strings.HasSuffix(err.Error(), "install it or choose another [shutdown] method") {
		t.Errorf("got %v", err)
	}
	if err := missing.PowerOff(context.Background()); err == nil {
		t.Error("a program that is not there powered the machine off")
	}
}

func TestACommandThatHangsIsKilledWithItsChildren(t *testing.T) {
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	path := script(t, dir, "down", `sleep 1000 & echo $$ >`+pid+`.new; mv `+pid+`.new `+pid+`; wait`)
	for name, stop := range map[string]func(c command) (command, context.Context){
		"by its limit": func(c command) (command, context.Context) {
			c.limit = 300 * time.Millisecond
			return c, context.Background()
		},
		"by a cancellation": func(c command) (command, context.Context) {
			ctx, cancel := context.WithCancelCause(context.Background())
			go func() {
				for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
					if _, err := os.Stat(pid); err == nil {
						if p := readPID(t, pid); !ownGroupOf(p) {
							t.Errorf("process %d has no group of its own", p)
						}
						cancel(errors.New("power is back"))
						return
					}
				}
			}()
			return c, ctx
		},
	} {
		_ = os.Remove(pid)
		c, ctx := stop(command{name: "command", argv: []string{path}, limit: commandLimit})
		err := c.PowerOff(ctx)
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%s: got %v", name, err)
		}
		if strings.Contains(name, "cancel") && !strings.HasSuffix(fmt.Sprint(err), "power is back") {
			t.Errorf("the reason is lost: %v", err)
		}
		waitGone(t, readPID(t, pid))
	}
}

func TestADaemonThatACommandLeavesHoldsNobody(t *testing.T) {
	dir := t.TempDir()
	path := script(t, dir, "down", `sleep 1000 & echo $!`)
	out, err := Exec(context.Background(), Cmd{Argv: []string{path}})
	if err != nil {
		t.Errorf("it ended well: %v", err)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(out)); err != nil {
		t.Error(err)
	} else if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("the daemon did not outlive its parent: %v", err)
	}
}

func TestExecBoundsTheOutputAndSetsTheEnvironment(t *testing.T) {
	out, err := Exec(context.Background(), Cmd{Argv: []string{"/bin/sh", "-c", "env | grep ^LAST; cat; head -c 100000 /dev/zero"},
		Env: []string{"PATH=/usr/bin:/bin", "LASTWATT_STATE=FAIL"}, Stdin: "input\n"})
	if err != nil || !strings.HasPrefix(out, "LASTWATT_STATE=FAIL\ninput\n") || len(out) != outputMax {
		t.Errorf("%d bytes: %.60q, %v", len(out), out, err)
	}
	if _, err := Exec(context.Background(), Cmd{}); err == nil {
		t.Error("nothing was run without an error")
	}
}

func TestSystemctlAndShutdownAreCalledAsTheirManualsSay(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	script(t, dir, "systemctl", `echo systemctl "$@" >>`+out)
	script(t, dir, "shutdown", `echo shutdown "$@" >>`+out)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for _, x := range []Executor{Systemctl(), SysVInit()} {
		if err := x.PowerOff(context.Background()); err != nil {
			t.Error(err)
		}
	}
	b, err := os.ReadFile(out)
	if want := "systemctl poweroff -i --no-ask-password\nshutdown -h -P now\n"; err != nil || string(b) != want {
		t.Errorf("called %q, %v", b, err)
	}
}

func TestSystemctlAsksLogindUnlessItIsRoot(t *testing.T) {
	no := errors.New("logind says no")
	c := command{name: "systemctl", argv: []string{"/bin/true"}, logind: refuses{no}}
	err := c.Check(context.Background())
	if os.Geteuid() == 0 && err != nil {
		t.Errorf("root may always: %v", err)
	}
	if os.Geteuid() != 0 && !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
}

type refuses struct{ err error }

func (r refuses) String() string                 { return "refuses" }
func (r refuses) Check(context.Context) error    { return r.err }
func (r refuses) PowerOff(context.Context) error { return r.err }
func (r refuses) Cancel(context.Context) error   { return r.err }
