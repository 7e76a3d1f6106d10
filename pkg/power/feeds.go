package power

import (
	"cmp"
	"slices"
)

// Feeds combines the UPSes that one machine lives on into the one that decides.
type Feeds struct {
	need  int
	obey  bool
	named map[string]bool // empty: none named, all count
	feeds map[string]feed
}

// feed is the full present picture of one UPS as a node sees it.
type feed struct {
	name  string
	state State
	link  Link
}

// NewFeeds returns the combination of the feeds called names ("MASTER/UPS"), of
// which need must live for the machine to live (less than one counts as one).
// No names: the only feed there is; see [Feeds.Ambiguous] for several. A machine that
// doesn't obey pretended states (law 11) lives on its real feeds, if it has any.
func NewFeeds(need int, names []string, obeySim bool) *Feeds {
	f := &Feeds{need: max(1, need), obey: obeySim, named: map[string]bool{}, feeds: map[string]feed{}}
	for _, n := range names {
		f.named[n] = true
	}
	return f
}

// Update replaces the present picture of one feed, and returns it. Feeds that were not
// named, when any were, are ignored. A master that has begun anew and has not seen its
// UPS yet knows less than this machine, which then goes by what it was told before.
func (f *Feeds) Update(name string, s State, l Link) State {
	if old := f.feeds[name].state; s.Known() == Unknown && old.Known() != Unknown && s.Sim == old.Sim && s.Drill == old.Drill {
		reason := s.Reason
		s = old
		s.Status, s.Last, s.Reason = Unknown, old.Known(), reason
	}
	if len(f.named) == 0 || f.named[name] {
		f.feeds[name] = feed{name: name, state: s, link: l}
	}
	return s
}

// Ambiguous reports whether there are several feeds and the owner named none:
// a problem, and until it is solved the first that fails counts.
func (f *Feeds) Ambiguous() bool { return len(f.named) == 0 && len(f.feeds) > 1 }

// Names returns the feeds heard of so far, sorted.
func (f *Feeds) Names() []string {
	names := make([]string, 0, len(f.feeds))
	for n := range f.feeds {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Ignored returns the names of the feeds that are only pretended and not obeyed,
// sorted.
func (f *Feeds) Ignored() []string {
	return slices.DeleteFunc(f.Names(), func(n string) bool { return f.obey || !f.feeds[n].state.Sim })
}

// Undecided reports whether feeds that were named and not heard of yet could still
// make the difference: too few of those heard of are good, and with the others there
// might be enough.
func (f *Feeds) Undecided() bool {
	good, known := 0, 0
	for n := range f.named {
		switch f.feeds[n].state.Known() {
		case Unknown:
			continue
		case OK:
			good++
		case Fail, BatLow:
		}
		known++
	}
	return good < f.need && good+len(f.named)-known >= f.need
}

// Combined returns the state of the feed that decides, and the contact with it:
// of the known feeds, best first, the one on which the machine's life depends
// when need of them must live. A blind feed counts as its last known state; one
// never known is not counted. With none known it returns UNKNOWN and the best
// contact there is.
func (f *Feeds) Combined() (State, Link) {
	var known, unknown []feed
	names, ignored := f.Names(), f.Ignored()
	if len(ignored) < len(names) { // else they are all there is, and whoever gets the state says so
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(ignored, n) })
	}
	for _, n := range names {
		if fd := f.feeds[n]; fd.state.Known() != Unknown {
			known = append(known, fd)
		} else {
			unknown = append(unknown, fd)
		}
	}
	if len(known) == 0 {
		if len(unknown) == 0 {
			return State{}, LinkNone
		}
		slices.SortStableFunc(unknown, func(a, b feed) int {
			return cmp.Compare(reach(a.link), reach(b.link))
		})
		return unknown[0].state, unknown[0].link
	}
	slices.SortStableFunc(known, bestFirst)
	need := f.need
	if f.Ambiguous() {
		need = len(known)
	}
	d := known[min(need, len(known))-1]
	return d.state, d.link
}

// bestFirst orders feeds by how well they feed. Among equals, one that can be
// heard and seen says more than one that can't; and the youngest outage is the
// moment since when so many feeds are gone.
func bestFirst(a, b feed) int {
	return cmp.Or(
		cmp.Compare(a.state.Known(), b.state.Known()),
		cmp.Compare(reach(a.link), reach(b.link)),
		cmp.Compare(blindness(a.state), blindness(b.state)),
		cmp.Compare(b.state.OutageSince, a.state.OutageSince),
	)
}

// reach orders contacts from the best to the worst.
func reach(l Link) int {
	return slices.Index([]Link{LinkUp, LinkAway, LinkLost, LinkNone}, l)
}

func blindness(s State) int {
	if s.Status == Unknown {
		return 1
	}
	return 0
}
