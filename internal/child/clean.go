package child

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a line safe to show in a terminal, a log or a page: valid UTF-8,
// without terminal control sequences and control characters.
func clean(raw []byte, dropped int) string {
	raw = bytes.TrimSuffix(raw, []byte{'\r'})
	if dropped > 0 {
		raw = trimPartialRune(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for len(raw) > 0 {
		if n := escapeSequence(raw); n > 0 {
			raw = raw[n:]
			continue
		}
		r, n := utf8.DecodeRune(raw)
		if unicode.IsControl(r) && r != '\t' {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		raw = raw[n:]
	}
	if dropped > 0 {
		b.WriteString(" [line cut]")
	}
	return b.String()
}

// trimPartialRune drops a character that the cut went through.
func trimPartialRune(raw []byte) []byte {
	for i := 1; i < min(utf8.UTFMax, len(raw)); i++ {
		if tail := raw[len(raw)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return raw[:len(raw)-i]
			}
			break
		}
	}
	return raw
}

// escapeSequence gives the length of the terminal sequence raw begins with
// (ESC [ parameters letter: colours, cursor), 0 when there is none.
func escapeSequence(raw []byte) int {
	if len(raw) < 2 || raw[0] != 0x1b || raw[1] != '[' {
		return 0
	}
	for i, c := range raw[2:] {
		if c >= 0x40 && c <= 0x7e {
			return i + 3
		}
		if c < 0x20 || c > 0x7e {
			return 0
		}
	}
	return len(raw)
}
