package telemetry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pagedKeys are the keys that docs/telemetry.md lists: rows of a table that begin
// with a key alone.
func pagedKeys(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		keys[row[1]] = true
	}
	return keys
}

func TestEachKeyOfTheLogIsOnThePageAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	used := map[string]string{}
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					for _, key := range logKeys(call) {
						used[key] = path
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	paged := pagedKeys(t)
	for _, key := range slices.Sorted(maps.Keys(used)) {
		if !paged[key] {
			t.Errorf("%s logs %q, which docs/telemetry.md does not list", used[key], key)
		}
	}
	for key := range paged {
		if used[key] == "" {
			t.Errorf("docs/telemetry.md lists %q, which nobody logs", key)
		}
	}
}

// logKeys returns the keys of a call that logs: Info("message", "key", value ...),
// its siblings, With, and the lines of the access log.
func logKeys(call *ast.CallExpr) (keys []string) {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	args := call.Args
	switch name := strings.TrimSuffix(fun.Sel.Name, "Context"); name {
	case "Debug", "Info", "Warn", "Error":
		if name != fun.Sel.Name && len(args) > 0 {
			args = args[1:] // the context
		}
		if len(args) == 0 || text(args[0]) == "" {
			return nil
		}
		args = args[1:]
	case "With":
	case "Text", "Word", "Words", "Int", "Millis", "Raw": // of a telemetry.Line
		if on, ok := fun.X.(*ast.Ident); !ok || on.Name != "line" {
			return nil
		}
		args = args[:1]
	default:
		return nil
	}
	for i := 0; i < len(args); i += 2 {
		if key := text(args[i]); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// text is the value of a literal; "": it is none.
func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return s
}
