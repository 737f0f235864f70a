// Command gen collects the comments of the configuration structs into
// manual.json, which internal/config embeds and turns into the reference manual
// and the JSON Schema. Run it with `go generate ./internal/config`; a test fails
// when manual.json is out of date.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // the main of a generator
	}
}

func run(dir string) error {
	manual, err := collect(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "manual.json"), manual, 0o644); err != nil {
		return fmt.Errorf("write manual: %w", err)
	}
	return nil
}

// collect returns the comments of all structs in dir that have a field with a
// yaml tag: `Type` holds the type's, `Type.Field` the field's. A field without
// a comment is an error, because the manual would have a hole.
func collect(dir string) ([]byte, error) {
	names, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		return nil, fmt.Errorf("list sources: %w", err)
	}
	comments := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse source: %w", err)
		}
		for _, decl := range file.Decls {
			if err := declaration(decl, comments); err != nil {
				return nil, err
			}
		}
	}
	return encode(comments)
}

func declaration(decl ast.Decl, comments map[string]string) error {
	types, ok := decl.(*ast.GenDecl)
	if !ok || types.Tok != token.TYPE {
		return nil
	}
	for _, spec := range types.Specs {
		t, isType := spec.(*ast.TypeSpec)
		if !isType {
			continue
		}
		if s, isStruct := t.Type.(*ast.StructType); isStruct {
			if err := structure(t.Name.Name, types.Doc, s, comments); err != nil {
				return err
			}
		}
	}
	return nil
}

func structure(name string, doc *ast.CommentGroup, s *ast.StructType, comments map[string]string) error {
	for _, f := range s.Fields.List {
		if f.Tag == nil || !strings.Contains(f.Tag.Value, `yaml:"`) || len(f.Names) == 0 {
			continue
		}
		text := flatten(f.Doc)
		if text == "" {
			return fmt.Errorf("%s.%s has no comment", name, f.Names[0].Name)
		}
		comments[name] = flatten(doc)
		comments[name+"."+f.Names[0].Name] = text
	}
	return nil
}

// flatten makes one paragraph of a comment.
func flatten(doc *ast.CommentGroup) string {
	if doc == nil {
		return ""
	}
	text := (&comment.Printer{TextWidth: -1}).Text((&comment.Parser{}).Parse(doc.Text()))
	return strings.Join(strings.Fields(string(text)), " ")
}

func encode(comments map[string]string) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(comments); err != nil {
		return nil, fmt.Errorf("encode comments: %w", err)
	}
	return out.Bytes(), nil
}
