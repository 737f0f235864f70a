package config

import (
	"fmt"
	"slices"
)

// Change is one difference between two configurations. A value that is not
// there is empty; secrets are masked on both sides.
type Change struct {
	Path string
	Old  string
	New  string
}

// String writes `path: old -> new`.
func (c Change) String() string {
	switch {
	case c.Old == "":
		return fmt.Sprintf("%s: added %s", c.Path, c.New)
	case c.New == "":
		return fmt.Sprintf("%s: removed %s", c.Path, c.Old)
	}
	return fmt.Sprintf("%s: %s -> %s", c.Path, c.Old, c.New)
}

// Diff lists what changed from before to after, key by key in the order of the
// reference. Instances are matched by id; other lists, and functions that are
// only on one side, are one change each. Nil stands for no configuration.
func Diff(before, after *Config) []Change {
	d := differ{}
	d.compare("", treeOf(before), treeOf(after))
	return d.changes
}

func treeOf(c *Config) *node {
	if c == nil {
		return &node{kind: mappingNode}
	}
	e := encoder{catalog: catalog{}}
	return e.config(c)
}

type differ struct{ changes []Change }

func (d *differ) compare(path string, before, after *node) {
	switch {
	case before == nil && after == nil || sameTree(before, after):
	case path == "" || before != nil && after != nil && before.kind == mappingNode && after.kind == mappingNode:
		d.mappings(path, before, after)
	case hasIDs(before) && hasIDs(after):
		d.mappings(path, byID(before), byID(after))
	default:
		d.changes = append(d.changes, Change{Path: path, Old: compact(before), New: compact(after)})
	}
}

// mappings compares what either side has, in the order of after and then what
// only before has.
func (d *differ) mappings(path string, before, after *node) {
	for _, p := range after.pairs {
		d.compare(d.join(path, after, p.key), before.value(p.key), p.value)
	}
	for _, p := range before.pairs {
		if after.get(p.key) == nil {
			d.compare(d.join(path, before, p.key), p.value, nil)
		}
	}
}

func (*differ) join(path string, parent *node, key string) string {
	if parent.quoted { // made by byID
		return path + "[" + key + "]"
	}
	return joinPath(path, key)
}

// hasIDs reports whether n is a list of instances. A missing list is an empty
// one.
func hasIDs(n *node) bool {
	return n == nil || n.kind == listNode && !slices.ContainsFunc(n.items, func(item *node) bool {
		return item.kind != mappingNode || item.scalar("id") == ""
	})
}

// byID turns a list of instances into a mapping by id. quoted marks it.
func byID(n *node) *node {
	out := &node{kind: mappingNode, quoted: true}
	if n != nil {
		for _, item := range n.items {
			out.pairs = append(out.pairs, pair{key: item.scalar("id"), value: item})
		}
	}
	return out
}

func sameTree(a, b *node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.kind == b.kind && a.text == b.text &&
		slices.EqualFunc(a.items, b.items, sameTree) &&
		slices.EqualFunc(a.pairs, b.pairs, func(x, y pair) bool {
			return x.key == y.key && sameTree(x.value, y.value)
		})
}

// compact is a value in one line, secrets masked.
func compact(n *node) string {
	if n == nil {
		return ""
	}
	w := writer{mask: true}
	w.flow(n)
	return w.out.String()
}
