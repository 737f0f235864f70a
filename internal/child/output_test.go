package child

import (
	"slices"
	"strings"
	"testing"
)

func TestALineIsMadeSafeToShow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw     string
		dropped int
		want    string
	}{
		{"plain", 0, "plain"},
		{"tab\tand ümlaut", 0, "tab\tand ümlaut"},
		{"dos\r", 0, "dos"},
		{"\x1b[1;31mbold red\x1b[0m", 0, "bold red"},
		{"\x1b[unfinished", 0, "nfinished"},
		{"\x1b[12", 0, ""},
		{"\x1b]0;title\x07", 0, "\ufffd]0;title\ufffd"},
		{"\u009b31m", 0, "\ufffd31m"},
		{"cut in a character \xc3", 5, "cut in a character  [line cut]"},
		{"cut after one ü", 5, "cut after one ü [line cut]"},
	}
	for _, test := range tests {
		if got := clean([]byte(test.raw), test.dropped); got != test.want {
			t.Errorf("%q becomes %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestTheLastWordsAreCutToASentence(t *testing.T) {
	t.Parallel()
	o := NewOutput(3, nil)
	if o.Last() != "" {
		t.Error("there are last words of a silent child")
	}
	o.write([]byte(strings.Repeat("ü", 300) + "\n\n  \n"))
	if last := o.Last(); len(last) > 210 || !strings.HasPrefix(last, "üü") || !strings.HasSuffix(last, "ü...") {
		t.Errorf("the last words are %q", last)
	}
	if want := 3; len(slices.Compact(o.Lines())) != want {
		t.Errorf("kept are %q", o.Lines())
	}
}
