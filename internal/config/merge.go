package config

import "reflect"

// maxMergedPairs is ten keys for each of the largest number of functions in
// each of some dozens of blocks; a sane configuration stays far below it.
const maxMergedPairs = 1_000_000

// merger lays trees over each other and counts what it copies, because a large
// `defaults:` block under many functions multiplies.
type merger struct {
	catalog catalog
	left    int // pairs that may still be copied
}

// exhausted reports whether merging had to be cut short.
func (m *merger) exhausted() bool { return m.left <= 0 }

// document lays over on top of under, both whole files.
func (m *merger) document(under, over *node) *node {
	return m.merge(under, over, reflect.TypeFor[document]())
}

// merge lays over on top of under: mappings key by key, everything else
// replaced. A null counts as not written. t is the type both are for, or nil:
// where its keys exclude each other, what over chooses drops the other choices
// of under, so that a function can name its instances although the defaults
// name a platform.
func (m *merger) merge(under, over *node, t reflect.Type) *node {
	under, over = m.catalog.spelledOut(under, t), m.catalog.spelledOut(over, t)
	switch {
	case over == nil || over.kind == nullNode:
		if under == nil {
			return over
		}
		return under
	case under == nil || under.kind != mappingNode || over.kind != mappingNode || m.exhausted():
		return over
	}
	m.left -= len(under.pairs) + len(over.pairs)
	rules := m.rules(t)
	out := *over
	out.pairs = append(make([]pair, 0, len(under.pairs)+len(over.pairs)), rules.without(under, over)...)
	index := make(map[string]int, len(out.pairs))
	for i, p := range out.pairs {
		index[p.key] = i
	}
	for _, p := range over.pairs {
		if i, both := index[p.key]; !both {
			out.pairs = append(out.pairs, p)
		} else if p.value.kind != nullNode {
			out.pairs[i] = pair{key: p.key, from: p.from, value: m.merge(out.pairs[i].value, p.value, rules.typeOf(p.key))}
		}
	}
	return &out
}

// rules is what merging has to know about a block or map.
type rules struct {
	fields *fields      // of a block
	elem   reflect.Type // of a map
}

func (m *merger) rules(t reflect.Type) rules {
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
	case isBlock(t):
		return rules{fields: m.catalog.of(t)}
	case t.Kind() == reflect.Map:
		return rules{elem: t.Elem()}
	}
	return rules{}
}

func (r rules) typeOf(key string) reflect.Type {
	if r.fields == nil {
		return r.elem
	}
	if f := r.fields.byKey[key]; f != nil {
		return f.typ
	}
	return nil
}

func (r rules) choice(p pair) string {
	if r.fields != nil && p.value.chooses() {
		if f := r.fields.byKey[p.key]; f != nil {
			return f.choice
		}
	}
	return ""
}

// without returns the pairs of under that over's choice leaves.
func (r rules) without(under, over *node) []pair {
	chosen := ""
	for _, p := range over.pairs {
		if c := r.choice(p); c != "" {
			chosen = c
		}
	}
	if chosen == "" {
		return under.pairs
	}
	var out []pair
	for _, p := range under.pairs {
		if c := r.choice(p); c == "" || c == chosen {
			out = append(out, p)
		}
	}
	return out
}

// chooses reports whether a value makes its key the choice: nothing, false, 0
// and an empty list or block do not.
func (n *node) chooses() bool {
	switch n.kind {
	case scalarNode:
		return n.text != "" && n.text != "false" && n.text != "0"
	case listNode:
		return len(n.items) > 0
	case mappingNode:
		return len(n.pairs) > 0
	case nullNode:
	}
	return false
}
