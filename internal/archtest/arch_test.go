package archtest_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "holdfast"

// readers names the only packages that may import a restricted package.
var readers = map[string][]string{
	"internal/config": {"internal/app", "internal/cli"},
}

// pure packages decide and do not act: standard library only, and nothing in it that reaches outside the process.
// They hold for the packages below them too, except for the adapters.
var (
	pure     = []string{"exchange", "breaker", "balancer", "retry", "autoscale"}
	adapters = []string{"breaker/breakerhttp"}
	outside  = []string{"net", "net/http", "os", "os/exec", "os/signal", "syscall", "database/sql"}
)

// loggers are refused in the whole library layer: a library offers events, its user decides what becomes of them.
// The engine is the exception: net/http writes to the process-wide log unless it is given another, so it is given the one
// that the engine's user handed in.
var (
	loggers = []string{"log", "log/slog"}
	engines = []string{"middleware"}
)

var bannedNames = []string{"base", "common", "helper", "helpers", "lib", "manager", "misc", "models", "pkg", "shared", "types", "util", "utils"}

type pkg struct {
	ImportPath, Dir, Name string
	GoFiles, Imports      []string
	rel                   string // ImportPath below the module
}

func TestEveryPackageKeepsTheArchitecture(t *testing.T) {
	t.Parallel()
	table := readTable(t)
	for _, p := range list(t) {
		t.Run(p.rel, func(t *testing.T) {
			t.Parallel()
			mine := table.find(p.rel)
			if mine == nil {
				t.Fatalf("%s is in no layer: add it to the layer block of docs/architecture.md", p.rel)
			}
			for _, imp := range p.Imports {
				checkImport(t, table, p, mine, imp)
			}
			if slices.Contains(bannedNames, filepath.Base(p.rel)) {
				t.Errorf("package name %q says nothing about its contents", filepath.Base(p.rel))
			}
			checkComment(t, p)
		})
	}
}

func checkImport(t *testing.T, table *layers, p pkg, mine *entry, imp string) {
	t.Helper()
	dep, ours := strings.CutPrefix(imp, module+"/")
	if !ours {
		checkForeign(t, p, mine, imp)
		return
	}
	theirs := table.find(dep)
	if theirs == nil {
		return // reported by the test of that package
	}
	allowed := theirs.layer < mine.layer || theirs == mine || theirs.layer == mine.layer && slices.Contains(mine.siblings, theirs.prefix)
	if !allowed {
		t.Errorf("%s (%s) may not import %s (%s)", p.rel, table.names[mine.layer], dep, table.names[theirs.layer])
	}
	if slices.Contains(adapters, dep) && slices.Contains(pure, mine.prefix) && !strings.HasPrefix(dep, mine.prefix+"/") {
		t.Errorf("%s may not import %s: adapters are for those who do input and output", p.rel, dep)
	}
	if who, ok := readers[dep]; ok && !slices.Contains(who, p.rel) {
		t.Errorf("only %v may import %s", who, dep)
	}
}

// checkForeign holds what a package may take from outside this module.
func checkForeign(t *testing.T, p pkg, mine *entry, imp string) {
	t.Helper()
	if slices.Contains(pure, mine.prefix) && !slices.Contains(adapters, p.rel) {
		if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
			t.Errorf("%s imports %s: decision libraries use the standard library only", p.rel, imp)
		}
		if slices.Contains(outside, imp) {
			t.Errorf("%s imports %s: decision libraries do no input or output", p.rel, imp)
		}
	}
	if mine.library && slices.Contains(loggers, imp) && !slices.Contains(engines, p.rel) {
		t.Errorf("%s imports %s: libraries do not log, they offer events", p.rel, imp)
	}
}

// checkComment wants exactly one package comment, in the form that go doc shows.
func checkComment(t *testing.T, p pkg) {
	t.Helper()
	var in []string
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		text := file.Doc.Text()
		if text == "" {
			continue
		}
		in = append(in, name)
		if want := "Package " + p.Name + " "; p.Name != "main" && !strings.HasPrefix(text, want) {
			t.Errorf("%s: the package comment must begin with %q", name, want)
		}
	}
	if len(in) != 1 {
		t.Errorf("%d package comments, want one: %v", len(in), in)
	}
}

// list returns the packages of the module that have code outside tests. With -e: an import that does not resolve is for
// the compiler to complain about.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Name,GoFiles,Imports", "./...")
	cmd.Dir = "../.."
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := decode(t, out)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return all
}

func decode(t *testing.T, in io.Reader) []pkg {
	t.Helper()
	var all []pkg
	for d := json.NewDecoder(in); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.rel = strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if p.rel != "" && len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}
