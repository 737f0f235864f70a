package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// row prints one aligned line of progress.
func (r *report) row(verdict, name, tests, took string) {
	fmt.Fprintf(r.out, "%-5s %-44s %10s %9s\n", verdict, name, tests, took)
}

// packageLine prints a package as it ends, and below a failed one all that explains the failure.
func (r *report) packageLine(p *packageRun) {
	if p.verdict == skipped {
		return // no test files
	}
	took := seconds(p.took)
	if p.cached {
		took = "cached"
	}
	verdict := "ok"
	if p.verdict == failed {
		verdict = "FAIL"
	}
	r.row(verdict, p.path, amount(p.leaves(), "test"), took)
	if p.verdict == failed {
		fmt.Fprint(r.out, p.explain())
	}
}

// amount writes "1 test" and "2 tests".
func amount(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func (p *packageRun) leaves() int {
	n := 0
	for _, t := range p.tests {
		if !t.parent {
			n++
		}
	}
	return n
}

// explain is the output, in full, of the tests that did not pass, then what belongs to no test.
func (p *packageRun) explain() string {
	var lines []string
	for _, t := range p.tests {
		if t.verdict == failed || t.verdict == unfinished {
			lines = append(lines, said(t.output)...)
		}
	}
	return indent(append(lines, said(p.output)...))
}

func indent(lines []string) string {
	text := strings.TrimRight(strings.Join(lines, ""), "\n")
	if text == "" {
		return ""
	}
	return "      " + strings.ReplaceAll(text, "\n", "\n      ") + "\n"
}

// close prints the summary and says whether all is well. With noSkip, skipped tests are counted as failed here.
func (r *report) close() bool {
	skips := len(r.skips)
	fmt.Fprintln(r.out, "\nwhat ran")
	for _, s := range r.stages {
		fmt.Fprintf(r.out, "  %-16s %-44s %9s\n", s.name, s.result, seconds(s.took))
	}
	if skips > 0 {
		fmt.Fprintln(r.out, "skipped")
		for _, s := range r.skips {
			fmt.Fprintf(r.out, "  SKIPPED %s %s: %s\n", s.pkg, s.test, s.reason)
			if r.noSkip {
				r.failed = append(r.failed, fmt.Sprintf("%s %s: skipped although HOLDFAST_NO_SKIP is set", s.pkg, s.test))
			}
		}
	}
	if r.noSkip {
		skips = 0 // counted as failed
	}
	r.list("figures", r.figure)
	r.list("failed", r.failed)
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, len(r.failed), skips)
	return len(r.failed) == 0
}

func (r *report) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(r.out, title)
	for _, l := range lines {
		fmt.Fprintln(r.out, "  "+l)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
