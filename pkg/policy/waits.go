package policy

import (
	"slices"
	"strings"
)

// Waiter is one node of a rack, as far as it matters for who waits for whom.
type Waiter struct {
	Name, Role string
	// Feeds are the UPSes it lives on; none: not known yet, and "*" of this node means
	// everybody.
	Feeds []string
	// WaitFor is whom it waits for: names, "role:NAME", "*".
	WaitFor []string
	// Host is the master's own: it goes last, so its word stands where two wait for
	// each other.
	Host bool
}

// Waits is who waits for whom in a rack: every list turned into names, without circles.
type Waits struct {
	on     map[string][]string
	depth  map[string]int
	cycles map[string][][]string
	nobody map[string][]string
}

// everybody in a list is everyone on one of the node's feeds who doesn't say so too.
const everybody = "*"

// edge is one node's wait for another.
type edge struct {
	from, to string
	rank     int // the lower stands where both can't
}

// NewWaits resolves the lists of all nodes of a rack. An edge that closes a circle is
// left out; which of a circle's edges that is does not depend on the order of all: the
// master's host keeps its own, then what is named outranks a role, and that outranks "*".
func NewWaits(all []Waiter) *Waits {
	w := &Waits{on: map[string][]string{}, depth: map[string]int{}, cycles: map[string][][]string{}, nobody: map[string][]string{}}
	all = slices.SortedFunc(slices.Values(all), func(a, b Waiter) int { return strings.Compare(a.Name, b.Name) })
	var edges []edge
	for _, n := range all {
		for _, word := range n.WaitFor {
			found, rank := match(n, word, all)
			if found == nil && word != everybody {
				w.nobody[n.Name] = append(w.nobody[n.Name], word)
			}
			if n.Host {
				rank = 0
			}
			for _, to := range found {
				edges = append(edges, edge{n.Name, to, rank})
			}
		}
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return a.rank - b.rank })
	for _, e := range edges {
		w.add(e)
	}
	for name := range w.on {
		slices.Sort(w.on[name])
	}
	return w
}

// match returns whom n means by a word of its list; nil: there is nobody of that name
// or role, and not even n itself.
func match(n Waiter, word string, all []Waiter) (names []string, rank int) {
	role, isRole := strings.CutPrefix(word, "role:")
	for _, o := range all {
		switch {
		case word == everybody:
			rank = 3
			if slices.Contains(o.WaitFor, everybody) || len(n.Feeds) > 0 && !share(n.Feeds, o.Feeds) {
				continue
			}
		case isRole:
			rank = 2
			if o.Role != role {
				continue
			}
			if names == nil {
				names = []string{}
			}
			if o.Name == n.Name { // all the others of one's own role
				continue
			}
		default:
			rank = 1
			if o.Name != word {
				continue
			}
		}
		names = append(names, o.Name)
	}
	return names, rank
}

func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// add takes an edge in, unless it closes a circle.
func (w *Waits) add(e edge) {
	if slices.Contains(w.on[e.from], e.to) {
		return
	}
	if back := w.way(e.to, e.from, map[string]bool{}); back != nil {
		circle := append([]string{e.from}, back...)
		if !slices.ContainsFunc(w.cycles[e.from], func(c []string) bool { return slices.Equal(c, circle) }) {
			w.cycles[e.from] = append(w.cycles[e.from], circle)
		}
		return
	}
	w.on[e.from] = append(w.on[e.from], e.to)
}

// way returns the names from one node to another, both included; nil: there is none.
func (w *Waits) way(from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, next := range w.on[from] {
		if rest := w.way(next, to, seen); rest != nil {
			return append([]string{from}, rest...)
		}
	}
	return nil
}

// On returns whom a node waits for, sorted.
func (w *Waits) On(name string) []string { return slices.Clone(w.on[name]) }

// Depth returns how long the chain of waiters below a node is; 0: it waits for nobody.
func (w *Waits) Depth(name string) int {
	if d, known := w.depth[name]; known {
		return d
	}
	d := 0
	for _, n := range w.on[name] {
		d = max(d, 1+w.Depth(n))
	}
	w.depth[name] = d
	return d
}

// Cycles returns the circles that edges of this node would have closed, each from the
// node to itself. Those edges are not waited by.
func (w *Waits) Cycles(name string) [][]string { return w.cycles[name] }

// Nobody returns the words of a node's list that mean nobody.
func (w *Waits) Nobody(name string) []string { return w.nobody[name] }
