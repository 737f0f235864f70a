package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// shown is what the scripts of testdata/script do with a command.
type shown struct{ works, fails, json bool }

// TestEveryCommandHasAScriptAlsoOfItsFailure reads the scripts: each command
// must be run there with success and in vain, and where it prints something
// about a running Holdfast also with -o json.
func TestEveryCommandHasAScriptAlsoOfItsFailure(t *testing.T) {
	t.Parallel()
	var leaves []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if !c.HasSubCommands() && !c.Hidden && c.Name() != "help" {
			leaves = append(leaves, strings.TrimPrefix(c.CommandPath(), "holdfast "))
		}
	}
	root := newRoot(&Environment{})
	walk(root)
	seen := readScripts(t, leaves)
	for _, leaf := range leaves {
		s := seen[leaf]
		if !s.works && !needsCluster(leaf) {
			t.Errorf("no script shows that holdfast %s works", leaf)
		}
		if !s.fails {
			t.Errorf("no script shows that holdfast %s fails, and how", leaf)
		}
		if !s.json && !printsNoJSON(leaf) && !needsCluster(leaf) {
			t.Errorf("no script reads the JSON of holdfast %s", leaf)
		}
	}
}

// printsNoJSON are commands whose output is a file, a script, or none.
func printsNoJSON(leaf string) bool {
	switch leaf {
	case "up", "init", "man", "demo-function", "config schema", "config reference":
		return true
	}
	return strings.HasPrefix(leaf, "completion")
}

// needsCluster are commands that work on Kubernetes or Swarm only: test/kubernetes
// shows that they do, and their JSON.
func needsCluster(leaf string) bool { return leaf == "function rollback" }

func readScripts(t *testing.T, leaves []string) map[string]shown {
	t.Helper()
	seen := map[string]shown{}
	var files []string
	for _, dir := range []string{"", "postgres"} {
		list, err := filepath.Glob(filepath.Join("../../testdata/script", dir, "*.txtar"))
		if err != nil || len(list) == 0 {
			t.Fatalf("no scripts in %q: %v", dir, err)
		}
		files = append(files, list...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		for line := range strings.SplitSeq(script, "\n") {
			note(seen, leaves, line)
		}
	}
	return seen
}

// note reads one line of a script.
func note(seen map[string]shown, leaves []string, line string) {
	_, command, ok := strings.Cut(line, "holdfast ")
	if !ok {
		return
	}
	for _, leaf := range leaves {
		if command != leaf && !strings.HasPrefix(command, leaf+" ") && !strings.Contains(command, " "+leaf+" ") && !strings.HasSuffix(command, " "+leaf) {
			continue
		}
		s := seen[leaf]
		if strings.HasPrefix(line, "exec ") || strings.HasPrefix(line, "await ") || strings.HasPrefix(line, "exits 2 ") {
			s.works = true
		}
		if strings.HasPrefix(line, "exits ") || strings.HasPrefix(line, "! exec ") {
			s.fails = true
		}
		s.json = s.json || strings.Contains(line, "-o json")
		seen[leaf] = s
	}
}
