package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each file of testdata/bad is a set of files, perhaps an environment, and the
// exact problems, each part under a line `-- name --`.
func TestEachMistakeHasItsMessage(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/bad/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			golden(t, name)
		})
	}
}

const problemsPart = "problems"

func golden(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := parse(string(text))
	c, _, err := config.Load(config.Options{
		Files:    []string{"holdfast.yaml"},
		Environ:  strings.Split(parts["environ"], "\n"),
		ReadFile: readMap(parts),
	})
	if err == nil || c != nil {
		t.Fatalf("loaded %v without a problem", c)
	}
	got := err.Error() + "\n"
	if strings.Contains(got, "hunter2") {
		t.Errorf("a secret shows:\n%s", got)
	}
	if *update {
		before, _, _ := strings.Cut(string(text), "-- "+problemsPart+" --\n")
		if err := os.WriteFile(name, []byte(before+"-- "+problemsPart+" --\n"+got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := parts[problemsPart]; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// parse splits an archive at its `-- name --` lines.
func parse(archive string) map[string]string {
	parts := map[string]string{}
	name := ""
	for line := range strings.Lines(archive) {
		if s := strings.TrimSuffix(line, "\n"); strings.HasPrefix(s, "-- ") && strings.HasSuffix(s, " --") {
			name = s[3 : len(s)-3]
			continue
		}
		parts[name] += line
	}
	return parts
}
