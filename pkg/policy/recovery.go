package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

const (
	// attachTime is how long a master that begins anew waits for those who are up to
	// attach: an agent's longest pause between two tries is 5 s, and its first answer may
	// take as long.
	attachTime = 15 * time.Second
	// The pause between two tries to wake a machine doubles from the first to the last: a
	// firmware needs minutes to be ready, a switch one; whoever does not come for hours
	// waits for somebody who looks, and is tried all the same.
	firstWakePause, lastWakePause = 30 * time.Second, 10 * time.Minute
	// overdueAfter is how long after its turn a machine may take before it is somebody's
	// business: a large server's own tests last 5 minutes.
	overdueAfter = 10 * time.Minute
	// calledBack is how long after its power-off was taken back a node may still go: what
	// asks for one may wait 50 s for the system's answer, which may be that it is too late.
	calledBack = time.Minute
)

// RecoveryConfig is when machines that an outage put down are started again.
type RecoveryConfig struct {
	// HoldOff is how long OK must have lasted.
	HoldOff time.Duration
	// MinCharge is how full the batteries must be, in percent; Limit how long OK must have
	// lasted for a machine to be started all the same.
	MinCharge int
	Limit     time.Duration
	// Stagger lies between two machines.
	Stagger time.Duration
}

// Supply is one UPS, as it matters for starting machines.
type Supply struct {
	Name  string
	State power.State
	// Recharge is how long its battery takes from empty to full; 0: 4 hours.
	Recharge time.Duration
}

// Present is one node of the rack as its master knows it now.
type Present struct {
	Name, Boot string
	// Attached: it is heard now.
	Attached bool
	// Phase is its last.
	Phase Phase
	// UPS are those of this master that it lives on, Others how many it has elsewhere;
	// Need of all these must live.
	UPS          []string
	Others, Need int
	// ObeysSim: pretended states put it down too. NeverGoes: nothing does, or it is the
	// master's own host, which nobody but itself could wake.
	ObeysSim, NeverGoes bool
	// Host: it is the master's own.
	Host bool
	// Sent: people told it to shut down in this boot.
	Sent bool
	// Ways are how it comes back: cycle, wol, rtc, hook.
	Ways []string
	// StopTime is how long it takes to be off once asked.
	StopTime time.Duration
}

// going reports whether its last word was that it goes.
func (p Present) going() bool { return p.Phase == Committed || p.Phase == Done }

// Absent is a node that lives in an outage, or was put down by one and is not back. It
// lies on disk: no field changes its meaning.
type Absent struct {
	Boot   string   `json:"boot"` // in which it was up
	UPS    []string `json:"ups"`
	Others int      `json:"others,omitempty"`
	Need   int      `json:"need,omitempty"`
	Outage string   `json:"outage,omitempty"` // the first that it was seen in
	Ways   []string `json:"ways"`
	// Committed: it asked for its power-off. Gone: it is not attached.
	Committed bool `json:"committed,omitempty"`
	Gone      bool `json:"gone,omitempty"`
	// Turn is when it went, in the order of all: the last to go is the first to be
	// brought back. 0: it has not gone.
	Turn uint64 `json:"turn,omitempty"`
	// Asked is who wants it shut down and woken, outage or not; empty: nobody.
	Asked string `json:"asked,omitempty"`
	// Tries is how often it was woken since the power is back.
	Tries int `json:"tries,omitempty"`
	// StopTime is how long it takes to be off; At since when it is gone, and Next when it
	// is due to be woken: moments of the boot in which this was written.
	StopTime time.Duration `json:"stop_time,omitempty"`
	At       power.Uptime  `json:"at,omitempty"`
	Next     power.Uptime  `json:"next,omitempty"`

	since  power.Uptime // its power is back since then, 0: it is not
	called power.Uptime // it was called back then, 0: it was not
	waits  string       // what it waits for, for people; empty: nothing
}

// RecoveryState is what must outlive the master's machine.
type RecoveryState struct {
	Nodes map[string]Absent `json:"nodes"`
	Turns uint64            `json:"turns"` // how many have gone so far
}

// Waking asks for a node to be woken by its ways, Try counting from 1.
type Waking struct {
	Node string
	Ways []string
	Try  int
}

// Return says that a node is back, that was put down.
type Return struct {
	Node, Outage string
	Tries        int    // how often it was woken; 0: it came by itself
	Asked        string // who had asked for that; empty: an outage did
	Rebooted     bool   // by another boot id: it was off for certain
}

// RecoveryStep is what came of one look.
type RecoveryStep struct {
	Wake []Waking
	Back []Return
	// Changed: there is something new that must not be lost.
	Changed bool
}

// Recovery brings back whoever an outage put down. It is fed with the whole rack as it is,
// as often as may be and when Deadline says; what it knows lies on disk, because the
// master's machine goes down in the same outage. It is pure, and not safe for concurrent
// use.
//
// Whoever is attached while one of its UPSes is on battery is remembered, until it is seen
// through: attached and not on its way down with its power back, or attached in another
// boot. So is everybody while the master's own machine goes: nobody will see what becomes of
// them. A machine that is gone by then is woken as soon as the power has been back for
// long enough, the last to go first, and again and again until it is seen or released.
// To wake one that runs does no harm, so a node that is only out of touch is woken too.
type Recovery struct {
	cfg   RecoveryConfig
	began power.Uptime
	state RecoveryState

	supplies map[string]*supply
	hostGoes bool            // the master's own machine is on its way down
	before   map[string]bool // attached and not on its way down at the last look
	woke     power.Uptime    // the last that was woken
	any      bool            // there was one
	next     power.Uptime    // when to look again
	timed    bool
}

// supply is a UPS with what is remembered of it.
type supply struct {
	Supply
	goodFrom power.Uptime  // since when it counts as OK; meaningful if good
	good     bool          // it is OK, or was so when last seen, or nobody ever said
	debt     time.Duration // as last told
	debtAt   power.Uptime  // when that was told
}

// NewRecovery returns one for a master that begins at began and knows nothing.
func NewRecovery(c RecoveryConfig, began power.Uptime) *Recovery {
	return &Recovery{
		cfg: c, began: began, state: RecoveryState{Nodes: map[string]Absent{}},
		supplies: map[string]*supply{}, before: map[string]bool{},
	}
}

// Restore takes what an earlier run left; sameBoot: its moments are on this clock. Who was
// seen since stays as seen.
func (r *Recovery) Restore(now power.Uptime, s RecoveryState, sameBoot bool) {
	for name, a := range s.Nodes {
		if _, known := r.state.Nodes[name]; known {
			continue
		}
		if !sameBoot {
			a.Next = 0
			if a.Gone {
				a.At = now // for longer, but nobody knows for how long
			}
		}
		r.state.Nodes[name] = a
	}
	for name, a := range r.state.Nodes { // those that went since went later
		if _, old := s.Nodes[name]; !old && a.Turn > 0 {
			a.Turn += s.Turns
			r.state.Nodes[name] = a
		}
	}
	r.state.Turns += s.Turns
}

// State returns what must outlive this machine.
func (r *Recovery) State() RecoveryState {
	return RecoveryState{Nodes: maps.Clone(r.state.Nodes), Turns: r.state.Turns}
}

// Ask makes a node be woken as soon as it is off: somebody shuts it down to see whether it
// comes back.
func (r *Recovery) Ask(n Present, by string) {
	a, known := r.state.Nodes[n.Name]
	if !known {
		a = r.absent(n, "")
	}
	a.Asked = by
	r.state.Nodes[n.Name] = a
}

// Release gives up on a node that is gone, and reports whether there was anything to give
// up. One that is attached is not gone yet: it may still be put down.
func (r *Recovery) Release(name string) bool {
	a, known := r.state.Nodes[name]
	if !known || !a.Gone && a.Asked == "" {
		return false
	}
	if !a.Gone {
		a.Asked = ""
		r.state.Nodes[name] = a
		return true
	}
	r.Forget(name)
	return true
}

// Forget drops a node that was struck off.
func (r *Recovery) Forget(name string) { delete(r.state.Nodes, name) }

// Step takes the rack as it is now.
func (r *Recovery) Step(now power.Uptime, ups []Supply, nodes []Present) RecoveryStep {
	var out RecoveryStep
	r.timed = false
	r.hearSupplies(now, ups)
	r.hostGoes = slices.ContainsFunc(nodes, func(n Present) bool { return n.Host && n.going() && !n.Sent })
	seen := map[string]bool{}
	for _, n := range nodes {
		seen[n.Name] = true
		r.follow(now, n, &out)
	}
	for _, name := range slices.Sorted(maps.Keys(r.state.Nodes)) {
		if !seen[name] { // the roster was not read yet, or it is not on it
			r.leave(now, name, &out)
		}
	}
	r.before = map[string]bool{}
	for _, n := range nodes {
		r.before[n.Name] = n.Attached && !n.going()
	}
	r.bringBack(now, &out)
	return out
}

// Deadline returns when Step has something to do even if nothing happens.
func (r *Recovery) Deadline() (power.Uptime, bool) { return r.next, r.timed }

// due sees to it that there is a look at that moment.
func (r *Recovery) due(at power.Uptime) {
	if !r.timed || at.Before(r.next) {
		r.next, r.timed = at, true
	}
}

// absent returns a new record of a node that is up.
func (r *Recovery) absent(n Present, outage string) Absent {
	return Absent{
		Boot: n.Boot, UPS: n.UPS, Others: n.Others, Need: n.Need, Outage: outage, Ways: n.Ways, StopTime: n.StopTime,
	}
}

// follow goes on with the story of one node.
func (r *Recovery) follow(now power.Uptime, n Present, out *RecoveryStep) {
	if !n.Attached {
		outage, hit := r.hit(n)
		_, known := r.state.Nodes[n.Name]
		// One whose link ended, too, since the last look: it has no grace and is quick.
		if !known && r.before[n.Name] && !n.NeverGoes && (hit && !n.going() || n.going() && !n.Sent) {
			r.state.Nodes[n.Name], known = r.present(now, n, r.absent(n, outage)), true
		}
		if known {
			r.leave(now, n.Name, out)
		}
		return
	}
	a, known := r.state.Nodes[n.Name]
	was, back := a, false
	if known && (a.Boot != n.Boot || a.Gone && !n.going()) {
		// A container has its host's boot: one that had asked and is not on its way was off.
		if a.Boot != n.Boot || a.Committed {
			out.Back = append(out.Back, Return{Node: n.Name, Outage: a.Outage, Tries: a.Tries, Asked: a.Asked, Rebooted: a.Boot != n.Boot})
		}
		delete(r.state.Nodes, n.Name)
		out.Changed, known, back = true, false, true
	}
	outage, hit := r.hit(n)
	// One that goes at once, in a failure that was over between two looks, or by the end of
	// the one that it came back into.
	quick := n.going() && (r.before[n.Name] || back)
	switch {
	case known:
		a = r.present(now, n, a)
	case n.NeverGoes || !hit && !quick || n.going() && n.Sent:
		return
	default:
		a, was = r.present(now, n, r.absent(n, outage)), Absent{}
	}
	if !hit && !n.going() && a.Asked == "" && !r.mayGo(now, a) { // it came through
		delete(r.state.Nodes, n.Name)
		out.Changed = true
		return
	}
	r.state.Nodes[n.Name] = a
	out.Changed = out.Changed || !same(a, was)
}

// mayGo reports whether a node that was called back may go all the same.
func (r *Recovery) mayGo(now power.Uptime, a Absent) bool {
	late := a.called.Add(calledBack)
	if a.called == 0 || !now.Before(late) {
		return false
	}
	r.due(late)
	return true
}

// present brings a record up to date with a node that is attached.
func (r *Recovery) present(now power.Uptime, n Present, a Absent) Absent {
	a.Gone, a.At, a.Tries, a.Next, a.since, a.waits = false, 0, 0, 0, 0, ""
	a.UPS, a.Others, a.Need, a.StopTime = n.UPS, n.Others, n.Need, n.StopTime
	if len(n.Ways) > 0 {
		a.Ways = n.Ways
	}
	switch {
	case n.going() && !a.Committed:
		r.state.Turns++
		a.Turn = r.state.Turns
	case !n.going():
		a.Turn = 0
		if a.Committed { // it was called back
			a.Asked = ""
			if a.Outage != "" {
				a.called = now
			}
		}
	}
	a.Committed = n.going()
	return a
}

// leave notes that a node is not attached.
func (r *Recovery) leave(now power.Uptime, name string, out *RecoveryStep) {
	a := r.state.Nodes[name]
	if a.Gone {
		return
	}
	a.Gone, a.At = true, now
	if a.Turn == 0 {
		r.state.Turns++
		a.Turn = r.state.Turns
	}
	r.state.Nodes[name] = a
	out.Changed = true
}

// same reports whether there is no news in a after b.
func same(a, b Absent) bool {
	if !slices.Equal(a.UPS, b.UPS) || !slices.Equal(a.Ways, b.Ways) {
		return false
	}
	return a.Boot == b.Boot && a.Others == b.Others && a.Need == b.Need && a.Outage == b.Outage && a.Committed == b.Committed &&
		a.Gone == b.Gone && a.Turn == b.Turn && a.Asked == b.Asked && a.Tries == b.Tries && a.StopTime == b.StopTime
}
