package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// print writes the drill for people.
func (d drillPicture) print(w io.Writer, colour bool) {
	t := table{}
	t.addText("NODE", "ANSWERED", "TIME UP", "PLANNED", "REACHED", "HOOKS", "GOES BY")
	for _, n := range d.Nodes {
		reached := cell{n.Reached, phasePaint(n.Reached)}
		switch {
		case n.Missing != "":
			reached = cell{"missing", "31"}
		case n.Late:
			reached = cell{n.Reached + ", late", "31"}
		}
		hooks := "-"
		if len(n.Ran) > 0 {
			hooks = strconv.Itoa(len(n.Ran))
		}
		t.add(cell{text: n.Name}, cell{text: n.answered()}, cell{text: countdown(n.Goes)}, cell{text: countdown(n.Planned)},
			reached, cell{text: hooks}, cell{text: strings.Join(n.Methods, " ")})
	}
	t.write(w, colour)
	if notes := d.notes(); len(notes) > 0 {
		fmt.Fprintln(w)
		for _, line := range notes {
			fmt.Fprint(w, wrap(clean(line)))
		}
	}
	fmt.Fprintln(w)
	fmt.Fprint(w, wrap(clean(d.sum())))
}

// answered is how long the first answer took, both ways.
func (n drilledPicture) answered() string {
	if n.Answered == nil {
		return "-"
	}
	return toDuration(*n.Answered).Round(time.Millisecond).String()
}

// notes are what does not fit into the table.
func (d drillPicture) notes() []string {
	var out []string
	for _, n := range d.Nodes {
		add := func(format string, args ...any) { out = append(out, n.Name+": "+fmt.Sprintf(format, args...)) }
		if n.Missing != "" {
			add("missing: %s", n.Missing)
			continue
		}
		if len(n.Steps) == 0 {
			add("it would not have done anything: what it lives on did not fail")
		}
		for _, s := range n.Steps {
			if s.Phase == "HELD" || s.Phase == "WAITING" {
				add("%s after %s: %s", s.Phase, span(toDuration(s.After)), s.Reason)
			}
		}
		if n.Cannot != "" {
			add("would not go down: %s", n.Cannot)
		}
		for _, h := range n.Ran {
			if h.Error != "" {
				add("drill hook %s failed on %s after %s: %s", h.Name, h.Event, brief(h.Took), h.Error)
			} else {
				add("drill hook %s on %s: done in %s", h.Name, h.Event, brief(h.Took))
			}
		}
		if len(n.LeftAside) > 0 {
			add("would have run too: %s", strings.Join(n.LeftAside, ", "))
		}
		if n.LeftOut != "" {
			add("%s", n.LeftOut)
		}
	}
	return out
}

// sum is all in one line.
func (d drillPicture) sum() string {
	missing, late, cannot, hooks, cut := 0, 0, 0, 0, 0
	for _, n := range d.Nodes {
		missing += one(n.Missing != "")
		late += one(n.Late)
		cannot += one(n.Cannot != "")
		cut += one(n.Missing == "" && n.LeftOut != "")
		for _, h := range n.Ran {
			hooks += one(h.Error != "")
		}
	}
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{
		{missing, "1 node is missing", "%d nodes are missing"}, {late, "1 node is late", "%d nodes are late"},
		{cannot, "1 node would not go down", "%d nodes would not go down"}, {hooks, "1 hook failed", "%d hooks failed"},
		{cut, "1 node was not there to the end", "%d nodes were not there to the end"},
	} {
		switch p.n {
		case 0:
		case 1:
			parts = append(parts, p.one)
		default:
			parts = append(parts, fmt.Sprintf(p.many, p.n))
		}
	}
	switch {
	case d.Ended != "":
		return strings.Join(append([]string{"the drill ended before its time: " + d.Ended}, parts...), "; ")
	case len(parts) == 0:
		return "everybody would have acted in time; nothing has happened to any machine"
	default:
		return strings.Join(parts, ", ")
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
