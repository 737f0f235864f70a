package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// What stands between these lines of performance.md is written by WriteDocs.
const (
	startMark = "<!-- measured: written by go run ./bench/gateway -write -->"
	endMark   = "<!-- measured: end -->"
)

var errMarks = errors.New("the lines between which the result belongs are not there")

// WriteDocs puts the run into performance.md in dir, between its marks, and
// draws performance.svg beside it.
func (r *Run) WriteDocs(dir string) error {
	path := filepath.Join(dir, "performance.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	page, err = replaceBetween(page, r.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, page, 0o644); err != nil { //nolint:gosec // a page for everybody
		return err
	}
	return os.WriteFile(filepath.Join(dir, "performance.svg"), r.chart(), 0o644) //nolint:gosec // as above
}

func replaceBetween(page, text []byte) ([]byte, error) {
	before, rest, found := bytes.Cut(page, []byte(startMark+"\n"))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return nil, errMarks
	}
	return bytes.Join([][]byte{before, []byte(startMark + "\n"), text, []byte(endMark), after}, nil), nil
}

// markdown is the measured part of the page. What only some readers want to
// see is folded away.
func (r *Run) markdown() []byte {
	var b bytes.Buffer
	for i, s := range r.sections() {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", s.title, s.note)
		s.table.markdown(&b)
		if i == 0 {
			b.WriteString("\n![CPU time per request by HAProxy's, of nginx, Caddy and Holdfast](performance.svg)\n")
		}
	}
	for _, m := range r.missing() {
		fmt.Fprintf(&b, "\nMissing: %s\n", m)
	}
	fmt.Fprintf(&b, "\n%s\n%s\n\n", r.about(), r.mood())
	return b.Bytes()
}
