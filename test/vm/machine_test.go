//go:build linux && amd64

package vm

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// What happens to a machine and its UPS.
const (
	booted    = "booted"
	off       = "powered itself off"
	rebooted  = "rebooted"
	dark      = "lost its power"
	outputOff = "OUTPUT OFF"
	outputOn  = "OUTPUT ON"
)

// machine is a computer that the UPS's cable ends in, and that lives on that UPS.
type machine struct {
	t      testing.TB
	kernel string // its parameters
	cable  line.Cable
	tty    *vtty.TTY
	ups    *vtty.UPS
	disk   *os.File

	mu    sync.Mutex // guards what follows
	news  chan struct{}
	story []event
	said  strings.Builder // on its console, in all its boots
	life  *life
}

type event struct {
	at   time.Duration // on the tty's clock
	what string
}

// life is from one power-on to the next power-off.
type life struct {
	cmd   *exec.Cmd
	shell net.Conn
	ended chan struct{}
	// What follows: machine.mu.
	answers []string // of the shell; nil: it is not there yet
	off     bool     // the machine powers itself off
	cut     bool     // we take its power
}

// arguments are qemu-system-x86_64's. Without KVM: it isn't everywhere, and this is quick
// enough. The modem lines of ttyS1 are our tty's: QEMU reads them every 10 ms.
func (m *machine) arguments() []string {
	args := []string{"-accel", "tcg", "-smp", "1", "-m", "384", "-nodefaults", "-display", "none", "-kernel", ready.kernel,
		"-append", "root=/dev/nvme0n1 rootwait devtmpfs.mount=1 console=ttyS0 quiet " + m.kernel,
		"-drive", "if=none,id=disk,format=raw,cache=writeback,file=" + named(m.disk), "-device", "nvme,drive=disk,serial=1"}
	for i, c := range []struct{ chardev, at, irq string }{
		{"socket,fd=3", "0x3f8", "4"}, {"serial,path=" + m.tty.Path(), "0x2f8", "3"}, {"socket,fd=4", "0x3e8", "4"},
	} {
		args = append(args, "-chardev", fmt.Sprintf("%s,id=c%d", c.chardev, i), "-device", fmt.Sprintf("isa-serial,chardev=c%d,iobase=%s,irq=%s", i, c.at, c.irq))
	}
	return append(args, "-chardev", "socket,fd=5,id=qmp", "-mon", "chardev=qmp,mode=control")
}

// boot switches the machine on. m.mu is held.
func (m *machine) boot() error {
	l := &life{cmd: m.tty.Command("qemu-system-x86_64", m.arguments()...), ended: make(chan struct{})}
	var ours []net.Conn
	for range 3 {
		here, there, err := pair()
		if err != nil {
			return err
		}
		defer there.Close()
		ours, l.cmd.ExtraFiles = append(ours, here), append(l.cmd.ExtraFiles, there)
	}
	l.shell = ours[1]
	var complaint strings.Builder
	l.cmd.Stderr = &complaint
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is sent when the thread ends
		err := l.cmd.Start()
		begun <- err
		if err != nil {
			return
		}
		_ = l.cmd.Wait() // how it ended is told by what was seen
		m.ended(l, &complaint)
	}()
	if err := <-begun; err != nil {
		return err
	}
	m.life = l
	go m.listen(ours[0], func(text string) { m.said.WriteString(text + "\n") })
	go m.listen(ours[1], func(text string) {
		if text == "READY" {
			l.answers = []string{}
		} else if l.answers != nil {
			l.answers = append(l.answers, text)
		}
	})
	go m.listen(ours[2], func(text string) { m.monitor(l, text) })
	_, err := io.WriteString(ours[2], `{"execute":"qmp_capabilities"}`+"\n")
	m.note(booted)
	return err
}

// pair is a line between the test and QEMU.
func pair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours := os.NewFile(uintptr(fds[0]), "here")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	return conn, os.NewFile(uintptr(fds[1]), "there"), err
}

// listen takes every line that comes, with m.mu held, until the machine is off.
func (m *machine) listen(conn net.Conn, take func(string)) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		m.mu.Lock()
		take(strings.TrimRight(lines.Text(), "\r"))
		m.tell()
		m.mu.Unlock()
	}
}

// monitor takes what QEMU tells of the machine (qemu-qmp-ref(7)).
func (m *machine) monitor(l *life, text string) {
	var e struct {
		Event string
		Data  struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		m.t.Errorf("QEMU says %q: %v", text, err)
	}
	switch {
	case e.Event == "SHUTDOWN" && e.Data.Reason == "guest-shutdown":
		l.off = true
	case e.Event == "RESET" && e.Data.Reason == "guest-reset":
		l.answers = nil
		m.note(rebooted)
	}
}

// ended takes note of the end of a life.
func (m *machine) ended(l *life, complaint fmt.Stringer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer close(l.ended)
	m.life = nil
	switch {
	case l.cut:
		m.note(dark)
	case l.off:
		m.note(off)
	default:
		m.t.Errorf("QEMU ended by itself: %s %s", l.cmd.ProcessState, complaint)
	}
}

// outlet gives the machine power or takes it. Who has it back boots.
func (m *machine) outlet(power bool) {
	m.mu.Lock()
	l := m.life
	if power && l == nil {
		if err := m.boot(); err != nil {
			m.t.Errorf("cannot boot: %v", err)
		}
	}
	if !power && l != nil {
		l.cut = true
		_ = l.cmd.Process.Kill() // it may have ended
	}
	m.mu.Unlock()
	if !power && l != nil {
		<-l.ended
	}
}

// load is what hangs on the UPS's outlet, for as long as the test lasts.
func (m *machine) load() {
	for last := time.Duration(-1); ; {
		e, err := m.tty.WaitEvent(m.t.Context(), func(e vtty.Event) bool {
			return e.At > last && (e.Kind == vtty.LoadOff || e.Kind == vtty.LoadOn)
		})
		if err != nil {
			return
		}
		last = e.At
		m.mu.Lock()
		m.note(map[vtty.Kind]string{vtty.LoadOff: outputOff, vtty.LoadOn: outputOn}[e.Kind])
		m.mu.Unlock()
		m.outlet(e.Kind == vtty.LoadOn)
	}
}

// note adds to the story. m.mu is held.
func (m *machine) note(what string) {
	m.story = append(m.story, event{m.tty.Now(), what})
	m.tell()
}

// tell wakes who waits for something to be seen. m.mu is held.
func (m *machine) tell() {
	close(m.news)
	m.news = make(chan struct{})
}

// patience is how long a test waits for what takes a moment: a boot, with much else going
// on here.
const patience = 3 * time.Minute

// until waits until done, which is called with m.mu held, and fails the test if that takes
// too long.
func (m *machine) until(what string, done func() bool) {
	m.t.Helper()
	deadline := time.After(patience)
	for {
		m.mu.Lock()
		over, news := done(), m.news
		m.mu.Unlock()
		if over {
			return
		}
		select {
		case <-news:
		case <-deadline:
			m.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// hears waits until the machine has said that on its console, after the first n bytes. It
// returns how much was said by then.
func (m *machine) hears(n int, text string) int {
	m.t.Helper()
	m.until(fmt.Sprintf("%q", text), func() bool { return strings.Contains(m.said.String()[n:], text) })
	return m.heard()
}

// heard is how much it has said.
func (m *machine) heard() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said.Len()
}

// happened is how much has happened.
func (m *machine) happened() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.story)
}

// follow waits until these have happened after the first n events, in this order and
// nothing else in between. It returns how many there were by then.
func (m *machine) follow(n int, want ...string) int {
	m.t.Helper()
	for _, w := range want {
		m.until(w, func() bool { return len(m.story) > n })
		m.mu.Lock()
		got := m.story[n].what
		m.mu.Unlock()
		if n++; got != w {
			m.t.Fatalf("%s, wanted %s", got, w)
		}
	}
	return n
}

// do runs a line of a shell's on the machine, and returns what it says.
func (m *machine) do(text string) (string, error) {
	m.t.Helper()
	m.until("its shell", func() bool { return m.life != nil && m.life.answers != nil })
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return "", fmt.Errorf("%s: the machine is off", text)
	}
	if _, err := io.WriteString(l.shell, text+"\n"); err != nil {
		return "", err
	}
	var out []string
	status := ""
	m.until("the end of "+text, func() bool {
		if m.life != l || l.answers == nil {
			status = cmp.Or(status, "the machine went down")
		}
		for i, a := range l.answers {
			if code, ok := strings.CutPrefix(a, "DONE "); ok {
				out, status, l.answers = l.answers[:i], code, l.answers[i+1:]
				break
			}
		}
		return status != ""
	})
	if status != "0" {
		return strings.Join(out, "\n"), fmt.Errorf("%s: %s: %s", text, status, strings.Join(out, "\n"))
	}
	return strings.Join(out, "\n"), nil
}
