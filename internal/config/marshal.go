package config

import (
	"strconv"
	"strings"
)

// Marshal writes c as YAML, every key that has a value, defaults included. Load
// reads it back to an equal Config. With mask, secrets are replaced by ***, for
// people to look at.
func Marshal(c *Config, mask bool) []byte {
	e := encoder{catalog: catalog{}}
	w := writer{mask: mask}
	w.block(e.config(c), 0)
	return []byte(w.out.String())
}

type writer struct {
	out  strings.Builder
	mask bool
}

// block writes the pairs of a mapping, one a line.
func (w *writer) block(n *node, indent int) {
	for _, p := range n.pairs {
		w.out.WriteString(strings.Repeat("  ", indent))
		w.out.WriteString(quoteScalar(p.key) + ":")
		w.after(p.value, indent)
	}
}

// after writes the value behind a key.
func (w *writer) after(n *node, indent int) {
	switch {
	case n.kind == scalarNode || isFlat(n):
		w.out.WriteString(" ")
		w.flow(n)
		w.out.WriteString("\n")
	case n.kind == mappingNode:
		w.out.WriteString("\n")
		w.block(n, indent+1)
	default:
		w.out.WriteString("\n")
		for _, item := range n.items {
			w.out.WriteString(strings.Repeat("  ", indent+1) + "- ")
			w.flow(item)
			w.out.WriteString("\n")
		}
	}
}

// isFlat reports whether a value is short enough for one line: a list of single
// values, or nothing.
func isFlat(n *node) bool {
	if n.kind == mappingNode {
		return len(n.pairs) == 0
	}
	for _, item := range n.items {
		if item.kind != scalarNode {
			return false
		}
	}
	return true
}

// flow writes a value in one line.
func (w *writer) flow(n *node) {
	switch n.kind {
	case scalarNode:
		w.out.WriteString(w.scalar(n))
	case listNode:
		w.out.WriteString("[")
		for i, item := range n.items {
			w.comma(i)
			w.flow(item)
		}
		w.out.WriteString("]")
	case mappingNode:
		w.out.WriteString("{")
		for i, p := range n.pairs {
			w.comma(i)
			w.out.WriteString(quoteScalar(p.key) + ": ")
			w.flow(p.value)
		}
		w.out.WriteString("}")
	case nullNode:
		w.out.WriteString("null")
	}
}

func (w *writer) comma(i int) {
	if i > 0 {
		w.out.WriteString(", ")
	}
}

func (w *writer) scalar(n *node) string {
	text := n.text
	if w.mask && n.hidden != "" {
		text = n.hidden
	}
	if !n.quoted {
		return quoteScalar(text)
	}
	return quoteScalar(strings.ReplaceAll(text, "${", "$${"))
}

// quoteScalar writes text plain where YAML cannot take it for anything else,
// and in double quotes otherwise. Escapes are those of JSON, which YAML shares.
func quoteScalar(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c == 0x7f || c == 0x85 || c == 0x2028 || c == 0x2029 || c == 0xfeff:
			b.WriteString(`\u` + hex4(c))
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hex4(c rune) string {
	s := strconv.FormatInt(int64(c), 16)
	return strings.Repeat("0", 4-len(s)) + s
}

// isPlain is on the safe side: letters first, and nothing YAML has a use for.
// Words that some YAML takes for a truth value or nothing are quoted.
func isPlain(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "no", "on", "off", "null", "y", "n":
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-/+%", rune(c))) {
			return false
		}
	}
	return s != ""
}
