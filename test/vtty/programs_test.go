//go:build linux && (amd64 || arm64)

package vtty

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestFilesAndListenPID(t *testing.T) {
	t.Parallel()
	tty := New(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, tty, r)
	r.Close()
	if _, err := w.WriteString("stored"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	p.do("env", "pid="+strconv.Itoa(p.pid)+" listen="+strconv.Itoa(p.pid))
	p.do("read3", "stored")
}

func TestUnmodifiedPrograms(t *testing.T) {
	t.Parallel()
	tty := New(t)
	stty := func(args ...string) string {
		t.Helper()
		out, err := tty.Command("stty", append([]string{"-F", tty.Path()}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("stty %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	if out := stty("-a"); !strings.Contains(out, "speed 9600 baud") || !strings.Contains(out, " hupcl") {
		t.Errorf("a new port: %s", out)
	}
	outputs(t, tty, 0) // it closed the port again
	stty("-hupcl")
	// It sets the speed and then complains, on every tty, that it isn't what it set.
	_ = tty.Command("stty", "-F", tty.Path(), "0").Run()
	mark := len(tty.Events())
	if out := stty("-a"); !strings.Contains(out, "speed 0 baud") || !strings.Contains(out, "-hupcl") {
		t.Errorf("a parked port: %s", out)
	}
	// A shell starts other programs: they are on the port too.
	sh := tty.Command("sh", "-c", `for i in 1 2 3; do stty -a <"./$1"; done`, "sh", filepath.Base(tty.Path()))
	sh.Dir = filepath.Dir(tty.Path())
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("sh: %v: %s", err, out)
	}
	opens := 0
	for _, e := range tty.Events()[mark:] {
		if e.Output() {
			t.Errorf("a parked port was touched: %v", e)
		}
		if e.Kind == Open {
			opens++
		}
	}
	if opens != 4 {
		t.Errorf("%d opens of the parked port, want 4\n%s", opens, story(tty))
	}
}

func TestTwoPortsOneProgram(t *testing.T) {
	t.Parallel()
	a, b := New(t), New(t)
	out, err := Command([]*TTY{a, b}, "sh", "-c", `exec 3<>"$1" 4<>"$2" && stty -a <&3 && stty -a <&4`, "sh", a.Path(), b.Path()).CombinedOutput()
	if err != nil {
		t.Fatalf("sh: %v: %s", err, out)
	}
	for _, tty := range []*TTY{a, b} {
		if !slices.ContainsFunc(tty.Events(), func(e Event) bool { return e.Kind == Ioctl && e.Call == "TCGETS" }) {
			t.Errorf("not seen on both:\n%s", story(tty))
		}
	}
}

func TestCommandThatIsNotThere(t *testing.T) {
	t.Parallel()
	tty := New(t)
	if err := tty.Command("no-such-program-anywhere").Start(); err == nil || !strings.Contains(err.Error(), exec.ErrNotFound.Error()) {
		t.Errorf("got %v, want %v", err, exec.ErrNotFound)
	}
}
