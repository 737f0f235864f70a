package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// maxVisits bounds the values of the final configuration, aliases followed.
const maxVisits = 500_000

// decoder fills structs from a tree and collects what does not fit.
type decoder struct {
	catalog   catalog
	problems  *collector
	origins   *Origins
	secrets   map[string]bool
	templates map[template]reflect.Value
	visits    int
}

type template struct {
	typ     reflect.Type
	service bool
}

// filled returns a struct of type t with its defaults.
func (d *decoder) filled(t reflect.Type, service bool) reflect.Value {
	key := template{t, service}
	v, ok := d.templates[key]
	if !ok {
		v = reflect.New(t).Elem()
		d.catalog.fill(v, service)
		d.templates[key] = v
	}
	return v
}

// value decodes n into v. f holds the rules; at is the place of the key, or of
// the value itself in a list.
func (d *decoder) value(n *node, v reflect.Value, f *field, path string, at Origin) {
	if d.visits++; d.visits > maxVisits {
		if d.visits == maxVisits+1 {
			d.problems.add(at, path, fmt.Sprintf("is past the limit of %d values, aliases and defaults followed", maxVisits), "use fewer aliases or functions")
		}
		return
	}
	if n == nil || n.kind == nullNode {
		return
	}
	if isScalar(v.Type()) {
		at = n.from
	}
	n = d.catalog.spelledOut(n, v.Type())
	d.origins.of[path] = at
	switch {
	case n.broken:
		d.problems.mark(path)
	case isScalar(v.Type()):
		d.scalar(n, v, f, path)
	case v.Kind() == reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		target.Elem().Set(d.filled(v.Type().Elem(), n.scalar("profile") == "service"))
		if d.structure(n, target.Elem(), path, at) {
			v.Set(target)
		}
	case v.Kind() == reflect.Slice:
		d.list(n, v, f, path)
	case v.Kind() == reflect.Map:
		d.mapping(n, v, f, path)
	default:
		d.structure(n, v, path, at)
	}
}

// structure fills a struct, and reports whether n is a block at all.
func (d *decoder) structure(n *node, v reflect.Value, path string, at Origin) bool {
	if n.kind != mappingNode {
		d.wrong(n, path, "must be a block of keys", blockHint(n, d.catalog.of(v.Type())))
		return false
	}
	known := d.catalog.of(v.Type())
	for _, p := range n.pairs {
		f, ok := known.byKey[p.key]
		if !ok {
			d.unknown(p, known, path)
			continue
		}
		d.value(p.value, v.FieldByIndex(f.index), f, joinPath(path, p.key), p.from)
	}
	d.oneChoice(n, known, path)
	for i := range known.list {
		if f := &known.list[i]; f.required && n.value(f.key) == nil {
			d.problems.add(at, joinPath(path, f.key), "is missing", "give it a value")
		}
	}
	return true
}

// oneChoice reports keys that exclude each other.
func (d *decoder) oneChoice(n *node, known *fields, path string) {
	first := ""
	for _, p := range n.pairs {
		f := known.byKey[p.key]
		if f == nil || f.choice == "" || !p.value.chooses() {
			continue
		}
		if first == "" {
			first = p.key
		} else if known.byKey[first].choice != f.choice {
			d.problems.add(p.from, path, "has both "+first+" and "+p.key, "keep one of them")
		}
	}
}

// blockHint puts a single value under the one key that must be given.
func blockHint(n *node, fs *fields) string {
	for i := range fs.list {
		if f := &fs.list[i]; f.required && n.kind == scalarNode && isScalar(f.typ) && !n.secret {
			return "write {" + f.key + ": " + shown(n, false) + "}"
		}
	}
	return knownKeys(fs)
}

func knownKeys(fs *fields) string {
	return "known keys here: " + strings.Join(fs.keys(), ", ")
}

func (d *decoder) list(n *node, v reflect.Value, f *field, path string) {
	if n.kind != listNode {
		d.wrong(n, path, "must be a list", listHint(n))
		return
	}
	if f.max > 0 && len(n.items) > f.max {
		d.wrongCount(n.from, path, len(n.items), f.max)
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		at := path + "[" + strconv.Itoa(i) + "]"
		if item.kind == nullNode {
			d.problems.add(item.from, at, "is empty", "remove it or give it a value")
			continue
		}
		if elem := out.Index(i); isBlock(elem.Type()) {
			elem.Set(d.filled(elem.Type(), false))
		}
		d.value(item, out.Index(i), f, at, item.from)
		if d.visits > maxVisits {
			return
		}
	}
	v.Set(out)
}

func (d *decoder) wrongCount(at Origin, path string, n, limit int) {
	d.problems.add(at, path, fmt.Sprintf("has %d entries, at most %d are allowed", n, limit), "split it over several gateways")
}

func (d *decoder) mapping(n *node, v reflect.Value, f *field, path string) {
	if n.kind != mappingNode {
		d.wrong(n, path, "must be a block of keys", "write name: value lines below it")
		return
	}
	if f.max > 0 && len(n.pairs) > f.max {
		d.wrongCount(n.from, path, len(n.pairs), f.max)
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.pairs))
	folded := map[string]string{}
	for _, p := range n.pairs {
		at := joinPath(path, p.key)
		if message, hint := checkMapKey(f.format, p.key); message != "" {
			d.problems.add(p.from, at, message, hint)
			continue
		}
		if twin, ok := folded[strings.ToLower(p.key)]; ok && strings.HasSuffix(f.format, "header") {
			d.problems.add(p.from, at, "is the same header as "+twin, "remove one of them")
			continue
		}
		folded[strings.ToLower(p.key)] = p.key
		elem := reflect.New(v.Type().Elem()).Elem()
		d.entry(p, elem, f, at)
		if elem.Kind() != reflect.Pointer || !elem.IsNil() {
			out.SetMapIndex(reflect.ValueOf(p.key), elem)
		}
		if d.visits > maxVisits {
			return
		}
	}
	v.Set(out)
}

// entry decodes one value of a map. An empty function is still a function.
func (d *decoder) entry(p pair, elem reflect.Value, f *field, path string) {
	value := p.value
	if value == nil || value.kind == nullNode {
		if isScalar(elem.Type()) {
			d.problems.add(p.from, path, "is empty", `write "" where an empty text is meant`)
			return
		}
		value = &node{kind: mappingNode, from: p.from}
	}
	d.value(value, elem, f, path, p.from)
}

func (d *decoder) scalar(n *node, v reflect.Value, f *field, path string) {
	if n.kind != scalarNode {
		d.wrong(n, path, "must be a single value", "")
		return
	}
	if n.secret {
		d.secrets[path] = true
	}
	text := n.text
	if message, hint := f.check(&text); message != "" {
		if text != "" || !strings.HasSuffix(message, "empty") {
			message += ", is " + shown(n, f.holdsSecret(path))
		}
		if n.secret {
			hint = "" // it may quote the value
		}
		d.problems.add(n.from, path, message, hint)
		return
	}
	if err := parseScalar(v, text); err != nil {
		d.problems.add(n.from, path, err.Error()+", is "+shown(n, f.holdsSecret(path)), f.hint())
		return
	}
	if message := f.outside(v); message != "" {
		d.problems.add(n.from, path, message+", is "+shown(n, f.holdsSecret(path)), f.hint())
	}
}

// holdsSecret reports whether the value at path is one by its key, or, as an
// entry of a map of headers or variables, by its name.
func (f *field) holdsSecret(path string) bool {
	if f.secret {
		return true
	}
	if f.typ.Kind() != reflect.Map || f.typ.Elem().Kind() != reflect.String {
		return false
	}
	return isSecretName(path[strings.LastIndexAny(path, ".[")+1:])
}

// outside says which range the value misses.
func (f *field) outside(v reflect.Value) string {
	if f.bounds[1] == "" {
		return ""
	}
	var x float64
	switch v.Kind() { //nolint:exhaustive // ranges are on numbers only
	case reflect.Int, reflect.Int64:
		x = float64(v.Int())
	case reflect.Float64:
		x = v.Float()
	}
	if x < f.low || x > f.high {
		return fmt.Sprintf("must be between %s and %s", f.bounds[0], f.bounds[1])
	}
	return ""
}

func (f *field) hint() string {
	if f.def == "" || f.typ.Kind() == reflect.Slice {
		return ""
	}
	return "leave it out for the default, " + f.def
}

// wrong reports a value of the wrong shape.
func (d *decoder) wrong(n *node, path, message, hint string) {
	d.problems.add(n.from, path, message+", is "+shown(n, false), hint)
}

func listHint(n *node) string {
	if n.kind != scalarNode {
		return "write it as [a, b] or with - in front of each"
	}
	words := strings.Fields(clip(n.text))
	for i, w := range words {
		words[i] = `"` + w + `"`
	}
	return "write [" + strings.Join(words, ", ") + "]"
}

// parseScalar sets v from text, by v's type. Its errors are sentences that
// follow the path.
func parseScalar(v reflect.Value, text string) error {
	switch target := v.Addr().Interface().(type) {
	case *Duration:
		return parseInto(target, text, ParseDuration)
	case *Bytes:
		return parseInto(target, text, ParseBytes)
	case *Ports:
		return parseInto(target, text, ParsePorts)
	case *netip.Prefix:
		return parseInto(target, text, parsePrefix)
	case *string:
		*target = text
		return nil
	case *bool:
		return parseInto(target, text, parseBool)
	case *int:
		return parseInto(target, text, parseInt)
	case *float64:
		return parseInto(target, text, parseFloat)
	}
	panic(fmt.Sprintf("no way to read a %s", v.Type()))
}

func parseInto[T any](target *T, text string, parse func(string) (T, error)) error {
	v, err := parse(text)
	if err == nil {
		*target = v
	}
	return err
}

var (
	errBool   = errors.New("must be true or false")
	errInt    = errors.New("must be a whole number")
	errFloat  = errors.New("must be a number")
	errPrefix = errors.New("must be a network such as 10.0.0.0/8 or an address")
)

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errBool
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, errInt
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, errFloat
	}
	return x, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, errPrefix
	}
	return p.Masked(), nil
}
