package config

import (
	"github.com/pelletier/go-toml/v2/unstable"
)

// node is one key of the document: where it stands, what it holds, and whether
// anybody has asked for it. The document itself is the root node.
type node struct {
	name  string
	at    int     // offset of the key in the file
	val   any     // as decoded: string, int64, bool, map, slice…
	kids  []*node // of a table, in the order of the file
	index map[string]*node
	items []*node // of an array
	asked bool
}

// kid returns the child of that name, or nil.
func (n *node) kid(name string) *node { return n.index[name] }

// add appends a child.
func (n *node) add(k *node) {
	if n.index == nil {
		n.index = map[string]*node{}
	}
	n.kids, n.index[k.name] = append(n.kids, k), k
}

// again is a key that was met a second time. Most are legal (the table ups in
// [ups.settle] and [ups.battery]); go-toml says which are not, we say where the
// first one stood.
type again struct{ at, first int }

// tree is the shape of a document, built from go-toml's parser. It is lenient:
// what may not be repeated or mixed is for go-toml's decoder to say.
type tree struct {
	root  *node
	twice []again
}

// grow parses data and returns its shape. The error is the parser's.
func grow(data []byte) (*tree, error) {
	t := &tree{root: &node{asked: true}}
	var p unstable.Parser
	p.Reset(data)
	cur := t.root
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			cur = t.walkKey(t.root, e.Key(), false)
		case unstable.ArrayTable:
			cur = t.walkKey(t.root, e.Key(), true)
		case unstable.KeyValue:
			t.keyValue(cur, e)
		}
	}
	return t, p.Error()
}

// walkKey goes down a dotted key, making what is missing, and returns the node
// that following keys belong to. On the way an array means its last element
// (TOML 1.0, "Array of Tables"); item adds a new element to the last part.
func (t *tree) walkKey(n *node, key unstable.Iterator, item bool) *node {
	for key.Next() {
		part, last := key.Node(), key.IsLast()
		next := t.child(n, part)
		switch {
		case last && item:
			el := &node{name: next.name, at: int(part.Raw.Offset)}
			next.items = append(next.items, el)
			next = el
		case len(next.items) > 0:
			next = next.items[len(next.items)-1]
		}
		n = next
	}
	return n
}

// child returns n's child for one part of a key.
func (t *tree) child(n *node, part *unstable.Node) *node {
	name, at := string(part.Data), int(part.Raw.Offset)
	if k := n.kid(name); k != nil {
		t.twice = append(t.twice, again{at: at, first: k.at})
		return k
	}
	k := &node{name: name, at: at}
	n.add(k)
	return k
}

// keyValue adds one "key = value" to table n.
func (t *tree) keyValue(n *node, e *unstable.Node) {
	t.value(t.walkKey(n, e.Key(), false), e.Value())
}

// value adds what is inside a value: the keys of an inline table, the elements
// of an array. Scalars have no inside.
func (t *tree) value(n *node, v *unstable.Node) {
	it := v.Children()
	switch v.Kind {
	case unstable.InlineTable:
		for it.Next() {
			if it.Node().Kind == unstable.KeyValue {
				t.keyValue(n, it.Node())
			}
		}
	case unstable.Array:
		for it.Next() {
			// Only scalars and inline tables know where they stand; a list in a
			// list is nothing that a caller can ask for, its parent's place will do.
			el := &node{name: n.name, at: n.at}
			if r := it.Node().Raw; r.Length > 0 {
				el.at = int(r.Offset)
			}
			n.items = append(n.items, el)
			t.value(el, it.Node())
		}
	}
}

// fill hangs the decoded values on the tree.
func (n *node) fill(val any) {
	n.val = val
	switch v := val.(type) {
	case map[string]any:
		for _, k := range n.kids {
			k.fill(v[k.name])
		}
	case []any:
		for i, el := range n.items {
			if i < len(v) {
				el.fill(v[i])
			}
		}
	}
}
