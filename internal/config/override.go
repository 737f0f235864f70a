package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// overridesOver lays the overrides over the tree. Those of a function that no
// other layer knows are set aside as stale.
func (l *loader) overridesOver(tree *node) *node {
	from := Origin{Kind: OriginOverride}
	below := tree.value("functions")
	for _, key := range slices.Sorted(maps.Keys(l.options.Overrides)) {
		path := strings.Split(key, ".")
		n, err := nodeOf(l.options.Overrides[key], from, len(path))
		if err != nil {
			l.problems.add(from, clip(key), err.Error(), "hand it in as JSON would decode it")
			continue
		}
		if strings.Contains(key, "[") {
			l.problems.add(from, clip(key), "names an element of a list", "override the list as a whole")
			continue
		}
		n = nested(path, from, n)
		tree = l.merger.document(tree, l.withoutStale(n, below))
	}
	return tree
}

// withoutStale drops functions that are not among the known ones.
func (l *loader) withoutStale(n, known *node) *node {
	functions := n.get("functions")
	if functions == nil || functions.value.kind != mappingNode {
		return n
	}
	var gone []string
	for _, p := range functions.value.pairs {
		if known.get(p.key) == nil {
			gone = append(gone, p.key)
			l.origins.stale = append(l.origins.stale, joinPath("functions", p.key))
		}
	}
	if gone == nil {
		return n
	}
	return n.with("functions", functions.from, functions.value.without(gone...))
}

// nodeOf turns a plain Go value, as JSON decodes it, into a tree.
func nodeOf(v any, from Origin, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("is nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return &node{kind: nullNode, from: from}, nil
	case map[string]any:
		return mappingOf(v, from, depth)
	case []any:
		return listOf(v, from, depth)
	}
	text, ok := scalarOf(v)
	if !ok {
		return nil, fmt.Errorf("has a value of type %T", v)
	}
	return &node{kind: scalarNode, text: text, quoted: true, from: from}, nil
}

func mappingOf(m map[string]any, from Origin, depth int) (*node, error) {
	out := &node{kind: mappingNode, from: from}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		n, err := nodeOf(m[key], from, depth+1)
		if err != nil {
			return nil, err
		}
		out.pairs = append(out.pairs, pair{key: key, from: from, value: n})
	}
	return out, nil
}

func listOf(list []any, from Origin, depth int) (*node, error) {
	out := &node{kind: listNode, from: from}
	for _, item := range list {
		n, err := nodeOf(item, from, depth+1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, n)
	}
	return out, nil
}

func scalarOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case json.Number:
		return v.String(), true
	case fmt.Stringer:
		return v.String(), true
	}
	return "", false
}
