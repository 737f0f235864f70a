package health

import (
	"fmt"
	"strconv"
	"strings"
)

// Op compares a field of a JSON answer with a value.
type Op string

// The comparisons. The last four need numbers on both sides.
const (
	Equal          Op = "="
	NotEqual       Op = "!="
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
)

// Condition is something a JSON answer must fulfil.
type Condition struct {
	// Field is the way to the value: object keys and array indexes separated
	// by dots, such as checks.database.status. `\.` is a dot within a key.
	Field string
	Op    Op
	// Value is a text, a number, true, false or null. Equal and NotEqual
	// compare as numbers where the field is a number, else as text.
	Value string
}

// ParseCondition reads a condition such as `status = ok`, `db.up = true` or
// `memory_percent < 95`. The value may stand in double quotes; `==` is `=`.
func ParseCondition(s string) (Condition, error) {
	i := strings.IndexAny(s, "=!<>")
	if i < 0 {
		return Condition{}, fmt.Errorf("parse condition %q: no comparison, want something like status = ok", s)
	}
	end := i + 1
	if end < len(s) && s[end] == '=' {
		end++
	}
	op := Op(s[i:end])
	if op == "==" {
		op = Equal
	}
	value, err := conditionValue(strings.TrimSpace(s[end:]))
	if err != nil {
		return Condition{}, fmt.Errorf("parse condition %q: %w", s, err)
	}
	c := Condition{Field: strings.TrimSpace(s[:i]), Op: op, Value: value}
	return c, c.Validate()
}

func conditionValue(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	unquoted, err := strconv.Unquote(s)
	if err != nil {
		return "", fmt.Errorf("unquote value: %w", err)
	}
	return unquoted, nil
}

// String returns the condition in the form ParseCondition reads.
func (c Condition) String() string {
	value := c.Value
	if value == "" || value != strings.TrimSpace(value) || value[0] == '"' || value[0] == '=' {
		value = strconv.Quote(value)
	}
	return c.Field + " " + string(c.Op) + " " + value
}

// Validate returns an error when the condition could never be decided.
func (c Condition) Validate() error {
	if c.Field == "" {
		return fmt.Errorf("condition %q: names no field", c.String())
	}
	switch c.Op {
	case Equal, NotEqual:
		return nil
	case Less, LessOrEqual, Greater, GreaterOrEqual:
		if _, ok := parseNumber(c.Value); !ok {
			return fmt.Errorf("condition %q: %q is not a number", c.String(), c.Value)
		}
		return nil
	}
	return fmt.Errorf("condition on %s: unknown comparison %q", c.Field, string(c.Op))
}

// path splits the field at its dots.
func (c Condition) path() []string { return stepsOf(c.Field) }

// stepsOf splits a way at its dots.
func stepsOf(way string) []string {
	var steps []string
	var step strings.Builder
	for i := 0; i < len(way); i++ {
		switch {
		case way[i] == '\\' && i+1 < len(way):
			i++
			step.WriteByte(way[i])
		case way[i] == '.':
			steps = append(steps, step.String())
			step.Reset()
		default:
			step.WriteByte(way[i])
		}
	}
	return append(steps, step.String())
}

// check returns why the document does not fulfil the condition, or "".
func (c Condition) check(doc []byte, path, secrets []string) string {
	raw, ok := lookup(doc, path)
	if !ok {
		return "its JSON has no field " + c.Field
	}
	if raw[0] == '{' || raw[0] == '[' {
		return c.Field + " is not a single value"
	}
	if n, ok := number(raw); ok {
		if want, ok := parseNumber(c.Value); ok {
			return c.verdict(holds(n, c.Op, want), string(raw), secrets)
		}
	}
	if c.Op != Equal && c.Op != NotEqual {
		return c.Field + " is not a number"
	}
	have := string(raw)
	if raw[0] == '"' {
		have = text(raw)
	}
	return c.verdict((have == c.Value) == (c.Op == Equal), have, secrets)
}

func (c Condition) verdict(holds bool, have string, secrets []string) string {
	if holds {
		return ""
	}
	return c.Field + " is " + quoted(have, secrets) + ", want " + string(c.Op) + " " + c.Value
}

func holds(have float64, op Op, want float64) bool {
	switch op {
	case Equal:
		return have == want
	case NotEqual:
		return have != want
	case Less:
		return have < want
	case LessOrEqual:
		return have <= want
	case Greater:
		return have > want
	case GreaterOrEqual:
		return have >= want
	}
	return false
}
