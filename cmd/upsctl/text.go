package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes text of the network harmless for a terminal: nothing that moves the
// cursor, changes direction or ends a line passes.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// cleanLines is clean for text whose line ends are ours.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}

// writeJSON writes one value, escaping what a terminal could act on: encoding/json
// leaves DEL, C1 controls and direction marks as they are.
func writeJSON(w io.Writer, v any, indent string) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range b.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi := (r - 0x10000) >> 10
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+hi, 0xdc00+(r-0x10000)&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// span writes a duration for people, in two units at most: "850ms" never, "4m12s",
// "2h5m", "3d".
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= 24*time.Hour:
		return twoUnits(d/(24*time.Hour), "d", d%(24*time.Hour)/time.Hour, "h")
	case d >= time.Hour:
		return twoUnits(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
	case d >= time.Minute:
		return twoUnits(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	default:
		return d.String()
	}
}

func twoUnits(many time.Duration, unit string, few time.Duration, small string) string {
	if few == 0 {
		return fmt.Sprintf("%d%s", many, unit)
	}
	return fmt.Sprintf("%d%s%d%s", many, unit, few, small)
}

// cell is one field of a table, with how it is shown on a terminal.
type cell struct {
	text  string
	paint string // an SGR parameter, "" for plain
}

// maxWidth is what fits on every terminal.
const maxWidth = 80

// narrow is how far a column may be cut before others are left out.
const narrow = 12

// table writes rows as columns two blanks apart. What would not fit into its width
// is taken from the widest column; on a terminal so small that this leaves nothing to
// read, whole columns go first. Paint takes no room, which is why text/tabwriter
// can't do it.
type table struct {
	rows  [][]cell
	width int      // 0: maxWidth
	spare []string // the heads of columns that may be left out, the first first
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *table) addText(texts ...string) {
	row := make([]cell, len(texts))
	for i, s := range texts {
		row[i].text = s
	}
	t.rows = append(t.rows, row)
}

// widths returns how wide each column is to be; 0: it is left out, or empty. All rows
// have as many cells, and the first has the heads.
func (t *table) widths() []int {
	limit := cmp.Or(t.width, maxWidth)
	widths := make([]int, len(t.rows[0]))
	for i := range widths {
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	for _, head := range t.spare {
		least := make([]int, len(widths))
		for i, w := range widths {
			least[i] = min(w, narrow)
		}
		if tableWidth(least) > limit {
			widths[slices.IndexFunc(t.rows[0], func(c cell) bool { return c.text == head })] = 0
		}
	}
	for tableWidth(widths) > limit {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 1 {
			break // nobody can read that
		}
		widths[widest]--
	}
	return widths
}

// tableWidth is how wide a table with such columns is.
func tableWidth(widths []int) int {
	sum := -2
	for _, w := range widths {
		if w > 0 {
			sum += w + 2
		}
	}
	return sum
}

func (t *table) write(w io.Writer, colour bool) {
	for _, l := range t.lines(colour) {
		fmt.Fprintln(w, l)
	}
}

func (t *table) lines(colour bool) []string {
	for _, row := range t.rows {
		for i := range row {
			row[i].text = clean(row[i].text)
		}
	}
	widths := t.widths()
	var out []string
	for _, row := range t.rows {
		var line strings.Builder
		gap := 0
		for i, c := range row {
			text := cut(c.text, widths[i])
			if text != "" {
				line.WriteString(strings.Repeat(" ", gap))
				gap = widths[i] - utf8.RuneCountInString(text)
				if colour && c.paint != "" {
					text = "\x1b[" + c.paint + "m" + text + "\x1b[0m"
				}
				line.WriteString(text)
			} else {
				gap += widths[i]
			}
			if widths[i] > 0 {
				gap += 2
			}
		}
		out = append(out, line.String())
	}
	return out
}

// cut shortens s to n characters, the last being "…" if any had to go.
func cut(s string, n int) string {
	switch {
	case utf8.RuneCountInString(s) <= n:
		return s
	case n <= 0:
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

// colour reports whether to paint: on a terminal, unless told not to
// (https://no-color.org).
func (c *cli) colour() bool {
	return c.outTTY && c.env("NO_COLOR") == "" && c.env("TERM") != "dumb"
}

// wrap breaks a paragraph into lines of at most maxWidth characters, all but the
// first indented.
func wrap(text string) string { return wrapTo(text, maxWidth) }

// flow breaks each paragraph of text anew, but not those that are set in.
func flow(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = strings.ReplaceAll(strings.TrimSuffix(wrap(p), "\n"), "\n  ", "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// wrapTo is wrap for lines of at most width.
func wrapTo(text string, width int) string {
	const indent = "  "
	var out strings.Builder
	col := 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case col == 0:
		case col+1+n > width:
			out.WriteString("\n" + indent)
			col = len(indent)
		default:
			out.WriteString(" ")
			col++
		}
		out.WriteString(word)
		col += n
	}
	return out.String() + "\n"
}
