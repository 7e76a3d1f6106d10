package policy

import (
	"slices"
	"time"

	"github.com/lastwatt/lastwatt/pkg/power"
)

// endLead is how long before the master's host commits everybody else hears that it is
// about to go: a few beats of the slowest rack.
const endLead = 10 * time.Second

// Source is one UPS of a master.
type Source struct {
	Name  string // "MASTER/UPS", as feeds bear it
	State power.State
}

// Member is one node of a rack, as its master knows it.
type Member struct {
	Standing
	// Feeds are the UPSes that it lives on, of other masters too; none: not known, and
	// it counts as living on all. Need is how many of them it needs; 0: all.
	Feeds []string
	Need  int
	// Good: it is heard, and says that its power is.
	Good bool
	// Host: it is the master's own, which cuts the load and so is not waited for.
	Host bool
	// DryRun: its power-off is none, so it is never off.
	DryRun bool
	// Ordered: an operator wants it down, so it is not the power that makes it go.
	Ordered bool
	// Awaits: it waits for somebody who is still up.
	Awaits bool
	// Config is how it decides; meaningful if Told.
	Config Config
	Told   bool
}

// Fleet is what a master makes the nodes of its rack do together: before its own host
// goes, everybody's time is up. The zero value is a rack in peace.
type Fleet struct{ ending bool }

// Step looks at the master's own host and its UPSes, and returns whether the host is
// about to go: it has committed, or will in 10 s unless somebody is off sooner. That
// somebody then commits because of it and is waited for anew makes it no less so; only
// power, a hold or an order do. A host in a dry run never goes.
func (f *Fleet) Step(now power.Uptime, host Member, ups []Source) bool {
	due, timed := f.due(host)
	near := timed && !now.Before(due)
	switch {
	case host.DryRun || host.Ordered || !slices.ContainsFunc(ups, Source.failing):
		f.ending = false
	case host.Phase == Waiting:
		f.ending = f.ending || near
	case host.Phase == Grace:
		f.ending = near && !host.Awaits
	default:
		f.ending = host.committed()
	}
	return f.ending
}

// Ending returns what the last step said.
func (f *Fleet) Ending() bool { return f.ending }

// Deadline returns when Step should be called, if nothing is heard of the host before.
func (f *Fleet) Deadline(host Member) (power.Uptime, bool) {
	due, timed := f.due(host)
	return due, timed && !f.ending && !host.DryRun && !host.Ordered
}

// due returns when the host will have endLead left.
func (f *Fleet) due(host Member) (power.Uptime, bool) {
	return host.Goes.Add(-endLead), host.Timed && (host.Phase == Grace && !host.Awaits || host.Phase == Waiting)
}

// Ends reports whether a node has the order end: the host is about to go, and what goes
// with it feeds the node.
func (f *Fleet) Ends(m Member, ups []Source) bool { return f.ending && !m.Host && !m.Survives(ups) }

// Survives reports whether a node goes on when all UPSes are cut that are on battery.
func (m Member) Survives(ups []Source) bool { return m.lives(ups, false) }

// failing reports whether the UPS runs on battery, as far as anybody knows: it is one of
// those that are cut.
func (s Source) failing() bool { return s.State.Known().OnBattery() }

// pretended reports whether it is no UPS that feeds anybody.
func (s Source) pretended() bool { return s.State.Sim || s.State.Drill }

// lives reports whether a node lives on when all UPSes are cut that are on battery: one
// that none of them feeds, and else on those of its feeds that are good, and on other
// masters' where it says that its power is good. Of what it does not say nobody knows.
// Earnest: a pretended UPS feeds nobody.
func (m Member) lives(ups []Source, earnest bool) bool {
	if len(m.Feeds) == 0 {
		return false
	}
	going := func(s Source) bool { return s.failing() && slices.Contains(m.Feeds, s.Name) }
	if !slices.ContainsFunc(ups, going) {
		return true // what is cut does not feed it
	}
	need, live := m.Need, 0
	if need <= 0 {
		need = len(m.Feeds)
	}
	for _, f := range m.Feeds {
		i := slices.IndexFunc(ups, func(s Source) bool { return s.Name == f })
		switch {
		case i < 0 && m.Good:
			live++
		case i >= 0 && ups[i].State.Known() == power.OK && !(earnest && ups[i].pretended()):
			live++
		}
	}
	return live >= need
}

// Cut says when a UPS may be cut.
type Cut struct {
	UPS string // "MASTER/UPS"
	// NotBefore is the first moment at which everybody who lives on it is off.
	NotBefore power.Uptime
	// Last is who is off last; empty: all of them are.
	Last string
	// Blocked are those of whom nobody can say when they will be off, sorted: they have
	// not committed, and nothing makes them. While there are any it is not cut at all.
	Blocked []string
}

// Cuts returns for each UPS on battery when it may be cut, if all of them are (law 5):
// after every node that lived in this outage and can't live without them, by what each of
// them does with no more word from its master, which is gone by then. Pretended UPSes cut
// nothing.
func Cuts(now power.Uptime, members []Member, ups []Source) []Cut {
	stop, heard, undecided := time.Duration(0), now, 0
	for _, m := range members {
		stop = max(stop, m.StopTime)
		if m.Host {
			heard = now.Add(m.StopTime)
		} else if m.Attached && !m.committed() {
			undecided++
		}
	}
	if undecided < 2 {
		heard = 0 // there is nobody whose commit anybody could hear of
	}
	var cuts []Cut
	for _, u := range ups {
		if !u.failing() || u.pretended() {
			continue
		}
		c := Cut{UPS: u.Name, NotBefore: now}
		for _, m := range members {
			if m.Host || m.lives(ups, true) || len(m.Feeds) > 0 && !slices.Contains(m.Feeds, u.Name) {
				continue
			}
			switch off, known := m.offBy(now, heard, u.State, stop); {
			case !known:
				c.Blocked = append(c.Blocked, m.Name)
			case off.After(c.NotBefore):
				c.NotBefore, c.Last = off, m.Name
			}
		}
		slices.Sort(c.Blocked)
		cuts = append(cuts, c)
	}
	return cuts
}

// offBy returns when a node will be off at the latest, left to itself from now on in the
// outage of s; not known: nothing makes it go. stop is the longest stop time of those
// whom it may wait for; until heard its master may still tell it that one has committed,
// 0: there is none that has not.
//
// A node that has only committed may still run its hooks, so its stop time counts from
// its last word.
func (m Member) offBy(now, heard power.Uptime, s power.State, stop time.Duration) (at power.Uptime, known bool) {
	takes := m.StopTime + OffMargin
	switch m.OffAs(now) {
	case OffProbed, OffCut, OffAbsent:
		return now, true
	case OffNot, OffAssumed: // its link ends before its disks do, so its time counts
	}
	switch {
	case m.DryRun:
		return 0, false
	case m.Alive != 0 && !m.Attached:
		return m.aliveUntil().Add(OffMargin), true
	case m.Phase == Done:
		return max(m.Committed.Add(takes), m.answered(now)), true
	case m.committed():
		return max(max(m.Committed, m.Heard).Add(takes), m.answered(now)), true
	case !m.Told || m.Phase == Idle || m.Phase == PhaseUnknown:
		return 0, false
	}
	// It counts by itself once its master is silent, which a goodbye may excuse for a while.
	from := m.Heard
	if m.Attached {
		from = max(now, heard)
	}
	silent := from.Add(goodbye)
	switch {
	case m.Phase == Waiting && m.Timed && (heard == 0 || !m.Attached || s.Known() == power.BatLow):
		at = m.Goes
	case m.Phase == Waiting && m.Timed: // it may hear of a commit, and wait anew
		at = m.waits(m.Goes, heard, stop)
	case m.Phase == Held:
		at = m.waits(max(silent.Add(m.Config.LostLimit), s.OutageSince.Add(m.Config.normal().Grace)), silent, stop)
	case m.Timed:
		at = m.waits(m.Goes, silent, stop)
	case m.Phase == Grace:
		at = m.waits(silent.Add(m.Config.LostLimit), silent, stop)
	default:
		at = m.waits(silent, silent, stop)
	}
	if m.Attached {
		at = max(now, at) // it is late, and there is nothing that says that it never goes
	}
	return at.Add(takes), true
}

// answered returns when a node that answers probes may have been silent for long enough;
// 0: it doesn't.
func (m Member) answered(now power.Uptime) power.Uptime {
	if !m.answers(now) {
		return 0
	}
	return m.Answered.Add(OffMargin)
}

// waits returns when a node has waited whose time is up at due and who hears nothing
// since silent: those it waits for may have committed only then.
func (m Member) waits(due, silent power.Uptime, stop time.Duration) power.Uptime {
	if !m.Config.WaitFor {
		return due
	}
	return max(due, silent).Add(max(m.Config.WaitLimit, stop))
}
