package config

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Key is one key of the configuration.
type Key struct {
	// Path has NAME where a name is chosen freely and [] behind a list of
	// blocks: functions.NAME.instances[].url.
	Path string
	// Block: it holds further keys and no value of its own.
	Block bool
	// Format is what its text must look like, as the struct tag says.
	Format string
}

// Keys lists every key a file may hold, blocks before what is in them, without
// `include` and `defaults`.
func Keys() []Key {
	var list []Key
	c := catalog{}
	var walk func(path string, t reflect.Type)
	walk = func(path string, t reflect.Type) {
		for i := range c.of(t).list {
			f := &c.of(t).list[i]
			block, suffix := blockOf(f.typ)
			k := Key{joinPath(path, f.key), block != nil, f.format}
			list = append(list, k)
			if block != nil {
				walk(k.Path+suffix, block)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return list
}

// settable says whether the API may set a key of a function. What is not named
// here cannot be set, so that a new key is closed until somebody opens it.
func settable(key string) bool {
	switch key {
	case "enabled", "routes", "host", "instances", "wait_for_instance", "health", "circuit_breaker", "load_balancing",
		"retry", "timeouts", "concurrency", "scaling", "fallback":
		return true
	}
	return false
}

// Known reports whether there is a key at path, also one that only files have.
func Known(path string) bool { return ofFiles(path) || fieldAt(strings.Split(path, ".")) != nil }

// ofFiles are the keys from which a file takes others: whoever sets one sets
// everything.
func ofFiles(path string) bool {
	root := path[:len(path)-len(strings.TrimLeft(path, "abcdefghijklmnopqrstuvwxyz_"))]
	return root == "include" || root == "defaults"
}

// Settable returns why the key at path cannot be set through the API, in one
// sentence; empty: it can be. Block says that it holds further keys, which are
// asked about one by one.
//
// Open are keys of functions that say how traffic is treated, and what is
// logged. Closed are those by which the API could run programs or name files
// (health.command, platform) or reach any address (signals that are fetched),
// unless the operator allowed programs, or reach other services beside an
// instance (health.port), what takes a restart, and
// what the interface itself hangs on.
func Settable(path string, programs bool) (why string, block bool) {
	parts := strings.Split(path, ".")
	f := fieldAt(parts)
	if f == nil {
		if ofFiles(path) {
			return "cannot be set through the API", false
		}
		return "is not a known key", false
	}
	inner, _ := blockOf(f.typ)
	list := f.typ.Kind() == reflect.Slice
	// blockOf calls functions a block too: nobody may set one as a whole. What has
	// a short form may be set in it.
	block = inner != nil && !list && !isShort(f, parts)
	if !open(parts, block, programs) {
		return "cannot be set through the API", block
	}
	return "", block
}

// isShort reports whether parts lead to a block, of which f is the key, that has a
// short form.
func isShort(f *field, parts []string) bool {
	t := f.typ
	if t.Kind() == reflect.Map && parts[len(parts)-1] != f.key {
		t = t.Elem()
	}
	return catalog{}.shortOf(t) != nil
}

func open(parts []string, block, programs bool) bool {
	switch {
	case parts[0] == "log":
		return len(parts) == 1 || parts[1] == "level" || parts[1] == "access" || parts[1] == "components"
	case parts[0] == "monitor":
		return true
	case parts[0] == "alerts":
		return len(parts) > 1 && slices.Contains([]string{"wait", "interval", "repeat", "rules", "maintenance"}, parts[1])
	case parts[0] == "telemetry":
		return block || len(parts) == 3 && slices.Contains([]string{"sample", "troubled", "parents"}, parts[2])
	case parts[0] != "functions":
		return false
	case len(parts) <= 2:
		return block
	case parts[len(parts)-1] == "command" && !programs:
		return false
	case len(parts) == 4 && parts[2] == "health" && parts[3] == "port":
		return false // of the instance's machine, past the guard for addresses
	case len(parts) > 5 && parts[2] == "scaling" && parts[3] == "signals" && (parts[5] == "prometheus" || parts[5] == "http_json"):
		return programs // whoever runs programs reaches those addresses anyway
	}
	return settable(parts[2]) || programs && parts[2] == "platform"
}

// fieldAt is the key at a path; a list of blocks is one key.
func fieldAt(parts []string) *field {
	c, t := catalog{}, reflect.TypeFor[Config]()
	var f *field
	for len(parts) > 0 {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch {
		case isBlock(t):
			if f = c.of(t).byKey[parts[0]]; f == nil {
				return nil
			}
			t = f.typ
		case t.Kind() == reflect.Map && isScalar(t.Elem()):
			return f // an entry, whose name may have dots
		case t.Kind() == reflect.Map:
			t = t.Elem()
		default:
			return nil
		}
		parts = parts[1:]
	}
	return f
}

// Value is one value of a configuration.
type Value struct {
	Path   string
	Text   string // as a file would have it; secrets are ***
	Origin Origin
}

// Values lists what a configuration says at and below a path ("": all), in the
// order of the reference. Lists of blocks are counted: instances[0].url.
func Values(c *Config, origins *Origins, path string) []Value {
	e := encoder{catalog: catalog{}}
	var list []Value
	var walk func(at string, n *node)
	walk = func(at string, n *node) {
		switch {
		case n.kind == mappingNode && len(n.pairs) > 0:
			for _, p := range n.pairs {
				walk(joinPath(at, p.key), p.value)
			}
		case n.kind == listNode && !isFlat(n):
			for i, item := range n.items {
				walk(at+"["+strconv.Itoa(i)+"]", item)
			}
		case at == path || path == "" || strings.HasPrefix(at, path+".") || strings.HasPrefix(at, path+"["):
			list = append(list, Value{at, compact(n), origins.Of(at)})
		}
	}
	walk("", e.config(c))
	return list
}
