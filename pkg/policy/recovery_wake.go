package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// The ways of [wake] by which a machine comes back.
const (
	WakeCycle = "cycle" // the UPS's own power cycle, or the firmware's "on after power loss"
	WakeWOL   = "wol"   // Wake-on-LAN, which the agent arms and the master sends
	WakeRTC   = "rtc"   // an alarm of its own clock, which the agent sets
	WakeHook  = "hook"  // a program on the master: IPMI, a switched socket
)

// Comeback is how it stands with a node that is not back yet.
type Comeback struct {
	Outage string
	// Away is since when it is gone; Since since when its power is back, meaningful if
	// Powered.
	Away, Since power.Uptime
	Powered     bool
	// Tries is how often it was woken, Next when it will be again; meaningful if Timed.
	Tries int
	Next  power.Uptime
	Timed bool
	// Ways are how it comes back, Waits is what it waits for; empty: its turn.
	Ways  []string
	Waits string
	// Asked is who shut it down to be woken; empty: an outage did.
	Asked string
	// Committed: it had asked for its power-off; else it only fell silent.
	Committed bool
	// Overdue: it should have been back for long.
	Overdue bool
}

// Comebacks returns who is gone, and how it stands with them as of the last Step.
func (r *Recovery) Comebacks(now power.Uptime) map[string]Comeback {
	out := map[string]Comeback{}
	for name, a := range r.state.Nodes {
		if !a.Gone {
			continue
		}
		c := Comeback{
			Outage: a.Outage, Away: a.At, Since: a.since, Powered: a.since > 0, Tries: a.Tries, Ways: a.Ways, Waits: a.waits, Asked: a.Asked, Committed: a.Committed,
		}
		if c.Powered {
			c.Overdue = now.Sub(a.since) >= r.patience()
			c.Next, c.Timed = a.Next, a.Next > now && wakeable(a.Ways)
		}
		out[name] = c
	}
	return out
}

// patience is how long after the power a machine may come.
func (r *Recovery) patience() time.Duration {
	return overdueAfter + time.Duration(len(r.state.Nodes))*r.cfg.Stagger
}

// wakeable reports whether this master can do anything but wait.
func wakeable(ways []string) bool {
	return slices.Contains(ways, WakeWOL) || slices.Contains(ways, WakeHook)
}

// hearSupplies takes what each UPS says now.
func (r *Recovery) hearSupplies(now power.Uptime, all []Supply) {
	heard := map[string]*supply{}
	for _, u := range all {
		s := r.supplies[u.Name]
		if s == nil {
			s = &supply{goodFrom: r.began}
		}
		if s.debt != u.State.Debt || s.Name == "" {
			s.debt, s.debtAt = u.State.Debt, now
		}
		was := s.good
		// A blind feed counts as its last known state; of one never known HoldOff and
		// Limit count from the start.
		s.Supply, s.good = u, !u.State.Known().OnBattery()
		switch {
		case u.State.Status == power.OK:
			s.goodFrom = u.State.Since
		case s.good && !was && s.goodFrom != r.began:
			s.goodFrom = now
		case !s.good:
			s.goodFrom = now
		}
		heard[u.Name] = s
	}
	r.supplies = heard
}

// hit reports whether any of a node's UPSes is on battery in earnest, as far as the node
// is concerned, and in which outage; or nobody will be there to say.
func (r *Recovery) hit(n Present) (outage string, hit bool) {
	hit = r.hostGoes
	for _, name := range n.UPS {
		s := r.supplies[name]
		if s == nil || !s.State.Known().OnBattery() || s.State.Drill || s.State.Sim && !n.ObeysSim {
			continue
		}
		if outage == "" {
			outage = s.State.Outage
		}
		hit = true
	}
	return outage, hit
}

// charge returns how full a battery is, in percent. Of a runtime that is not known it
// takes what the ledger does.
func (s *supply) charge(now power.Uptime) int {
	l := power.NewLedger(power.LedgerConfig{Runtime: s.State.Runtime, Recharge: s.Recharge})
	l.Set(s.debt)
	l.Recharge(now.Sub(s.debtAt))
	full := s.State.Runtime
	if full <= 0 {
		full = assumedRuntime
	}
	return int(100 * max(0, full-l.Debt()) / full)
}

// ready reports whether machines may be started on a UPS, and if not, what they wait for
// and when to look again by the clock; zero: when something changes.
func (r *Recovery) ready(now power.Uptime, s *supply) (waits string, again power.Uptime, is bool) {
	steady := now.Sub(s.goodFrom)
	switch {
	case !s.good:
		return "power", 0, false
	case steady < r.cfg.HoldOff:
		return fmt.Sprintf("%s of steady power", r.cfg.HoldOff), s.goodFrom.Add(r.cfg.HoldOff), false
	case steady >= r.cfg.Limit:
		return "", 0, true
	case s.State.Known() == power.Unknown:
		return "somebody who sees " + s.Name, s.goodFrom.Add(r.cfg.Limit), false
	}
	if c := s.charge(now); c < r.cfg.MinCharge {
		return fmt.Sprintf("%s to be charged to %d %% (%d %% now)", s.Name, r.cfg.MinCharge, c), now.Add(chargeLook), false
	}
	return "", 0, true
}

// assumedRuntime is what the ledger takes for a runtime that is not known.
const assumedRuntime = 5 * time.Minute

// chargeLook is how often a battery that charges is looked at: in less, a percent of the
// quickest that can be configured is not gained.
const chargeLook = 10 * time.Second

// powered reports whether enough of a node's UPSes are ready. Those of other masters have
// the benefit of the doubt, and one that is configured no more holds nobody back.
func (r *Recovery) powered(now power.Uptime, a Absent) (waits string, is bool) {
	need, ready := max(1, a.Need)-a.Others, 0
	if len(a.UPS) > 0 {
		need = max(1, need)
	}
	need = min(need, len(a.UPS))
	for _, name := range a.UPS {
		s := r.supplies[name]
		if s == nil {
			ready++
			continue
		}
		why, again, good := r.ready(now, s)
		if good {
			ready++
			continue
		}
		if again > 0 {
			r.due(again)
		}
		if waits == "" || waits == "power" {
			waits = why
		}
	}
	return waits, ready >= need
}

// bringBack wakes whoever's turn it is.
func (r *Recovery) bringBack(now power.Uptime, out *RecoveryStep) {
	var turn []string
	for _, name := range slices.Sorted(maps.Keys(r.state.Nodes)) {
		a := r.state.Nodes[name]
		if !a.Gone {
			continue
		}
		if r.wait(now, &a) && wakeable(a.Ways) {
			if a.Next > now {
				r.due(a.Next)
			} else {
				turn = append(turn, name)
			}
		}
		out.Changed = out.Changed || !same(a, r.state.Nodes[name])
		r.state.Nodes[name] = a
	}
	// Everybody once before anybody again; then the last to go first.
	slices.SortStableFunc(turn, func(x, y string) int {
		a, b := r.state.Nodes[x], r.state.Nodes[y]
		if a.Tries != b.Tries {
			return a.Tries - b.Tries
		}
		if a.Turn != b.Turn {
			return cmp.Compare(b.Turn, a.Turn)
		}
		return strings.Compare(x, y)
	})
	for _, name := range turn {
		if next := r.woke.Add(r.cfg.Stagger); r.any && now.Before(next) {
			r.due(next)
			return
		}
		a := r.state.Nodes[name]
		a.Next = now.Add(min(firstWakePause<<min(a.Tries, 10), lastWakePause))
		a.Tries++
		r.woke, r.any = now, true
		r.state.Nodes[name] = a
		r.due(a.Next)
		out.Wake = append(out.Wake, Waking{Node: name, Ways: a.Ways, Try: a.Tries})
		out.Changed = true
	}
}

// wait reports whether a node that is gone may be woken now, and notes what it waits for.
// Power that fails again begins it all anew.
func (r *Recovery) wait(now power.Uptime, a *Absent) bool {
	waits, is := r.powered(now, *a)
	if is {
		switch off := a.At.Add(a.StopTime); {
		case now.Before(r.began.Add(attachTime)):
			waits, is = "those who are up to attach", false
			r.due(r.began.Add(attachTime))
		case a.Asked != "" && now.Before(off): // it has only just gone
			waits, is = "it to be off", false
			r.due(off)
		}
	}
	if a.waits = waits; !is {
		a.Tries, a.Next, a.since = 0, 0, 0
		return false
	}
	a.waits = ""
	if a.since == 0 {
		a.since = now
	}
	if late := a.since.Add(r.patience()); now.Before(late) {
		r.due(late)
	}
	return true
}
