package master

import (
	"context"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lastwatt/lastwatt/api"
	upsv1 "github.com/lastwatt/lastwatt/api/ups/v1"
	"github.com/lastwatt/lastwatt/master/history"
	"github.com/lastwatt/lastwatt/pkg/journal"
	"github.com/lastwatt/lastwatt/pkg/node"
	"github.com/lastwatt/lastwatt/pkg/policy"
	"github.com/lastwatt/lastwatt/pkg/power"
	"github.com/lastwatt/lastwatt/pkg/shutdown"
	"github.com/lastwatt/lastwatt/pkg/wake"
)

// Waker wakes a machine by its network cards.
type Waker func(ctx context.Context, macs []net.HardwareAddr) error

// recovery brings back whoever an outage put down: the clock, the disk and the hands of a
// [policy.Recovery]. Nobody waits for it.
type recovery struct {
	m     *Master
	saver *journal.Saver
	send  Waker
	hooks []node.Hook                 // those of "wake"
	hands chan struct{}               // as many as hooks may run side by side
	ends  chan wakeResult             // of those that were tried
	late  <-chan loaded[keptRecovery] // what an earlier run kept, if it was not there in time

	mu     sync.Mutex // guards what follows
	r      *policy.Recovery
	cards  map[string][]net.HardwareAddr // by node, as they said when they attached last
	flying map[string]bool               // nodes that are being woken
	failed map[string]string             // by node: why the last try failed
	up     map[string]upState            // by node that is gone, or may be soon: what else is known of it
	cuts   []string                      // UPSes that this machine's late unit is to cut
	sealed bool                          // cuts is of this run
	loaded bool
	dirty  bool // there was something to keep before that
}

// keptRecovery is what lies on disk.
type keptRecovery struct {
	Boot     string               `json:"boot"` // the master's own, for the moments in it
	Recovery policy.RecoveryState `json:"recovery"`
	Cards    map[string][]string  `json:"cards"`
	Up       map[string]upState   `json:"up,omitempty"`
	Cuts     []string             `json:"cuts,omitempty"`
}

// wakeHooksMax is how many wake hooks run side by side.
const wakeHooksMax = 8

func newRecovery(m *Master, o Options) *recovery {
	c := m.cfg.Recover
	v := &recovery{
		m: m, saver: o.saver(m.cfg.Data, "recovery.json", "whoever is down when the master's machine goes too is not woken"),
		send: o.Wake, hands: make(chan struct{}, wakeHooksMax), ends: make(chan wakeResult),
		r:     policy.NewRecovery(policy.RecoveryConfig{HoldOff: c.HoldOff, MinCharge: c.MinCharge, Limit: c.Limit, Stagger: c.Stagger}, m.now()),
		cards: map[string][]net.HardwareAddr{}, flying: map[string]bool{}, failed: map[string]string{}, up: map[string]upState{},
	}
	if v.send == nil {
		v.send = wake.Send
	}
	if o.Before != nil {
		v.saver.Inherit(o.Before.recovery.saver)
	}
	for _, h := range m.cfg.Hooks {
		if wakes(h) {
			v.hooks = append(v.hooks, h)
		}
	}
	return v
}

// wakes reports whether a hook switches machines on.
func wakes(h node.Hook) bool { return slices.Contains(h.On, policy.EventWake) }

// String names the task.
func (v *recovery) String() string { return "recovery" }

// restore takes what an earlier run kept, before anybody is told who is up. It waits as long
// for the disk as for the state of this boot; [recovery.Run] takes what comes later.
func (v *recovery) restore() {
	late := load[keptRecovery](v.saver)
	if l, soon := inTime(late); soon {
		v.adopt(l)
		return
	}
	v.late = late
}

// Run looks whenever something changed or is due, until ctx ends. A disk that doesn't answer
// keeps nobody down who went in this run.
func (v *recovery) Run(ctx context.Context) error {
	wake, stop := v.m.hub.watch()
	defer stop()
	timer, pause := time.NewTimer(0), time.NewTimer(0)
	defer timer.Stop()
	defer pause.Stop()
	for {
		v.look(ctx)
		timer.Stop()
		if at, timed := v.deadline(); timed {
			timer.Reset(max(0, at.Sub(v.m.now())))
		}
		pause.Reset(provePause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-wake:
		case <-timer.C:
		case end := <-v.ends:
			v.ended(end)
		case l := <-v.late:
			v.adopt(l)
		case <-ctx.Done():
			return nil
		}
	}
}

// adopt takes what an earlier run kept; what was seen since is newer.
func (v *recovery) adopt(l loaded[keptRecovery]) {
	if l.lost() {
		v.m.log.Error("cannot read who went in the last outage: whoever is still down is not woken", "err", l.err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.loaded = true
	defer func() {
		if v.dirty {
			v.keep() // what happened since
		}
	}()
	if l.err != nil {
		return
	}
	old := l.v
	v.r.Restore(v.m.now(), old.Recovery, old.Boot == v.m.boot)
	v.fell(old)
	v.dirty = v.dirty || old.Boot != v.m.boot // the next run must find it as of this boot
	for name, texts := range old.Cards {
		if _, known := v.cards[name]; known {
			continue
		}
		for _, text := range texts {
			if mac, err := net.ParseMAC(text); err == nil {
				v.cards[name] = append(v.cards[name], mac)
			}
		}
	}
}

func (v *recovery) deadline() (power.Uptime, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.r.Deadline()
}

// look feeds the recovery with the rack as it is, and does what it says.
func (v *recovery) look(ctx context.Context) {
	ups, nodes, cards := v.m.hub.comers(v.m.cfg)
	now := v.m.now()
	v.mu.Lock()
	out := v.r.Step(now, ups, nodes)
	changed := out.Changed
	for name, macs := range cards {
		if !slices.EqualFunc(v.cards[name], macs, func(a, b net.HardwareAddr) bool { return a.String() == b.String() }) {
			v.cards[name], changed = macs, true
		}
	}
	for _, b := range out.Back {
		delete(v.failed, b.Node)
	}
	if changed {
		v.keep()
	}
	v.mu.Unlock()
	for _, b := range out.Back {
		v.back(b)
	}
	for _, w := range out.Wake {
		v.wake(ctx, w)
	}
	if len(out.Wake)+len(out.Back) > 0 {
		v.m.hub.look() // there is more to tell now
	}
}

// keep hands what must not be lost to the disk; before that was read it would be all that
// is left. v.mu is held.
func (v *recovery) keep() {
	if !v.loaded {
		v.dirty = true
		return
	}
	k := keptRecovery{Boot: v.m.boot, Recovery: v.r.State(), Cards: map[string][]string{}, Up: v.stillUp(), Cuts: v.cuts}
	for name, macs := range v.cards {
		for _, mac := range macs {
			k.Cards[name] = append(k.Cards[name], mac.String())
		}
	}
	v.saver.Put(k)
}

// ask has nodes woken as soon as they are off.
func (v *recovery) ask(names []string, by string) {
	_, nodes, _ := v.m.hub.comers(v.m.cfg)
	v.mu.Lock()
	for _, n := range nodes {
		if slices.Contains(names, n.Name) {
			v.r.Ask(n, by)
		}
	}
	v.keep()
	v.mu.Unlock()
	v.m.hub.look()
}

// release gives up on those of the nodes that are gone.
func (v *recovery) release(names []string, by string) {
	for _, name := range names {
		v.mu.Lock()
		gone := v.r.Release(name)
		if gone {
			delete(v.failed, name)
			v.keep()
		}
		v.mu.Unlock()
		if gone {
			v.m.event("node/"+name, history.KindWake, "it is not woken any more, by "+by)
		}
	}
	v.m.hub.look()
}

// forget drops a node that was struck off, or is another machine now.
func (v *recovery) forget(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.r.Forget(name)
	delete(v.cards, name)
	delete(v.failed, name)
	v.keep()
}

// comers returns the UPSes, the nodes, and the network cards of those who said them, as it
// matters for bringing nodes back.
func (h *hub) comers(c Config) (ups []policy.Supply, nodes []policy.Present, cards map[string][]net.HardwareAddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []string
	for i, u := range h.ups {
		ups = append(ups, policy.Supply{Name: u.name, State: u.state, Recharge: c.UPS[i].Battery.Recharge})
		all = append(all, u.name)
	}
	cards = map[string][]net.HardwareAddr{}
	for _, name := range slices.Sorted(maps.Keys(h.nodes)) {
		n := h.nodes[name]
		cfg, need := n.policy()
		p := policy.Present{
			Name: name, Boot: n.boot, Attached: n.host || n.session != nil, Phase: api.ToPhase(n.report.GetPhase()),
			Need: need, ObeysSim: cfg.ObeySim, NeverGoes: n.host || neverGoes(n.report.GetMethods()), Host: n.host, Sent: n.sent != "" && n.sent == n.boot,
			Ways: tried(n.report.GetWake(), n.hello.GetMacs()), StopTime: n.report.GetStopTime().AsDuration(), UPS: all,
		}
		if len(n.feeds) > 0 {
			p.UPS = nil
			for _, f := range n.feeds {
				if ups, ours := strings.CutPrefix(f, h.name+"/"); ours {
					p.UPS = append(p.UPS, ups)
				} else {
					p.Others++
				}
			}
		}
		if need == 0 {
			p.Need = len(p.UPS) + p.Others
		}
		nodes = append(nodes, p)
		if n.session != nil && len(n.hello.GetMacs()) > 0 {
			cards[name] = macsOf(n.hello)
		}
	}
	return ups, nodes, cards
}

// tried returns by which ways a node is woken: those that it claims to have, and where the
// master has no hand in any of them its network cards all the same. A firmware may listen
// for the packet whatever the card's driver knows of that, and it does no harm (law 7).
func tried(claimed []string, macs [][]byte) []string {
	if wakeable(claimed) || len(macs) == 0 {
		return claimed
	}
	return append(slices.Clone(claimed), policy.WakeWOL)
}

func macsOf(h *upsv1.Hello) []net.HardwareAddr {
	var out []net.HardwareAddr
	for _, m := range h.GetMacs() {
		out = append(out, net.HardwareAddr(m))
	}
	return out
}

// neverGoes reports whether those are the methods of a dry run.
func neverGoes(methods []string) bool { return len(methods) == 1 && methods[0] == shutdown.MethodNone }

// orMachine returns the real machine for nil.
func orMachine(w node.Waking) node.Waking {
	if w == nil {
		return wake.Machine{}
	}
	return w
}
