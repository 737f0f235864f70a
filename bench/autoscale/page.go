package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"holdfast/autoscale/simulate"
	"holdfast/internal/cli/rehearsal"
)

// What stands between these lines of autoscaling.md is written by -write.
const (
	startMark = "<!-- measured: written by go run ./bench/autoscale -write -->"
	endMark   = "<!-- measured: end -->"
)

var errMarks = errors.New("the lines between which the result belongs are not there")

// write puts the result into the page in dir and draws its pictures.
func (f *findings) write(dir string) error {
	path := filepath.Join(dir, "autoscaling.md")
	page, err := os.ReadFile(path) //nolint:gosec // the user names the directory
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(page, []byte(startMark+"\n"))
	_, after, ended := bytes.Cut(rest, []byte(endMark))
	if !found || !ended {
		return fmt.Errorf("%s: %w", path, errMarks)
	}
	page = bytes.Join([][]byte{before, []byte(startMark + "\n"), []byte(f.markdown()), []byte(endMark), after}, nil)
	if err := os.WriteFile(path, page, 0o644); err != nil { //nolint:gosec // a page for everybody
		return err
	}
	for i := range f.contests {
		c := &f.contests[i]
		picture := rehearsal.Pareto(c.reactive, c.sized, simulate.Measures()[0]).Picture(
			fmt.Sprintf("%s, peak of %g instances: time below the objective against hours over the ideal", c.trace, c.peak))
		if err := os.WriteFile(filepath.Join(dir, c.picture()), picture, 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	return nil
}

func (c *contest) picture() string { return fmt.Sprintf("autoscaling-%s-%g.svg", c.trace, c.peak) }

// markdown is the measured part of the page.
func (f *findings) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### Published points\n\n| trace | policy | hours over ideal | published | time under-provisioned | published |\n|---|---|--:|--:|--:|--:|\n")
	for _, p := range f.published {
		fmt.Fprintf(&b, "| %s | hpa-%.0f | %.2fx | %.2fx | %.2g %% | %v %% |\n", p.trace, p.percent, p.ratio, p.publishedRatio, p.under, p.publishedUnder)
	}
	fmt.Fprintf(&b, "\n### Hours at the same safety\n\nInstance-hours of the capacity model by those of the reactive line where that is as safe, over the points of the curve:\n"+
		"the mean over %d seeds, from the best point to the worst. In brackets, how many points are significantly below, on and above the line (95 %%).\n"+
		"Points that are safer than the whole line are counted last.\n\n", f.seeds)
	b.WriteString("| trace | peak |")
	for _, m := range simulate.Measures() {
		fmt.Fprintf(&b, " %s |", m.Name)
	}
	b.WriteString("\n|---|--:|" + strings.Repeat("--:|", len(simulate.Measures())) + "\n")
	for i := range f.contests {
		c := &f.contests[i]
		fmt.Fprintf(&b, "| %s | %g |", c.trace, c.peak)
		for _, m := range simulate.Measures() {
			fmt.Fprintf(&b, " %s |", summary(c.gaps(m)))
		}
		b.WriteString("\n")
	}
	b.WriteString("\n" + f.verdict() + "\n")
	for i := range f.contests {
		fmt.Fprintf(&b, "\n![%s with a peak of %g instances](%s)\n", f.contests[i].trace, f.contests[i].peak, f.contests[i].picture())
	}
	b.WriteString("\n<details><summary>All points</summary>\n\n")
	for i := range f.contests {
		f.contests[i].points(&b)
	}
	b.WriteString("</details>\n\n" + f.about() + "\n\n")
	return b.String()
}

// summary writes the gaps of a curve: from the best to the worst, and how many
// are where.
func summary(list []gap) string {
	best, worst, n := 0.0, 0.0, 0
	below, on, above, safer := count(list)
	for _, g := range list {
		if g.safer || g.idle {
			continue
		}
		if n == 0 {
			best, worst = g.mean, g.mean
		}
		best, worst = min(best, g.mean), max(worst, g.mean)
		n++
	}
	if n == 0 {
		return fmt.Sprintf("safer (%d)", safer)
	}
	return fmt.Sprintf("%+.1f to %+.1f %% (%d/%d/%d, %d)", best, worst, below, on, above, safer)
}

// count says how many points are significantly below the line, on it, above
// it, and safer than all of it.
func count(list []gap) (below, on, above, safer int) {
	for _, g := range list {
		switch {
		case g.idle:
		case g.safer:
			safer++
		case g.high < 0:
			below++
		case g.low > 0:
			above++
		default:
			on++
		}
	}
	return below, on, above, safer
}

// verdict says in sentences what the table comes to.
func (f *findings) verdict() string {
	var b strings.Builder
	for _, m := range simulate.Measures() {
		var below, on, above, safer int
		var where []string
		for i := range f.contests {
			c := &f.contests[i]
			x, y, z, s := count(c.gaps(m))
			below, on, above, safer = below+x, on+y, above+z, safer+s
			if z > 0 {
				where = append(where, fmt.Sprintf("%s at %g", c.trace, c.peak))
			}
		}
		fmt.Fprintf(&b, "- By %s %d points are below the line, %d on it, %d safer than all of it, and %d above it", m.Name, below, on, safer, above)
		if len(where) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(where, ", "))
		}
		b.WriteString(".\n")
	}
	return b.String()
}

// points is a table of both lines.
func (c *contest) points(b *strings.Builder) {
	fmt.Fprintf(b, "%s, peak of %g:\n\n| policy | hours over ideal | slow minutes %% | late or lost %% | under-provisioned %% | demand missing %% | changes/day |\n|---|--:|--:|--:|--:|--:|--:|\n", c.trace, c.peak)
	for _, line := range [][]simulate.Result{c.reactive, c.sized} {
		for i := range line {
			m := &line[i].Mean
			fmt.Fprintf(b, "| %s | %.3fx | %.3g | %.3g | %.3g | %.3g | %.0f |\n", line[i].Name, m.Ratio, m.ViolatedTime, m.Violations, m.TauUnder, m.Missing, m.ChangesPerDay)
		}
	}
	b.WriteString("\n")
}
