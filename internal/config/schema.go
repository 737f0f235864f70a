package config

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// object is a JSON object of the schema.
type object = map[string]any

// Schema returns the JSON Schema (2020-12) of a configuration file, for
// editors. It knows keys, types, ranges and words; what several keys have to do
// with each other, only Load knows. Any single value may be a ${...}.
func Schema() []byte {
	b := schemaBuilder{catalog: catalog{}, manual: readManual(), defs: object{}}
	b.defs["variable"] = object{
		"description": "${VAR}, ${VAR:-default} or ${file:PATH}",
		"type":        "string", "pattern": `\$\{`,
	}
	root := b.block(reflect.TypeFor[document]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Holdfast configuration"
	root["$defs"] = b.defs
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // maps, strings and numbers only
	}
	return out.Bytes()
}

type schemaBuilder struct {
	catalog catalog
	manual  manual
	defs    object
}

func (b *schemaBuilder) block(t reflect.Type) object {
	properties := object{}
	var required []string
	for i := range b.catalog.of(t).list {
		f := &b.catalog.of(t).list[i]
		s := b.value(f, f.typ)
		s["description"] = b.manual.field(f)
		if def, ok := f.jsonDefault(); ok {
			s["default"] = def
		}
		properties[f.key] = s
		if f.required {
			required = append(required, f.key)
		}
	}
	out := object{
		"type": []string{"object", "null"}, "additionalProperties": false,
		"description": b.manual.block(t), "properties": properties,
	}
	// A block of `defaults` or of one of several files need not be complete.
	if required != nil && t != reflect.TypeFor[Process]() {
		out["required"] = required
	}
	return out
}

func (b *schemaBuilder) value(f *field, t reflect.Type) object {
	switch {
	case isScalar(t):
		return b.scalar(f, t)
	case b.catalog.shortOf(t) != nil:
		return b.short(t)
	case t.Kind() == reflect.Pointer:
		return b.ref(t.Elem())
	case t.Kind() == reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": b.value(f, t.Elem())}
	case t.Kind() == reflect.Map:
		return b.mapping(f, t)
	}
	return b.ref(t)
}

// short allows a single value in place of the block.
func (b *schemaBuilder) short(t reflect.Type) object {
	f := b.catalog.shortOf(t)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return object{"anyOf": []object{b.value(f, f.typ), b.ref(t)}}
}

func (b *schemaBuilder) ref(t reflect.Type) object {
	name := strings.ToLower(t.Name()[:1]) + t.Name()[1:]
	if _, ok := b.defs[name]; !ok {
		b.defs[name] = object{} // ends recursion
		b.defs[name] = b.block(t)
	}
	return object{"$ref": "#/$defs/" + name}
}

func (b *schemaBuilder) mapping(f *field, t reflect.Type) object {
	out := object{"type": []string{"object", "null"}, "additionalProperties": b.value(f, t.Elem())}
	switch f.format {
	case "function-name", "channel-name":
		out["propertyNames"] = object{"pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}
	case "component":
		out["propertyNames"] = object{"pattern": "^[A-Za-z0-9_-]+$"}
	case "signal":
		out["propertyNames"] = object{"pattern": "^[a-z][a-z0-9_]{0,62}$"}
	}
	return out
}

// scalar allows the value itself, a variable in its place, and nothing.
func (b *schemaBuilder) scalar(f *field, t reflect.Type) object {
	if t.Kind() == reflect.String && len(f.enum) == 0 {
		return object{"type": []string{"string", "number", "boolean", "null"}}
	}
	return object{"anyOf": append(f.shapes(t), object{"$ref": "#/$defs/variable"}, object{"type": "null"})}
}

func (f *field) shapes(t reflect.Type) []object {
	switch t {
	case reflect.TypeFor[Duration]():
		return []object{
			{"type": "string", "pattern": `^([0-9]+|([0-9]*\.?[0-9]+(ns|us|µs|ms|s|m|h))+)$`},
			{"type": "integer", "minimum": f.low / 1e6, "maximum": f.high / 1e6},
		}
	case reflect.TypeFor[Bytes]():
		return []object{
			{"type": "string", "pattern": `^[0-9]+ *([KMG]iB|[kKMG]?B)?$`},
			{"type": "integer", "minimum": f.low, "maximum": f.high},
		}
	case reflect.TypeFor[Ports]():
		return []object{{"type": "string", "pattern": `^([0-9]+( *- *[0-9]+)?)?$`}, {"type": "integer", "minimum": 1, "maximum": 65535}}
	case reflect.TypeFor[netip.Prefix]():
		return []object{{"type": "string"}}
	}
	switch t.Kind() { //nolint:exhaustive // no other kinds are used
	case reflect.Bool:
		return []object{{"type": "boolean"}}
	case reflect.Int:
		return []object{{"type": "integer", "minimum": f.low, "maximum": f.high}}
	case reflect.Float64:
		return []object{{"type": "number", "minimum": f.low, "maximum": f.high}}
	}
	return []object{{"enum": f.enum}}
}

// jsonDefault is the default as JSON writes it.
func (f *field) jsonDefault() (any, bool) {
	if f.def == "" {
		return nil, false
	}
	if f.typ.Kind() == reflect.Slice {
		var list []any
		for part := range strings.SplitSeq(f.def, ",") {
			list = append(list, jsonScalar(f.typ.Elem(), part))
		}
		return list, true
	}
	return jsonScalar(f.typ, f.def), true
}

func jsonScalar(t reflect.Type, text string) any {
	switch t.Kind() { //nolint:exhaustive // the rest is written as text
	case reflect.Int, reflect.Float64:
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			return x
		}
	case reflect.Bool:
		return text == "true"
	}
	return text
}
