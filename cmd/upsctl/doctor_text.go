package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// print writes the checkup for people.
func (ex checkup) print(w io.Writer, colour bool) {
	if ex.Alone {
		fmt.Fprint(w, wrap("only this node was examined, by its own agent; upsctl doctor on the master's host examines the whole rack"))
	} else {
		fmt.Fprint(w, wrap(clean("master "+ex.Master)))
	}
	if len(ex.UPS) > 0 {
		fmt.Fprintln(w)
		t := table{}
		t.addText("UPS", "STATE", "CABLE", "SAYS LOW BATTERY", "OUTAGES SEEN")
		for _, u := range ex.UPS {
			t.add(cell{text: u.Name}, cell{u.State, statePaint(u.State)}, cell{text: u.Cable}, cell{text: u.low(ex.Alone)}, cell{text: u.outages(ex.Alone)})
		}
		t.write(w, colour)
	}
	if len(ex.Nodes) > 0 {
		fmt.Fprintln(w)
		t := table{}
		t.addText("NODE", "REACHED", "POWER", "GOES", "STOP TIME", "COMES BACK BY", "PROVED")
		for _, n := range ex.Nodes {
			goes := n.goes()
			t.add(cell{text: n.Name}, cell{text: n.reached()}, cell{n.State, statePaint(n.State)}, cell{goes, goesPaint(goes)},
				cell{text: n.stop()}, cell{text: strings.Join(n.Wake, " ")}, cell{text: n.proved(ex.Alone)})
		}
		t.write(w, colour)
	}
	if notes := ex.notes(); len(notes) > 0 {
		fmt.Fprintln(w)
		for _, line := range notes {
			fmt.Fprint(w, wrap(clean(line)))
		}
	}
	ex.printFound(w)
	fmt.Fprintln(w)
	fmt.Fprint(w, wrap(ex.sum()))
}

// indent stands for two blanks at a paragraph's begin, which wrap would drop.
const indent = "\x00\x00"

// printFound writes what was found, what is the same on several things once.
func (ex checkup) printFound(w io.Writer) {
	for i := 0; i < len(ex.Problems); {
		f, on := ex.Problems[i], []string{}
		for ; i < len(ex.Problems) && ex.Problems[i].Name == f.Name && ex.Problems[i].Text == f.Text; i++ {
			on = append(on, ex.Problems[i].On)
		}
		word := "problem"
		if f.Weakness {
			word = "weakness"
		}
		fmt.Fprintln(w)
		fmt.Fprint(w, wrap(clean(fmt.Sprintf("%s %s, %s: %s", word, f.Name, strings.Join(on, ", "), f.Text))))
		if f.Do != "" {
			fmt.Fprint(w, strings.Replace(wrap(indent+clean("do: "+f.Do)), indent, "  ", 1))
		}
	}
}

// notes are what does not fit into the tables.
func (ex checkup) notes() []string {
	var out []string
	for _, u := range ex.UPS {
		if u.Reason != "" {
			out = append(out, u.Name+": "+u.Reason)
		}
	}
	for _, n := range ex.Nodes {
		if n.Error != "" {
			out = append(out, n.Name+": cannot be examined: "+n.Error)
		}
		if n.Cannot != "" {
			out = append(out, n.Name+": would not go down: "+n.Cannot)
		}
		if n.Guest != "" {
			out = append(out, n.Name+": a guest ("+n.Guest+"): the machine that it runs on has to name it in wait_for")
		}
		for _, h := range n.Ran {
			if h.Error != "" {
				out = append(out, fmt.Sprintf("%s: drill hook %s failed after %s: %s", n.Name, h.Name, brief(h.Took), h.Error))
			} else {
				out = append(out, fmt.Sprintf("%s: drill hook %s: done in %s", n.Name, h.Name, brief(h.Took)))
			}
		}
		if n.LeftOut != "" {
			out = append(out, n.Name+": drill hooks not run: "+n.LeftOut)
		}
	}
	return out
}

// sum is all in one line.
func (ex checkup) sum() string {
	problems, weak, silent, stays := 0, 0, 0, 0
	for _, f := range ex.Problems {
		if f.Weakness {
			weak++
		} else {
			problems++
		}
	}
	for _, n := range ex.Nodes {
		switch {
		case n.Error != "":
			silent++
		case n.Cannot != "":
			stays++
		}
	}
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{
		{silent, "1 node could not be examined", "%d nodes could not be examined"},
		{stays, "1 node would not go down", "%d nodes would not go down"},
		{problems, "1 problem", "%d problems"},
		{weak, "1 weakness", "%d weaknesses"},
	} {
		switch {
		case p.n == 1:
			parts = append(parts, p.one)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf(p.many, p.n))
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, ", ")
	case ex.verdict() != nil:
		return "something is not as it should be; see above"
	case ex.Alone:
		return "this machine would go down; what was proved only its master knows"
	default:
		return "every machine would go down and come back"
	}
}

// never is for what was not proved; the proofs are the master's.
func never(alone bool) string {
	if alone {
		return "-"
	}
	return "never"
}

func (u upsCheckup) low(alone bool) string {
	switch {
	case u.Sim:
		return "sim"
	case !u.HasLow:
		return "has no wire for it"
	case u.Low != "":
		return "seen " + day(u.Low)
	default:
		return never(alone)
	}
}

func (u upsCheckup) outages(alone bool) string {
	if u.Outages == 0 {
		return never(alone)
	}
	return fmt.Sprintf("%d, last %s", u.Outages, day(u.Last))
}

func (n nodeCheckup) reached() string {
	switch {
	case !n.Reached:
		return "no"
	case n.MasterHost:
		return "own host"
	case n.Took == nil:
		return "yes"
	default:
		return fmt.Sprintf("%d ms", toDuration(*n.Took).Round(time.Millisecond).Milliseconds())
	}
}

func (n nodeCheckup) goes() string {
	switch {
	case n.Error != "":
		return "?"
	case n.dry():
		return "dry run"
	case n.Cannot != "":
		return "no"
	default:
		return "yes"
	}
}

func goesPaint(goes string) string {
	switch goes {
	case "yes":
		return ""
	case "no":
		return "31"
	default:
		return "33"
	}
}

// stop says how long the node takes, and whether that was measured.
func (n nodeCheckup) stop() string {
	switch {
	case n.StopSeen != nil:
		return span(toDuration(*n.StopSeen)) + " seen"
	case n.StopTime > 0:
		return span(toDuration(n.StopTime)) + " said"
	default:
		return "-"
	}
}

func (n nodeCheckup) proved(alone bool) string {
	switch {
	case n.Back != "" && n.Outages > 0:
		return fmt.Sprintf("%dx, back %s", n.Outages, day(n.Back))
	case n.Back != "":
		return "back " + day(n.Back)
	case n.Outages > 0:
		return fmt.Sprintf("%dx, %s", n.Outages, day(n.LastWall))
	default:
		return never(alone)
	}
}

// day is a wall clock's day.
func day(wall string) string {
	if t, err := time.Parse(time.RFC3339, wall); err == nil {
		return t.Format(time.DateOnly)
	}
	return wall
}

// brief writes how long a hook took.
func brief(s float64) string { return toDuration(s).Round(time.Millisecond).String() }
