//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-cmp/cmp"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// onTTY is a real program on a real terminal, whose glass can be read.
type onTTY struct {
	t     *testing.T
	cmd   *exec.Cmd
	tty   *os.File // our end
	glass *glass
	moved chan struct{} // something was written
	ended chan struct{} // nothing more will be
	mu    sync.Mutex
	raw   bytes.Buffer // all that was written
}

// startOnTTY starts a program in a window of that size, asking that daemon.
func startOnTTY(t *testing.T, f *fake, cols, rows int, env []string, argv ...string) *onTTY {
	t.Helper()
	p := &onTTY{t: t, glass: newGlass(cols, rows), moved: make(chan struct{}, 1), ended: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=xterm-256color", "SOCKETS=" + f.serve(t)}, env...)
	var err error
	if p.tty, err = pty.StartWithSize(p.cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		t.Skip("no pseudo-terminal here: ", err)
	}
	go func() {
		defer close(p.ended)
		_ = copyTo(p.tty, func(b []byte) {
			p.mu.Lock()
			p.raw.Write(b)
			p.mu.Unlock()
			_, _ = p.glass.Write(b)
			select {
			case p.moved <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		_ = p.tty.Close()
		<-p.ended
	})
	return p
}

// copyTo reads until the other end is gone.
func copyTo(f *os.File, got func([]byte)) error {
	b := make([]byte, 4096)
	for {
		n, err := f.Read(b)
		if err != nil {
			return err
		}
		got(b[:n])
	}
}

// until waits for what must come to stand on the glass.
func (p *onTTY) until(what string, is func(text string) bool) {
	p.t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !is(p.glass.text()) {
		select {
		case <-p.moved:
		case <-limit.C:
			p.t.Fatalf("never came: %s; there stands:\n%s", what, p.glass.text())
		case <-p.ended:
			if !is(p.glass.text()) {
				p.t.Fatalf("it ended without: %s; there stands:\n%s", what, p.glass.text())
			}
		}
	}
}

func (p *onTTY) untilShown(what string) {
	p.t.Helper()
	p.until(what, func(text string) bool { return strings.Contains(text, what) })
}

// written is all that was.
func (p *onTTY) written() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.raw.String()
}

func (p *onTTY) press(keys string) {
	p.t.Helper()
	if _, err := p.tty.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

func (p *onTTY) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the end and returns the exit status.
func (p *onTTY) end() int {
	p.t.Helper()
	<-p.ended
	_ = p.cmd.Wait()
	if err := p.glass.asItWas(); err != nil {
		p.t.Errorf("the terminal is not as it was: %v", err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// calmRack is a rack in an outage on which no time that is shown changes for a while.
func calmRack() *upsv1.MasterStatus {
	m := darkRack()
	long := dur(2*time.Hour + 5*time.Minute + 30*time.Second)
	m.Ups[0].Age, m.Problems[0].Age = long, long
	m.Nodes[0].Report.Deadline, m.Nodes[1].Report.Deadline = long, long
	return m
}

const calmText = `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR   LINES        CABLE
main  FAIL   2h5m  DTR CTS DCD  liebert-powersure

NODE  ROLE      PHASE    STATE   COUNTDOWN  LINK  PROBLEM
web1  compute   GRACE    FAIL    2h5m       up
db1   database  HELD     FAIL    2h5m       lost  held by root, node-lost
nas1  storage   WAITING  BATLOW  -          off   waits for 2

node/db1: node-lost, for 2h5m: it was last heard 1m30s ago; look at upsagent and
  the network there, for it hears of no power failure
`

// TestWatchOnATerminal: the real program, each way to end it, and what it leaves.
func TestWatchOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*onTTY)
	}{
		{"q", func(p *onTTY) { p.press("q") }},
		{"Ctrl-C", func(p *onTTY) { p.press("\x03") }},
		{"kill -INT", func(p *onTTY) { p.signal(syscall.SIGINT) }},
		{"kill", func(p *onTTY) { p.signal(syscall.SIGTERM) }},
		{"hang up", func(p *onTTY) { p.signal(syscall.SIGHUP) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := startOnTTY(t, fakes()["calm"], 80, 24, nil, "upsctl", "status", "--watch")
			p.untilShown("power failure")
			if diff := cmp.Diff(calmText+"\n15:04:05  q quits\n", p.glass.text()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !p.glass.taken() {
				t.Error("it did not take the second screen")
			}
			tt.end(p)
			if code := p.end(); code != exitAttention {
				t.Errorf("exit status %d, want %d", code, exitAttention)
			}
		})
	}
}

// TestWatchInAWindow that is small, grows and shrinks.
func TestWatchInAWindow(t *testing.T) {
	m := calmRack()
	m.Ups[0].Status = upsv1.Status_STATUS_OK
	m.Nodes = append(crowd(30).Nodes[:30], m.Nodes[0])
	m.Nodes[30].Name = "late1"
	p := startOnTTY(t, &fake{status: answer(m)}, 40, 10, nil, "upsctl", "status", "--watch")
	const small = `master rack1 at 192.0.2.1:8493
UPS   STATE  FOR   LINES
main  OK     2h5m  DTR CTS DCD
NODE   PHASE  COUNTDOWN  LINK  PROBLEM
late1  GRACE  2h5m       up
web1   IDLE   -          up
web2   IDLE   -          up
… 28 more nodes
node/db1: node-lost, for 2h5m: it was l…
15:04:05  q quits
`
	p.until("the small frame", func(text string) bool { return text == small })
	p.glass.resize(80, 50)
	if err := pty.Setsize(p.tty, &pty.Winsize{Cols: 80, Rows: 50}); err != nil {
		t.Fatal(err)
	}
	p.untilShown("web30  compute  IDLE   OK")
	p.untilShown("power failure\n\n15:04:05  q quits\n")
	p.glass.resize(40, 10)
	if err := pty.Setsize(p.tty, &pty.Winsize{Cols: 40, Rows: 10}); err != nil {
		t.Fatal(err)
	}
	p.until("the small frame again", func(text string) bool { return text == small })
	p.press("q")
	if code := p.end(); code != exitAttention {
		t.Errorf("exit status %d", code)
	}
}

// TestWatchIsSuspended by Ctrl-Z in a real shell, and goes on by fg.
func TestWatchIsSuspended(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash here")
	}
	p := startOnTTY(t, fakes()["well"], 80, 24, []string{"PS1=ready "}, "bash", "--norc", "--noprofile", "--noediting", "-i")
	prompt := func(text string) bool { return !p.glass.taken() && strings.HasSuffix(text, "ready\n") }
	p.until("a prompt", prompt)
	p.press("upsctl status --watch\n")
	p.untilShown("master rack1")
	p.press("\x1a")
	p.untilShown("Stopped")
	p.until("a prompt", prompt)
	if err := p.glass.asItWas(); err != nil {
		t.Errorf("suspended, and the terminal is not as it was: %v", err)
	}
	const keysByLine = "stty -a | grep -c ' icanon .* echo '; echo said\n"
	p.press(keysByLine)
	p.untilShown("\n1\nsaid")
	p.until("a prompt", prompt)
	p.press("fg\n")
	p.until("the screen again", func(text string) bool { return strings.HasPrefix(text, "master rack1") && p.glass.taken() })
	p.press("q")
	p.until("the prompt", prompt)
	p.press("echo status $?; " + keysByLine)
	p.untilShown("status 0\n1\nsaid")
	p.until("a prompt", prompt)
	p.press("exit\n")
	p.end()
}

// TestWatchThatNobodyCouldWake is not stopped by Ctrl-Z: it is alone in its session.
func TestWatchThatNobodyCouldWake(t *testing.T) {
	p := startOnTTY(t, fakes()["well"], 80, 24, nil, "upsctl", "status", "--watch")
	p.untilShown("master rack1")
	p.press("\x1a")
	p.until("it went on", func(string) bool { return strings.Count(p.written(), termEnter) == 2 })
	p.untilShown("master rack1")
	p.press("q")
	if code := p.end(); code != exitWell {
		t.Errorf("exit status %d", code)
	}
}

// TestWatchWithoutAScreen writes lines, and not one escape.
func TestWatchWithoutAScreen(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  []string
		args []string
	}{
		{"a dumb terminal", []string{"TERM=dumb"}, nil},
		{"no name for it", []string{"TERM="}, nil},
		{"plain", nil, []string{"--plain"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fakes()["well"]
			f.status = append(f.status, answer(calmRack())...)
			p := startOnTTY(t, f, 80, 24, tt.env, append([]string{"upsctl", "status", "--watch"}, tt.args...)...)
			p.until("the last line", func(string) bool { return strings.Contains(p.written(), "power failure") })
			p.signal(syscall.SIGTERM)
			if code := p.end(); code != exitAttention {
				t.Errorf("exit status %d", code)
			}
			want := `15:04:05 master rack1 at 192.0.2.1:8493 answers
15:04:05 ups main: on mains for 12 seconds
15:04:05 node web1: on mains; link up
15:04:05 ups main: on battery for 2 hours 5 minutes
15:04:05 node web1: on battery, going down in 2 hours 5 minutes; link up
15:04:05 node db1: on battery, held by root for another 2 hours 5 minutes; link lost
15:04:05 node nas1: battery low, going down after web1 and 1 more; said that it goes
15:04:05 problem on node/db1: node-lost for 2 hours 5 minutes: it was last heard 1m30s ago; look at upsagent and the network there, for it hears of no power failure
`
			if diff := cmp.Diff(want, strings.ReplaceAll(p.written(), "\r\n", "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWatchWithoutColour says the same in words.
func TestWatchWithoutColour(t *testing.T) {
	for env, colour := range map[string]bool{"NO_COLOR=1": false, "NO_COLOR=": true} {
		p := startOnTTY(t, fakes()["dark"], 80, 24, []string{env}, "upsctl", "status", "--watch")
		p.untilShown("power failure")
		p.press("q")
		p.end()
		if got := strings.Contains(p.written(), "\x1b[33mFAIL\x1b[0m"); got != colour {
			t.Errorf("%s: colour is %v", env, got)
		}
	}
}
