package memrack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// bootAfter is how long mains last before a machine that is off boots.
const bootAfter = 30 * time.Second

// simWorld is a rack, its mains and its battery. One goroutine moves it; only calls
// is touched by others.
type simWorld struct {
	plan   simPlan
	rack   *Rack
	judge  *simJudge
	steer  upsv1.ControlServiceClient
	nodes  []*simNode
	boots  int
	master bool // it runs

	mains    bool
	charge   time.Duration // left in the battery
	worn     bool          // low as soon as it is on battery
	told     upsv1.Status  // to the sim port
	changed  time.Duration // when the mains did
	computed time.Duration // when charge was

	mu    sync.Mutex // guards calls and tries
	calls []simCall
}

// simNode is a machine; the first has the master.
type simNode struct {
	simPolicy
	i       int
	node    *Node // nil for the host
	client  upsv1.NodeServiceClient
	powered bool // the machine is on
	agent   bool // its agent runs (the host: its master)
	cut     bool
	boot    string
	tries   int           // power-offs asked in this boot
	offAt   time.Duration // when it is off, once accepted; 0: not
	off     time.Duration // when it went off
}

// simCall is a power-off that was asked for or accepted.
type simCall struct {
	at       time.Duration
	node     int
	accepted bool
	boot     string // the one in which it was asked
}

// simExec is a machine's way to power off.
type simExec struct {
	w    *simWorld
	i    int
	boot string
}

func (x simExec) String() string               { return "recorder" }
func (x simExec) Check(context.Context) error  { return nil }
func (x simExec) Cancel(context.Context) error { return shutdown.ErrNoCancel }

// PowerOff refuses, hangs or takes its time, as the plan says.
func (x simExec) PowerOff(ctx context.Context) error {
	n := x.w.nodes[x.i]
	x.w.mu.Lock()
	n.tries++
	try := n.tries
	x.w.mu.Unlock()
	x.note(false)
	switch {
	case n.hang && try == 1:
		<-ctx.Done()
		return ctx.Err()
	case try <= n.refuses:
		return errors.New("not now")
	}
	select {
	case <-time.After(n.accepting):
	case <-ctx.Done():
		return ctx.Err()
	}
	x.note(true)
	return nil
}

func (x simExec) note(accepted bool) {
	x.w.mu.Lock()
	defer x.w.mu.Unlock()
	x.w.calls = append(x.w.calls, simCall{x.w.rack.Since(), x.i, accepted, x.boot})
}

// newWorld sets the rack up; every node has joined and the battery is full.
func newWorld(t *testing.T, p simPlan) *simWorld {
	extra := "[ups.battery]\nlow_reserve = \"" + p.reserve.String() + "\"\nrecharge = \"" + p.recharge.String() + "\"\n"
	if p.known {
		extra += "runtime = \"" + p.runtime.String() + "\"\n"
	}
	extra += "[node]\nobey_sim = true\n" + p.nodes[0].toml("node.")
	w := &simWorld{plan: p, rack: newRack(t), mains: true, charge: p.runtime, told: upsv1.Status_STATUS_OK}
	for i, pol := range p.nodes {
		w.nodes = append(w.nodes, &simNode{simPolicy: pol, i: i})
	}
	w.judge = newJudge(w)
	w.rack.addMaster("rack1", "master", simUPSText+extra, nil)
	w.boot(w.nodes[0])
	for _, n := range w.nodes[1:] {
		w.boot(n)
		if err := w.rack.JoinBy(n.node, w.rack.Token()); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	w.rack.start, w.computed, w.changed = time.Now(), 0, 0 // the plan's clock
	w.judge.begin()
	return w
}

// boot switches a machine on: nothing is left in its run folder.
func (w *simWorld) boot(n *simNode) {
	w.boots++
	m := &machine{boot: fmt.Sprintf("boot%d", w.boots), born: time.Now().Add(-time.Minute)}
	m.off = simExec{w, n.i, m.boot}
	n.boot = m.boot
	n.powered, n.tries, n.offAt = true, 0, 0
	dir := filepath.Join(w.rack.dir, "master")
	if n.i == 0 {
		w.rack.masters[0].machine = m
	} else {
		if n.node == nil {
			n.node = &Node{name: n.name, config: "obey_sim = true\n" + mdnsOff + n.toml("")}
			w.rack.nodes[n.name] = n.node
		}
		n.node.machine, dir = m, w.rack.agentDir(n.node)
	}
	if err := os.RemoveAll(filepath.Join(dir, "run")); err != nil {
		w.rack.t.Fatal(err)
	}
	w.judge.booted(n)
	w.start(n)
}

// start starts the machine's daemon in this boot.
func (w *simWorld) start(n *simNode) {
	if n.agent || !n.powered {
		return
	}
	n.agent = true
	if n.i == 0 {
		w.master = true
		w.rack.StartMaster()
		synctest.Wait()
		w.steer = upsv1.NewControlServiceClient(w.rack.Client())
		w.tell(w.told) // the wire still says what it said
	} else {
		w.rack.StartAgent(n.node)
		synctest.Wait()
		n.client = upsv1.NewNodeServiceClient(w.rack.AgentClient(n.node))
	}
	w.judge.contacts()
}

// stop ends the machine's daemon: in order, or with no word to anybody.
func (w *simWorld) stop(n *simNode, inOrder bool) {
	if !n.agent {
		return
	}
	n.agent = false
	host, p := "master:8493", w.rack.masters[0].process
	if n.i == 0 {
		w.master = false
	} else {
		host, p = n.name, n.node.process
	}
	if !inOrder {
		w.rack.Net.Cut(host)
	}
	p.stop(nil)
	if !inOrder {
		w.rack.Net.Drop(host)
		if !n.cut {
			w.rack.Net.Heal(host)
		}
	}
	synctest.Wait()
	w.judge.contacts()
}

// die takes the power from a machine.
func (w *simWorld) die(n *simNode, inOrder bool) {
	w.stop(n, inOrder)
	n.powered, n.off, n.offAt = false, w.rack.Since(), 0
}

// tell sets the sim port.
func (w *simWorld) tell(s upsv1.Status) {
	w.told = s
	if !w.master {
		return
	}
	if _, err := w.steer.Simulate(context.Background(), &upsv1.SimulateRequest{Status: s}); err != nil {
		w.rack.t.Errorf("cannot set the sim port: %v", err)
	}
	synctest.Wait()
}

// live lets time pass until at, in steps of a second at most.
func (w *simWorld) live(at time.Duration) {
	for w.rack.Since() < at {
		w.rack.Advance(min(time.Second, at-w.rack.Since()))
		w.pass()
	}
}

// pass does what the time that has passed does.
func (w *simWorld) pass() {
	w.judge.heard()
	now := w.rack.Since()
	d := now - w.computed
	w.computed = now
	if w.mains {
		w.charge = min(w.plan.runtime, w.charge+time.Duration(float64(d)*float64(w.plan.runtime)/float64(w.plan.recharge)))
	} else {
		w.charge -= d
	}
	for _, n := range w.nodes {
		switch {
		case n.powered && n.offAt != 0 && now >= n.offAt:
			w.die(n, true)
		case n.powered && w.charge <= 0:
			w.judge.batteryDied(n)
			w.die(n, false)
		case !n.powered && w.mains && now-w.changed >= bootAfter && now-n.off >= bootAfter:
			w.boot(n)
		}
	}
	w.charge = max(0, w.charge)
	w.power()
}

// power tells the master what the UPS shows, where that is news.
func (w *simWorld) power() {
	s := upsv1.Status_STATUS_OK
	switch {
	case w.mains:
	case w.worn || w.charge <= w.plan.reserve:
		s = upsv1.Status_STATUS_BATLOW
	default:
		s = upsv1.Status_STATUS_FAIL
	}
	if s != w.told {
		w.judge.power(s)
		w.tell(s)
	}
}

// do does one step of the plan.
func (w *simWorld) do(s simStep) {
	n := w.nodes[s.node]
	w.judge.event(s.what)
	names := []string{n.name}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	switch s.what {
	case "mains off", "mains on":
		if w.mains != (s.what == "mains on") {
			w.mains, w.changed = !w.mains, w.rack.Since()
			w.worn = w.worn && !w.mains
		}
		w.power()
	case "low":
		w.worn = true
		w.power()
	case "cut", "heal":
		n.cut = s.what == "cut"
		if n.cut {
			w.rack.Net.Cut(n.name)
		} else {
			w.rack.Net.Heal(n.name)
		}
		w.judge.contacts()
	case "stop master", "kill master":
		w.stop(w.nodes[0], s.what == "stop master")
	case "start master":
		w.start(w.nodes[0])
	case "stop agent", "kill agent":
		w.stop(n, s.what == "stop agent")
	case "start agent":
		w.start(n)
	}
	if !w.master {
		return
	}
	switch s.what { // one that is refused, because of DONE, changes nothing
	case "hold":
		_, err := w.steer.Hold(ctx, &upsv1.HoldRequest{Nodes: names, For: durationpb.New(s.d)})
		w.judge.held(n, s.d, err)
	case "release":
		_, err := w.steer.Release(ctx, &upsv1.ReleaseRequest{Nodes: names})
		w.judge.released(n, err)
	case "shutdown":
		_, err := w.steer.Shutdown(ctx, &upsv1.ShutdownRequest{Nodes: names})
		w.judge.ordered(n, err)
	}
	synctest.Wait()
}
