//go:build linux && (amd64 || arm64)

package rack

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/daemon"
)

// What a machine does, as its power plug and its fans tell.
const (
	booted   = "booted"
	off      = "powered itself off"
	rebooted = "rebooted"
	dark     = "lost its power"
	woken    = "was woken"
	killed   = "had its daemon killed"
	crashed  = "ended in a way it may not"
)

// rebootStatus is how systemd-nspawn ends when the container asked for a reboot
// (systemd-nspawn(1), --keep-unit).
const rebootStatus = 133

// machine is a computer of the rack. Its disk outlives a boot, its memory doesn't.
type machine struct {
	t       testing.TB
	name    string
	root    string // its disk
	groups  string // its control group, with one for each boot in it
	console string // a file with all that it said
	args    []string
	card    string            // its address on the network
	fed     []*supply         // what it is plugged into
	tell    func(what string) // of each change, in their order

	mu     sync.Mutex
	power  bool // its outlet has
	boots  int
	life   *life
	closed bool
}

// life is one boot of a machine, until it is off.
type life struct {
	cmd   *exec.Cmd
	group string
	ended chan struct{}
}

// press is its power button, or a magic packet for its network card.
func (m *machine) press() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil && m.power && !m.closed {
		m.tell(woken)
		m.boot()
	}
}

// short is its name in the rack.
func (m *machine) short() string { _, name, _ := strings.Cut(m.name, "-"); return name }

// learnCard asks the machine what a magic packet for it has in it.
func (m *machine) learnCard() {
	m.t.Helper()
	mac, err := m.do("cat", "/sys/class/net/host0/address")
	if err != nil {
		m.t.Fatal(err)
	}
	m.card = strings.TrimSpace(mac)
}

// boot boots the machine if it is off and can. m.mu is held.
func (m *machine) boot() {
	if m.life != nil || !m.power || m.closed {
		return
	}
	if err := m.spawn(); err != nil {
		m.t.Errorf("%s cannot boot: %v", m.name, err)
		return
	}
	m.tell(booted)
}

func (m *machine) spawn() error {
	if err := m.still(); err != nil {
		return err
	}
	// As a boot finds a disk that the late unit had made read-only.
	if err := unix.Mount("", m.root, "", unix.MS_REMOUNT, ""); err != nil {
		return fmt.Errorf("cannot make the disk writable: %w", err)
	}
	// A new one each time: what is born into a control group that was killed before is
	// killed too, by some kernels (cgroup_css_set_fork takes the parent's kill_seq).
	m.boots++
	path := filepath.Join(m.groups, strconv.Itoa(m.boots))
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	group, err := os.Open(path)
	if err != nil {
		return err
	}
	defer group.Close()
	console, err := os.OpenFile(m.console, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer console.Close()
	// With a clock of its own, that begins at 0: nobody knows how long it was off.
	cmd := exec.Command("unshare", append([]string{"--time", fmt.Sprintf("--boottime=-%d", int(uptime().Seconds())), "--",
		"systemd-nspawn", "--quiet", "--directory=" + m.root, "--machine=" + m.name, "--boot",
		"--register=no", "--keep-unit", "--console=read-only", "--link-journal=no", "--resolv-conf=off", "--timezone=off"}, m.args...)...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	l := &life{cmd: cmd, group: path, ended: make(chan struct{})}
	m.life = l
	go m.watch(l)
	return nil
}

// uptime is what a machine's clock says that began with the test's own machine.
func uptime() time.Duration { return time.Duration(daemon.NewClock().Now()) }

// still waits until the last life has left nothing behind: the kernel takes a network
// down some time after the last process in it.
func (m *machine) still() error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		events, err := os.ReadFile(filepath.Join(m.groups, "cgroup.events"))
		if err != nil {
			return err
		}
		if _, err := net.InterfaceByName("vb-" + m.name); err != nil && strings.Contains(string(events), "populated 0") {
			return nil
		}
		select {
		case <-deadline:
			return errors.New("its last life doesn't end")
		case <-tick.C:
		}
	}
}

// watch waits for the end of a life, and for what follows.
func (m *machine) watch(l *life) {
	err := l.cmd.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	defer close(l.ended)
	m.life = nil
	var exit *exec.ExitError
	switch {
	case m.closed:
	case !m.power: // told when it was cut
	case err == nil:
		m.tell(off)
	case errors.As(err, &exit) && exit.ExitCode() == rebootStatus:
		m.tell(rebooted)
		m.boot()
	default:
		m.tell(crashed)
		m.t.Errorf("%s: systemd-nspawn: %v", m.name, err)
	}
}

// outlet gives the machine power or takes it. Who has it back boots, as the firmware of
// a server is told to do. It returns when that is so.
func (m *machine) outlet(power bool) {
	m.mu.Lock()
	had := m.power
	m.power = power
	l := m.life
	if power {
		m.boot()
	} else if had && l != nil {
		m.tell(dark)
		if err := os.WriteFile(filepath.Join(l.group, "cgroup.kill"), []byte("1"), 0o200); err != nil {
			m.t.Error(err)
		}
	}
	m.mu.Unlock()
	if !power && l != nil {
		<-l.ended
	}
}

// scrap takes the machine away.
func (m *machine) scrap() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.outlet(false)
}

// on reports whether the machine runs.
func (m *machine) on() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.life != nil
}

// leader is the machine's first process, as the test sees it; 0 while there is none.
func (m *machine) leader() int {
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return 0
	}
	pid := l.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid)) // none is none
	first, _, _ := strings.Cut(strings.TrimSpace(string(children)), " ")
	leader, _ := strconv.Atoi(first)
	return leader
}

// checkAlone looks at a machine that is about to lose its power: nothing runs any more
// but the late unit and what starts it. (Its disk is the test's: in a container the late
// unit writes it out and leaves it writable.)
func (m *machine) checkAlone() {
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return
	}
	last := []string{"systemd", "systemd-shutdow", "systemd-nspawn", "systemd-journal", "(sd-executor)", "upsmaster"}
	for _, p := range l.processes() {
		if !slices.Contains(last, p.name) {
			m.t.Errorf("%s lost its power while %s ran", m.name, p.name)
		}
	}
}

// process is one that runs on a machine.
type process struct {
	pid        int // as the test sees it
	name, argv string
}

// processes are all that run in a life; one may end meanwhile, with its control group.
func (l *life) processes() (all []process) {
	_ = filepath.WalkDir(l.group, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return nil //nolint:nilerr // see above
		}
		pids, _ := os.ReadFile(path)
		for _, pid := range strings.Fields(string(pids)) {
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			argv, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			p := process{name: strings.TrimSpace(string(name)), argv: strings.ReplaceAll(string(argv), "\x00", " ")}
			if p.pid, _ = strconv.Atoi(pid); p.name != "" {
				all = append(all, p)
			}
		}
		return nil
	})
	return all
}

// kill kills a daemon, as the kernel does when memory is short.
func (m *machine) kill(daemon string) {
	m.t.Helper()
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	n := 0
	if l != nil {
		for _, p := range l.processes() {
			if p.name == daemon && strings.HasSuffix(p.argv, " run ") {
				n++
				if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
					m.t.Error(err)
				}
			}
		}
	}
	if n != 1 {
		m.t.Errorf("%s: there are %d of %s to kill", m.name, n, daemon)
	}
	m.tell(killed)
}

// crash is what a kernel's panic makes of a machine: it boots anew.
func (m *machine) crash() {
	m.outlet(false)
	m.outlet(true)
}

// file is the path by which the test finds a file that the running machine has in
// memory, such as a socket.
func (m *machine) file(path string) string { return fmt.Sprintf("/proc/%d/root%s", m.leader(), path) }

// do runs a program on the machine.
func (m *machine) do(argv ...string) (string, error) {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(m.leader()), "--all", "--"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w: %s", m.name, strings.Join(argv, " "), err, out)
	}
	return string(out), nil
}

// write writes a file of the machine's disk.
func (m *machine) write(path, text string) {
	m.t.Helper()
	if err := writeFile(m.root+path, text, 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// mask keeps a unit from being started.
func (m *machine) mask(unit string) {
	m.t.Helper()
	if err := os.Symlink("/dev/null", m.root+"/etc/systemd/system/"+unit); err != nil {
		m.t.Fatal(err)
	}
}

// said is what the machine has said in all its boots.
func (m *machine) said() string {
	text, _ := os.ReadFile(m.console) // no console, nothing said
	return string(text)
}

// tale is what our programs said there, and the end of what everybody did.
func (m *machine) tale() string {
	lines := strings.Split(strings.TrimSpace(m.said()), "\n")
	var out []string
	for i, l := range lines {
		ours := strings.Contains(l, "upsmaster[") || strings.Contains(l, "upsagent[") || strings.Contains(l, "lastwatt") || strings.Contains(l, "] ups")
		twice := strings.Contains(l, "\x1b[") // what systemd tells people and logs too
		if (ours || i > len(lines)-40) && !twice {
			out = append(out, strings.TrimSpace(l))
		}
	}
	return strings.Join(out, "\n")
}

// patience is how long a test waits for what takes a moment: the machine may be busy.
const patience = 90 * time.Second

// until waits until done is true, and fails the test if that takes too long.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
