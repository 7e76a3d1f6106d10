package config

import (
	"slices"
	"strconv"
	"strings"
)

// unknown returns a problem for each key that nobody asked for. What is inside
// an unknown table is not listed again.
func (d *Doc) unknown() []Problem {
	var out []Problem
	for _, t := range d.tables {
		for _, k := range t.node.kids {
			if !k.asked {
				out = append(out, d.problem(k.at, t.join(k.name), "unknown key; "+d.meant(t, k.name)))
			}
		}
	}
	return out
}

// meant says what to write in place of an unknown key: the nearest known one, the
// table where one of that name belongs, or all that are known here.
func (d *Doc) meant(t *Table, name string) string {
	if near := Nearest(name, t.known); near != "" {
		return "did you mean " + near + "?"
	}
	for _, other := range d.tables {
		if other != t && slices.Contains(other.known, name) {
			if other.path == "" {
				return "it belongs at the top of the file, before the first [table]"
			}
			return "it belongs in [" + other.path + "]"
		}
	}
	known := slices.Clone(t.known)
	slices.Sort(known)
	switch len(known) {
	case 0:
		return "nothing can be written here, remove it"
	default:
		return "known here: " + strings.Join(known, ", ")
	}
}

// Nearest returns the one of names that name was probably meant to be: at most one
// letter in five is wrong, and one more; "" when none is that near.
func Nearest(name string, names []string) string {
	best, dist := "", min(2+len(name)/5, len(name)) // not all letters are wrong
	for _, n := range names {
		if d := distance(name, n); d < dist {
			best, dist = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, drop, change or swap with their
// neighbour to get from a to b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	if len(x) > 64 || len(y) > 64 { // no key is that long; keep a hostile file cheap
		return 1 << 16
	}
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// dotted joins parts as TOML writes a dotted key, quoting what is no bare key, so
// that no control character of a hostile file reaches a terminal.
func dotted(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = p
		if p == "" || strings.ContainsFunc(p, notBare) {
			out[i] = strconv.QuoteToASCII(p)
		}
	}
	return strings.Join(out, ".")
}

func notBare(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}
