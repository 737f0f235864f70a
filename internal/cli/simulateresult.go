package cli

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"holdfast/autoscale/simulate"
	"holdfast/internal/cli/rehearsal"
)

// conclude writes the report and prints what came out.
func (f *simulateFlags) conclude(c *cobra.Command, g *global, r *rehearsal.Document) error {
	if f.report != "" {
		var b bytes.Buffer
		write := r.HTML
		if filepath.Ext(f.report) == ".json" {
			write = func(w io.Writer) error { return encodeIndented(w, r) }
		}
		if err := write(&b); err != nil {
			return fmt.Errorf("make %s: %w", f.report, err)
		}
		if err := os.WriteFile(f.report, b.Bytes(), 0o644); err != nil { //nolint:gosec // a report is for everybody
			return err
		}
	}
	if g.json() {
		return encodeIndented(c.OutOrStdout(), r.Plain())
	}
	return writeRehearsal(g.screen(c.OutOrStdout()), r, f.price > 0)
}

func writeRehearsal(s *screen, r *rehearsal.Document, priced bool) error {
	if err := writeLines(s, append([]string{describeTrace(&r.Trace)}, r.Trace.Notes...)); err != nil {
		return err
	}
	if err := kept(r.Policies).write(s); err != nil {
		return err
	}
	if err := writeLines(s, []string{""}); err != nil {
		return err
	}
	if err := cost(r.Policies, priced).write(s); err != nil {
		return err
	}
	if len(r.Reactive) > 0 {
		if err := writeLines(s, []string{"", "Capacity with the hours that hpa-50 to hpa-85 need to be as safe:"}); err != nil {
			return err
		}
		if err := sweep(r).write(s); err != nil {
			return err
		}
	}
	if len(r.Suggested) > 0 {
		return writeSuggested(s, r)
	}
	return nil
}

// kept is the table of how requests fared.
func kept(list []simulate.Result) *table {
	t := &table{columns: []column{
		{name: "POLICY", least: 10},
		{name: "HOURS", right: true},
		{name: "IDEAL", right: true},
		{name: "SLOW MIN", right: true},
		{name: "LATE", right: true},
		{name: "LOST", right: true},
		{name: "SHORT", right: true},
		{name: "WORST 5M", right: true},
	}}
	for i := range list {
		m, d := &list[i].Mean, &list[i].Deviation
		t.add(text("%s", list[i].Name), text("%s", hours(m.InstanceHours)), text("%s", multiple(m.Ratio)), text("%s", withDeviation(m.ViolatedTime, d.ViolatedTime)),
			text("%s", withDeviation(m.Violations, d.Violations)), text("%s", part(m.Lost)), text("%s", part(m.TauUnder)), text("%s", part(m.WorstWindow)))
	}
	return t
}

// cost is the table of what instances did.
func cost(list []simulate.Result, priced bool) *table {
	t := &table{columns: []column{
		{name: "POLICY", least: 10},
		{name: "BOOT IDEAL", right: true},
		{name: "THETA U/O", right: true},
		{name: "OVER", right: true},
		{name: "UNSTABLE", right: true},
		{name: "CHANGES/DAY", right: true},
		{name: "STARTS", right: true},
		{name: "MOST", right: true},
	}}
	if priced {
		t.columns[6].name = "COST"
	}
	for i := range list {
		m := &list[i].Mean
		last := text("%.0f", m.Starts)
		if priced {
			last = text("%.2f", m.Cost)
		}
		t.add(text("%s", list[i].Name), text("%s", multiple(m.RatioBoot)), text("%s/%s", part(m.ThetaUnder), part(m.ThetaOver)), text("%s", part(m.TauOver)),
			text("%s", part(m.Unstable)), text("%.1f", m.ChangesPerDay), last, text("%.0f", m.Most))
	}
	return t
}

// sweep compares the two lines at the same safety.
func sweep(r *rehearsal.Document) *table {
	t := &table{columns: []column{{name: "CAPACITY", least: 10}, {name: "HOURS", right: true}, {name: "SLOW MIN", right: true}}}
	for _, m := range simulate.Measures() {
		t.columns = append(t.columns, column{name: m.Short, right: true})
	}
	for i := range r.Sized {
		p := &r.Sized[i]
		row := []cell{text("%s", p.Name), text("%s", hours(p.Mean.InstanceHours)), text("%s", part(p.Mean.ViolatedTime))}
		for _, m := range simulate.Measures() {
			row = append(row, gapCell(r.Reactive, p, m))
		}
		t.add(row...)
	}
	return t
}

// gapCell is how many more hours a policy needs than a line that is as safe.
func gapCell(line []simulate.Result, p *simulate.Result, m simulate.Measure) cell {
	h, err := simulate.HoursFor(line, m.Of, m.Of(&p.Mean))
	if err != nil || h == 0 {
		return text("safer")
	}
	gap := p.Mean.InstanceHours/h - 1
	colour := plain
	if gap < 0 {
		colour = green
	}
	return cell{fmt.Sprintf("%+.1f%%", 100*gap), colour}
}

func hours(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func multiple(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fx", v)
}

// part writes percent with as many digits as tell rare things apart.
func part(v float64) string {
	switch {
	case v == 0:
		return "0%"
	case v < 0.001:
		return "<0.001%"
	case v < 1:
		return fmt.Sprintf("%.2g%%", v)
	}
	return fmt.Sprintf("%.3g%%", v)
}

func withDeviation(v, d float64) string {
	if math.Abs(d) < 0.005 {
		return part(v)
	}
	return fmt.Sprintf("%s+-%.1g", part(v), d)
}
