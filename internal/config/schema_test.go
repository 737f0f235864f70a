package config_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"holdfast/internal/config"
)

// validator knows the words of JSON Schema that Schema uses, and stops at any
// other.
type validator struct {
	t    *testing.T
	root map[string]any
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	v := &validator{t: t}
	if err := json.Unmarshal(config.Schema(), &v.root); err != nil {
		t.Fatal(err)
	}
	return v
}

// check returns what is wrong with value, or "".
func (v *validator) check(schema map[string]any, value any, path string) string {
	for _, word := range []string{"$ref", "anyOf", "type", "enum", "pattern", "minimum", "maximum", "required", "propertyNames", "properties", "additionalProperties", "items"} {
		if rule, ok := schema[word]; ok {
			if wrong := v.word(word, rule, schema, value, path); wrong != "" {
				return wrong
			}
		}
	}
	for word := range schema {
		if !strings.Contains(" $ref anyOf type enum pattern minimum maximum required propertyNames properties additionalProperties items $schema $defs title description default ", " "+word+" ") {
			v.t.Fatalf("%s: the schema uses %s", path, word)
		}
	}
	return ""
}

func (v *validator) word(word string, rule any, schema map[string]any, value any, path string) string {
	bad := false
	object, isObject := value.(map[string]any)
	switch word {
	case "$ref":
		name := strings.TrimPrefix(rule.(string), "#/$defs/")
		return v.check(v.root["$defs"].(map[string]any)[name].(map[string]any), value, path)
	case "anyOf":
		bad = !slices.ContainsFunc(rule.([]any), func(s any) bool { return v.check(s.(map[string]any), value, path) == "" })
	case "type":
		bad = !hasType(rule, value)
	case "enum":
		bad = !slices.ContainsFunc(rule.([]any), func(x any) bool { return reflect.DeepEqual(x, value) })
	case "pattern":
		s, isString := value.(string)
		bad = isString && !regexp.MustCompile(rule.(string)).MatchString(s)
	case "minimum":
		x, isNumber := value.(float64)
		bad = isNumber && x < rule.(float64)
	case "maximum":
		x, isNumber := value.(float64)
		bad = isNumber && x > rule.(float64)
	case "required":
		for _, key := range rule.([]any) {
			_, has := object[key.(string)]
			bad = bad || isObject && !has
		}
	case "propertyNames":
		for key := range object {
			bad = bad || v.check(rule.(map[string]any), key, path) != ""
		}
	case "properties":
		for key, s := range rule.(map[string]any) {
			if x, has := object[key]; has {
				if wrong := v.check(s.(map[string]any), x, path+"."+key); wrong != "" {
					return wrong
				}
			}
		}
	case "additionalProperties":
		known, _ := schema["properties"].(map[string]any)
		for key, x := range object {
			if _, has := known[key]; has {
				continue
			}
			if s, ok := rule.(map[string]any); !ok {
				return path + "." + key + " is not allowed"
			} else if wrong := v.check(s, x, path+"."+key); wrong != "" {
				return wrong
			}
		}
	case "items":
		list, _ := value.([]any)
		for i, x := range list {
			if wrong := v.check(rule.(map[string]any), x, fmt.Sprintf("%s[%d]", path, i)); wrong != "" {
				return wrong
			}
		}
	}
	if bad {
		return fmt.Sprintf("%s: %v breaks %s %v", path, value, word, rule)
	}
	return ""
}

func hasType(rule, value any) bool {
	if list, ok := rule.([]any); ok {
		return slices.ContainsFunc(list, func(r any) bool { return hasType(r, value) })
	}
	switch x := value.(type) {
	case nil:
		return rule == "null"
	case bool:
		return rule == "boolean"
	case string:
		return rule == "string"
	case float64:
		return rule == "number" || rule == "integer" && x == math.Trunc(x)
	case []any:
		return rule == "array"
	case map[string]any:
		return rule == "object"
	}
	return false
}

// asJSON reads YAML the way an editor does.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	out, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSchemaAcceptsWhatLoads(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	design, err := os.ReadFile("testdata/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(design), small, everything, before, after} {
		if wrong := v.check(v.root, asJSON(t, text), ""); wrong != "" {
			t.Errorf("%s\nin%s", wrong, text)
		}
		c, _, err := load(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := v.check(v.root, asJSON(t, string(config.Marshal(c, false))), ""); wrong != "" {
			t.Errorf("marshalled: %s", wrong)
		}
	}
}

// What a schema can say, this one does: each of these golden files breaks it.
func TestTheSchemaRefusesWhatItCan(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	for _, text := range []string{"log: {level: loud}", "shutdown_timeout: soon", "limits: {header_bytes: 12}", "pool: {min: 1.5}", "functions: {A: {}}"} {
		if v.check(v.root, asJSON(t, text), "") == "" {
			t.Errorf("%s breaks nothing", text)
		}
	}
	for _, name := range []string{"unknown-keys", "shapes", "words", "defaults", "functions"} {
		text, err := os.ReadFile(filepath.Join("testdata/bad", name+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if v.check(v.root, asJSON(t, parse(string(text))["holdfast.yaml"]), "") == "" {
			t.Errorf("%s breaks nothing", name)
		}
	}
}

func TestTheSchemaAndTheManualDescribeEveryKey(t *testing.T) {
	t.Parallel()
	v := newValidator(t)
	reference := config.Reference()
	blocks := v.root["$defs"].(map[string]any)
	blocks["file"] = v.root
	keys := 0
	for name, block := range blocks {
		properties, _ := block.(map[string]any)["properties"].(map[string]any)
		for key, s := range properties {
			keys++
			if s.(map[string]any)["description"] == "" {
				t.Errorf("%s.%s is not described", name, key)
			}
			if !strings.Contains(reference, "| `"+key+"` |") {
				t.Errorf("%s.%s is not in the manual", name, key)
			}
		}
	}
	if keys < 120 {
		t.Errorf("only %d keys", keys)
	}
	for _, want := range []string{
		"## `functions.NAME.circuit_breaker.window`\n",
		"| `attempts` | whole number, 0 to 5 | `2` | Extra tries after the first attempt. 0: none. |",
		"| `max_instances` | whole number, 1 to 10000 | `5`; service: `10` |",
		"| `url` | text | required |",
	} {
		if !strings.Contains(reference, want) {
			t.Errorf("the manual lacks %s", want)
		}
	}
}
