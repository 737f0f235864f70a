package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/drill"
	"holdfast/loadtest/report"
)

// drillDocument is what -o json and --report FILE.json write.
type drillDocument struct {
	Schema int           `json:"schema"`
	Drills []drillReport `json:"drills"`
}

type drillReport struct {
	*drill.Result

	Load *report.Document `json:"load,omitempty"`
}

func documentOf(results []*drill.Result) *drillDocument {
	d := &drillDocument{Schema: 1, Drills: []drillReport{}}
	for _, r := range results {
		d.Drills = append(d.Drills, drillReport{r, drillPage(r)})
	}
	return d
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// show prints the results and writes the report.
func (f *drillFlags) show(c *cobra.Command, g *global, results []*drill.Result) error {
	if len(results) == 0 {
		return nil
	}
	if err := f.writeReport(results); err != nil {
		return err
	}
	if g.json() {
		return writeJSON(c.OutOrStdout(), documentOf(results))
	}
	s := g.screen(c.OutOrStdout())
	for _, r := range results {
		if err := showDrill(s, r); err != nil {
			return err
		}
	}
	for i, r := range results {
		if i > 0 && r.Control && r.Skipped == "" && results[i-1].Skipped == "" {
			if err := sideBySide(s, results[i-1], r); err != nil {
				return err
			}
		}
	}
	if len(results) == 1 {
		return nil
	}
	if _, err := fmt.Fprintln(s.w); err != nil {
		return err
	}
	return drillSummary(results).write(s)
}

// writeReport writes one JSON file, or a page for each drill.
func (f *drillFlags) writeReport(results []*drill.Result) error {
	if f.report == "" {
		return nil
	}
	if filepath.Ext(f.report) == ".json" {
		return writeFile(f.report, func(w io.Writer) error { return writeJSON(w, documentOf(results)) })
	}
	for _, r := range results {
		page := drillPage(r)
		if page == nil {
			continue
		}
		name := f.report
		if len(results) > 1 {
			name = strings.TrimSuffix(name, ".html") + "-" + r.Experiment + controlName(r) + ".html"
		}
		if err := writeFile(name, page.HTML); err != nil {
			return err
		}
	}
	return nil
}

func controlName(r *drill.Result) string {
	if r.Control {
		return "-control"
	}
	return ""
}

func writeFile(name string, write func(io.Writer) error) error {
	out, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := write(out); err != nil {
		_ = out.Close() // the first error counts
		return fmt.Errorf("write the report: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func drillVerdict(r *drill.Result) cell {
	switch {
	case r.Skipped != "":
		return cell{"SKIPPED", yellow}
	case r.Control:
		return cell{"control", faint}
	case r.Invalid():
		return cell{"INVALID", yellow}
	case r.Passed:
		return cell{"passed", green}
	}
	return cell{"FAILED", red}
}

// wholePoints are rounded down: 100 is for those who have all.
func wholePoints(s *drill.Score) string { return fmt.Sprintf("%.0f", math.Floor(s.Total)) }

func showDrill(s *screen, r *drill.Result) error {
	v := drillVerdict(r)
	head := fmt.Sprintf("\n%s on %s: %s", r.Experiment, r.Function, s.paint(v.text, v.colour))
	lines := []string{}
	switch {
	case r.Skipped != "":
		lines = append(lines, "  "+r.Skipped)
	case r.Control:
		lines = append(lines, "  the same load and faults, sent to one instance past Holdfast")
	case r.Score == nil:
		lines = append(lines, "  "+r.About)
	default:
		head += fmt.Sprintf(", %s of 100 points, %.0f %% of them measured", wholePoints(r.Score), r.Score.Measured)
		lines = append(lines, "  "+r.About)
	}
	if r.Score != nil && r.Score.Zero != "" {
		lines = append(lines, "  no points, because "+r.Score.Zero)
	}
	if _, err := fmt.Fprintln(s.w, head); err != nil {
		return err
	}
	if err := writeLines(s, lines); err != nil || r.Skipped != "" {
		return err
	}
	if err := expectations(r).write(s); err != nil {
		return err
	}
	return writeLines(s, drillNotes(r))
}

// expectations shows all figures: first what was expected of them.
func expectations(r *drill.Result) *table {
	t := &table{columns: []column{{name: "  FIGURE"}, {name: "MEASURED", right: true}, {name: "EXPECTED", least: 12}, {name: "MET", least: 8}, {name: "POINTS", right: true}}}
	told := map[string]bool{}
	for _, list := range [][]drill.Outcome{r.Steady, r.Expect} {
		for i := range list {
			o := &list[i]
			x, err := drill.ParseExpectation(o.Text)
			if err != nil {
				continue // it was parsed before
			}
			name, points := x.Figure, drillPoints(r, x.Figure)
			if i < len(r.Steady) && len(list) == len(r.Steady) && &list[0] == &r.Steady[0] {
				name, points = "steady "+name, ""
			} else {
				told[name] = true
			}
			t.add(text("  %s", name), text("%s", measured(o, x.Figure)), text("%s", strings.TrimPrefix(o.Text, x.Figure)), drillMet(o), text("%s", points))
		}
	}
	for _, name := range figureOrder() {
		if v, ok := r.Figures[name]; ok && !told[name] {
			t.add(text("  %s", name), text("%s", drill.Format(name, v)), text(""), text(""), text("%s", drillPoints(r, name)))
		}
	}
	return t
}

// figureOrder are the figures that are shown of every drill.
func figureOrder() []string {
	return []string{
		"availability", "gets", "p99", "inflation", "detect", "failover", "recover", "amplification", "duplicates", "lost", "residue", "files", "memory",
		"leftover",
	}
}

// sideBySide shows what Holdfast is good for: the same load and faults with it and without it.
func sideBySide(s *screen, with, without *drill.Result) error {
	if _, err := fmt.Fprintf(s.w, "\n%s, with Holdfast and without it\n", with.Experiment); err != nil {
		return err
	}
	t := &table{columns: []column{{name: "  FIGURE"}, {name: "HOLDFAST", right: true}, {name: "WITHOUT", right: true}}}
	shown := func(r *drill.Result, name string) string {
		if v, ok := r.Figures[name]; ok {
			return drill.Format(name, v)
		}
		return "-"
	}
	for _, name := range []string{"availability", "gets", "p99", "inflation", "failover", "recover", "hung"} {
		t.add(text("  %s", name), text("%s", shown(with, name)), text("%s", shown(without, name)))
	}
	return t.write(s)
}

func measured(o *drill.Outcome, figure string) string {
	if o.Measured == nil {
		return "-"
	}
	return drill.Format(figure, *o.Measured)
}

func drillMet(o *drill.Outcome) cell {
	switch {
	case o.Skipped:
		return cell{"SKIPPED", yellow}
	case o.Met:
		return cell{"yes", green}
	case o.Why != "":
		return cell{"NO: " + o.Why, red}
	}
	return cell{"NO", red}
}

func drillPoints(r *drill.Result, figure string) string {
	if r.Score == nil {
		return ""
	}
	for _, p := range r.Score.Parts {
		if p.Figure == figure && p.Not == "" {
			return fmt.Sprintf("%.1f/%.0f", p.Points, p.Weight)
		}
	}
	return ""
}

// drillNotes says what the table has no place for.
func drillNotes(r *drill.Result) []string {
	lines := []string{fmt.Sprintf("  fault window: %d requests, %d failed, %d of them not sent; POSTs acknowledged: %d",
		r.Requests.Planned, r.Requests.Failed, r.Requests.NotSent, r.Requests.Acknowledged)}
	if why := r.Not["duplicates"]; why != "" && !r.Control {
		lines = append(lines, "  SKIPPED duplicates and lost writes: "+why)
	}
	if x := r.Residue; x != nil {
		lines = append(lines, fmt.Sprintf("  left behind: %+d goroutines, %+d files, %+.1f MiB", x.Goroutines, x.Files, float64(x.Bytes)/(1<<20)))
		for _, what := range x.Left {
			lines = append(lines, "  left behind: "+clean(what))
		}
	}
	if g := &r.Generator; len(g.Reasons) > 0 {
		lines = append(lines, "  the generator is "+g.Verdict+": "+strings.Join(g.Reasons, "; "))
	}
	return lines
}

func drillSummary(results []*drill.Result) *table {
	t := &table{columns: []column{
		{name: "EXPERIMENT", least: 13},
		{name: "VERDICT"},
		{name: "POINTS", right: true},
		{name: "AVAIL", right: true},
		{name: "DETECT", right: true},
		{name: "FAILOVER", right: true},
		{name: "RECOVER", right: true},
		{name: "LOAD"},
	}}
	for _, r := range results {
		points := "-"
		if r.Score != nil {
			points = wholePoints(r.Score)
		}
		load := text("%s", cmp.Or(r.Generator.Verdict, "-"))
		row := []cell{text("%s", r.Experiment), drillVerdict(r), text("%s", points)}
		for _, name := range []string{"availability", "detect", "failover", "recover"} {
			shown := "-"
			if v, ok := r.Figures[name]; ok {
				shown = drill.Format(name, v)
			}
			row = append(row, text("%s", shown))
		}
		row = append(row, load)
		t.add(row...)
	}
	return t
}

// drillPage is the report of a drill; nil when it was skipped.
func drillPage(r *drill.Result) *report.Document {
	if r.Load == nil {
		return nil
	}
	d := report.New(r.Load)
	v := drillVerdict(r)
	d.Title = fmt.Sprintf("Drill %s on %s%s", r.Experiment, r.Function, strings.ReplaceAll(controlName(r), "-", ", "))
	d.Verdict.Passed = r.Passed || r.Control
	for _, list := range [][]drill.Outcome{r.Steady, r.Expect} {
		for i := range list {
			o := &list[i]
			x, err := drill.ParseExpectation(o.Text)
			if err != nil {
				continue // it was parsed before
			}
			shown := measured(o, x.Figure)
			if o.Why != "" {
				shown = o.Why
			}
			d.Verdict.Objectives = append(d.Verdict.Objectives, report.Objective{Text: o.Text, Value: shown, Met: o.Met})
		}
	}
	d.Setup = append(d.Setup, report.Setting{Name: "experiment", Value: r.About}, report.Setting{Name: "again", Value: "holdfast drill " + r.Experiment + " --function " + r.Function})
	d.Setup = append(d.Setup, report.Setting{Name: "verdict", Value: v.text})
	if r.Score != nil {
		d.Setup = append(d.Setup, report.Setting{Name: "score", Value: fmt.Sprintf("%.1f of 100, %.0f %% measured %s", r.Score.Total, r.Score.Measured, r.Score.Zero)})
		for _, p := range r.Score.Parts {
			d.Setup = append(d.Setup, report.Setting{Name: "points for " + p.Figure, Value: fmt.Sprintf("%.1f of %.0f %s", p.Points, p.Weight, p.Not)})
		}
	}
	for name, why := range r.Not {
		d.Setup = append(d.Setup, report.Setting{Name: "not measured: " + name, Value: why})
	}
	for _, line := range drillNotes(r) {
		d.Setup = append(d.Setup, report.Setting{Name: "note", Value: strings.TrimSpace(line)})
	}
	for _, x := range r.Faults {
		d.Windows = append(d.Windows, report.Window{From: x.Injected.Sub(r.Begun).Seconds(), To: x.Reverted.Sub(r.Begun).Seconds(), What: x.What})
	}
	d.Environment = append(d.Environment, report.Setting{Name: "machine", Value: fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())})
	return d
}
