// Package formula makes one number of several measured ones, as an operator
// wrote it: "queue / 10 + in_flight".
//
// The language is a part of Expr (github.com/expr-lang/expr) that always ends
// and changes nothing: numbers, names, arithmetic, comparisons, conditions, and
// six functions. No loops, texts, lists, or assignments, so that a formula costs
// no more than it is long. Compile refuses everything else, names nobody knows,
// and what is no number in the end.
//
// A name may be unknown for now. Then the formula is unknown too, unless it says
// what counts instead: "queue ?? 0".
package formula

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

const (
	maxText  = 1000 // bytes
	maxNodes = 200
)

// Formula is a compiled formula. It is not changed once made, and safe for
// concurrent use.
type Formula struct {
	text    string
	program *vm.Program
	names   []string
}

// Compile reads a formula that may use the known names. Its errors are
// sentences that follow "the formula".
func Compile(text string, known []string) (*Formula, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("is longer than %d bytes", maxText)
	}
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("is empty")
	}
	names, bare, err := namesIn(text)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, &NameError{Name: name, Known: slices.Sorted(slices.Values(known))}
		}
	}
	env := map[string]any{}
	for _, name := range names {
		env[name] = (*float64)(nil)
	}
	source := text
	if bare {
		source = "0.0 + (" + text + "\n)"
	}
	program, err := expr.Compile(source, expr.Env(env), expr.AsFloat64(), expr.MaxNodes(2*maxNodes), expr.Patch(values{}))
	if err != nil {
		return nil, sentence(err)
	}
	return &Formula{text, program, names}, nil
}

// NameError is a name that a formula uses and nobody knows.
type NameError struct {
	Name  string
	Known []string // in order
}

func (e *NameError) Error() string { return "uses " + e.Name + ", which is no signal" }

// IsName reports whether a text can be used as a name in formulas; words of the
// language cannot.
func IsName(text string) bool {
	tree, err := parser.Parse(text)
	if err != nil {
		return false
	}
	id, ok := tree.Node.(*ast.IdentifierNode)
	return ok && id.Value == text && !slices.Contains(functions(), text)
}

// String returns the formula as it was written.
func (f *Formula) String() string { return f.text }

// Names returns the names it uses, in order.
func (f *Formula) Names() []string { return slices.Clone(f.names) }

// Value calculates. of returns what is known by a name; false: it is unknown.
// So is the result when it depends on that, or is no finite number.
func (f *Formula) Value(of func(name string) (float64, bool)) (float64, bool) {
	env := make(map[string]any, len(f.names))
	for _, name := range f.names {
		if v, ok := of(name); ok {
			env[name] = &v
		} else {
			env[name] = (*float64)(nil)
		}
	}
	out, err := expr.Run(f.program, env)
	v, ok := out.(float64)
	return v, err == nil && ok && !math.IsNaN(v) && !math.IsInf(v, 0)
}

// Order sorts formulas so that each comes after those it uses. An error names
// some that use each other.
func Order(formulas map[string]*Formula) ([]string, error) {
	var order []string
	state := map[string]int{} // 1: being looked at, 2: done
	var visit func(name string, way []string) error
	visit = func(name string, way []string) error {
		f := formulas[name]
		if f == nil || state[name] == 2 {
			return nil
		}
		way = append(way, name)
		if state[name] == 1 {
			return fmt.Errorf("uses itself: %s", strings.Join(way[slices.Index(way, name):], " -> "))
		}
		state[name] = 1
		for _, used := range f.names {
			if err := visit(used, way); err != nil {
				return err
			}
		}
		state[name] = 2
		order = append(order, name)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(formulas)) {
		if err := visit(name, nil); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// sentence takes the excerpt with the arrow off an error of the language.
func sentence(err error) error {
	if at, ok := errors.AsType[*file.Error](err); ok {
		return fmt.Errorf("does not work at character %d: %s", at.Column+1, at.Message)
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New("does not work: " + first)
}
