package lan

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lastwatt/lastwatt/pkg/discovery"
)

// patience is how long a test waits for a thing that ought to come in a second or
// two: the machine may be busy.
const patience = 30 * time.Second

var counter atomic.Int32 // names for bridges and cables

// lan is a bridge, or a hub that loses packets.
type lan struct {
	t      *testing.T
	bridge string // "": a hub
	hub    *hub
	hosts  int
	subnet int
}

func newLAN(t *testing.T) *lan {
	inside(t)
	l := &lan{t: t, bridge: fmt.Sprint("br", counter.Add(1)), subnet: 1}
	ip(t, 0, "link add "+l.bridge+" type bridge", "link set "+l.bridge+" up")
	t.Cleanup(func() { ip(t, 0, "link del "+l.bridge) })
	return l
}

// ip runs ip commands in the namespace of a process, 0 for the test's own.
func ip(t *testing.T, pid int, commands ...string) {
	t.Helper()
	if err := notHome(cmp.Or(pid, os.Getpid())); err != nil {
		t.Fatal(err)
	}
	name, args := "ip", []string{"-batch", "-"}
	if pid != 0 {
		name, args = "nsenter", []string{"-t", fmt.Sprint(pid), "-n", "ip", "-batch", "-"}
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip %.100q: %v\n%s", commands, err, out)
	}
}

// node is a machine with a namespace of its own: a process that runs us again,
// without privileges where that can be had.
type node struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{}

	mu   sync.Mutex
	last event
	wake chan struct{}
}

// startNode starts a node that is on no LAN yet.
func startNode(t *testing.T, role string) *node {
	inside(t)
	n := &node{t: t, cmd: exec.Command("/proc/self/exe"), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	n.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	n.cmd.Stderr = t.Output()
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if role == roleNode && os.Getenv(userVariable) == "" {
		n.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534} // nobody
	}
	in, err := n.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.in = in
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go n.read(out)
	t.Cleanup(n.kill)
	return n
}

func (n *node) read(out io.Reader) {
	defer close(n.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // a test's own "PASS"
		}
		n.mu.Lock()
		n.last.Ready = n.last.Ready || e.Ready
		n.last.Stopped = n.last.Stopped || e.Stopped
		n.last.Packets = max(n.last.Packets, e.Packets)
		if e.Leak != nil {
			n.last.Leak = e.Leak
		}
		if !e.Ready && !e.Stopped && e.Packets == 0 && e.Leak == nil {
			n.last.Found = e.Found
		}
		n.mu.Unlock()
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// kill ends a node as a power cut does: without a word.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
	_ = n.cmd.Wait()
}

func (n *node) tell(c command) {
	n.t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.in.Write(append(data, '\n')); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) found() []discovery.Instance {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last.Found
}

// await waits until a node has said what it should, and returns how long that took.
func (n *node) await(what string, ok func(event) bool) time.Duration {
	n.t.Helper()
	began := time.Now()
	timeout := time.After(patience)
	for {
		n.mu.Lock()
		last := n.last
		n.mu.Unlock()
		if ok(last) {
			return time.Since(began)
		}
		select {
		case <-n.wake:
		case <-n.done:
			n.t.Fatalf("%s: the node died", what)
		case <-timeout:
			n.t.Fatalf("%s: not in %v; found %v", what, patience, last.Found)
		}
	}
}

// host makes a node with an address on the LAN: 10.SUBNET.0.N, and what IPv6 gives
// itself.
func (l *lan) host() *node {
	n := startNode(l.t, roleNode)
	l.plug(n, "eth0")
	n.await("start", func(e event) bool { return e.Ready })
	return n
}

// plug connects a node to the LAN by a cable, and returns its address there.
func (l *lan) plug(n *node, name string, addrs ...string) string {
	l.t.Helper()
	l.hosts++
	if addrs == nil {
		addrs = []string{fmt.Sprintf("10.%d.%d.%d", l.subnet, l.hosts/200, l.hosts%200+1)}
	}
	cable := fmt.Sprint("v", counter.Add(1))
	pid := n.cmd.Process.Pid
	attach := []string{fmt.Sprintf("link add %s type veth peer name %s netns %d", cable, name, pid)}
	if l.bridge != "" {
		attach = append(attach, "link set "+cable+" master "+l.bridge)
	}
	ip(l.t, 0, append(attach, "link set "+cable+" up")...)
	var mine []string
	for _, a := range addrs {
		mine = append(mine, "addr add "+a+"/16 dev "+name)
	}
	ip(l.t, pid, append(mine, "link set "+name+" up")...)
	if l.hub != nil {
		l.hub.add(l.t, cable)
	}
	if len(addrs) == 0 {
		return ""
	}
	return addrs[0]
}

// crowd puts two hundred strangers on the LAN.
func (l *lan) crowd() {
	n := startNode(l.t, roleCrowd)
	var addrs []string
	for i := range crowd {
		addrs = append(addrs, fmt.Sprintf("10.1.200.%d", i))
	}
	// The program starts when its addresses are there.
	l.plug(n, "eth0", addrs...)
	n.tell(command{})
	n.await("crowd", func(e event) bool { return e.Ready })
}

func agent(name string) command {
	return command{Announce: &discovery.Service{Kind: discovery.KindAgent, Name: name, Port: 8494, Text: map[string]string{"id": name, "joined": "no", "version": "test"}}}
}

// finds makes an event's test: exactly these names, on any interface.
func finds(names ...string) func(event) bool {
	return func(e event) bool {
		got := map[string]bool{}
		for _, i := range e.Found {
			got[i.Name] = true
		}
		for _, name := range names {
			if !got[name] {
				return false
			}
		}
		return len(got) == len(names)
	}
}

// at makes an event's test: the name is found with exactly these addresses, IPv6
// left out.
func at(name string, addrs ...string) func(event) bool {
	return func(e event) bool {
		for _, i := range e.Found {
			var got []string
			for _, a := range i.Addresses {
				if a.Addr().Is4() {
					got = append(got, a.Addr().String())
				}
			}
			if i.Name == name && strings.Join(got, " ") == strings.Join(addrs, " ") {
				return true
			}
		}
		return false
	}
}
