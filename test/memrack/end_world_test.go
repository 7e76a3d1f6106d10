package memrack

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/cut"
	"github.com/lastwatt/lastwatt/pkg/line"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
)

// endWorld is a rack that an outage puts down, to the last watt: machines take time to be
// off, the master's host ends in the late unit, and the UPS obeys that.
type endWorld struct {
	t        *testing.T
	rack     *Rack
	wire     *Wire
	disk     *Disk
	host     *endMachine
	machines []*endMachine // all but the host

	mains   bool
	failed  time.Time // when the mains went first
	cutter  *cut.Cutter
	begun   bool // the late unit has
	seal    cut.Seal
	sealErr error
	ended   string // what the late unit did with the host
	wrong   []string

	mu    sync.Mutex // guards marks
	marks []mark
}

// masterEnds is how long after the power-off was accepted the master is told to end.
const masterEnds = 2 * time.Second

// mark is a moment of the transaction.
type mark struct {
	name string
	at   time.Duration // since the mains went
}

// endSpec is how a machine is.
type endSpec struct {
	name, config string
	// accepts is how long its system takes to accept the power-off, which it refuses so
	// often at first; goes is after how long it is off then.
	accepts, goes time.Duration
	refuses       int
}

// endMachine is a machine with all that becomes of it.
type endMachine struct {
	endSpec
	w    *endWorld
	node *Node   // nil: the host
	exec endExec // its dead is nil while nothing runs

	mu       sync.Mutex
	tries    int
	accepted time.Time
	off      bool
}

// endExec powers a machine off, for one process.
type endExec struct {
	m    *endMachine
	dead chan struct{} // closed when the process is killed
}

func (x endExec) String() string               { return "machine" }
func (x endExec) Check(context.Context) error  { return nil }
func (x endExec) Cancel(context.Context) error { return shutdown.ErrNoCancel }

// PowerOff is accepted after a while, unless it is taken back before.
func (x endExec) PowerOff(ctx context.Context) error {
	m := x.m
	select {
	case <-x.dead:
		return errors.New("nobody asks any more")
	default:
	}
	m.mu.Lock()
	m.tries++
	try := m.tries
	m.mu.Unlock()
	m.w.mark(m.name + " asked")
	select {
	case <-time.After(m.accepts):
	case <-x.dead:
		return errors.New("nobody asks any more")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if try <= m.refuses {
		m.w.mark(m.name + " refused")
		return errors.New("not now")
	}
	m.mu.Lock()
	m.accepted = time.Now()
	m.mu.Unlock()
	m.w.mark(m.name + " accepted")
	return nil
}

// kill ends a machine's daemon without a word, if its system is not on its way down;
// start starts it again.
func (m *endMachine) kill() {
	if at, _ := m.gone(); !at.IsZero() || m.exec.dead == nil {
		return
	}
	host, p, disk := m.name, m.w.rack.masters[0].process, m.w.disk
	if m.node != nil {
		p, disk = m.node.process, nil
	} else {
		host = "master"
	}
	m.w.rack.Net.Cut(host)
	if disk != nil {
		disk.Kill()
	}
	close(m.exec.dead)
	m.exec.dead = nil
	go p.stop(nil) // what it waits for is over for the others
	synctest.Wait()
	m.w.rack.Net.Drop(host)
	m.w.rack.Net.Heal(host)
}

func (m *endMachine) start() {
	if at, _ := m.gone(); !at.IsZero() || m.exec.dead != nil {
		return
	}
	m.exec = endExec{m, make(chan struct{})}
	if m.node != nil {
		m.node.machine.off = m.exec
		m.w.rack.StartAgent(m.node)
		return
	}
	m.w.rack.masters[0].machine.off = m.exec
	m.w.rack.StartMaster()
}

func (m *endMachine) gone() (accepted time.Time, off bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.accepted, m.off
}

func (m *endMachine) setOff() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
}

func (w *endWorld) mark(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks = append(w.marks, mark{name, time.Since(w.failed)})
}

// newEndWorld starts a rack on one UPS whose cable has a kill.
func newEndWorld(t *testing.T, host endSpec, specs ...endSpec) *endWorld {
	c, ok := line.Lookup("nut-7")
	if !ok {
		t.Fatal("no cable")
	}
	w := &endWorld{t: t, rack: newRack(t), wire: NewWire(c, Driver{}, 1), disk: NewDisk(), mains: true, failed: time.Now()}
	w.host = &endMachine{w: w, endSpec: host}
	w.host.exec = endExec{w.host, make(chan struct{})}
	on := w.rack.switchedOn(w.host.exec)
	on.disk = w.disk
	w.rack.Lift = func(_ context.Context, on bool) error {
		w.mark(fmt.Sprintf("lifted %t", on))
		time.Sleep(300 * time.Millisecond)
		return nil
	}
	text := fmt.Sprintf("[[ups]]\nname = \"main\"\nport = \"/dev/wire\"\ncable = %q\n%s", c.Name, host.config)
	m := w.rack.addMaster("rack1", "master", text, on)
	m.open = OpenWires(map[string]*Wire{"/dev/wire": w.wire})
	w.rack.StartMaster()
	time.Sleep(5 * time.Second)
	for _, s := range specs {
		e := &endMachine{w: w, endSpec: s}
		e.exec = endExec{e, make(chan struct{})}
		e.node = &Node{name: s.name, config: mdnsOff + s.config, machine: w.rack.switchedOn(e.exec), waking: newWaking(w.rack.start, len(w.machines))}
		w.rack.nodes[s.name] = e.node
		w.rack.StartAgent(e.node)
		synctest.Wait()
		if err := w.rack.JoinBy(e.node, w.rack.Token()); err != nil {
			t.Fatal(err)
		}
		w.machines = append(w.machines, e)
	}
	w.live(5 * time.Second)
	return w
}

// fails takes the mains; the clock of the transaction begins.
func (w *endWorld) fails() {
	w.failed, w.marks = time.Now(), nil
	w.setMains(false)
}

func (w *endWorld) setMains(on bool) {
	w.mains = on
	w.wire.Set(!on, false)
}

// liveTo lets everything happen until so long into the outage.
func (w *endWorld) liveTo(into time.Duration) { w.live(into - time.Since(w.failed)) }

func (w *endWorld) live(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		w.rack.Advance(min(250*time.Millisecond, time.Until(end)))
		w.pass()
	}
}

// pass does what the time that has passed does.
func (w *endWorld) pass() {
	for _, m := range w.machines {
		at, off := m.gone()
		if at.IsZero() || off || time.Since(at) < time.Second {
			continue
		}
		m.node.process.stop(nil) // the agent is told to end like any other service
		if time.Since(at) >= m.goes {
			m.setOff()
			w.rack.Net.Power(m.name, false)
			w.mark(m.name + " off")
		}
	}
	if at, _ := w.host.gone(); !at.IsZero() && time.Since(at) >= masterEnds {
		w.rack.masters[0].process.stop(nil)
		if time.Since(at) >= w.host.goes && w.ended == "" {
			w.late()
		}
	}
}

// late is the late unit on the host, from when everything else has ended.
func (w *endWorld) late() {
	now := w.rack.masters[0].machine.now()
	if !w.begun {
		w.begun = true
		w.mark("late")
		if w.seal, w.sealErr = w.sealNow(); w.sealErr == nil {
			w.sealErr = w.seal.Check(cut.Here{Boot: w.rack.masters[0].machine.boot, Now: now})
		}
		cut.NoteStop(program{d: w.disk, above: true}, w.rack.masterDir(w.rack.masters[0])+"/data", w.seal, now)
		w.cutter = cut.New(w.seal, 0)
	}
	if w.sealErr != nil {
		w.over("halted")
		return
	}
	for _, a := range w.cutter.Step(now, []cut.Reading{{Open: true, Signals: power.Signals{OnBattery: !w.mains}}}) {
		switch a.Do {
		case cut.Assert:
			w.obey()
			return
		case cut.Reboot:
			w.over("rebooted")
			return
		case cut.Halt:
			w.over("halted")
			return
		case cut.Break, cut.Send, cut.Release: // not by this cable
		}
	}
}

func (w *endWorld) over(how string) {
	w.ended = how
	w.host.setOff()
	w.mark(how)
}

// obey cuts the load.
func (w *endWorld) obey() {
	w.over("cut")
	if w.mains {
		w.blame("law 4: the kill is begun on mains")
	}
	for _, m := range w.machines {
		if _, off := m.gone(); !off {
			w.blame("law 5: %s runs when the load is cut", m.name)
		}
	}
}

func (w *endWorld) blame(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf("%.3fs: ", time.Since(w.failed).Seconds())+fmt.Sprintf(format, args...))
}

// sealNow returns the seal on the host's disk, whatever the disk's faults.
func (w *endWorld) sealNow() (cut.Seal, error) {
	return cut.Load(program{d: w.disk, above: true}, w.sealPath())
}

func (w *endWorld) sealPath() string { return cut.Path(w.rack.masterDir(w.rack.masters[0]) + "/run") }

// newSeal is one that is good here and now.
func (w *endWorld) newSeal() cut.Seal {
	now := w.rack.masters[0].machine.now()
	c, _ := line.Lookup("nut-7")
	return cut.Seal{Boot: w.rack.masters[0].machine.boot, Made: now, Expires: now.Add(time.Hour), UPS: []cut.Sealed{
		{Name: "main", Outage: "o1", Port: "/dev/wire", Cable: c, NotBefore: now.Add(time.Minute), Own: true},
	}}
}

// hasSeal reports whether there is one, whatever it says.
func (w *endWorld) hasSeal() bool {
	_, err := w.sealNow()
	return !errors.Is(err, cut.ErrNone)
}

// report returns what a machine says of itself.
func (w *endWorld) report(m *endMachine) *upsv1.NodeReport {
	if m.node != nil {
		return w.rack.Own(m.node)
	}
	return w.rack.Node("rack1").GetReport()
}

// marked returns when something happened first; never: it did not.
func (w *endWorld) marked(name string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.marks, func(m mark) bool { return m.name == name })
	if i < 0 {
		return math.MaxInt64
	}
	return w.marks[i].at
}

// stop ends every process.
func (w *endWorld) stop() {
	w.disk.Hang(false)
	w.rack.Stop()
}
