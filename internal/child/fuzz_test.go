package child

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzOutput reads what processes print, in two pieces. What is kept can be
// shown in a terminal as it is, and no line is longer than is allowed.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("a\nb"), []byte("c\r\n\x1b[31"), uint8(2))
	f.Add([]byte("\x1b["), []byte("2Jx\u009b31m\xc3"), uint8(0))
	f.Add([]byte{}, []byte("\n\n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, one, two []byte, size uint8) {
		told := 0
		o := NewOutput(int(size%8)+1, func(line string) {
			told++
			// A broken character takes three bytes where there was one.
			if len(line) > 3*maxLine+len(" [line cut]") || !utf8.ValidString(line) {
				t.Errorf("%d bytes: %q", len(line), line)
			}
			for _, r := range line {
				if unicode.IsControl(r) && r != '\t' {
					t.Fatalf("%q has the control character %U", line, r)
				}
			}
		})
		o.write(one)
		o.write(two)
		if lines := o.Lines(); len(lines) != min(told, int(size%8)+1) {
			t.Errorf("%d lines told, %d kept of %d", told, len(lines), int(size%8)+1)
		}
		if last := o.Last(); len(last) > 210 || !utf8.ValidString(last) {
			t.Errorf("the last words are %q", last)
		}
	})
}
