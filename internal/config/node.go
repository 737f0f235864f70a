package config

import "slices"

type nodeKind uint8

const (
	nullNode nodeKind = iota // counts as not written
	scalarNode
	listNode
	mappingNode
)

// String names the kind in words an operator uses.
func (k nodeKind) String() string {
	switch k {
	case scalarNode:
		return "a single value"
	case listNode:
		return "a list"
	case mappingNode:
		return "a block of keys"
	case nullNode:
	}
	return "empty"
}

// node is a value of one layer before its type is known, with the place it was
// written. Nodes are shared by aliases and between merges: once built, they are
// not changed.
type node struct {
	kind   nodeKind
	text   string // of a scalar
	quoted bool   // a scalar that was written in quotes
	secret bool   // a scalar that was read from a secret file
	broken bool   // has a problem already
	hidden string // what to show instead of text, when it is a secret
	items  []*node
	pairs  []pair
	from   Origin
}

type pair struct {
	key   string
	from  Origin // of the key
	value *node
}

// get returns the pair with the key, or nil.
func (n *node) get(key string) *pair {
	if n == nil {
		return nil
	}
	for i := range n.pairs {
		if n.pairs[i].key == key {
			return &n.pairs[i]
		}
	}
	return nil
}

func (n *node) value(key string) *node {
	if p := n.get(key); p != nil {
		return p.value
	}
	return nil
}

// scalar is the text at key, or "" when it is missing or not a single value.
func (n *node) scalar(key string) string {
	if v := n.value(key); v != nil && v.kind == scalarNode {
		return v.text
	}
	return ""
}

// nested puts n under the keys of path.
func nested(path []string, from Origin, n *node) *node {
	for _, key := range slices.Backward(path) {
		n = &node{kind: mappingNode, from: from, pairs: []pair{{key: key, from: from, value: n}}}
	}
	return n
}

// with returns n with key set to value.
func (n *node) with(key string, at Origin, value *node) *node {
	out := node{kind: mappingNode, from: at}
	if n != nil {
		out = *n
	}
	out.pairs = slices.Clone(out.pairs)
	if p := out.get(key); p != nil {
		p.value = value
		return &out
	}
	out.pairs = append(out.pairs, pair{key: key, from: at, value: value})
	return &out
}

// without returns n less the given keys.
func (n *node) without(keys ...string) *node {
	if n == nil || n.kind != mappingNode {
		return n
	}
	out := *n
	out.pairs = nil
	for _, p := range n.pairs {
		if !slices.Contains(keys, p.key) {
			out.pairs = append(out.pairs, p)
		}
	}
	return &out
}
