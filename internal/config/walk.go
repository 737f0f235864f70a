package config

import (
	"reflect"
	"strings"
)

// at is the type of the value at path, or nil when no such key exists.
func (c catalog) at(path []string) reflect.Type {
	t := reflect.TypeFor[document]()
	for _, key := range path {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case isBlock(t):
			f := c.of(t).byKey[key]
			if f == nil {
				return nil
			}
			t = f.typ
		case t.Kind() == reflect.Map:
			t = t.Elem()
		default:
			return nil
		}
	}
	return t
}

// walk finds the key a variable stands for, step by step from the top.
type walk struct {
	catalog catalog
	tree    *node
	reached []string // keys found so far
	failed  []string // the parts that fit nowhere
	known   []string // what would have fitted in place of the first one
	inList  bool     // the path goes on inside a list or a single value
}

// path returns the keys that parts name, or nil.
func (w *walk) path(parts []string) []string {
	t := reflect.TypeFor[document]()
	n := w.tree
	for len(parts) > 0 {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case isBlock(t):
			f := w.field(t, parts)
			if f == nil {
				return nil
			}
			w.reached, t, n, parts = append(w.reached, f.key), f.typ, n.value(f.key), parts[1:]
			if w.isLast(t, parts, f) {
				return w.entry(n, f, parts)
			}
		case t.Kind() == reflect.Map:
			key, used := functionNamed(n, parts)
			w.reached, t, n, parts = append(w.reached, key), t.Elem(), n.value(key), parts[used:]
		default:
			w.inList = true
			return nil
		}
	}
	return w.reached
}

// field finds the key of a block; `include` works in files only.
func (w *walk) field(t reflect.Type, parts []string) *field {
	fs := w.catalog.of(t)
	var f *field
	for i := range fs.list {
		if equalName(fs.list[i].key) == equalName(parts[0]) { // variables have no dashes
			f = &fs.list[i]
		}
	}
	if f == nil || f.key == "include" {
		w.failed, w.known = parts, fs.keys()
		return nil
	}
	return f
}

// isLast reports whether the rest of the parts is one key of a map of single
// values.
func (w *walk) isLast(t reflect.Type, parts []string, f *field) bool {
	return t.Kind() == reflect.Map && isScalar(t.Elem()) && len(parts) > 0 && f != nil
}

// entry is the path to one entry of a map of single values: the entry that is
// there already in another spelling, or the usual spelling.
func (w *walk) entry(n *node, f *field, parts []string) []string {
	key := strings.Join(parts, "__")
	if n != nil {
		for _, p := range n.pairs {
			if fold(p.key) == fold(key) && (f.format != "variable" || p.key == key) {
				return append(w.reached, p.key)
			}
		}
	}
	switch f.format {
	case "header", "check-header":
		key = strings.ReplaceAll(strings.ToLower(key), "_", "-")
	case "component", "signal":
		key = strings.ToLower(key)
	}
	return append(w.reached, key)
}

// functionNamed finds the function that the first parts name; dashes and
// underscores are the same and case does not count. A name nobody knows makes
// a new function.
func functionNamed(functions *node, parts []string) (key string, used int) {
	for used = len(parts); used > 0 && functions != nil; used-- {
		want := equalName(strings.Join(parts[:used], "__"))
		for _, p := range functions.pairs {
			if equalName(p.key) == want {
				return p.key, used
			}
		}
	}
	return strings.ToLower(parts[0]), 1
}

func equalName(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// hint says what the variable may have meant.
func (w *walk) hint() string {
	at := spelled(w.reached)
	if w.inList {
		return "give " + at + " as a whole, as JSON"
	}
	part := strings.ToLower(w.failed[0])
	if part == "include" {
		return "include works in files only"
	}
	if near := nearest(part, w.known); near != "" {
		return "did you mean " + spelled(append(append(w.reached, near), w.failed[1:]...)) + "?"
	}
	for _, key := range w.known {
		if rest, ok := strings.CutPrefix(part, key+"_"); ok {
			return "did you mean " + spelled(append(w.reached, key, rest)) + "? Levels are separated by two underscores"
		}
	}
	return "a variable is HOLDFAST_ and the path in capitals, two underscores between levels; name it otherwise if it is not meant for Holdfast"
}

// spelled is the variable of a path.
func spelled(path []string) string {
	return prefix + clip(strings.ToUpper(strings.ReplaceAll(strings.Join(path, "__"), "-", "_")))
}
