package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Table is one table of a file. Its getters make a key known, return the default
// when the key is absent, and when the value is wrong note a problem (for
// [Doc.Err]) and return the default too, so that a loader runs straight down and
// all problems are found at once. A Table that the file doesn't have is empty
// and otherwise like any other.
type Table struct {
	doc     *Doc
	node    *node
	path    string
	known   []string          // every key that was asked for
	left    []leftOut         // those that are not there, with what that means
	absent  map[string]*Table // tables that were asked for and are not there
	opened  map[string][]*Table
	matters map[string]bool // keys whose absence says something: no default can be written
	view    bool            // made by Pick: what it doesn't have, doesn't belong here either
}

// table makes the Table for a node.
func (d *Doc) table(n *node, path string) *Table {
	t := newTable(d, n, path)
	d.tables = append(d.tables, t)
	return t
}

func newTable(d *Doc, n *node, path string) *Table {
	return &Table{doc: d, node: n, path: path, absent: map[string]*Table{}, opened: map[string][]*Table{}, matters: map[string]bool{}}
}

// Path returns the table's full dotted path; "" for the root.
func (t *Table) Path() string { return t.path }

// join returns the full dotted path of a key of t.
func (t *Table) join(key string) string {
	if t.path == "" {
		return dotted(key)
	}
	return t.path + "." + dotted(key)
}

// ask makes key known and returns its node, or nil when it is absent.
func (t *Table) ask(key string) *node {
	if !slices.Contains(t.known, key) {
		t.known = append(t.known, key)
	}
	n := t.node.kid(key)
	if n != nil {
		n.asked = true
	}
	return n
}

// Has reports whether key is in the file, and makes it known. Who asks for that
// makes a difference between a key that is left out and any value of it, so
// [Doc.Effective] leaves it out as well.
func (t *Table) Has(key string) bool {
	there := t.ask(key) != nil
	t.matters[key] = t.matters[key] || !there
	return there
}

// Pick returns a view of t in which there is nothing but keys, and makes these
// known in t. For a reader that knows more keys than belong into t.
func (t *Table) Pick(keys ...string) *Table {
	view := &node{name: t.node.name, at: t.node.at}
	for _, key := range keys {
		if n := t.ask(key); n != nil {
			view.add(n)
		}
	}
	out := newTable(t.doc, view, t.path)
	out.view = true
	return out
}

// HasTable reports whether key is in the file as a table or inline table, and
// makes it known. For keys that are either a word or a table.
func (t *Table) HasTable(key string) bool {
	n := t.ask(key)
	if n == nil {
		return false
	}
	_, ok := n.val.(map[string]any)
	return ok
}

// Errorf notes that the value of key is wrong. The text is "what is wrong; what
// to write". An absent key is placed at its table's header.
func (t *Table) Errorf(key, format string, args ...any) {
	at, n := t.node.at, t.ask(key)
	if n != nil {
		at = n.at
	}
	t.note(at, key, format, args...)
}

// ErrorAt is Errorf for element i of the list that key holds.
func (t *Table) ErrorAt(key string, i int, format string, args ...any) {
	n := t.ask(key)
	if n == nil || i < 0 || i >= len(n.items) {
		t.Errorf(key, format, args...)
		return
	}
	t.note(n.items[i].at, key, format, args...)
}

func (t *Table) note(at int, key, format string, args ...any) {
	p := t.doc.problem(at, t.join(key), fmt.Sprintf(format, args...))
	p.owner = t.node
	t.doc.problems = append(t.doc.problems, p)
}

// Warn notes what is no mistake in the file and still worth telling, for
// [Doc.Warnings]. It is placed as by Errorf; with i from 0 at that element of the
// list that key holds.
func (t *Table) Warn(key string, i int, format string, args ...any) {
	at, n := t.node.at, t.ask(key)
	switch {
	case n != nil && i >= 0 && i < len(n.items):
		at = n.items[i].at
	case n != nil:
		at = n.at
	}
	t.doc.warnings = append(t.doc.warnings, t.doc.problem(at, t.join(key), fmt.Sprintf(format, args...)))
}

// Wrong reports whether a problem with key has been noted already, so that a
// second look at its default doesn't add one that isn't in the file.
func (t *Table) Wrong(key string) bool {
	return slices.ContainsFunc(t.doc.problems, func(p Problem) bool { return p.Key == t.join(key) && p.owner == t.node })
}

// wrong notes that key holds another type than wanted.
func (t *Table) wrong(key string, n *node, want string) {
	hush(n)
	t.Errorf(key, "%s; write %s", found(n.val), want)
}

// hush marks everything inside n as asked for: one problem is enough.
func hush(n *node) {
	n.asked = true
	for _, k := range slices.Concat(n.kids, n.items) {
		hush(k)
	}
}

// String returns the text at key.
func (t *Table) String(key, def string) string {
	n := t.ask(key)
	if n == nil {
		t.defaults(key, def)
		return def
	}
	s, ok := n.val.(string)
	if !ok {
		t.wrong(key, n, `text in quotes: "…"`)
		return def
	}
	return s
}

// Choice returns the text at key, which must be one of allowed.
func (t *Table) Choice(key, def string, allowed ...string) string {
	s := t.String(key, def)
	if s != def && !slices.Contains(allowed, s) {
		t.Errorf(key, "%q is not known here; write %s", s, oneOf(allowed))
		return def
	}
	return s
}

// Strings returns the list of texts at key. An absent key gives def; an empty
// list gives an empty slice that is not nil.
func (t *Table) Strings(key string, def ...string) []string {
	n := t.ask(key)
	if n == nil {
		t.defaults(key, def)
		return def
	}
	const want = `a list of texts: ["…", "…"]`
	list, ok := n.val.([]any)
	if !ok {
		t.wrong(key, n, want)
		return def
	}
	out := make([]string, 0, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			hush(n)
			t.ErrorAt(key, i, "%s in the list; write %s", found(v), want)
			return def
		}
		out = append(out, s)
	}
	return out
}

// Choices is Strings where each element must be one of allowed.
func (t *Table) Choices(key string, def []string, allowed ...string) []string {
	out, ok := t.Strings(key, def...), true
	for i, s := range out {
		if !slices.Contains(allowed, s) {
			t.ErrorAt(key, i, "%q is not known here; write %s", s, oneOf(allowed))
			ok = false
		}
	}
	if !ok {
		return def
	}
	return out
}

// Bool returns the truth value at key.
func (t *Table) Bool(key string, def bool) bool {
	n := t.ask(key)
	if n == nil {
		t.defaults(key, def)
		return def
	}
	b, ok := n.val.(bool)
	if !ok {
		t.wrong(key, n, "true or false, without quotes")
		return def
	}
	return b
}

// Int returns the whole number at key, from lo to hi inclusive.
func (t *Table) Int(key string, def, lo, hi int) int {
	n := t.ask(key)
	if n == nil {
		t.defaults(key, int64(def))
		return def
	}
	v, ok := n.val.(int64)
	if !ok {
		t.wrong(key, n, "a whole number, without quotes")
		return def
	}
	switch {
	case v < int64(lo) && hi == math.MaxInt:
		t.Errorf(key, "%d is too small; write %d or more", v, lo)
	case v < int64(lo):
		t.Errorf(key, "%d is too small; write a number from %d to %d", v, lo, hi)
	case v > int64(hi):
		t.Errorf(key, "%d is too large; write a number from %d to %d", v, lo, hi)
	default:
		return int(v)
	}
	return def
}

// Table returns the table at key, empty when it is absent.
func (t *Table) Table(key string) *Table {
	n := t.ask(key)
	if n == nil {
		return t.empty(key)
	}
	if _, ok := n.val.(map[string]any); !ok {
		if t.absent[key] == nil { // not said yet
			t.wrong(key, n, "a table: ["+t.join(key)+"]")
		}
		return t.empty(key)
	}
	if len(t.opened[key]) == 0 {
		t.opened[key] = []*Table{t.doc.table(n, t.join(key))}
	}
	return t.opened[key][0]
}

// Tables returns the tables of the list at key: [[key]], or a list of inline
// tables. Absent: none.
func (t *Table) Tables(key string) []*Table {
	n := t.ask(key)
	if n == nil {
		t.empty(key)
		return nil
	}
	if out, ok := t.opened[key]; ok {
		return out
	}
	list, ok := n.val.([]any)
	if !ok {
		t.wrong(key, n, "[["+t.join(key)+"]], once for each of them")
		return nil
	}
	var out []*Table
	for i, v := range list {
		if _, ok := v.(map[string]any); !ok || i >= len(n.items) {
			t.wrong(key, n, "[["+t.join(key)+"]], once for each of them")
			return nil
		}
		out = append(out, t.doc.table(n.items[i], t.join(key)))
	}
	t.opened[key] = out
	return out
}

// empty returns the stand-in for a table that the file doesn't have. Its
// problems are placed at the parent's header.
func (t *Table) empty(key string) *Table {
	if t.absent[key] == nil {
		none := &node{name: key, at: t.node.at, asked: true}
		if t.view {
			t.absent[key] = newTable(t.doc, none, t.join(key))
			t.absent[key].view = true
		} else {
			t.absent[key] = t.doc.table(none, t.join(key))
		}
	}
	return t.absent[key]
}

// found says what a value is, in the words of a person.
func found(v any) string {
	switch v := v.(type) {
	case string:
		return "found the text " + strconv.Quote(v)
	case int64:
		return fmt.Sprintf("found the number %d", v)
	case float64:
		return "found the number " + strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return fmt.Sprintf("found %v", v)
	case map[string]any:
		return "found a table"
	case []any:
		return "found a list"
	default:
		return "found a date or time"
	}
}

// oneOf lists what may be written.
func oneOf(allowed []string) string {
	q := make([]string, len(allowed))
	for i, a := range allowed {
		q[i] = strconv.Quote(a)
	}
	if len(q) < 2 {
		return strings.Join(q, "")
	}
	return strings.Join(q[:len(q)-1], ", ") + " or " + q[len(q)-1]
}
