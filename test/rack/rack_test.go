//go:build linux && (amd64 || arm64)

package rack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

var counter atomic.Int32 // of racks: names of bridges, folders, control groups

// host is the machine that the serial cable ends in.
const host = "rack1"

// What the UPS does with its outlets.
const (
	outputOff = "OUTPUT OFF"
	outputOn  = "OUTPUT ON"
)

// rack is a UPS and machines on it.
type rack struct {
	t       testing.TB
	dir     string
	bridge  string
	cable   line.Cable
	tty     *vtty.TTY
	ups     *vtty.UPS
	host    *machine
	nodes   []*machine
	socket  string // of the master, on its machine
	started time.Time
	mu      sync.Mutex
	story   []event
	news    chan struct{} // closed at the next event
}

// event is one thing that happened in the rack.
type event struct {
	at   time.Duration
	who  string // a machine, or "ups"
	what string
}

func (e event) String() string { return e.who + " " + e.what }

// config says what rack.
type config struct {
	cable string   // as a TOML table, with a kill if it has one
	more  string   // of master.toml
	nodes []string // "NAME: lines of agent.toml"
}

// plain is a cable without a kill.
const plain = `{ on_battery = "CTS", low_battery = "!DCD", drive = ["DTR"] }`

// newRack boots a rack on mains and makes its nodes join.
func newRack(t testing.TB, c config) *rack {
	t.Helper()
	n := counter.Add(1)
	r := &rack{t: t, dir: layer(fmt.Sprint("r", n)), bridge: fmt.Sprint("br", n), socket: "/run/lastwatt/master/master.sock",
		tty: vtty.New(t), started: time.Now(), news: make(chan struct{})}
	r.cable = parseCable(t, c.cable)
	r.ups = vtty.NewUPS(r.tty, r.cable)
	port := filepath.Join(r.dir, "port")
	if err := os.MkdirAll(port, 0o755); err != nil {
		t.Fatal(err)
	}
	vtty.Door(filepath.Join(port, "door"), r.tty)
	ip(t, "link add "+r.bridge+" type bridge", "link set "+r.bridge+" up")
	t.Cleanup(r.close)
	r.host = r.machine(host, 1, "master", "--bind="+port+":"+portDoor, "--bind="+r.tty.Node()+":"+portNode)
	r.host.write("/etc/lastwatt/master.toml", fmt.Sprintf(masterTOML, c.more, portNode, c.cable))
	r.enable(r.host, "upsmaster.service", "lastwatt-cut.service")
	for i, text := range c.nodes {
		name, lines, _ := strings.Cut(text, ":")
		m := r.machine(name, i+2, "agent")
		m.write("/etc/lastwatt/agent.toml", fmt.Sprintf(agentTOML, lines))
		r.enable(m, "upsagent.service")
		r.nodes = append(r.nodes, m)
	}
	go r.load()
	for _, m := range r.all() {
		m.outlet(true)
	}
	r.await("the master to see the UPS", func(s status) bool { return s.ups() == "OK" })
	for _, m := range r.nodes {
		r.join(m)
	}
	r.await("everybody to be there", r.attached)
	for _, m := range r.all() {
		m.learnCard()
	}
	hear(t, r.bridge, r.wake)
	return r
}

// masterTOML has times that a test can wait for.
const masterTOML = `listen = ":8493"
%s
[discovery]
mdns = false
[[ups]]
name = "main"
port = %q
cable = %s
[ups.settle]
ok = "300ms"
`

const agentTOML = `masters = ["10.77.0.1:8493"]
[discovery]
mdns = false
%s`

var bareKey = regexp.MustCompile(`([a-z_]+) =`)

func parseCable(t testing.TB, text string) line.Cable {
	t.Helper()
	// The table's strings and arrays are JSON's; its keys are bare.
	var c line.Cable
	if err := json.Unmarshal([]byte(bareKey.ReplaceAllString(text, `"$1":`)), &c); err != nil {
		t.Fatalf("cable %s: %v", text, err)
	}
	return c
}

// machine makes a machine of the rack, with a network card at the bridge and an address.
func (r *rack) machine(name string, number int, kind string, args ...string) *machine {
	r.t.Helper()
	dir := filepath.Join(r.dir, name)
	root, err := newDisk(dir, kind)
	if err != nil {
		r.t.Fatal(err)
	}
	full := filepath.Base(r.dir) + "-" + name
	m := &machine{t: r.t, name: full, root: root, console: filepath.Join(dir, "console"),
		groups: filepath.Join("/sys/fs/cgroup", filepath.Base(os.Getenv(groupVariable)), full),
		args:   append([]string{"--network-bridge=" + r.bridge}, args...),
		tell:   func(what string) { r.note(name, what) }}
	if err := os.MkdirAll(m.groups, 0o755); err != nil {
		r.t.Fatal(err)
	}
	m.write("/etc/systemd/network/10-host0.network", fmt.Sprintf("[Match]\nName=host0\n[Network]\nAddress=10.77.0.%d/24\n", number))
	m.write("/etc/hostname", name+"\n")
	m.write("/etc/machine-id", "") // one of its own, at its first boot
	// All that is said there can be read here, to the last moment.
	m.write("/etc/systemd/journald.conf.d/console.conf", "[Journal]\nForwardToConsole=yes\nMaxLevelConsole=info\n")
	r.enable(m, "systemd-networkd.service")
	return m
}

func (r *rack) enable(m *machine, units ...string) {
	r.t.Helper()
	if err := enable(m.root, units...); err != nil {
		r.t.Fatal(err)
	}
}

// join makes a machine's agent join.
func (r *rack) join(m *machine) {
	r.t.Helper()
	token := strings.TrimSpace(r.upsctl("token", "create"))
	until(r.t, m.name+"'s agent", func() bool {
		_, err := os.Stat(m.file("/run/lastwatt/agent/agent.sock"))
		return err == nil
	})
	if _, err := m.do("upsagent", "join", token); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rack) all() []*machine { return append([]*machine{r.host}, r.nodes...) }

// node returns a machine by its name.
func (r *rack) node(name string) *machine {
	return r.nodes[slices.IndexFunc(r.nodes, func(m *machine) bool { return strings.HasSuffix(m.name, "-"+name) })]
}

// close takes the rack away, and tells its story if the test failed.
func (r *rack) close() {
	if r.t.Failed() {
		r.t.Logf("the story:\n%s", r.tale())
		for _, m := range r.all() {
			if m != nil {
				r.t.Logf("what %s said:\n%s", m.name, m.tale())
			}
		}
	}
	for _, m := range r.all() {
		if m == nil {
			continue
		}
		m.scrap()
		if err := unix.Unmount(m.root, unix.MNT_DETACH); err != nil {
			r.t.Errorf("cannot take the disk of %s away: %v", m.name, err)
		}
	}
	ip(r.t, "link del "+r.bridge)
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Error(err)
	}
}

// load is what hangs on the UPS's outlets, for as long as the test lasts.
func (r *rack) load() {
	for last := time.Duration(-1); ; {
		e, err := r.tty.WaitEvent(r.t.Context(), func(e vtty.Event) bool {
			return e.At > last && (e.Kind == vtty.LoadOff || e.Kind == vtty.LoadOn)
		})
		if err != nil {
			return
		}
		last = e.At
		on := e.Kind == vtty.LoadOn
		if on {
			r.note("ups", outputOn)
		} else {
			r.note("ups", outputOff)
			for _, m := range r.nodes {
				if m.on() {
					r.t.Errorf("law 5: the load was cut while %s ran", m.name)
				}
			}
			r.host.checkAlone()
		}
		for _, m := range r.all() {
			m.outlet(on)
		}
	}
}

// wake is a magic packet for somebody. Who is on, or has no power, hears nothing.
func (r *rack) wake(mac net.HardwareAddr) {
	for _, m := range r.all() {
		if mac.String() == m.card {
			m.press()
		}
	}
}

// late reports whether the late unit of the master's machine has begun.
func (r *rack) late() bool { return strings.Contains(r.host.said(), "lastwatt: ") }

// note adds to the story.
func (r *rack) note(who, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, event{time.Since(r.started), who, what})
	close(r.news)
	r.news = make(chan struct{})
}

// since returns what has happened after the first n events.
func (r *rack) since(n int) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.story[n:])
}

func (r *rack) tale() string {
	var b strings.Builder
	for _, e := range r.since(0) {
		fmt.Fprintf(&b, "%8.3fs %s\n", e.at.Seconds(), e)
	}
	return b.String()
}

// follow waits until these have happened after the first n events, in this order, and
// returns how many there were by then. Nothing else may have happened in between; what
// stands in one string, with " | " between, may come in any order.
func (r *rack) follow(n int, limit time.Duration, want ...string) int {
	r.t.Helper()
	deadline := time.After(limit)
	for _, w := range want {
		left := strings.Split(w, " | ")
		for len(left) > 0 {
			r.mu.Lock()
			fresh, news := r.story[n:], r.news
			r.mu.Unlock()
			if len(fresh) == 0 {
				select {
				case <-news:
				case <-deadline:
					r.t.Fatalf("waited %v in vain for %q", limit, left)
				}
				continue
			}
			n++
			i := slices.Index(left, fresh[0].String())
			if i < 0 {
				r.t.Fatalf("%s, wanted %q", fresh[0], left)
			}
			left = slices.Delete(left, i, i+1)
		}
	}
	return n
}

// status is what `upsctl status --all --json` promises, as far as it is asked for here.
type status struct {
	Masters []struct {
		UPS []struct{ Name, State string }
	}
	Nodes    []nodeStatus
	Problems []struct{ On, Name, Text string }
	text     string
}

type nodeStatus struct{ Name, Phase, State, Link, Off string }

func (s status) ups() string {
	for _, m := range s.Masters {
		for _, u := range m.UPS {
			return u.State
		}
	}
	return ""
}

func (s status) node(name string) nodeStatus {
	i := slices.IndexFunc(s.Nodes, func(n nodeStatus) bool { return n.Name == name })
	if i < 0 {
		return nodeStatus{}
	}
	return s.Nodes[i]
}

// problem reports whether there is a problem of that name.
func (s status) problem(name string) bool {
	return slices.ContainsFunc(s.Problems, func(p struct{ On, Name, Text string }) bool { return p.Name == name })
}

// attached says that every node of the rack is linked and idle.
func (r *rack) attached(s status) bool {
	for _, m := range r.nodes {
		_, name, _ := strings.Cut(m.name, "-")
		if n := s.node(name); n.Link != "up" || n.Phase != "IDLE" || n.State != "OK" {
			return false
		}
	}
	return s.ups() == "OK"
}

// command is upsctl, asking the master.
func (r *rack) command(args ...string) *exec.Cmd {
	return exec.CommandContext(r.t.Context(), layer("master")+"/usr/bin/upsctl", append([]string{"--socket", r.host.file(r.socket)}, args...)...)
}

func (r *rack) upsctl(args ...string) string {
	r.t.Helper()
	var out, complaint bytes.Buffer
	cmd := r.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("upsctl %s: %v\n%s%s", strings.Join(args, " "), err, &out, &complaint)
	}
	return out.String()
}

// await waits until the master's status is as wanted.
func (r *rack) await(what string, want func(status) bool) status {
	r.t.Helper()
	var s status
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if s = r.status(); want(s) {
			return s
		}
		select {
		case <-ctx.Done():
			r.t.Fatalf("waited in vain for %s; instead: %s", what, s.text)
		case <-tick.C:
		}
	}
}

// status asks the master. One that doesn't answer is a status with nothing in it.
func (r *rack) status() status {
	r.t.Helper()
	out, err := r.command("--json", "status", "--all").Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() == 1) {
		return status{text: err.Error()}
	}
	s := status{text: string(out)}
	if err := json.Unmarshal(out, &s); err != nil {
		r.t.Fatalf("upsctl status --json: %v\n%s", err, out)
	}
	return s
}
