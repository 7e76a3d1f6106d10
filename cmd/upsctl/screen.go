package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// The terminal's words: ECMA-48 (CUP, EL, ED, SGR) and the private modes that every
// terminal of today knows or ignores: 25 cursor, 7 wrap at the margin, 1049 the
// second screen, 2026 show nothing until the frame is whole.
const (
	termEnter     = "\x1b[?1049h\x1b[?7l\x1b[?25l"
	termLeave     = "\x1b[?25h\x1b[?7h\x1b[?1049l"
	termClear     = "\x1b[H\x1b[J"
	termRow       = "\x1b[%d;1H"
	termEraseLine = "\x1b[K"
	termEraseRest = "\x1b[J"
	termHold      = "\x1b[?2026h"
	termShow      = "\x1b[?2026l"
)

// screen draws frames onto a terminal and sends only the lines that changed, so
// nothing flickers and a slow link is enough. Whatever happened before, leave leaves
// the terminal as it was.
type screen struct {
	w     io.Writer
	shown []string // by line, as sent
	drawn bool     // shown is what stands there
}

func (s *screen) enter() { s.drawn = false; _, _ = io.WriteString(s.w, termEnter) }
func (s *screen) leave() { _, _ = io.WriteString(s.w, termLeave) }

// forget makes the next frame be drawn as a whole: somebody else may have written.
func (s *screen) forget() { s.drawn = false }

// draw shows lines, of which none is wider than cols.
func (s *screen) draw(lines []string, cols int) {
	var b strings.Builder
	if !s.drawn {
		b.WriteString(termClear)
		s.shown = nil
	}
	for i, l := range lines {
		if i < len(s.shown) && s.shown[i] == l {
			continue
		}
		fmt.Fprintf(&b, termRow, i+1)
		b.WriteString(l)
		// In the last column the cursor stays on what was written there.
		if visible(l) < cols {
			b.WriteString(termEraseLine)
		}
	}
	if len(lines) < len(s.shown) {
		fmt.Fprintf(&b, termRow+termEraseRest, len(lines)+1)
	}
	s.shown, s.drawn = lines, true
	if b.Len() > 0 {
		// In one write: half a frame is never seen.
		_, _ = io.WriteString(s.w, termHold+b.String()+termShow)
	}
}

// narrowed is a line that is too wide, cut and without its paint; others stay.
func narrowed(line string, cols int) string {
	if visible(line) <= cols {
		return line
	}
	return cut(bare(line), cols)
}

// visible counts the characters of a line, paint aside.
func visible(line string) int { return utf8.RuneCountInString(bare(line)) }

// bare is a line without its paint.
func bare(line string) string {
	var out strings.Builder
	for line != "" {
		text, rest, _ := strings.Cut(line, "\x1b[")
		out.WriteString(text)
		_, line, _ = strings.Cut(rest, "m")
	}
	return out.String()
}
