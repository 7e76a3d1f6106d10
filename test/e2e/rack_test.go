//go:build linux && (amd64 || arm64)

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/test/vtty"
)

// rack is a master on a serial port and its agents.
type rack struct {
	t       testing.TB
	dir     string
	options rackOptions
	cable   line.Cable
	tty     *vtty.TTY
	ups     *vtty.UPS
	address string
	manager *manager // what plays systemd; nil: nobody
	master  *process
	agents  map[string]*agent
}

// rackOptions says what rack; the zero value of each is a good one.
type rackOptions struct {
	cable  string // default: the seed's, liebert-powersure
	settle string // the lines of [ups.settle]
	disk   *vtty.Disk
	probed bool // before anybody knows the cable: its kill may be met, on mains
}

// quickSettle are times that a test can wait for. The jump time stays far above
// what a loaded machine may make of two events at once.
const quickSettle = `fail = "100ms"
batlow = "200ms"
ok = "300ms"
batlow_jump = "2s"`

// newRack makes a rack without agents. The master isn't started yet.
func newRack(t testing.TB, o rackOptions) *rack {
	t.Helper()
	if o.cable == "" {
		o.cable = "liebert-powersure"
	}
	if o.settle == "" {
		o.settle = quickSettle
	}
	cable, ok := line.Lookup(o.cable)
	if !ok {
		t.Fatalf("no cable %q", o.cable)
	}
	tty := vtty.New(t)
	r := &rack{t: t, dir: tempDir(t), options: o, cable: cable, tty: tty, ups: vtty.NewUPS(tty, cable),
		address: freeAddress(t), agents: map[string]*agent{}}
	t.Cleanup(func() {
		if !o.probed {
			checkLine(t, cable, tty.Events())
		}
		checkLogs(t, r.dir)
	})
	r.write("master.toml", fmt.Sprintf(`name = "rack1"
listen = %q
socket = %q
data = %q
run = %q
[discovery]
mdns = false
[[ups]]
name = "main"
port = %q
cable = %q
[ups.settle]
%s
[[hook]]
on = ["wake"]
run = ["/bin/true"]
`, r.address, r.socket(), r.path("data"), r.path("run"), tty.Path(), o.cable, o.settle))
	return r
}

// withHost makes the master protect its own host, as node rack1.
func (r *rack) withHost() {
	r.t.Helper()
	r.configure(fmt.Sprintf(`[node.policy]
grace = "1h"
[node.shutdown]
method = ["command"]
command = [%q, %q]
stop_time = "1s"
[node.wake]
method = ["hook"] # the cards of this machine are not ours
`, touch(r.t), r.path("went")))
}

// configure appends to the master's configuration.
func (r *rack) configure(more string) {
	r.t.Helper()
	text, err := os.ReadFile(r.path("master.toml"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("master.toml", string(text)+more)
}

// tempDir makes a folder whose name is short: a socket's path has 107 bytes.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// hosts counts the loopback addresses that were given out.
var hosts atomic.Uint32

// freeAddress returns a loopback address that nobody else gets: every daemon under
// test has a host of its own in 127.44.0.0/16. A port that was free a moment ago on
// 127.0.0.1 may be another test's, or a connection's, by the time it is wanted.
func freeAddress(t testing.TB) string {
	t.Helper()
	n := hosts.Add(1)
	l, err := net.Listen("tcp", fmt.Sprintf("127.44.%d.%d:0", n/250, n%250+1))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *rack) path(name string) string { return filepath.Join(r.dir, name) }
func (r *rack) socket() string          { return r.path("master.sock") }

func (r *rack) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// startMaster starts the master and waits until it says what the UPS does.
func (r *rack) startMaster() {
	r.t.Helper()
	r.launchMaster()
	r.await("the master to answer", func(s status) bool {
		return r.master.over() || s.ups().State != "" && s.ups().State != "UNKNOWN"
	})
	if r.master.over() {
		r.t.Fatalf("the master ended: %v", r.master.err)
	}
}

// launchMaster starts the master.
func (r *rack) launchMaster() {
	r.t.Helper()
	for _, dir := range []string{"data", "run"} {
		if err := os.MkdirAll(r.path(dir), 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	cmd := r.tty.Command(program("upsmaster"), "run", "--config", r.path("master.toml"))
	if r.options.disk != nil {
		cmd = r.options.disk.Command([]*vtty.TTY{r.tty}, program("upsmaster"), "run", "--config", r.path("master.toml"))
	}
	if r.manager != nil {
		r.manager.equip(cmd)
	}
	r.master = launch(r.t, "master", r.dir, cmd)
}

// agent is one agent of a rack.
type agent struct {
	*process
	r      *rack
	name   string
	dir    string
	listen string
	disk   *vtty.Disk
}

// agentOptions says what agent.
type agentOptions struct {
	grace   string // default: 5m
	pretend bool   // its method is none: it never goes
	disk    func(dir string) *vtty.Disk
}

// touch is what an agent under test does in place of powering off.
func touch(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("touch")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// join starts an agent and makes it join.
func (r *rack) join(name string, o agentOptions) *agent {
	r.t.Helper()
	if o.grace == "" {
		o.grace = "5m"
	}
	a := &agent{r: r, name: name, dir: r.path(name), listen: freeAddress(r.t)}
	for _, dir := range []string{a.dir, a.path("data"), a.path("run")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	method := fmt.Sprintf("method = [\"command\"]\ncommand = [%q, %q]", touch(r.t), a.path("went"))
	if o.pretend {
		method = `method = ["none"]`
	}
	r.write(filepath.Join(name, "agent.toml"), fmt.Sprintf(`name = %q
listen = %q
socket = %q
masters = [%q]
data = %q
run = %q
[discovery]
mdns = false
[policy]
grace = %q
grace_min = "1s"
[shutdown]
%s
stop_time = "1s"
[wake]
method = ["hook"]
`, name, a.listen, a.socket(), r.address, a.path("data"), a.path("run"), o.grace, method))
	if o.disk != nil {
		a.disk = o.disk(a.dir)
	}
	r.agents[name] = a
	a.start()
	token := strings.TrimSpace(r.upsctl("token", "create"))
	until(r.t, name+" to answer", func() bool { return answers(a.socket()) || a.over() }, a.tail)
	out, err := exec.Command(program("upsagent"), "join", "--config", a.path("agent.toml"), "--master", r.address, token).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s cannot join: %v: %s", name, err, out)
	}
	return a
}

// start starts the agent, again if need be.
func (a *agent) start() {
	a.r.t.Helper()
	cmd := exec.Command(program("upsagent"), "run", "--config", a.path("agent.toml"))
	if a.disk != nil {
		cmd = a.disk.Command(nil, program("upsagent"), "run", "--config", a.path("agent.toml"))
	}
	a.process = launch(a.r.t, a.name, a.dir, cmd)
}

func (a *agent) path(name string) string { return filepath.Join(a.dir, name) }
func (a *agent) socket() string          { return a.path("agent.sock") }

// went reports whether the agent has powered its machine off.
func (a *agent) went() bool { return exists(a.path("went")) }

// awaitGone waits until the agent has powered its machine off.
func (a *agent) awaitGone() {
	a.r.t.Helper()
	until(a.r.t, a.name+" to power off", a.went, a.tail)
}

// answers reports whether somebody listens at a socket.
func answers(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// status is what `upsctl status --all --json` promises.
type status struct {
	Masters []struct {
		Name      string
		Reachable bool
		UPS       []upsStatus
	}
	Nodes    []nodeStatus
	Problems []struct{ On, Name, Text string }

	code int    // the exit status
	text string // as it was printed
}

type upsStatus struct {
	Name, State, Outage, Cable string
	Lines                      []string
	Age                        float64  `json:"age_seconds"`
	OutageAge                  *float64 `json:"outage_age_seconds"`
	Weak                       bool     `json:"weak_battery"`
}

type nodeStatus struct {
	Name, Phase, State, Link string
	Deadline                 *float64 `json:"deadline_seconds"`
	Grace                    float64  `json:"grace_seconds"`
}

// ups returns the rack's UPS, or the zero value if nobody told of it.
func (s status) ups() upsStatus {
	for _, m := range s.Masters {
		for _, u := range m.UPS {
			return u
		}
	}
	return upsStatus{}
}

// node returns a node, or the zero value.
func (s status) node(name string) nodeStatus {
	i := slices.IndexFunc(s.Nodes, func(n nodeStatus) bool { return n.Name == name })
	if i < 0 {
		return nodeStatus{}
	}
	return s.Nodes[i]
}

// problem reports whether there is a problem of that name.
func (s status) problem(on, name string) bool {
	for _, p := range s.Problems {
		if p.On == on && p.Name == name {
			return true
		}
	}
	return false
}

// status asks the master.
func (r *rack) status() status { return ask(r.t, r.socket()) }

// ask runs upsctl status on a daemon's socket. A daemon that doesn't answer is a
// status without anything in it.
func ask(t testing.TB, socket string) status {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.Command(program("upsctl"), "--socket", socket, "--json", "status", "--all")
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 2:
		t.Fatalf("upsctl: %s", &complaint)
	case err != nil && exit == nil:
		t.Fatal(err)
	}
	s := status{code: cmd.ProcessState.ExitCode(), text: out.String() + complaint.String()}
	if s.code == 1 {
		return s
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("upsctl status --json: %v\n%s", err, &out)
	}
	return s
}

// upsctl runs upsctl on the master's socket and returns its stdout.
func (r *rack) upsctl(args ...string) string {
	r.t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.Command(program("upsctl"), append([]string{"--socket", r.socket()}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("upsctl %s: %v\n%s%s", strings.Join(args, " "), err, &out, &complaint)
	}
	return out.String()
}

// await waits until the status is as wanted, and returns it.
func (r *rack) await(what string, want func(status) bool) status {
	r.t.Helper()
	return awaitStatus(r.t, r.socket(), what, want)
}

func (a *agent) await(what string, want func(status) bool) status {
	a.r.t.Helper()
	return awaitStatus(a.r.t, a.socket(), what, want)
}

func awaitStatus(t testing.TB, socket, what string, want func(status) bool) status {
	t.Helper()
	var s status
	until(t, what, func() bool {
		s = ask(t, socket)
		return want(s)
	}, func() string { return s.text })
	return s
}

// in says that a node is in a phase.
func in(node, phase string) func(status) bool {
	return func(s status) bool { return s.node(node).Phase == phase }
}

// reads says that the UPS is in a state.
func reads(state string) func(status) bool {
	return func(s status) bool { return s.ups().State == state }
}
