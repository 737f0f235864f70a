package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// encoder turns a Config back into a tree.
type encoder struct {
	catalog catalog
	secrets map[string]bool
	// sparse leaves out what equals the default.
	sparse bool
}

func (e *encoder) config(c *Config) *node {
	e.secrets = c.secrets
	return e.block(reflectOf(c), "", false)
}

func (e *encoder) block(v reflect.Value, path string, service bool) *node {
	out := &node{kind: mappingNode}
	if w, ok := reflect.TypeAssert[BreakerWindow](v); ok && w.Calls == 0 && w.Duration == 0 {
		return out // its other keys have no effect, and reading says so
	}
	for i := range e.catalog.of(v.Type()).list {
		f := &e.catalog.of(v.Type()).list[i]
		n := e.value(v.FieldByIndex(f.index), f, joinPath(path, f.key), service)
		if n != nil && !e.omit(f, n, service) {
			out.pairs = append(out.pairs, pair{key: f.key, value: n})
		}
	}
	return out
}

// omit reports whether loading gives the same without the key: it is empty and
// so is its default, or it is the default and only differences are wanted. The
// type of a health check always stays, because a path without it means http.
func (e *encoder) omit(f *field, n *node, service bool) bool {
	def := f.def
	if service {
		def = f.service
	}
	switch n.kind {
	case scalarNode:
		empty := n.text == "" || n.text == "0" || n.text == "0s" || n.text == "false"
		return empty && def == "" || e.sparse && n.text == canonical(f.typ, def) && f.key != "type"
	case listNode:
		return len(n.items) == 0 && def == ""
	case mappingNode:
		return len(n.pairs) == 0
	case nullNode:
	}
	return true
}

// value returns nil for a nil pointer.
func (e *encoder) value(v reflect.Value, f *field, path string, service bool) *node {
	switch {
	case isScalar(v.Type()):
		return e.scalar(v, f, path)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if fn, ok := reflect.TypeAssert[*Function](v); ok {
			service = fn.Profile == "service"
		}
		return e.block(v.Elem(), path, service)
	case v.Kind() == reflect.Slice:
		return e.list(v, f, path)
	case v.Kind() == reflect.Map:
		return e.mapping(v, f, path)
	}
	return e.block(v, path, service)
}

func (e *encoder) list(v reflect.Value, f *field, path string) *node {
	out := &node{kind: listNode}
	for i := range v.Len() {
		out.items = append(out.items, e.value(v.Index(i), f, path+"["+strconv.Itoa(i)+"]", false))
	}
	if args, ok := reflect.TypeAssert[[]string](v); ok && f.key == "command" {
		for i := range args {
			out.items[i].hidden = cmp.Or(out.items[i].hidden, hiddenIf(maskArgument(args, i), args[i]))
		}
	}
	return out
}

func (e *encoder) mapping(v reflect.Value, f *field, path string) *node {
	out := &node{kind: mappingNode}
	keys := slices.Sorted(maps.Keys(mapKeys(v)))
	for _, key := range keys {
		n := e.value(v.MapIndex(reflect.ValueOf(key)), f, joinPath(path, key), false)
		if n != nil {
			out.pairs = append(out.pairs, pair{key: key, value: n})
		}
	}
	return out
}

func mapKeys(v reflect.Value) map[string]bool {
	keys := make(map[string]bool, v.Len())
	for _, k := range v.MapKeys() {
		keys[k.String()] = true
	}
	return keys
}

func (e *encoder) scalar(v reflect.Value, f *field, path string) *node {
	n := &node{kind: scalarNode, text: plainText(v), quoted: v.Kind() == reflect.String}
	n.hidden = hiddenIf(maskText(n.text), n.text)
	if e.secrets[path] || f.holdsSecret(path) {
		n.hidden = masked
	}
	return n
}

// plainText is a single value as it is written, without quotes.
func plainText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case fmt.Stringer:
		return x.String()
	}
	return fmt.Sprint(v.Interface())
}

// canonical is a default in the spelling of the encoder: 2m for 120s.
func canonical(t reflect.Type, def string) string {
	if def == "" || !isScalar(t) {
		return def
	}
	v := reflect.New(t).Elem()
	setScalar(v, def)
	return plainText(v)
}

func hiddenIf(shown, text string) string {
	if shown == text {
		return ""
	}
	return shown
}
