package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// style is how a picture is to be shown.
type style struct {
	width  int // of the lines
	colour bool
}

// style returns what fits on this terminal, or on every one.
func (c *cli) style() style {
	st := style{maxWidth, c.colour()}
	if cols, _ := c.terminalSize(); cols > 0 {
		st.width = min(cols, 120) // longer lines are not read
	}
	return st
}

// print writes the picture for people.
func (p picture) print(w io.Writer, st style) {
	for _, l := range p.lines(st) {
		fmt.Fprintln(w, l)
	}
}

// lines is the whole picture.
func (p picture) lines(st style) []string {
	out := p.masterLines(st)
	if len(p.Nodes) > 0 {
		out = append(append(out, ""), p.nodeLines(p.Nodes, st)...)
	}
	if len(p.Problems) > 0 {
		out = append(out, "")
	}
	for _, one := range p.Problems {
		out = append(out, paragraph(one.words(), st.width)...)
	}
	if weak := p.weakWords(); weak != "" {
		out = append(append(out, ""), paragraph(weak, st.width)...)
	}
	return out
}

// frame is the picture in at most rows lines. Where it is too small for all, what
// somebody should look at comes first, a problem is one line, and how much is left
// out is said.
func (p picture) frame(st style, rows int) []string {
	whole := p.lines(st)
	if len(whole) <= rows {
		return whole
	}
	half := max(1, rows/2)
	out := p.masterLines(st)
	if len(out) > half {
		out = fit(p.shortMasters(), half, "lines", st.width)
	}
	rest := rows - len(out)
	var problems []string
	for _, one := range p.Problems {
		problems = append(problems, cut(clean(one.words()), st.width))
	}
	nodes := 0
	if len(p.Nodes) > 0 {
		nodes = 1 + len(p.Nodes)
	}
	problems = fit(problems, max(rest-nodes, rest/2), "problems", st.width)
	if room := rest - len(problems); room > 0 && nodes > 0 {
		out = append(out, p.someNodes(st, room)...)
	}
	return append(out, problems...)[:min(rows, len(out)+len(problems))]
}

// shortMasters is a line for each master that can't be asked and each UPS, those to
// look at first.
func (p picture) shortMasters() []string {
	var worse, well []string
	for _, m := range p.Masters {
		if !m.Reachable {
			worse = append(worse, clean(m.words()))
		}
		for _, u := range m.UPS {
			line := clean(fmt.Sprintf("ups %s: %s for %s", u.Name, u.State, span(toDuration(u.Age))))
			if u.State == "OK" {
				well = append(well, line)
			} else {
				worse = append(worse, line)
			}
		}
	}
	return append(worse, well...)
}

// someNodes is the table of nodes in at most rows lines, those to look at first.
func (p picture) someNodes(st style, rows int) []string {
	if 1+len(p.Nodes) <= rows {
		return p.nodeLines(p.Nodes, st)
	}
	sorted := slices.Clone(p.Nodes)
	slices.SortStableFunc(sorted, func(a, b nodePicture) int { return p.worry(b) - p.worry(a) })
	shown := max(0, rows-2)
	more := leftOut(len(sorted)-shown, "nodes", st.width)
	if shown == 0 {
		return []string{more}
	}
	return append(p.nodeLines(sorted[:shown], st), more)
}

// worry orders nodes by how much somebody should look at them.
func (p picture) worry(n nodePicture) int {
	switch {
	case n.attention():
		return 2
	case slices.ContainsFunc(p.Problems, func(one problemPicture) bool { return one.On == "node/"+n.Name }):
		return 1
	default:
		return 0
	}
}

// fit returns what of lines fits into rows, the last then saying how many don't.
func fit(lines []string, rows int, of string, width int) []string {
	if len(lines) <= rows {
		return lines
	}
	if rows <= 0 {
		return nil
	}
	return append(slices.Clip(lines[:rows-1]), leftOut(len(lines)-rows+1, of, width))
}

// leftOut says how many of something are not shown.
func leftOut(n int, of string, width int) string {
	if n == 1 {
		of = strings.TrimSuffix(of, "s")
	}
	return cut(fmt.Sprintf("… %d more %s", n, of), width)
}

// paragraph is text in lines.
func paragraph(text string, width int) []string {
	return strings.Split(strings.TrimSuffix(wrapTo(clean(text), width), "\n"), "\n")
}
