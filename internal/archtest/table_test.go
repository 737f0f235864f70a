package archtest_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// layers is the layer block of docs/architecture.md; a higher layer has a higher number.
type layers struct {
	names   []string
	entries []*entry
}

// entry is one name of the block: a package and all below it.
type entry struct {
	prefix   string
	layer    int
	library  bool
	siblings []string // prefixes of its own layer that it may import
}

// find returns the longest entry that holds rel, or nil.
func (l *layers) find(rel string) *entry {
	var best *entry
	for _, e := range l.entries {
		if rel != e.prefix && !strings.HasPrefix(rel, e.prefix+"/") {
			continue
		}
		if best == nil || len(e.prefix) > len(best.prefix) {
			best = e
		}
	}
	return best
}

func readTable(t *testing.T) *layers {
	t.Helper()
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n```layers\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !found || !closed {
		t.Fatal("docs/architecture.md has no ```layers block")
	}
	return parseTable(t, block)
}

// parseTable reads a block: one layer per line, highest first, a line that starts with a blank continues the one above.
func parseTable(t *testing.T, block string) *layers {
	t.Helper()
	l := &layers{}
	var name string
	for line := range strings.SplitSeq(block, "\n") {
		words := line
		if line != "" && line[0] != ' ' {
			name, words, _ = strings.Cut(line, " ")
			l.names = append(l.names, name)
		}
		l.addWords(t, name, words)
	}
	slices.Reverse(l.names)
	for _, e := range l.entries {
		e.layer = len(l.names) - 1 - e.layer
	}
	return l
}

// addWords adds "a  b(c d)" to the layer last named.
func (l *layers) addWords(t *testing.T, layer, words string) {
	t.Helper()
	for words = strings.TrimSpace(words); words != ""; words = strings.TrimSpace(words) {
		end := strings.IndexAny(words, " (")
		if end < 0 {
			end = len(words)
		}
		e := &entry{prefix: words[:end], layer: len(l.names) - 1, library: layer == "library"}
		words = words[end:]
		if strings.HasPrefix(words, "(") {
			inside, rest, closed := strings.Cut(words[1:], ")")
			if !closed {
				t.Fatalf("layer %s: no closing bracket after %s", layer, e.prefix)
			}
			e.siblings, words = strings.Fields(inside), rest
		}
		l.entries = append(l.entries, e)
	}
}

func TestTheTableNamesEachPackageOnceAndSiblingsThatExist(t *testing.T) {
	t.Parallel()
	table := readTable(t)
	byName := map[string]*entry{}
	for _, e := range table.entries {
		if byName[e.prefix] != nil {
			t.Errorf("%s is named twice", e.prefix)
		}
		byName[e.prefix] = e
	}
	for _, e := range table.entries {
		for _, s := range e.siblings {
			if other := byName[s]; other == nil || other.layer != e.layer {
				t.Errorf("%s names %s as a sibling, which is not in its layer", e.prefix, s)
			}
		}
	}
}

func TestTheTableIsReadAsWritten(t *testing.T) {
	t.Parallel()
	table := parseTable(t, "top  cmd\nlibrary  a(b c)  b\n  c\n  b/deep")
	if got := strings.Join(table.names, " "); got != "library top" {
		t.Errorf("layers from the lowest: %s", got)
	}
	a := table.find("a/inner")
	if a == nil || a.layer != 0 || !a.library || !slices.Equal(a.siblings, []string{"b", "c"}) {
		t.Errorf("a = %+v", a)
	}
	if deep := table.find("b/deep/er"); deep == nil || deep.prefix != "b/deep" {
		t.Errorf("the longest entry does not win: %+v", deep)
	}
	if cmd := table.find("cmd/holdfast"); cmd == nil || cmd.layer != 1 {
		t.Errorf("cmd = %+v", cmd)
	}
	if table.find("ab") != nil {
		t.Error("a prefix of a name is not the package")
	}
}
