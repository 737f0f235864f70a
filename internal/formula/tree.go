package formula

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// namesIn returns the names a text uses, or what in it is not allowed. bare says
// that it is nothing but a name, or a choice between some.
func namesIn(text string) (names []string, bare bool, err error) {
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, false, sentence(err)
	}
	l := looker{}
	ast.Walk(&tree.Node, &l)
	switch {
	case l.err != nil:
		return nil, false, l.err
	case l.nodes > maxNodes:
		return nil, false, fmt.Errorf("has more than %d parts", maxNodes)
	}
	slices.Sort(l.names)
	return slices.Compact(l.names), isBare(tree.Node), nil
}

// looker collects names, and finds what a formula may not do.
type looker struct {
	names []string
	nodes int
	err   error
}

// Visit implements ast.Visitor.
func (l *looker) Visit(node *ast.Node) {
	l.nodes++
	if why := l.refuses(*node); why != "" && l.err == nil {
		l.err = fmt.Errorf("does not work at character %d: %s", (*node).Location().From+1, why)
	}
}

func (l *looker) refuses(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.ConditionalNode, *ast.UnaryNode:
	case *ast.IdentifierNode:
		l.names = append(l.names, n.Value)
	case *ast.BinaryNode:
		if !slices.Contains([]string{"+", "-", "*", "/", "**", "^", "==", "!=", "<", "<=", ">", ">=", "and", "&&", "or", "||", "??"}, n.Operator) {
			return n.Operator + " is not for numbers"
		}
	case *ast.BuiltinNode:
		if !slices.Contains(functions(), n.Name) {
			return fmt.Sprintf("there is no function %s; there are %v", n.Name, functions())
		}
	case *ast.NilNode:
		return "nil is not a number; write signal ?? 0 for what is unknown"
	case *ast.CallNode:
		return fmt.Sprintf("there is no such function; there are %v", functions())
	default:
		return "only numbers, signals, arithmetic, comparisons and conditions are possible"
	}
	return ""
}

func functions() []string { return []string{"abs", "ceil", "floor", "max", "min", "round"} }

// values makes numbers of names where the language would hand on what stands
// for them: as an argument, as a branch, as the result. An unknown one ends the
// calculation there.
type values struct{}

// Visit implements ast.Visitor.
func (values) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.BuiltinNode:
		for i := range n.Arguments {
			n.Arguments[i] = number(n.Arguments[i])
		}
	case *ast.ConditionalNode:
		n.Exp1, n.Exp2 = number(n.Exp1), number(n.Exp2)
	}
}

func isBare(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return true
	case *ast.BinaryNode:
		return n.Operator == "??"
	}
	return false
}

// number adds 0 to what is nothing but a name.
func number(n ast.Node) ast.Node {
	if !isBare(n) {
		return n
	}
	sum := &ast.BinaryNode{Operator: "+", Left: &ast.FloatNode{Value: 0}, Right: n}
	sum.SetLocation(n.Location())
	sum.Left.SetLocation(n.Location())
	return sum
}
