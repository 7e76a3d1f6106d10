package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// glass is a terminal as far as a screen uses one. It keeps what stands on it. Its
// methods may be called from several goroutines.
type glass struct {
	mu         sync.Mutex
	cols, rows int
	cells      [][]rune
	x, y       int
	wrap, alt  bool
	hidden     bool
	held       bool // a frame is not whole yet
	rest       []byte
	odd        []string // what it did not understand
}

func newGlass(cols, rows int) *glass {
	g := &glass{cols: cols, rows: rows, wrap: true}
	g.erase(0, 0)
	return g
}

// erase blanks from there to the end.
func (g *glass) erase(x, y int) {
	for len(g.cells) < g.rows {
		g.cells = append(g.cells, []rune(strings.Repeat(" ", g.cols)))
	}
	for ; y < g.rows; y++ {
		for ; x < g.cols; x++ {
			g.cells[y][x] = ' '
		}
		x = 0
	}
}

func (g *glass) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rest = append(g.rest, p...)
	for len(g.rest) > 0 {
		n := g.one()
		if n == 0 {
			break
		}
		g.rest = g.rest[n:]
	}
	return len(p), nil
}

// one obeys the first character or sequence and returns how long it is; 0: it is not
// whole yet.
func (g *glass) one() int {
	if g.rest[0] != 0x1b {
		if !utf8.FullRune(g.rest) {
			return 0
		}
		r, n := utf8.DecodeRune(g.rest)
		g.put(r)
		return n
	}
	end := bytes.IndexFunc(g.rest[min(2, len(g.rest)):], func(r rune) bool { return r >= '@' })
	if len(g.rest) < 3 || end < 0 {
		return 0
	}
	seq := string(g.rest[2 : end+3])
	switch {
	case strings.HasSuffix(seq, "m"):
	case strings.HasSuffix(seq, "H"):
		g.x, g.y = 0, 0
		if row, _, ok := strings.Cut(seq, ";"); ok {
			n, err := strconv.Atoi(row)
			if err != nil || n > g.rows {
				g.odd = append(g.odd, seq)
			}
			g.y = min(n, g.rows) - 1
		}
	case seq == "K":
		for x := g.x; x < g.cols; x++ {
			g.cells[g.y][x] = ' '
		}
	case seq == "J":
		g.erase(g.x, g.y)
	case strings.HasPrefix(seq, "?"):
		on := strings.HasSuffix(seq, "h")
		switch seq[1 : len(seq)-1] {
		case "1049":
			g.alt = on
		case "7":
			g.wrap = on
		case "25":
			g.hidden = !on
		case "2026":
			g.held = on
		default:
			g.odd = append(g.odd, seq)
		}
	default:
		g.odd = append(g.odd, seq)
	}
	return end + 3
}

func (g *glass) put(r rune) {
	switch {
	case r == '\r':
		g.x = 0
	case r == '\n':
		g.y = min(g.y+1, g.rows-1)
	default:
		if g.x == g.cols { // only where it wraps
			g.x, g.y = 0, min(g.y+1, g.rows-1)
		}
		g.cells[g.y][g.x] = r
		if g.wrap || g.x+1 < g.cols {
			g.x++
		}
	}
}

// text is what stands there, without blank ends.
func (g *glass) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var lines []string
	for _, row := range g.cells {
		lines = append(lines, strings.TrimRight(string(row), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

func (g *glass) size() (cols, rows int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cols, g.rows
}

// resize changes the window, which loses what stood there.
func (g *glass) resize(cols, rows int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cols, g.rows, g.cells = cols, rows, nil
	g.erase(0, 0)
}

// disturb is somebody else who writes there.
func (g *glass) disturb() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cells[0][0] = '#'
}

// taken reports whether a screen has it: the second one, without a cursor.
func (g *glass) taken() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.alt && g.hidden
}

// asItWas reports what of the terminal is not as before.
func (g *glass) asItWas() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.wrap || g.alt || g.hidden || g.held || len(g.odd) > 0 || len(g.rest) > 0 {
		return fmt.Errorf("wrap %v, second screen %v, cursor hidden %v, held %v, not understood %q %q", g.wrap, g.alt, g.hidden, g.held, g.odd, g.rest)
	}
	return nil
}

// TestScreenShowsEachFrame: after any sequence of frames the last one stands there,
// and nothing else, whatever was painted, cut or forgotten.
func TestScreenShowsEachFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cols, rows := rapid.IntRange(1, 12).Draw(t, "cols"), rapid.IntRange(1, 6).Draw(t, "rows")
		g := newGlass(cols, rows)
		s := screen{w: g}
		s.enter()
		line := rapid.Custom(func(t *rapid.T) string {
			text := rapid.StringOfN(rapid.RuneFrom([]rune("ab …é")), 0, cols, -1).Draw(t, "text")
			if text != "" && rapid.Bool().Draw(t, "painted") {
				return "\x1b[1;31m" + text + "\x1b[0m"
			}
			return text
		})
		for range rapid.IntRange(1, 8).Draw(t, "frames") {
			lines := rapid.SliceOfN(line, 0, rows).Draw(t, "lines")
			if rapid.IntRange(0, 4).Draw(t, "disturbed") == 0 {
				g.disturb()
				s.forget()
			}
			s.draw(lines, cols)
			want := newGlass(cols, rows)
			for y, l := range lines {
				bare := []rune(strings.NewReplacer("\x1b[1;31m", "", "\x1b[0m", "").Replace(l))
				copy(want.cells[y], bare)
			}
			if diff := cmp.Diff(want.text(), g.text()); diff != "" || !g.taken() || g.held || len(g.odd) > 0 {
				t.Fatalf("(-want +got):\n%s%+v", diff, g)
			}
		}
		s.leave()
		if err := g.asItWas(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestScreenSendsOnlyWhatChanged, in one write.
func TestScreenSendsOnlyWhatChanged(t *testing.T) {
	var sent []string
	s := screen{w: writerFunc(func(p []byte) (int, error) { sent = append(sent, string(p)); return len(p), nil })}
	for _, frame := range []string{"one\ntwo\nthree", "one\ntwo\nthree", "one\n2\nthree", "one"} {
		s.draw(strings.Split(frame, "\n"), 20)
	}
	s.forget()
	s.draw([]string{"one"}, 3)
	want := []string{
		"\x1b[?2026h\x1b[H\x1b[J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K\x1b[3;1Hthree\x1b[K\x1b[?2026l",
		"\x1b[?2026h\x1b[2;1H2\x1b[K\x1b[?2026l",
		"\x1b[?2026h\x1b[2;1H\x1b[J\x1b[?2026l",
		"\x1b[?2026h\x1b[H\x1b[J\x1b[1;1Hone\x1b[?2026l",
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
