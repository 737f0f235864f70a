package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// referenceIntro is what holds for all keys.
const referenceIntro = "# Configuration reference\n\n" +
	"This page is generated from the source. A configuration is YAML; JSON is YAML too.\n" +
	"Keys that do not exist are errors, and all errors are reported at once.\n\n" +
	"- **Durations** are written `30s`, `1m30s`, `250ms`, or as a whole number of milliseconds. **Sizes** are written `64KiB`, `1MB`, or as a whole number of bytes.\n" +
	"- **Variables**: `${NAME}` and `${NAME:-default}` are replaced by the environment, `${file:PATH}` by the content of a file (a secret; PATH is relative to the configuration file). `$${` is a plain `${`. Works in files only.\n" +
	"- **Order**: defaults, then files in the order given (a file wins over what it includes), then the environment, then overrides through the admin API; the later one wins, key by key. Lists are replaced as a whole, `null` counts as not written.\n" +
	"- **`defaults:`** lies under every function: a function's own keys win in whatever layer they are.\n" +
	"- **Environment**: any key is a variable: `HOLDFAST_`, then the path in capitals with two underscores between levels. `HOLDFAST_LISTEN`, `HOLDFAST_LOG__LEVEL`, `HOLDFAST_FUNCTIONS__PUBLIC__RETRY__ATTEMPTS`. In names of functions, `-` is written `_`. Lists and blocks are JSON (`HOLDFAST_FUNCTIONS__PUBLIC__INSTANCES='[{\"url\": \"http://127.0.0.1:9001\"}]'`), lists of single values also `a,b`. An empty variable counts as not set. A `HOLDFAST_` variable that names no key is an error, except `HOLDFAST_DEBUG`.\n" +
	"- `SUPABASE_MIN_CONNECTIONS` and `SUPABASE_MAX_CONNECTIONS` set `pool.min` and `pool.max`, `DEPLOYMENT_PLATFORM` sets `platform`, and `LOAD_BALANCER_INSTANCES`, a JSON list of `{id, url, weight}`, makes them the instances of the function `default`, which takes `/` unless it has routes.\n" +
	"- `HOLDFAST_ALERTS_SLACK_URL` is all that alerts in Slack need: the address of an incoming webhook, which becomes the channel `slack`.\n\n"

// Reference returns the manual of all keys as Markdown: how to write them, then
// one table for each block, each followed by those inside it.
func Reference() string {
	w := referenceWriter{catalog: catalog{}, manual: readManual()}
	w.out.WriteString(referenceIntro)
	w.section("The file", "", reflect.TypeFor[document]())
	for len(w.todo) > 0 {
		next := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.section("`"+next.path+"`", next.path, next.typ)
	}
	return w.out.String()
}

type referenceWriter struct {
	catalog catalog
	manual  manual
	out     strings.Builder
	todo    []section
}

type section struct {
	path string
	typ  reflect.Type
}

func (w *referenceWriter) section(title, path string, t reflect.Type) {
	fmt.Fprintf(&w.out, "## %s\n\n%s\n\n", title, w.intro(t))
	w.out.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	before := len(w.todo)
	for i := range w.catalog.of(t).list {
		f := &w.catalog.of(t).list[i]
		fmt.Fprintf(&w.out, "| `%s` | %s | %s | %s |\n", f.key, f.kind(), f.shownDefault(), cell(w.manual.field(f)))
		if block, suffix := blockOf(f.typ); block != nil && f.key != "defaults" {
			at := f.key + suffix
			if path != "" {
				at = path + "." + at
			}
			w.todo = append(w.todo, section{at, block})
		}
	}
	slices.Reverse(w.todo[before:])
	w.out.WriteString("\n")
}

func (w *referenceWriter) intro(t reflect.Type) string {
	if t == reflect.TypeFor[document]() {
		return w.manual["Config"]
	}
	return w.manual.block(t)
}

// blockOf is the block inside a type and how its path goes on, or nil.
func blockOf(t reflect.Type) (block reflect.Type, suffix string) {
	switch {
	case isScalar(t):
		return nil, ""
	case t.Kind() == reflect.Pointer:
		return t.Elem(), ""
	case t.Kind() == reflect.Slice && isBlock(t.Elem()):
		return t.Elem(), "[]"
	case t.Kind() == reflect.Map && !isScalar(t.Elem()):
		return t.Elem().Elem(), ".NAME"
	case isBlock(t):
		return t, ""
	}
	return nil, ""
}

// kind says in a table cell what may be written.
func (f *field) kind() string {
	switch block, _ := blockOf(f.typ); {
	case len(f.enum) > 0 && f.typ.Kind() == reflect.Map:
		return "names with one of " + codes(f.enum)
	case len(f.enum) > 0:
		return codes(f.enum)
	case f.typ.Kind() == reflect.Map && block == nil:
		return "names with " + kindOf(f.typ.Elem(), true)
	case f.typ.Kind() == reflect.Map:
		return "named blocks"
	case f.typ.Kind() == reflect.Slice && block == nil:
		return "list of " + kindOf(f.typ.Elem(), true) + f.shownRange()
	case f.typ.Kind() == reflect.Slice:
		return "list of blocks"
	case block != nil:
		return "block"
	}
	return kindOf(f.typ, false) + f.shownRange()
}

func kindOf(t reflect.Type, plural bool) string {
	s := ""
	if plural {
		s = "s"
	}
	switch t {
	case reflect.TypeFor[Duration]():
		return "duration" + s
	case reflect.TypeFor[Bytes]():
		return "size" + s
	case reflect.TypeFor[Ports]():
		return "port or range of ports"
	case reflect.TypeFor[netip.Prefix]():
		return "network" + s
	}
	switch t.Kind() { //nolint:exhaustive // no other kinds are used
	case reflect.Bool:
		return "`true` or `false`"
	case reflect.Int:
		return "whole number" + s
	case reflect.Float64:
		return "number" + s
	}
	return "text" + s
}

func (f *field) shownRange() string {
	if f.bounds[1] == "" {
		return ""
	}
	return fmt.Sprintf(", %s to %s", f.bounds[0], f.bounds[1])
}

func (f *field) shownDefault() string {
	switch {
	case f.required:
		return "required"
	case f.def == "" && f.service == "":
		return zero(f.typ)
	case f.def != f.service:
		return fmt.Sprintf("`%s`; service: `%s`", f.def, f.service)
	}
	return "`" + f.def + "`"
}

// zero is the default of a field that names none.
func zero(t reflect.Type) string {
	switch t.Kind() { //nolint:exhaustive // the rest is empty
	case reflect.Bool:
		return "`false`"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "`0`"
	}
	return ""
}

func codes(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

// cell keeps a text inside its table cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
