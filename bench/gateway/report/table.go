package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table is text in columns: the first left-aligned, as are names, the others right.
type table struct {
	names int // how many columns are names
	head  []string
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// text writes the table for a terminal, with columns two spaces apart.
func (t *table) text(out io.Writer) {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(row []string) {
		var b strings.Builder
		for i, cell := range row {
			if i < t.names {
				fmt.Fprintf(&b, "%-*s  ", width[i], cell)
			} else {
				fmt.Fprintf(&b, "%*s  ", width[i], cell)
			}
		}
		fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
	}
	head := make([]string, len(t.head))
	for i, cell := range t.head {
		head[i] = strings.ToUpper(cell)
	}
	line(head)
	for _, row := range t.rows {
		line(row)
	}
}

// markdown writes the same as a table of Markdown.
func (t *table) markdown(out io.Writer) {
	fmt.Fprintf(out, "| %s |\n|%s%s\n", strings.Join(t.head, " | "),
		strings.Repeat("---|", t.names), strings.Repeat("---:|", len(t.head)-t.names))
	for _, row := range t.rows {
		fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
	}
}
