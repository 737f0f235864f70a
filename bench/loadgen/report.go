//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what a run measured.
type report struct {
	plan     *plan
	started  time.Time
	versions map[string]string
	bouts    []*bout
}

// spread is a median with the least and the greatest of what it was taken from.
type spread struct{ mid, low, high float64 }

func spreadOf(values []float64) (s spread, ok bool) {
	n := len(values)
	if n == 0 {
		return s, false
	}
	v := slices.Sorted(slices.Values(values))
	return spread{mid: (v[(n-1)/2] + v[n/2]) / 2, low: v[0], high: v[n-1]}, true
}

func cpu(s sample) float64    { return s.CPU }
func rate(s sample) float64   { return s.Rate }
func memory(s sample) float64 { return s.Memory }

func (e *entry) of(figure func(sample) float64) (spread, bool) {
	var values []float64
	for _, s := range e.rounds {
		values = append(values, figure(s))
	}
	return spreadOf(values)
}

// ratios are of a figure of each round by that of the reference.
func (b *bout) ratios(e *entry, figure func(sample) float64) (spread, bool) {
	var values []float64
	i := slices.IndexFunc(b.entries, func(e *entry) bool { return e.tool.name == b.against })
	if i < 0 || b.entries[i].missing != "" {
		return spread{}, false
	}
	for k := range min(len(e.rounds), len(b.entries[i].rounds)) {
		values = append(values, figure(e.rounds[k])/figure(b.entries[i].rounds[k]))
	}
	return spreadOf(values)
}

func (b *bout) head() []string {
	if b.name == usersCase {
		return []string{"tool", "KiB/user", "range", "requests/s"}
	}
	return []string{"tool", "CPU us/request", "by " + b.against + "'s", "range", "requests/s"}
}

func (b *bout) row(e *entry) []string {
	row := []string{e.tool.name}
	r, measured := e.of(rate)
	switch {
	case e.missing != "" || !measured:
		return append(row, slices.Repeat([]string{"-"}, len(b.head())-1)...)
	case b.name == usersCase:
		m, _ := e.of(memory)
		return append(row, fmt.Sprintf("%.1f", m.mid), fmt.Sprintf("%.1f .. %.1f", m.low, m.high), fmt.Sprintf("%.0f", r.mid))
	}
	c, _ := e.of(cpu)
	ratio, between := "-", "-"
	if x, ok := b.ratios(e, cpu); ok {
		ratio, between = fmt.Sprintf("%.2f", x.mid), fmt.Sprintf("%.2f .. %.2f", x.low, x.high)
	}
	return append(row, fmt.Sprintf("%.1f", c.mid), ratio, between, fmt.Sprintf("%.0f", r.mid))
}

func (b *bout) title() string {
	if b.rate > 0 {
		return fmt.Sprintf("At %d requests a second", b.rate)
	}
	if b.name == usersCase {
		return fmt.Sprintf("Memory of %d virtual users", b.users)
	}
	return fmt.Sprintf("%d virtual users, as fast as it goes", b.users)
}

// text writes the tables for a terminal.
func (r *report) text(out io.Writer) {
	fmt.Fprintln(out, r.about())
	for _, b := range r.bouts {
		fmt.Fprintf(out, "\n%s\n\n", b.title())
		rows := [][]string{b.head()}
		for i, cell := range rows[0] {
			rows[0][i] = strings.ToUpper(cell)
		}
		for _, e := range b.entries {
			rows = append(rows, b.row(e))
		}
		align(out, rows)
	}
	for _, m := range r.absent() {
		fmt.Fprintf(out, "\nmissing: %s\n", m)
	}
	fmt.Fprintf(out, "\n%s\n", r.mood())
}

// align writes columns two spaces apart, the first left-aligned.
func align(out io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	for _, row := range rows {
		fmt.Fprintf(out, "%-*s", width[0], row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(out, "  %*s", width[i+1], cell)
		}
		fmt.Fprintln(out)
	}
}

func (r *report) about() string {
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.versions)) {
		versions = append(versions, name+" "+r.versions[name])
	}
	return fmt.Sprintf("%s, %d processors, Linux %s.\n%s.\nRounds: %d of %.0f s; %d threads each.", r.started.UTC().Format(time.DateOnly),
		runtime.NumCPU(), runtime.GOARCH, strings.Join(versions, ", "), r.plan.rounds, r.plan.round.Seconds(), r.plan.threads)
}

// mood says what else the machine did, which is how a noisy run shows.
func (r *report) mood() string {
	var load, others []float64
	for _, b := range r.bouts {
		for _, e := range b.entries {
			for _, s := range e.rounds {
				load, others = append(load, s.Load), append(others, 100*s.Others)
			}
		}
	}
	l, ok := spreadOf(load)
	if !ok {
		return "Nothing was measured."
	}
	o, _ := spreadOf(others)
	verdict := "a quiet machine"
	if o.mid > 5 {
		verdict = "a busy machine: compare ratios only, and with care"
	}
	return fmt.Sprintf("Load average %.1f (%.1f .. %.1f); others had %.0f %% of the processors (%.0f .. %.0f):\n%s.",
		l.mid, l.low, l.high, o.mid, o.low, o.high, verdict)
}

func (r *report) absent() []string {
	var list []string
	for _, b := range r.bouts {
		for _, e := range b.entries {
			if e.missing != "" {
				list = append(list, fmt.Sprintf("%s, %s: %s", b.name, e.tool.name, e.missing))
			}
		}
	}
	return list
}

var errMissing = errors.New("not all could be measured")

// missing is an error when a tool is missing in a case.
func (r *report) missing() error {
	if list := r.absent(); len(list) > 0 {
		return fmt.Errorf("%w:\n%s", errMissing, strings.Join(list, "\n"))
	}
	return nil
}

// What stands between these lines of performance.md is written by writeDocs.
const (
	startMark = "<!-- load generators: written by go run ./bench/loadgen -write -->"
	endMark   = "<!-- load generators: end -->"
)

var errMarks = errors.New("the lines between which the result belongs are not there")

func (r *report) writeDocs(dir string) error {
	path := filepath.Join(dir, "performance.md")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(page, []byte(startMark+"\n"))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return fmt.Errorf("%s: %w", path, errMarks)
	}
	page = slices.Concat(before, []byte(startMark+"\n"), r.markdown(), []byte(endMark), after)
	return os.WriteFile(path, page, 0o644) //nolint:gosec // a page for everybody
}

func (r *report) markdown() []byte {
	var out bytes.Buffer
	for _, b := range r.bouts {
		head := b.head()
		fmt.Fprintf(&out, "\n### %s\n\n| %s |\n|---|%s\n", b.title(), strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
		for _, e := range b.entries {
			fmt.Fprintf(&out, "| %s |\n", strings.Join(b.row(e), " | "))
		}
	}
	for _, m := range r.absent() {
		fmt.Fprintf(&out, "\nMissing: %s\n", m)
	}
	fmt.Fprintf(&out, "\n%s\n%s\n\n", r.about(), r.mood())
	return out.Bytes()
}
