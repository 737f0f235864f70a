package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// column is one column of a table. Least is how far it may be shortened when
// the line is too long; 0: not at all.
type column struct {
	name  string
	right bool
	least int
}

// colour is an ANSI colour; the zero value leaves the text as it is.
type colour int

const (
	plain  colour = 0
	red    colour = 31
	green  colour = 32
	yellow colour = 33
	faint  colour = 2
)

type cell struct {
	text   string
	colour colour
}

// table prints rows that fit the width of the terminal, 80 columns where there
// is none. Text that does not fit is cut with an ellipsis; -o json has it all.
type table struct {
	columns []column
	rows    [][]cell
}

const (
	defaultWidth = 80
	leastWidth   = 40
	gap          = "  "
)

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func text(format string, args ...any) cell { return cell{text: fmt.Sprintf(format, args...)} }

// screen is where output goes and what it can show.
type screen struct {
	w        io.Writer
	width    int
	terminal bool
	colour   bool
}

func (g *global) screen(w io.Writer) *screen {
	s := &screen{w: w, width: defaultWidth}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		s.width = max(width, leastWidth)
	}
	s.terminal = true
	s.colour = g.variable("NO_COLOR") == "" && g.variable("TERM") != "dumb"
	return s
}

func (s *screen) paint(text string, c colour) string {
	if !s.colour || c == plain || text == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}

// write prints the table.
func (t *table) write(s *screen) error {
	widths := t.widths(s.width)
	var b strings.Builder
	header := make([]cell, len(t.columns))
	for i, c := range t.columns {
		header[i] = cell{c.name, faint}
	}
	t.line(&b, s, header, widths)
	for _, row := range t.rows {
		t.line(&b, s, row, widths)
	}
	_, err := io.WriteString(s.w, b.String())
	return err
}

func (t *table) line(b *strings.Builder, s *screen, row []cell, widths []int) {
	var line strings.Builder
	for i, c := range row {
		shown := cut(clean(c.text), widths[i])
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(shown))
		if i > 0 {
			line.WriteString(gap)
		}
		switch {
		case t.columns[i].right:
			line.WriteString(pad + s.paint(shown, c.colour))
		default:
			line.WriteString(s.paint(shown, c.colour) + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// widths gives every column what it needs and takes from the widest of those
// that may be shortened until the line fits.
func (t *table) widths(limit int) []int {
	widths := make([]int, len(t.columns))
	total := len(gap) * (len(t.columns) - 1)
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(clean(row[i].text)))
		}
		total += widths[i]
	}
	for ; total > limit; total-- {
		widest := -1
		for i, c := range t.columns {
			if c.least > 0 && widths[i] > c.least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// cut shortens text to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(n-1, 0)]) + "…"
}

// clean takes out what would move the cursor or colour the terminal: paths and
// reasons are made of what clients sent.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// writeLines prints what the API explains, wrapped where it is a terminal.
func writeLines(s *screen, lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(s.w, s.wrap(clean(line))); err != nil {
			return err
		}
	}
	return nil
}

// wrap breaks a line between words so that it fits a terminal; what follows is
// indented. Elsewhere one line stays one line, for grep.
func (s *screen) wrap(line string) string {
	if !s.terminal || utf8.RuneCountInString(line) <= s.width {
		return line
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	var b strings.Builder
	b.WriteString(indent)
	used := len(indent)
	for i, word := range strings.Fields(line) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case used+1+n > s.width:
			b.WriteString("\n" + indent + "    ")
			used = len(indent) + 4
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
