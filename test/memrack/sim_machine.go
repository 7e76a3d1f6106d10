package memrack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// bootAfter is how long mains last before somebody switches on what is off.
const bootAfter = 30 * time.Second

// simNode is a machine; the first have the masters.
type simNode struct {
	simPolicy
	w       *simWorld
	i       int
	node    *Node            // nil for a host
	master  *Master          // nil for what is not one
	conn    *grpc.ClientConn // to its own socket
	powered bool             // the machine is on
	agent   bool             // its agent runs (a host's: its master)
	asleep  bool
	removed []bool // from the rack of each master
	struck  bool   // it was removed at some time
	cut     fault
	disk    *Disk
	sickTo  time.Duration // until then the disk has a fault, or what waits for it may not be written yet
	hung    bool          // it hangs
	stuck   bool          // it waits for its disk, to begin
	ailing  bool          // it had one at some time
	boot    string        // the present one
	gone    chan struct{} // closed when its daemon ends
	tries   int           // power-offs asked in this boot
	asked   bool          // in this boot
	taken   bool          // one was accepted, or happens all the same
	offAt   time.Duration // when it is off, once accepted; 0: not
	off     time.Duration // when it went off
	late    *simLate      // its late unit, which runs; nil: it doesn't
	lates   []span        // when one ran
	ending  bool          // its daemon has ended for good in this boot
	dark    bool          // off, and its power is gone too
	wasDark bool          // or was, since it went off
	bootAt  time.Duration // when it runs again; 0: nothing has switched it on
	packets int           // that came for it, and were looked at
	strayed int           // of them, lost since it went off
	armed   int           // what was armed on it before this boot
}

func newSimNode(w *simWorld, i int, p simPolicy) *simNode {
	n := &simNode{simPolicy: p, w: w, i: i, disk: NewDisk(), removed: make([]bool, w.plan.masters)}
	if i < w.plan.masters {
		n.master = w.rack.addMaster(p.name, p.name, "", nil)
		n.master.open = OpenWires(w.wires)
		for _, u := range w.plan.ups {
			if u.master == i {
				n.master.config += u.toml()
			}
		}
		n.master.config += w.plan.back.toml() + "[node]\n" + n.obeys() + p.toml(w.plan, "node.")
		return n
	}
	n.node = &Node{name: p.name, config: n.obeys() + mdnsOff + p.toml(w.plan, ""), waking: newWaking(w.rack.start, i)}
	w.rack.nodes[p.name] = n.node
	return n
}

func (n *simNode) obeys() string { return fmt.Sprintf("obey_sim = %t\n", !n.deaf) }

// member reports whether the machine is an agent on one of that master's UPSes.
func (n *simNode) member(w *simWorld, master int) bool {
	return n.node != nil && slices.ContainsFunc(n.feeds, func(f int) bool { return w.plan.ups[f].master == master })
}

// at reports whether the machine is there.
func (n *simNode) at(m moment) bool {
	switch m {
	case held:
		f := n.w.judge.nodes[n.i]
		return n.powered && f.heldAt <= n.w.rack.Since() && n.w.rack.Since() < f.heldTo
	case asked:
		return n.powered && n.asked && !n.taken
	case accepted:
		return n.powered && n.taken
	case atLast:
		return n.late != nil
	case starting:
		return n.bootAt != 0
	case atOnce:
	}
	return true
}

// simCall is a power-off that was asked for or accepted.
type simCall struct {
	at       time.Duration
	node     int
	accepted bool
	boot     string // the one in which it was asked
	stood    bool   // accepted after it was cancelled, by a machine that does so
}

// simExec is a machine's way to power off.
type simExec struct {
	n    *simNode
	boot string
}

func (x simExec) String() string               { return "recorder" }
func (x simExec) Check(context.Context) error  { return nil }
func (x simExec) Cancel(context.Context) error { return shutdown.ErrNoCancel }

// PowerOff refuses, hangs, lies or takes its time, as the plan says.
func (x simExec) PowerOff(ctx context.Context) error {
	n := x.n
	n.w.mu.Lock()
	n.tries++
	try, gone := n.tries, n.gone
	n.w.mu.Unlock()
	x.note(simCall{})
	switch {
	case n.hang && try == 1:
		select {
		case <-ctx.Done():
		case <-gone:
		}
		return errors.New("no answer")
	case try <= n.refuses:
		return errors.New("not now")
	case n.liar == denies:
		x.note(simCall{accepted: true})
		return errors.New("not at all")
	}
	done := ctx.Done()
	if n.liar == stubborn {
		done = nil
	}
	select {
	case <-time.After(n.accepting):
	case <-done:
		return ctx.Err()
	case <-gone:
		return errors.New("nobody asks any more")
	}
	x.note(simCall{accepted: true, stood: ctx.Err() != nil})
	return nil
}

func (x simExec) note(c simCall) {
	x.n.w.mu.Lock()
	defer x.n.w.mu.Unlock()
	c.at, c.node, c.boot = x.n.w.rack.Since(), x.n.i, x.boot
	x.n.w.calls = append(x.n.w.calls, c)
}

// hook runs a hook: its arguments say whether it fails, and after how long.
func (w *simWorld) hook(ctx context.Context, c shutdown.Cmd) (string, error) {
	d, err := time.ParseDuration(c.Argv[len(c.Argv)-1])
	if err != nil {
		return "", err
	}
	select {
	case <-time.After(d):
		if c.Argv[1] == "true" {
			return "", errors.New("exit status 1")
		}
		return "", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// boot switches a machine on: nothing is left in its run folder.
func (w *simWorld) boot(n *simNode) {
	w.boots++
	// Its clock is no older than it has had power, since a crash it may be: a master counts
	// that time as spent by the battery.
	m := &machine{boot: fmt.Sprintf("boot%d", w.boots), born: time.Now().Add(-max(time.Second, n.post))}
	m.off, m.disk = simExec{n, m.boot}, n.disk
	w.judge.back(n)
	n.boot = m.boot
	if n.sickTo != never {
		n.sickTo = 0 // nothing waits any more
	}
	n.powered, n.asleep, n.tries, n.offAt, n.asked, n.taken = true, false, 0, 0, false, false
	n.ending, n.dark, n.wasDark, n.bootAt, n.strayed = false, false, false, 0, 0
	if n.master != nil {
		n.master.machine = m
	} else {
		n.node.machine = m
	}
	n.disk.Wipe(n.dir() + "/run")
	w.rack.Net.Power(n.name, true)
	if n.node != nil {
		n.armed = len(n.node.Armed())
	}
	w.judge.booted(n)
	w.start(n)
}

// start starts the machine's daemon in this boot.
func (w *simWorld) start(n *simNode) {
	if n.agent || !n.powered || n.asleep || n.ending {
		return
	}
	if n.stuck = n.hung; n.stuck && n.master != nil {
		return // a master begins by reading what it must know, an agent by reading its keys
	}
	if n.stuck {
		w.judge.nodes[n.i].knew = -1 // nor what it knew
	}
	n.agent = true
	w.mu.Lock()
	n.gone = make(chan struct{})
	w.mu.Unlock()
	if n.master != nil {
		w.rack.startMaster(n.master)
		n.conn = w.rack.clientOf(n.master)
		w.judge.began(n)
		synctest.Wait()
		for _, u := range w.ups {
			if u.simUPS.master == n.i {
				w.simulate(u) // the wire still says what it said
			}
		}
	} else {
		w.rack.StartAgent(n.node)
		n.conn = w.rack.AgentClient(n.node)
		synctest.Wait()
	}
	w.judge.contacts()
}

// stop ends the machine's daemon: in order, or with no word to anybody.
func (w *simWorld) stop(n *simNode, inOrder bool) {
	if !n.agent {
		return
	}
	n.agent = false
	close(n.gone) // a call that hangs holds nobody up
	p := n.process()
	if !inOrder {
		w.rack.Net.Cut(n.name)
		n.disk.Kill()
	}
	w.judge.ended(n, inOrder)
	p.stop(nil)
	if !inOrder {
		w.rack.Net.Drop(n.name)
		w.network(n)
	}
	synctest.Wait()
	w.judge.contacts()
}

func (n *simNode) process() *process {
	if n.master != nil {
		return n.master.process
	}
	return n.node.process
}

// dir is where its daemon has its files.
func (n *simNode) dir() string {
	if n.master != nil {
		return n.w.rack.masterDir(n.master)
	}
	return n.w.rack.agentDir(n.node)
}

// die takes the power from a machine.
func (w *simWorld) die(n *simNode, inOrder bool) {
	w.wake(n)
	inOrder = w.endLate(n) || inOrder // which wrote everything to the disk
	if !inOrder {
		n.disk.Crash(rand.New(rand.NewPCG(w.plan.seed, uint64(n.i)))) //nolint:gosec // a story, not a secret
	}
	w.stop(n, inOrder)
	for _, u := range w.ups {
		if u.wire != nil && u.simUPS.master == n.i {
			u.wire.HostOff()
		}
	}
	n.powered, n.off, n.offAt, n.dark, n.bootAt = false, w.rack.Since(), 0, false, 0
	w.judge.down(n)
	w.rack.Net.Power(n.name, false)
}

// join makes a node join the rack of a master, with its old place if it had one.
func (w *simWorld) join(n *simNode, m int) {
	if err := w.rack.joinAt(n.node, w.rack.masters[m], w.rack.tokenOf(w.rack.masters[m], "")); err != nil {
		w.judge.blame("join", w.judge.nodes[n.i], "it cannot join: %v", err)
		return
	}
	n.removed[m] = false
}

// wake ends a machine's sleep, if it sleeps.
func (w *simWorld) wake(n *simNode) {
	if !n.asleep {
		return
	}
	n.asleep = false
	d := n.node.machine.resume()
	w.network(n)
	if n.agent {
		n.node.daemon.Resumed(d)
	}
	synctest.Wait()
	w.judge.woke(n)
}

// simClients are how to ask a machine's daemon on its own socket.
type simClients struct {
	ctx     context.Context
	control upsv1.ControlServiceClient // a host's
	power   upsv1.PowerServiceClient
	node    upsv1.NodeServiceClient // a node's
}

// ask asks a machine's daemon. It must answer; that it refuses is an answer.
func (w *simWorld) ask(n *simNode, what func(simClients) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := what(simClients{ctx, upsv1.NewControlServiceClient(n.conn), upsv1.NewPowerServiceClient(n.conn), upsv1.NewNodeServiceClient(n.conn)})
	if c := status.Code(err); c == codes.DeadlineExceeded || c == codes.Unavailable {
		w.judge.blame("law 10", w.judge.nodes[n.i], "it does not answer on its own socket: %v", err)
	}
	return err
}
