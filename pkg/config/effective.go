package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Effective returns the document as what was asked for understood it: every key
// that is known, with its value, those that the file leaves out with their default
// and a comment that says so. It is TOML, and says the same as the file.
//
// Keys that are left out and have no value to write down (see [Table.Has]) are left
// out here too. Tables stand in the order of the file, those that it doesn't have
// behind. show, if not nil, is given each text with its full dotted key and returns
// what to print in its place.
//
// Call it after every known key has been asked for and [Doc.Err] is nil.
func (d *Doc) Effective(show func(key, text string) string) string {
	if show == nil {
		show = func(_, text string) string { return text }
	}
	e := effective{doc: d, show: show}
	e.table(d.root.node, nil, false)
	return strings.TrimPrefix(e.out.String(), "\n")
}

// leftOut is a key that was asked for and is not in the file.
type leftOut struct {
	key   string
	value any // string, []string, int64, bool
}

// defaults notes what a key that is not there means.
func (t *Table) defaults(key string, value any) {
	if !slices.ContainsFunc(t.left, func(l leftOut) bool { return l.key == key }) {
		t.left = append(t.left, leftOut{key, value})
	}
}

// effective prints a document.
type effective struct {
	doc  *Doc
	show func(key, text string) string
	out  strings.Builder
}

// line is one "key = value".
type line struct {
	text    string
	comment string
}

// table prints the table that n is; header is how it begins, "" for the root.
func (e *effective) table(n *node, path []string, list bool) {
	readers := e.readers(n)
	lines := e.lines(n, path, readers)
	if len(path) > 0 && (len(lines) > 0 || n.val != nil) {
		open, end := "[", "]"
		if list {
			open, end = "[[", "]]"
		}
		fmt.Fprintf(&e.out, "\n%s%s%s\n", open, tomlKey(path...), end)
	}
	e.print(lines)
	for _, k := range n.kids {
		sub := append(slices.Clip(path), k.name)
		switch v := k.val.(type) {
		case map[string]any:
			e.table(k, sub, false)
		case []any:
			if isTables(v) {
				for _, item := range k.items {
					e.table(item, sub, true)
				}
			}
		}
	}
	done := map[string]bool{}
	for _, t := range readers {
		for _, key := range t.known {
			if none := t.absent[key]; none != nil && n.kid(key) == nil && !t.matters[key] && !done[key] {
				done[key] = true
				e.table(none.node, append(slices.Clip(path), key), false)
			}
		}
	}
}

// readers returns the tables by which n was asked.
func (e *effective) readers(n *node) []*Table {
	var out []*Table
	for _, t := range e.doc.tables {
		if t.node == n {
			out = append(out, t)
		}
	}
	return out
}

// lines returns the values of a table in the order in which they were asked for.
func (e *effective) lines(n *node, path []string, readers []*Table) []line {
	var out []line
	done := map[string]bool{}
	for _, t := range readers {
		for _, key := range t.known {
			if done[key] {
				continue
			}
			full := tomlKey(append(slices.Clip(path), key)...)
			if k := n.kid(key); k != nil {
				if text, ok := e.value(full, k.val); ok {
					out = append(out, line{tomlKey(key) + " = " + text, ""})
				}
				done[key] = true
				continue
			}
			i := slices.IndexFunc(t.left, func(l leftOut) bool { return l.key == key })
			if i < 0 || t.matters[key] {
				continue
			}
			if text, ok := e.value(full, t.left[i].value); ok {
				out = append(out, line{tomlKey(key) + " = " + text, "# default"})
				done[key] = true
			}
		}
	}
	return out
}

// commentColumn is where comments stand, unless a line is longer.
const commentColumn = 40

func (e *effective) print(lines []line) {
	for _, l := range lines {
		e.out.WriteString(l.text)
		if l.comment != "" {
			pad := max(2, commentColumn-utf8.RuneCountInString(l.text))
			e.out.WriteString(strings.Repeat(" ", pad) + l.comment)
		}
		e.out.WriteByte('\n')
	}
}

// value returns a value as it is written; not ok: it is no scalar and no list of
// them.
func (e *effective) value(key string, v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return tomlString(e.show(key, v)), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case bool:
		return strconv.FormatBool(v), true
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return e.value(key, list)
	case []any:
		if isTables(v) {
			return "", false
		}
		var parts []string
		for _, el := range v {
			text, ok := e.value(key, el)
			if !ok {
				return "", false
			}
			parts = append(parts, text)
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	default:
		return "", false
	}
}

// isTables reports whether a list holds tables.
func isTables(v []any) bool {
	if len(v) == 0 {
		return false
	}
	_, ok := v[0].(map[string]any)
	return ok
}

// tomlKey writes a dotted key.
func tomlKey(parts ...string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = p
		if p == "" || strings.ContainsFunc(p, notBare) {
			out[i] = tomlString(p)
		}
	}
	return strings.Join(out, ".")
}

// tomlString writes a basic string (TOML 1.0, "String"); what a terminal might obey
// is escaped too.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x10000 && !strconv.IsPrint(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		case !strconv.IsPrint(r):
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
