//go:build linux && (amd64 || arm64)

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/master"
	"github.com/lastwatt/lastwatt/master/setup"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// talk is a program on a terminal, and the one who sits there.
type talk struct {
	t        testing.TB
	cmd      *exec.Cmd
	terminal *os.File

	mu    sync.Mutex // guards all below
	said  string     // all of it, every run of white space one blank
	at    int        // up to here it has been read
	news  chan struct{}
	ended bool
}

// sit starts a program on a terminal of its own.
func sit(t testing.TB, cmd *exec.Cmd) *talk {
	t.Helper()
	cmd.Env = append(plainEnv(), append([]string{"TERM=dumb"}, cmd.Env...)...)
	terminal, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	k := &talk{t: t, cmd: cmd, terminal: terminal, news: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		k.listen()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		terminal.Close()
		<-read
		if t.Failed() {
			t.Logf("the talk:\n%s", k.said)
		}
	})
	return k
}

func (k *talk) listen() {
	buf := make([]byte, 4096)
	raw := ""
	for {
		n, err := k.terminal.Read(buf)
		raw += string(buf[:n])
		k.mu.Lock()
		k.said = strings.Join(strings.Fields(raw), " ")
		k.ended = err != nil // EIO: the program has ended
		close(k.news)
		k.news = make(chan struct{})
		k.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// hear waits until one of the texts is said, and returns which one came first and
// what was said before it.
func (k *talk) hear(texts ...string) (which int, before string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	for {
		k.mu.Lock()
		rest, news, ended := k.said[min(k.at, len(k.said)):], k.news, k.ended
		first, found := -1, len(rest)
		for i, text := range texts {
			if at := strings.Index(rest, text); at >= 0 && at < found {
				first, found = i, at
			}
		}
		if first >= 0 {
			k.at += found + len(texts[first])
			k.mu.Unlock()
			return first, rest[:found]
		}
		k.mu.Unlock()
		if ended {
			k.t.Fatalf("it ended, and never said any of %q", texts)
		}
		select {
		case <-news:
		case <-ctx.Done():
			k.t.Fatalf("it never said any of %q", texts)
		}
	}
}

// answer waits for a question and types a line.
func (k *talk) answer(question, with string) (before string) {
	k.t.Helper()
	_, before = k.hear(question)
	k.typed(with + "\n")
	return before
}

func (k *talk) typed(keys string) {
	k.t.Helper()
	if _, err := k.terminal.WriteString(keys); err != nil {
		k.t.Fatal(err)
	}
}

// over waits until the program has ended and returns its exit status.
func (k *talk) over() int {
	k.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.cmd.Wait()
	}()
	ctx, cancel := context.WithTimeout(k.t.Context(), patience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		k.t.Fatal("it does not end")
	}
	return k.cmd.ProcessState.ExitCode()
}

// fresh is a rack whose configuration is as a package brings it.
func fresh(t testing.TB, cable string) *rack {
	t.Helper()
	r := newRack(t, rackOptions{cable: cable, probed: true})
	r.write("master.toml", fmt.Sprintf("listen = %q\nsocket = %q\ndata = %q\nrun = %q\n[discovery]\nmdns = false\n[[ups]]\nname = \"main\"\nport = \"\"\n",
		r.address, r.socket(), r.path("data"), r.path("run")))
	return r
}

func (r *rack) setup(args ...string) *talk {
	r.t.Helper()
	return sit(r.t, r.tty.Command(program("upsmaster"), append([]string{"setup", "--config", r.path("master.toml")}, args...)...))
}

// TestSetupFindsTheCable: somebody who doesn't know his cable pulls the plug, puts it
// back, makes the battery low and chooses the name; then a master protects him.
func TestSetupFindsTheCable(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"liebert-powersure", "nut-7", "nut-2", "apc-back-ups-txd", "nut-1", "genpower-gmbh-usv", "powerd", "nut-16"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := fresh(t, name)
			k := r.setup("--no-service")
			k.answer("look: list them again", r.tty.Path())
			k.answer("find out by watching it:", "")
			k.answer("may the port be opened? (y/n) [n]:", "y")
			r.find(k)
			_, list := k.hear("Which one?")
			n := regexp.MustCompile(`(\d+)\. ` + regexp.QuoteMeta(name) + ":").FindStringSubmatch(list)
			if n == nil {
				t.Fatalf("%s is not among those that fit: %s", name, list)
			}
			k.typed(n[1] + "\n")
			k.answer("How long does a full battery carry the load", "12m")
			k.answer("this machine shuts itself down", "")
			k.answer("What is this rack called", "rack1")
			k.answer("Write it? (y/n) [y]:", "")
			k.hear("Start the master with: upsmaster run --config")
			if code := k.over(); code != 0 {
				t.Fatalf("exit status %d", code)
			}
			cfg, err := master.LoadConfig(r.path("master.toml"))
			if err != nil {
				t.Fatal(err)
			}
			if u := cfg.UPS[0]; u.Cable.Name != name || u.Port != r.tty.Path() || cfg.Name != "rack1" || cfg.Socket != r.socket() || cfg.Node == nil {
				t.Errorf("the file says %+v", cfg)
			}
			r.leftForTheMaster()
		})
	}
}

// leftForTheMaster checks how setup left the port, and that a master which takes it
// moves nothing.
func (r *rack) leftForTheMaster() {
	r.t.Helper()
	if r.tty.IsOpen() || r.tty.Outputs() != r.cable.Idle() {
		r.t.Errorf("setup left the port open: %v, outputs %v; want %v", r.tty.IsOpen(), r.tty.Outputs(), r.cable.Idle())
	}
	mark := len(r.tty.Events())
	r.startMaster()
	untouched(r.t, "the master that setup was for", r.tty.Events()[mark:])
	m := setup.LocalMaster(r.socket())
	views, err := m.Look(r.t.Context())
	if err != nil || len(views) != 1 || views[0].State != "OK" || views[0].Cable != r.cable.Name {
		r.t.Errorf("setup would see %+v, %v", views, err)
	}
	if token, ttl, err := m.Token(r.t.Context()); err != nil || token == "" || ttl != 15*time.Minute {
		r.t.Errorf("setup would get token %q for %v, %v", token, ttl, err)
	}
	r.ups.Mains(false)
	r.await("FAIL", reads("FAIL"))
}

// find plays the owner until the cables that fit are listed. Outputs move only after
// he has agreed.
func (r *rack) find(k *talk) {
	r.t.Helper()
	both := false // he has agreed to both outputs high
	for {
		which, before := k.hear("Pull the UPS's mains plug", "Try DTR, then RTS? (y/n) [n]:", "Go on with the outputs so? (y/n) [n]:", "fit what was seen")
		if now := r.tty.Outputs(); now == line.Outputs && !both || which == 1 && now != 0 {
			r.t.Errorf("outputs at %v before the owner agreed", now)
		}
		switch which {
		case 0:
			r.ups.Mains(false)
			fed := r.cable.FedBy(r.tty.Outputs())
			if !fed {
				k.typed("\n")
			}
			k.hear("Put everything back now")
			r.ups.Mains(true)
			if !fed {
				k.typed("\n")
				continue
			}
			r.low(k)
		case 1, 2:
			both = strings.Contains(before, "DTR high, RTS high: ")
			k.typed("y\n")
		default:
			for _, e := range r.tty.Events() {
				if e.Kind == vtty.LoadOff || e.Kind == vtty.Break || e.Kind == vtty.Data {
					r.t.Errorf("finding out the cable cut the load: %v", e)
				}
			}
			return
		}
	}
}

// low makes the battery low where the cable can say so.
func (r *rack) low(k *talk) {
	r.t.Helper()
	k.hear("Low battery:")
	if !r.cable.HasLow() {
		k.typed("\n")
		return
	}
	r.ups.Mains(false)
	r.ups.Low(true)
	k.hear("Put everything back now")
	r.ups.Low(false)
	r.ups.Mains(true)
}

// TestSetupInterrupted: Ctrl-C in the middle leaves the file, the port and the terminal
// as they were found.
func TestSetupInterrupted(t *testing.T) {
	t.Parallel()
	r := fresh(t, "liebert-powersure")
	before, err := os.ReadFile(r.path("master.toml"))
	if err != nil {
		t.Fatal(err)
	}
	k := r.setup("--port", r.tty.Path(), "--cable", "liebert-powersure")
	was, err := unix.IoctlGetTermios(int(k.terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	k.answer("Check it by pulling", "")
	k.answer("may the port be opened? (y/n) [y]:", "")
	k.hear("Pull the UPS's mains plug")
	if now, err := unix.IoctlGetTermios(int(k.terminal.Fd()), unix.TCGETS); err != nil || *now != *was {
		t.Errorf("the terminal is %+v, was %+v: %v", now, was, err)
	}
	k.typed("\x03")
	k.hear("upsmaster: stopped; nothing was written")
	if code := k.over(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	until(t, "the port to be closed", func() bool { return !r.tty.IsOpen() }, func() string { return "open" })
	r.asItWas(before)
	checkLine(t, r.cable, r.tty.Events())
}

// asItWas checks that the folder holds the one file as it was.
func (r *rack) asItWas(text []byte) {
	r.t.Helper()
	now, err := os.ReadFile(r.path("master.toml"))
	if err != nil || string(now) != string(text) {
		r.t.Errorf("the file was changed: %v\n%s", err, now)
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil || len(entries) != 1 {
		r.t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestSetupLosesItsAdapter in the middle.
func TestSetupLosesItsAdapter(t *testing.T) {
	t.Parallel()
	r := fresh(t, "nut-7")
	k := r.setup("--port", r.tty.Path(), "--yes-open")
	k.answer("find out by watching it:", "")
	k.hear("Try DTR, then RTS?")
	r.tty.Unplug()
	k.typed("y\n")
	k.hear("nothing was written, begin again when it is back")
	if code := k.over(); code != 1 {
		t.Errorf("exit status %d", code)
	}
}

// TestSetupOnABrokenDisk writes nothing, or everything.
func TestSetupOnABrokenDisk(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]vtty.Fault{"no space left on device": vtty.Full, "read-only file system": vtty.ReadOnly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := fresh(t, "nut-7")
			before, err := os.ReadFile(r.path("master.toml"))
			if err != nil {
				t.Fatal(err)
			}
			disk := vtty.NewDisk(t, r.dir)
			k := sit(t, disk.Command([]*vtty.TTY{r.tty}, program("upsmaster"), "setup", "--config", r.path("master.toml"), "--port", "sim", "--no-service"))
			k.answer("How long does a full battery", "")
			k.answer("shuts itself down", "")
			k.answer("What is this rack called", "rack1")
			k.hear("Write it? (y/n) [y]:")
			disk.Break(fault)
			k.typed("\n")
			k.hear("cannot write " + r.path("master.toml") + ": " + name + "; nothing was changed")
			if code := k.over(); code != 1 {
				t.Errorf("exit status %d", code)
			}
			disk.Heal()
			r.asItWas(before)
		})
	}
}

// TestLaw04Probe: live lines by the cable's own levels, and no touch of a port that a
// master holds.
func TestLaw04Probe(t *testing.T) {
	t.Parallel()
	r := newRack(t, rackOptions{cable: "nut-7"})
	k := sit(t, r.tty.Command(program("upsctl"), "probe", "--cable", "nut-7", r.tty.Path()))
	k.hear("outputs DTR low, RTS high; CTS high, DSR low, DCD high, RI low nut-7: on mains")
	r.ups.Mains(false)
	k.hear("CTS fell")
	k.hear("nut-7: on battery")
	r.ups.Low(true)
	k.hear("nut-7: on battery, battery low")
	r.ups.Low(false)
	r.ups.Mains(true)
	k.hear("nut-7: on mains")
	k.typed("\x03")
	if code := k.over(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	mark := len(r.tty.Events())
	r.startMaster()
	k = sit(t, r.tty.Command(program("upsctl"), "--socket", r.socket(), "probe", "--yes-open", r.tty.Path()))
	k.hear("rack1/main OK, cable nut-7, high: RTS CTS DCD")
	k.hear("held by upsmaster (pid")
	if code := k.over(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	k = r.setup("--replace", "--port", r.tty.Path())
	k.answer("find out by watching it:", "")
	k.hear("is watched by the running master")
	k.over()
	for _, e := range r.tty.Events()[mark:] {
		if e.Output() || e.Kind == vtty.Open && e.PID != r.master.cmd.Process.Pid {
			t.Errorf("somebody touched the port: %v", e)
		}
	}
}

// TestProbeUnknown: what fits, as JSON, for a while.
func TestProbeUnknown(t *testing.T) {
	t.Parallel()
	r := fresh(t, "apc-back-ups-txd")
	cmd := r.tty.Command(program("upsctl"), "--json", "probe", "--yes-open", "--for", "60s", r.tty.Path())
	k := sit(t, cmd)
	k.hear(`{"at_seconds":0,"lines":[],`)
	r.ups.Mains(false)
	k.hear(`"rose":["DCD"],"fell":[],"pulses":0,"fits":["apc-back-ups","apc-back-ups-txd"`)
	cmd.Process.Signal(syscall.SIGTERM)
	if code := k.over(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
