package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What doctor points at must be there.
func TestEveryPageOfAFindingExists(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("doctor*.go")
	if err != nil || len(sources) < 4 {
		t.Fatal(sources, err)
	}
	page, seen := regexp.MustCompile(`"([a-z]+\.md)(#[a-z-]+)?"`), 0
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.FindAllStringSubmatch(string(text), -1) {
			seen++
			doc, err := os.ReadFile("../../docs/" + m[1])
			if err != nil {
				t.Errorf("%s: %v", source, err)
				continue
			}
			if m[2] != "" && !anchors(string(doc))[m[2]] {
				t.Errorf("%s: %s has no section %s", source, m[1], m[2])
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d pages found", seen)
	}
}

// anchors are the sections of a page as links name them.
func anchors(doc string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.SplitSeq(doc, "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			all["#"+strings.ReplaceAll(strings.ToLower(title), " ", "-")] = true
		}
	}
	return all
}
