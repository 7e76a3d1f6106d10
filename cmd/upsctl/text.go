package main

import (
	"encoding/json"
	"fmt"
	"io"
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

// span writes a duration for people: "850ms" never, "4m12s", "2h5m", "3d4h".
func span(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return d.String()
	}
}

// cell is one field of a table, with how it is shown on a terminal.
type cell struct {
	text  string
	paint string // an SGR parameter, "" for plain
}

// maxWidth is what fits on every terminal.
const maxWidth = 80

// table writes rows as columns two blanks apart. What would not fit into maxWidth
// is taken from the widest column. Paint takes no room, which is why text/tabwriter
// can't do it.
type table struct{ rows [][]cell }

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *table) addText(texts ...string) {
	row := make([]cell, len(texts))
	for i, s := range texts {
		row[i].text = s
	}
	t.rows = append(t.rows, row)
}

// widths returns how wide each column is to be. All rows have as many cells.
func (t *table) widths() []int {
	widths := make([]int, len(t.rows[0]))
	total := -2
	for i := range widths {
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
		total += widths[i] + 2
	}
	for ; total > maxWidth; total-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		widths[widest]--
	}
	return widths
}

func (t *table) write(w io.Writer, colour bool) {
	for _, row := range t.rows {
		for i := range row {
			row[i].text = clean(row[i].text)
		}
	}
	widths := t.widths()
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			text := cut(c.text, widths[i])
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2)
			if colour && c.paint != "" && text != "" {
				text = "\x1b[" + c.paint + "m" + text + "\x1b[0m"
			}
			line.WriteString(text + pad)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// cut shortens s to n characters, the last being "…" if any had to go.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// colour reports whether to paint: on a terminal, unless told not to
// (https://no-color.org).
func (c *cli) colour() bool {
	return c.outTTY && c.env("NO_COLOR") == "" && c.env("TERM") != "dumb"
}
