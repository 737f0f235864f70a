package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// field is one key of a block, read off the tags of its struct field:
//
//	yaml      the key; `,inline` takes the keys of an embedded struct
//	default   its default, written as in a file; lists separated by commas
//	service   its default under `profile: service`, where that differs
//	range     lowest..highest, both allowed
//	enum      the values allowed, separated by |
//	format    what the text must look like (checks.go); for a map, its keys
//	max       most elements of a list or map
//	required  must be given
//	choice    excludes the keys of the same block with another choice
//	secret    the value is shown to nobody
//	short     a single value in place of the block is the value of this key
type field struct {
	index    []int
	owner    reflect.Type // the struct it is declared in
	name     string       // of the struct field
	typ      reflect.Type
	key      string
	def      string
	service  string
	enum     []string
	format   string
	max      int
	required bool
	choice   string
	short    bool
	secret   bool
	low      float64
	high     float64
	bounds   [2]string // low and high as written
}

// fields is what is known about one struct.
type fields struct {
	list  []field
	byKey map[string]*field
}

// short is the key that a single value in place of the block means, or nil.
func (fs *fields) short() *field {
	for i := range fs.list {
		if fs.list[i].short {
			return &fs.list[i]
		}
	}
	return nil
}

func (fs *fields) keys() []string {
	keys := make([]string, len(fs.list))
	for i := range fs.list {
		keys[i] = fs.list[i].key
	}
	return keys
}

// catalog knows the fields of each struct. It is built by use and not safe for
// concurrent use; every Load, Marshal and Diff has its own.
type catalog map[reflect.Type]*fields

func (c catalog) of(t reflect.Type) *fields {
	if fs, ok := c[t]; ok {
		return fs
	}
	fs := &fields{byKey: map[string]*field{}}
	c[t] = fs
	fs.list = c.read(t, nil)
	for i := range fs.list {
		fs.byKey[fs.list[i].key] = &fs.list[i]
	}
	return fs
}

// shortOf is the key that a single value means in place of a t, or nil.
func (c catalog) shortOf(t reflect.Type) *field {
	if t == nil {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !isBlock(t) {
		return nil
	}
	return c.of(t).short()
}

// spelledOut makes the block of a single value where that is short for one.
func (c catalog) spelledOut(n *node, t reflect.Type) *node {
	if n == nil || n.kind != scalarNode || n.broken {
		return n
	}
	f := c.shortOf(t)
	if f == nil {
		return n
	}
	return &node{kind: mappingNode, from: n.from, pairs: []pair{{key: f.key, from: n.from, value: n}}}
}

func (c catalog) read(t reflect.Type, index []int) []field {
	var out []field
	for sf := range t.Fields() {
		tag := sf.Tag.Get("yaml")
		at := append(append([]int{}, index...), sf.Index...)
		switch {
		case tag == ",inline":
			out = append(out, c.read(sf.Type, at)...)
		case tag != "":
			out = append(out, newField(t, sf, at, tag))
		}
	}
	return out
}

// newField panics on a bad tag: only a change of this package can cause that,
// and every test would show it.
func newField(owner reflect.Type, sf reflect.StructField, index []int, key string) field {
	f := field{
		index: index, owner: owner, name: sf.Name, typ: sf.Type, key: key,
		def: sf.Tag.Get("default"), service: sf.Tag.Get("service"),
		format: sf.Tag.Get("format"), required: sf.Tag.Get("required") == "true",
		choice: sf.Tag.Get("choice"), short: sf.Tag.Get("short") == "true",
		secret: sf.Tag.Get("secret") == "true",
	}
	if f.service == "" {
		f.service = f.def
	}
	if enum := sf.Tag.Get("enum"); enum != "" {
		f.enum = strings.Split(enum, "|")
	}
	if n := sf.Tag.Get("max"); n != "" {
		f.max = must(strconv.Atoi(n))
	}
	if lo, hi, ok := strings.Cut(sf.Tag.Get("range"), ".."); ok {
		f.bounds = [2]string{lo, hi}
		f.low, f.high = must(amount(f.scalarType(), lo)), must(amount(f.scalarType(), hi))
	}
	return f
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("bad struct tag: %v", err))
	}
	return v
}

// scalarType is the type of the values: of the elements for a list or map.
func (f *field) scalarType() reflect.Type {
	if f.typ.Kind() == reflect.Slice || f.typ.Kind() == reflect.Map {
		return f.typ.Elem()
	}
	return f.typ
}

// amount reads a bound of a range in the field's own notation.
func amount(t reflect.Type, s string) (float64, error) {
	switch t {
	case reflect.TypeFor[Duration]():
		d, err := ParseDuration(s)
		return float64(d), err
	case reflect.TypeFor[Bytes]():
		b, err := ParseBytes(s)
		return float64(b), err
	}
	return strconv.ParseFloat(s, 64)
}

// isScalar reports whether values of t are written as a single value.
func isScalar(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[netip.Prefix](), reflect.TypeFor[Ports]():
		return true
	}
	switch t.Kind() { //nolint:exhaustive // the rest is not scalar
	case reflect.Struct, reflect.Pointer, reflect.Map, reflect.Slice:
		return false
	}
	return true
}

// isBlock reports whether values of t are blocks of keys.
func isBlock(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isScalar(t) }

// fill sets v, a struct, to its defaults, and the structs inside it.
func (c catalog) fill(v reflect.Value, service bool) {
	for i := range c.of(v.Type()).list {
		f := &c.of(v.Type()).list[i]
		target := v.FieldByIndex(f.index)
		def := f.def
		if service {
			def = f.service
		}
		switch {
		case isBlock(f.typ):
			c.fill(target, service)
		case def == "":
		case f.typ.Kind() == reflect.Slice:
			parts := strings.Split(def, ",")
			target.Set(reflect.MakeSlice(f.typ, len(parts), len(parts)))
			for i, part := range parts {
				setScalar(target.Index(i), part)
			}
		default:
			setScalar(target, def)
		}
	}
}

func setScalar(v reflect.Value, text string) {
	if err := parseScalar(v, text); err != nil {
		panic(fmt.Sprintf("bad struct tag: %v", err))
	}
}
