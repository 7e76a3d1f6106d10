package memrack

import (
	"context"
	"fmt"
	"strings"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
)

// do does one step.
func (w *simWorld) do(s simStep) {
	w.judge.event(s)
	switch simEvents()[s.what].of {
	case ofUPS:
		w.doPower(w.ups[s.on], s)
	case ofWorld:
	case ofNobody:
		w.setSwitch(s.what == "switch on")
	case ofMaster, ofNode, ofMachine:
		n := w.nodes[s.on]
		if !w.doProcess(n, s) && !w.doMachine(n, s) {
			w.doOrder(n, s)
		}
	}
	synctest.Wait()
	w.judge.contacts()
}

func (w *simWorld) doPower(u *simPower, s simStep) {
	now := w.rack.Since()
	switch s.what {
	case "mains off", "mains on", "mains gone", "mains back":
		on := s.what == "mains on" || s.what == "mains back"
		if u.mains != on {
			u.mains, u.changed = on, now
			u.worn = u.worn && !on
			if u.wire != nil && s.d > 0 {
				u.wire.Bounce(s.d, 1+int(s.d/time.Millisecond)%9)
			}
		}
		if w.plan.dark && s.on == 0 {
			w.setSwitch(on)
		}
	case "low":
		u.worn = true
	case "glitch":
		if u.wire != nil && u.told == upsv1.Status_STATUS_FAIL && !u.mute() {
			u.wire.Glitch(s.d)
		}
	case "pull", "plug":
		if u.pulled != (s.what == "pull") {
			u.pulled, u.pullAt = !u.pulled, now
			w.judge.muddle(s.on, now+4*s.d)
			if u.pulled {
				u.wire.Pull(s.d)
			} else {
				u.wire.Plug(s.d)
			}
		}
	case "unplug":
		u.blind = true
		u.wire.Unplug()
	case "replug":
		u.blind = false
		u.wire.Replug()
	}
	w.power()
}

// doProcess does what happens to a daemon.
func (w *simWorld) doProcess(n *simNode, s simStep) bool {
	switch s.what {
	case "stop master", "stop agent":
		w.stop(n, true)
	case "kill master", "kill agent":
		w.stop(n, false)
	case "start master", "start agent":
		w.start(n)
	case "reload":
		w.reload(n, s.d)
	case "reload badly":
		w.reload(n, -1)
	case "drill":
		w.drill(n, s.d)
	default:
		return false
	}
	return true
}

// doMachine does what happens to a machine, its disk and its network.
func (w *simWorld) doMachine(n *simNode, s simStep) bool {
	switch s.what {
	case "crash":
		w.crash(n)
	case "cut":
		n.cut.to, n.cut.from = true, true
	case "cut to":
		n.cut.to = true
	case "cut from":
		n.cut.from = true
	case "slow":
		n.cut.slow = s.d
	case "heal":
		n.cut = fault{}
	case "suspend":
		if n.agent && !n.taken && !n.asleep {
			n.asleep = true
			n.node.machine.suspend()
		}
	case "resume":
		w.wake(n)
	case "disk full", "disk read-only", "disk hangs", "disk well":
		n.setDisk(s.what)
		if n.stuck && !n.hung {
			n.stuck = false
			w.start(n)
			w.judge.woke(n)
		}
		return true
	default:
		return false
	}
	w.network(n)
	return true
}

// doOrder does what an operator wants of a node, with every master of its feeds.
func (w *simWorld) doOrder(n *simNode, s simStep) {
	names := []string{n.name}
	for m := range w.plan.masters {
		host := w.nodes[m]
		if !host.agent || n.i != m && !n.member(w, m) {
			continue
		}
		// One that is refused, because of DONE, or because it was removed, changes nothing.
		switch s.what {
		case "hold":
			w.judge.held(n, s.d, w.ask(host, func(c simClients) error {
				_, err := c.control.Hold(c.ctx, &upsv1.HoldRequest{Nodes: names, For: durationpb.New(s.d)})
				return err
			}))
		case "release":
			w.judge.released(n, w.ask(host, func(c simClients) error {
				_, err := c.control.Release(c.ctx, &upsv1.ReleaseRequest{Nodes: names})
				return err
			}))
		case "shutdown":
			w.judge.ordered(n, w.ask(host, func(c simClients) error {
				_, err := c.control.Shutdown(c.ctx, &upsv1.ShutdownRequest{Nodes: names})
				return err
			}))
		case "remove":
			if err := w.ask(host, func(c simClients) error {
				_, err := c.control.RemoveMember(c.ctx, &upsv1.RemoveMemberRequest{Name: n.name})
				return err
			}); err == nil {
				n.removed[m], n.struck = true, true
			}
		case "rejoin":
			if n.removed[m] && n.agent && !n.asleep && w.switchUp && n.cut == (fault{}) {
				w.join(n, m)
			}
		}
	}
}

// reload has a machine run by another configuration: its grace becomes d; less than
// nothing is a file that is wrong.
func (w *simWorld) reload(n *simNode, d time.Duration) {
	if !n.agent || n.asleep {
		return
	}
	if n.forLow {
		d = min(d, 0) // its grace stays what it is: BATLOW
	}
	was := fmt.Sprintf("grace = %q\n", n.grace)
	var old string
	if n.master != nil {
		old = n.master.config
	} else {
		old = n.node.config
	}
	text := strings.Replace(old, was, fmt.Sprintf("grace = %q\n", d), 1)
	if d < 0 {
		text = old + "[nonsense]\n"
	}
	var err error
	if n.master != nil {
		err = w.rack.reloadMaster(n.master, text)
	} else {
		err = w.rack.reloadAgent(n.node, text)
	}
	if err == nil && text != old {
		n.grace = d
	}
	synctest.Wait()
	w.judge.reloaded(n, d >= 0, err)
}

// drill has a master pretend an outage for d; every other time the battery is low in
// it, and every third whoever asked hangs up half way.
func (w *simWorld) drill(host *simNode, d time.Duration) {
	if !host.agent {
		return
	}
	limit := 2*d + 2*time.Minute
	if d%3 == 0 {
		limit = d / 2
	}
	conn := host.conn
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		stream, err := upsv1.NewControlServiceClient(conn).Drill(ctx, &upsv1.DrillRequest{For: durationpb.New(d), Batlow: d/time.Millisecond%2 == 0})
		for err == nil { // what comes of it is for other tests
			_, err = stream.Recv()
		}
	}()
}

// network makes a machine's network what it is to be.
func (w *simWorld) network(n *simNode) {
	w.rack.Net.fault(n.name, func(f *fault) {
		*f = fault{n.cut.to || n.asleep, n.cut.from || n.asleep, n.cut.slow}
	})
}

// setSwitch makes the switch what it is to be.
func (w *simWorld) setSwitch(on bool) {
	if w.switchUp = on; on {
		w.rack.Net.On()
	} else {
		w.rack.Net.Off()
	}
}

// diskRetry is after how long what waited for a disk is written.
const diskRetry = 7 * time.Second

// setDisk makes a machine's disk what it is to be.
func (n *simNode) setDisk(what string) {
	n.disk.Fill(what == "disk full")
	n.disk.ReadOnly(what == "disk read-only")
	n.disk.Hang(what == "disk hangs")
	n.hung = what == "disk hangs"
	if what == "disk well" {
		n.sickTo = min(n.sickTo, n.w.rack.Since()+diskRetry)
	} else {
		n.sickTo, n.ailing = never, true
	}
}
