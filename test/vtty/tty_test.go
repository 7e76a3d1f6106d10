//go:build linux && (amd64 || arm64)

package vtty

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lastwatt/lastwatt/pkg/line"
)

const both = line.DTR | line.RTS

func TestOpenRaisesAndLastCloseDrops(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	outputs(t, tty, 0)
	p.do("open", "ok")
	outputs(t, tty, both)
	p.do("close", "ok")
	outputs(t, tty, 0)
	var got []string
	for _, e := range tty.Events() {
		if e.Output() {
			got = append(got, string(e.Kind)+" "+e.Lines.String())
		}
	}
	if d := cmp.Diff([]string{"open DTR RTS", "close none"}, got); d != "" {
		t.Errorf("output events (-want +got):\n%s", d)
	}
}

func TestCloseWithoutHUPCLKeepsTheLines(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.do("termios -hupcl", "b0=false hupcl=false clocal=true")
	p.do("set DTR", "ok")
	p.do("close", "ok")
	await(t, tty, "close", func(e Event) bool { return e.Kind == Close })
	outputs(t, tty, line.DTR)
	p.do("open", "ok")
	outputs(t, tty, both)
	p.do("termios", "b0=false hupcl=false clocal=true")
}

func TestSecondOpenRaisesAgain(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p, q := start(t, tty), start(t, tty)
	p.do("open", "ok")
	p.do("set none", "ok")
	outputs(t, tty, 0)
	q.do("open", "ok")
	outputs(t, tty, both)
	p.do("close", "ok")
	outputs(t, tty, both) // not the last close
	q.do("close", "ok")
	outputs(t, tty, 0)
}

func TestB0(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p, q := start(t, tty), start(t, tty)
	p.do("open", "ok")
	p.do("termios b0 -hupcl", "b0=true hupcl=false clocal=true")
	outputs(t, tty, 0) // set: dropped
	p.do("set RTS", "ok")
	q.do("open", "ok")
	outputs(t, tty, line.RTS) // an open at B0 raises nothing
	q.do("close", "ok")
	p.do("close", "ok")
	p.do("open", "ok")
	p.do("termios", "b0=true hupcl=false clocal=true") // and B0 outlives the last close
	outputs(t, tty, line.RTS)
	p.do("termios b9600", "b0=false hupcl=false clocal=true")
	outputs(t, tty, both) // left: raised
}

func TestModemCalls(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.do("cloexec", "true")
	p.do("get", "DTR RTS")
	p.do("set DTR", "ok")
	p.do("bis RTS", "ok")
	p.do("bic DTR", "ok")
	outputs(t, tty, line.RTS)
	tty.SetInputs(line.CTS | line.DCD)
	p.do("get", "RTS CTS DCD")
	tty.SetInputs(line.Inputs | line.DTR)
	p.do("get", "RTS CTS DSR DCD RI")
	p.do("write U", "ok")
	if e := await(t, tty, "data", func(e Event) bool { return e.Kind == Data }); string(e.Data) != "U" {
		t.Errorf("data: got %q, want U", e.Data)
	}
	var calls []string
	for _, e := range tty.Events() {
		if e.Kind == Ioctl {
			calls = append(calls, e.Call)
			if e.PID != p.pid {
				t.Errorf("%s: made by %d, want %d", e.Call, e.PID, p.pid)
			}
		}
	}
	want := []string{"TIOCMGET", "TIOCMSET", "TIOCMBIS", "TIOCMBIC", "TIOCMGET", "TIOCMGET"}
	if d := cmp.Diff(want, calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestEveryCallIsSeen(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.do("termios clocal", "b0=false hupcl=true clocal=true")
	p.do("exclusive", "ok")
	p.do("set DTR", "ok")
	var calls []string
	for _, e := range tty.Events() {
		calls = append(calls, string(e.Kind)+e.Call)
	}
	want := []string{"open", "ioctlTCGETS", "ioctlTCSETS", "ioctlTCGETS", "ioctlTIOCEXCL", "ioctlTIOCMSET"}
	if d := cmp.Diff(want, calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestWaitWakes(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.tell("wait CTS DCD")
	waiting(t, tty, 1)
	tty.SetInputs(line.DSR) // nobody asked for it
	waiting(t, tty, 1)
	tty.SetInputs(line.DSR | line.CTS)
	at := monotonic()
	when, lines, _ := strings.Cut(p.answer(), " ")
	if want := "CTS DSR"; lines != want {
		t.Errorf("woken with %s, want %s", lines, want)
	}
	woke, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	// About 0.1 ms on an idle machine; this only tells waking from a net of 1 s.
	if d := time.Duration(woke - at); d > 500*time.Millisecond {
		t.Errorf("woken after %v", d)
	}
	p.do("count", "cts=1 dsr=1 ri=0 dcd=0 size=80")
}

func TestRingTellsOnlyItsTrailingEdge(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.tell("wait RI")
	waiting(t, tty, 1)
	tty.SetInputs(line.RI)
	waiting(t, tty, 1)
	tty.SetInputs(0)
	if got := p.answer(); !strings.HasSuffix(got, " none") {
		t.Errorf("woken with %q while RI is low", got)
	}
	p.do("count", "cts=0 dsr=0 ri=1 dcd=0 size=80")
}

func TestShortPulseIsCounted(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	tty.SetInputs(line.DCD)
	tty.SetInputs(0)
	p.do("get", "DTR RTS")
	p.do("count", "cts=0 dsr=0 ri=0 dcd=2 size=80")
}

func TestWaitIsCancelledBySignal(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.do("cancel", "inappropriate ioctl for device") // the restarted call meets /dev/null
	await(t, tty, "close", func(e Event) bool { return e.Kind == Close })
	waiting(t, tty, 0)
}

func TestWaitingCallerDies(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.tell("wait CTS")
	waiting(t, tty, 1)
	proc, err := os.FindProcess(p.pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, tty, "close", func(e Event) bool { return e.Kind == Close })
	outputs(t, tty, 0)
	waiting(t, tty, 0)
}

func TestBlockingOpenWaitsForCarrier(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p, q := start(t, tty), start(t, tty)
	p.do("open", "ok")
	p.do("termios -clocal", "b0=false hupcl=true clocal=false")
	q.tell("block")
	waiting(t, tty, 1)
	tty.SetInputs(line.DCD)
	if got := q.answer(); got != "ok" {
		t.Errorf("block: %s", got)
	}
	q.do("get", "DTR RTS DCD")
}

func TestExclusive(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p, q := start(t, tty), start(t, tty)
	p.do("open", "ok")
	p.do("set DTR", "ok")
	p.do("exclusive", "ok")
	q.do("humble", "ok") // root may (tty_reopen asks for CAP_SYS_ADMIN)
	q.do("open", "error: device or resource busy")
	outputs(t, tty, line.DTR)
	p.do("close", "ok")
	await(t, tty, "close", func(e Event) bool { return e.Kind == Close })
	q.do("open", "ok") // it ended with the last close
	q.do("exclusive", "ok")
	tty.Share()
	p.do("humble", "ok")
	p.do("open", "ok")
}

func TestBreaks(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.do("break", "ok")
	p.do("unbreak", "ok")
	p.do("breakfor 2", "ok")
	var ons, offs []time.Duration
	for _, e := range tty.Events() {
		switch e.Kind {
		case Break:
			ons = append(ons, e.At)
		case Unbreak:
			offs = append(offs, e.At)
		}
	}
	if len(ons) != 2 || len(offs) != 2 {
		t.Fatalf("want two breaks:\n%s", story(tty))
	}
	if d := offs[1] - ons[1]; d < 200*time.Millisecond {
		t.Errorf("a break of two tenths of a second took %v", d)
	}
}

func TestUnplugAndReplug(t *testing.T) {
	t.Parallel()
	tty := New(t)
	p := start(t, tty)
	p.do("open", "ok")
	p.do("termios b0 -hupcl", "b0=true hupcl=false clocal=true")
	p.tell("wait CTS")
	waiting(t, tty, 1)
	tty.Unplug()
	if got, want := p.answer(), "error: waiting: input/output error"; got != want {
		t.Errorf("waiting while unplugged: got %q, want %q", got, want)
	}
	p.do("get", "error: input/output error")
	p.do("set DTR", "error: input/output error")
	if _, err := os.Lstat(tty.Path()); !os.IsNotExist(err) {
		t.Errorf("the path is still there: %v", err)
	}
	q := start(t, tty)
	q.do("open", "error: no such file or directory")

	tty.Replug()
	p.do("get", "error: input/output error") // the old file stays dead
	q.do("open", "ok")
	q.do("termios", "b0=false hupcl=true clocal=true") // a port out of the box
	q.do("get", "DTR RTS")
	p.do("close", "ok")
	q.do("get", "DTR RTS")
}

func TestRefusedCalls(t *testing.T) {
	t.Parallel()
	tty := New(t)
	tty.Refuse("TIOCMIWAIT", "TIOCGICOUNT")
	p := start(t, tty)
	p.do("open", "ok")
	p.do("wait CTS", "error: waiting: inappropriate ioctl for device")
	p.do("count", "error: inappropriate ioctl for device")
	p.do("get", "DTR RTS")
}

// waiting waits until n calls wait for an answer.
func waiting(t *testing.T, tty *TTY, n int) {
	t.Helper()
	until(t, fmt.Sprintf("%d calls to wait", n), func() bool {
		tty.mu.Lock()
		defer tty.mu.Unlock()
		return len(tty.waiters) == n
	})
}

// until waits until done is true.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
