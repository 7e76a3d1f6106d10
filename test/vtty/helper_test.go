//go:build linux && (amd64 || arm64)

package vtty

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
)

// helperMark makes this test binary the program under test: see runHelper.
const helperMark = "VTTY_TEST_HELPER"

func TestMain(m *testing.M) {
	Main()
	if os.Getenv(helperMark) != "" {
		os.Exit(runHelper(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// runHelper is a plain program that knows nothing of this package: it obeys one
// command per line of its input on a serial port and answers with one line each.
func runHelper(args []string) int {
	signal.Ignore(unix.SIGHUP)
	runtime.LockOSThread() // capabilities are a thread's
	p := &port{path: args[0], fd: -1}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.Fields(in.Text())
		answer, err := p.do(words[0], words[1:])
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Println(answer)
	}
	return 0
}

type port struct {
	path string
	fd   int
}

func (p *port) do(cmd string, args []string) (string, error) {
	arg := strings.Join(args, " ")
	switch cmd {
	case "open", "block": // block waits for a carrier
		flags := unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
		if cmd == "open" {
			flags |= unix.O_NONBLOCK
		}
		fd, err := unix.Open(p.path, flags, 0)
		p.fd = fd
		return "ok", err
	case "close":
		return "ok", unix.Close(p.fd)
	case "get":
		v, err := unix.IoctlGetInt(p.fd, unix.TIOCMGET)
		return line.Lines(v).String(), err
	case "set", "bis", "bic":
		req := map[string]uint{"set": unix.TIOCMSET, "bis": unix.TIOCMBIS, "bic": unix.TIOCMBIC}[cmd]
		return "ok", unix.IoctlSetPointerInt(p.fd, req, int(lines(arg)))
	case "wait": // for an edge of these inputs; answers with the lines then
		if err := unix.IoctlSetInt(p.fd, unix.TIOCMIWAIT, int(lines(arg))); err != nil {
			return "", fmt.Errorf("waiting: %w", err)
		}
		at := monotonic()
		v, err := unix.IoctlGetInt(p.fd, unix.TIOCMGET)
		return fmt.Sprintf("%d %s", at, line.Lines(v)&^line.Outputs), err
	case "cancel": // a wait, by way of dup3 and a signal to its thread
		return p.cancel()
	case "count":
		var c counts
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.TIOCGICOUNT, uintptr(unsafe.Pointer(&c)))
		if errno != 0 {
			return "", errno
		}
		return fmt.Sprintf("cts=%d dsr=%d ri=%d dcd=%d size=%d", c.CTS, c.DSR, c.RI, c.DCD, binary.Size(c)), nil
	case "termios":
		return p.termios(args)
	case "break":
		return "ok", unix.IoctlSetInt(p.fd, unix.TIOCSBRK, 0)
	case "unbreak":
		return "ok", unix.IoctlSetInt(p.fd, unix.TIOCCBRK, 0)
	case "breakfor": // tenths of a second
		n, err := strconv.Atoi(arg)
		if err != nil {
			return "", err
		}
		return "ok", unix.IoctlSetInt(p.fd, unix.TCSBRKP, n)
	case "cloexec":
		flags, err := unix.FcntlInt(uintptr(p.fd), unix.F_GETFD, 0)
		return fmt.Sprint(flags&unix.FD_CLOEXEC != 0), err
	case "humble": // gives up every capability
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		return "ok", unix.Capset(&hdr, &none[0])
	case "exclusive":
		return "ok", unix.IoctlSetInt(p.fd, unix.TIOCEXCL, 0)
	case "write":
		_, err := unix.Write(p.fd, []byte(arg))
		return "ok", err
	case "file":
		return "ok", p.file(args)
	case "env":
		return fmt.Sprintf("pid=%d listen=%s", os.Getpid(), os.Getenv("LISTEN_PID")), nil
	case "read3": // the file that came as descriptor 3
		data, err := io.ReadAll(os.NewFile(3, "3"))
		return string(data), err
	}
	return "", fmt.Errorf("unknown command %q", cmd)
}

// termios changes the termios: b0, b9600, hupcl, -hupcl, clocal, -clocal; and
// answers with what it is then.
func (p *port) termios(args []string) (string, error) {
	t, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	for _, a := range args {
		switch a {
		case "b0":
			t.Cflag = t.Cflag&^unix.CBAUD | unix.B0
		case "b9600":
			t.Cflag = t.Cflag&^unix.CBAUD | unix.B9600
		case "hupcl":
			t.Cflag |= unix.HUPCL
		case "-hupcl":
			t.Cflag &^= unix.HUPCL
		case "clocal":
			t.Cflag |= unix.CLOCAL
		case "-clocal":
			t.Cflag &^= unix.CLOCAL
		}
	}
	if len(args) > 0 {
		if err := unix.IoctlSetTermios(p.fd, unix.TCSETS, t); err != nil {
			return "", err
		}
		if t, err = unix.IoctlGetTermios(p.fd, unix.TCGETS); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("b0=%v hupcl=%v clocal=%v", t.Cflag&unix.CBAUD == unix.B0,
		t.Cflag&unix.HUPCL != 0, t.Cflag&unix.CLOCAL != 0), nil
}

// file does something with files in the folder that the port's path names.
func (p *port) file(args []string) error {
	name := p.path + "/" + args[1]
	switch args[0] {
	case "read":
		_, err := os.ReadFile(name)
		return errors.Unwrap(err)
	case "create", "append":
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return errors.Unwrap(err)
		}
		defer f.Close()
		if _, err = f.WriteString("y"); err == nil {
			err = f.Sync()
		}
		return errors.Unwrap(err)
	case "mkdir":
		return errors.Unwrap(os.Mkdir(name, 0o700))
	case "rename":
		var link *os.LinkError
		if err := os.Rename(name, p.path+"/"+args[2]); errors.As(err, &link) {
			return link.Err
		}
		return nil
	}
	return errors.Unwrap(os.Remove(name))
}

// cancel begins a wait in a thread of its own and ends it by putting /dev/null in
// the port's place and a signal, after which the kernel restarts the call.
func (p *port) cancel() (string, error) {
	tid, ended := make(chan int), make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- unix.Gettid()
		ended <- unix.IoctlSetInt(p.fd, unix.TIOCMIWAIT, unix.TIOCM_CTS)
	}()
	thread := <-tid
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Dup3(null, p.fd, unix.O_CLOEXEC); err != nil {
		return "", err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for { // the signal may come before the call: again until it ended
		if err := unix.Tgkill(unix.Getpid(), thread, unix.SIGURG); err != nil {
			return "", err
		}
		select {
		case err := <-ended:
			return fmt.Sprint(err), nil
		case <-tick.C:
		}
	}
}

// lines reads what line.Lines.String writes.
func lines(s string) line.Lines {
	var out line.Lines
	for _, n := range strings.Fields(s) {
		if term, err := line.ParseTerm(n); err == nil { // "none" is none
			out |= term.Line
		}
	}
	return out
}

// monotonic is a clock that two processes share.
func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // can't fail for this clock
	return ts.Nano()
}

// program is a helper that runs on a port.
type program struct {
	t   *testing.T
	in  io.Writer
	out chan string
	pid int
}

// start runs a helper on the port until the test ends.
func start(t *testing.T, tty *TTY, files ...*os.File) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, tty.Command(self, tty.Path()), files...)
}

// run runs a helper by cmd until the test ends.
func run(t *testing.T, cmd *exec.Cmd, files ...*os.File) *program {
	t.Helper()
	// The race detector otherwise waits a second at the end of each program.
	cmd.Env = append(os.Environ(), helperMark+"=1", "GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles = files
	if files != nil {
		cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_PID=1")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, in: in, out: make(chan string), pid: cmd.Process.Pid}
	go func() {
		defer close(p.out)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.out <- s.Text()
		}
		_ = cmd.Wait() // it may have been killed
	}()
	t.Cleanup(func() {
		in.Close()
		for range p.out {
		}
	})
	return p
}

// tell gives a command without waiting for its answer.
func (p *program) tell(cmd string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, cmd); err != nil {
		p.t.Fatal(err)
	}
}

// answer waits for the answer to the last command.
func (p *program) answer() string {
	p.t.Helper()
	select {
	case s, ok := <-p.out:
		if !ok {
			p.t.Fatal("the program ended")
		}
		return s
	case <-time.After(10 * time.Second):
		p.t.Fatal("no answer from the program within 10 s")
		return ""
	}
}

// do gives a command and checks its answer.
func (p *program) do(cmd, want string) {
	p.t.Helper()
	p.tell(cmd)
	if got := p.answer(); got != want {
		p.t.Fatalf("%s: got %q, want %q", cmd, got, want)
	}
}

// outputs checks the outputs that the far end sees.
func outputs(t *testing.T, tty *TTY, want line.Lines) {
	t.Helper()
	if got := tty.Outputs(); got != want {
		t.Fatalf("outputs: got %s, want %s\n%s", got.String(), want.String(), story(tty))
	}
}

// await waits for an event.
func await(t *testing.T, tty *TTY, what string, pred func(Event) bool) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, err := tty.WaitEvent(ctx, pred)
	if err != nil {
		t.Fatalf("no %s: %v\n%s", what, err, story(tty))
	}
	return e
}

func story(tty *TTY) string {
	var b strings.Builder
	for _, e := range tty.Events() {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}
