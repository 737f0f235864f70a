package cli

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

	"github.com/spf13/cobra"

	"holdfast/internal/cli/live"
	"holdfast/internal/runs"
	"holdfast/loadtest"
	"holdfast/loadtest/report"
	"holdfast/loadtest/schedule"
	"holdfast/loadtest/selfcheck"
)

// reportFlags name the files a run leaves.
type reportFlags struct{ reports []string }

func (f *reportFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.reports, "report", nil, "file for the report: .html .json .csv .md or .xml (JUnit); may be given more than once")
}

// formats are what a report can be.
func formats() map[string]func(*report.Document, io.Writer) error {
	return map[string]func(*report.Document, io.Writer) error{
		".html": (*report.Document).HTML, ".json": (*report.Document).JSON, ".csv": (*report.Document).CSV,
		".md": (*report.Document).Markdown, ".xml": (*report.Document).JUnit,
	}
}

// checkReports finds before a run what would be in vain after it.
func (f *reportFlags) checkReports() error {
	for _, name := range f.reports {
		if formats()[filepath.Ext(name)] == nil {
			return fmt.Errorf("--report %s: want a name that ends in %s", name, strings.Join(slices.Sorted(maps.Keys(formats())), ", "))
		}
		dir := filepath.Dir(name)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("--report %s: there is no directory %s", name, dir)
		}
		if err := writable(name); err != nil {
			return err
		}
	}
	return nil
}

func (f *reportFlags) write(d *report.Document) error {
	var all []error
	for _, name := range f.reports {
		var b bytes.Buffer
		if err := formats()[filepath.Ext(name)](d, &b); err != nil {
			all = append(all, fmt.Errorf("make %s: %w", name, err))
			continue
		}
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil { //nolint:gosec // a report is for everybody
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// conclude reports a run and says how it went as an exit code.
func (f *reportFlags) conclude(c *cobra.Command, g *global, t *target, r *loadtest.Result, strict bool) error {
	return f.concludeAs(document(t, r), c, g, t, r, strict)
}

// concludeAs is conclude with a document that may say more.
func (f *reportFlags) concludeAs(d *report.Document, c *cobra.Command, g *global, t *target, r *loadtest.Result, strict bool) error {
	if err := f.write(d); err != nil {
		return err
	}
	if g.json() {
		if err := d.JSON(c.OutOrStdout()); err != nil {
			return err
		}
	} else if err := f.summarize(c.OutOrStdout(), d); err != nil {
		return err
	}
	return verdictOf(t, r, strict)
}

// verdictOf is the exit code of a run. What makes the figures worthless comes
// before what they say.
func verdictOf(t *target, r *loadtest.Result, strict bool) error {
	missed := 0
	for i := range r.Objectives {
		if !r.Objectives[i].Passed {
			missed++
		}
	}
	own := r.Total.Counts[loadtest.OutOfPorts] + r.Total.Counts[loadtest.OutOfFiles]
	switch {
	case r.Interrupted && r.Aborted == "":
		return withCode(exitInterrupted, errors.New("interrupted; the report is of what was measured so far"))
	case r.Total.Unreachable():
		return withCode(exitUnreachable, fmt.Errorf("nobody answered at %s", clean(t.name)))
	case own > 0, strict && r.Self.Verdict == selfcheck.Invalid:
		return withCode(exitGenerator, errors.New("the generator was the limit, so the figures say nothing about the target"))
	case r.Aborted != "":
		return withCode(exitFailed, fmt.Errorf("stopped, as %s was missed", r.Aborted))
	case missed > 0:
		return withCode(exitFailed, fmt.Errorf("%d of %s missed", missed, counted(len(r.Objectives), "objective")))
	}
	return nil
}

// document is the report with what only the command knows.
func document(t *target, r *loadtest.Result) *report.Document {
	d := report.New(r)
	d.Title = clean(t.name)
	d.Verdict = report.Verdict{Passed: r.Passed(), Generator: r.Self.Verdict.String(), Reasons: r.Self.Reasons}
	for i := range r.Objectives {
		o := &r.Objectives[i]
		text := o.Objective.String()
		_, value, _ := strings.Cut(o.Text, ": ")
		d.Verdict.Objectives = append(d.Verdict.Objectives, report.Objective{Text: text, Value: value, Met: o.Passed})
	}
	d.Setup = setup(t, r)
	d.Environment = []report.Setting{
		{Name: "holdfast", Value: version},
		{Name: "go", Value: runtime.Version()},
		{Name: "system", Value: runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "cpus", Value: fmt.Sprintf("%.3g", selfcheck.Capacity())},
	}
	if host, err := os.Hostname(); err == nil {
		d.Environment = append(d.Environment, report.Setting{Name: "host", Value: host})
	}
	return d
}

// setup says how to do it again, without what may be secret: values of header
// lines and bodies.
func setup(t *target, r *loadtest.Result) []report.Setting {
	list := []report.Setting{
		{Name: "target", Value: clean(t.name)},
		{Name: "load", Value: describe(&t.load)},
		{Name: "run", Value: t.run},
		{Name: "seed", Value: fmt.Sprint(t.load.Seed)},
		{Name: "timeout", Value: t.load.Timeout.String()},
	}
	if t.to.Transport.NoKeepAlive {
		list = append(list, report.Setting{Name: "connections", Value: "a new one for each request"})
	}
	for _, change := range r.Changes {
		list = append(list, report.Setting{Name: "rate changed", Value: fmt.Sprintf("at %s to %.2f times what was planned", live.Short(change.At), change.Factor)})
	}
	for _, note := range t.notes {
		list = append(list, report.Setting{Name: "note", Value: clean(note)})
	}
	return list
}

// describe is the load in words.
func describe(l *loadtest.Config) string {
	var b strings.Builder
	switch {
	case len(l.Order) > 0:
		fmt.Fprintf(&b, "replay of %s, up to %.0f/s", counted(len(l.Order), "request"), runs.Peak(l))
	case len(l.Stages) > 0:
		fmt.Fprintf(&b, "%s", counted(len(l.Stages), "stage"))
		if peak := runs.Peak(l); l.Open {
			fmt.Fprintf(&b, " up to %.4g/s", peak)
		}
	case l.Open || l.Rate > 0:
		fmt.Fprintf(&b, "%.4g/s", l.Rate)
	default:
		b.WriteString(counted(l.Concurrency, "user"))
	}
	if len(l.Stages) == 0 && l.RampUp > 0 {
		fmt.Fprintf(&b, " after %v of ramp-up", l.RampUp)
	}
	fmt.Fprintf(&b, ", %v", (runs.Length(l) - l.Warmup).Round(time.Millisecond))
	if l.Warmup > 0 {
		fmt.Fprintf(&b, " after %v of warm-up", l.Warmup)
	}
	if l.Spacing == schedule.Poisson {
		b.WriteString(", poisson")
	}
	return b.String()
}

// summarize prints what people want to know, in 80 columns.
func (f *reportFlags) summarize(w io.Writer, d *report.Document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", cut(d.Title, defaultWidth))
	fmt.Fprintf(&b, "%d requests in %.1f s (%s model): %.4g good/s", d.Total.Planned, d.Seconds, d.Model, d.Rate)
	if d.TargetRate > 0 {
		fmt.Fprintf(&b, " of %.4g/s asked for", d.TargetRate)
	}
	fmt.Fprintf(&b, "\n%d failed (%.3g %%), %s received\n\n", d.Total.Failed, 100*d.Total.ErrorRatio, size(d.Total.BytesIn))
	times(&b, d)
	parts(&b, "stage", d.Stages)
	parts(&b, "request", d.Endpoints)
	failures(&b, d)
	verdict(&b, d)
	if len(f.reports) > 0 {
		fmt.Fprintf(&b, "report: %s\n", strings.Join(f.reports, ", "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func times(b *strings.Builder, d *report.Document) {
	fmt.Fprintf(b, "%-10s%10s%10s%10s%10s%10s%10s\n", "", "mean", "p50", "p90", "p99", "p99.9", "max")
	for _, row := range []struct {
		name string
		of   *report.Times
	}{{"response", &d.Total.Response}, {"service", &d.Total.Service}} {
		t := row.of
		mean, most := &t.Mean, &t.Max
		if t.Count == 0 {
			mean, most = nil, nil
		}
		fmt.Fprintf(b, "%-10s%10s%10s%10s%10s%10s%10s\n", row.name, millis(mean), millis(t.P50), millis(t.P90), millis(t.P99), millis(t.P999), millis(most))
	}
	if d.Model == "closed" {
		b.WriteString("(users wait for each answer, so the queue of independent clients is left out)\n")
	}
}

// millis writes milliseconds; "-" stands for too few values.
func millis(v *float64) string {
	if v == nil {
		return "-"
	}
	return live.Short(time.Duration(*v * float64(time.Millisecond)))
}

func parts(b *strings.Builder, what string, list []report.Part) {
	if len(list) < 2 {
		return
	}
	fmt.Fprintf(b, "\n%-36s%10s%10s%10s%10s\n", what, "planned", "failed", "p50", "p99")
	for i := range list {
		p := &list[i]
		fmt.Fprintf(b, "%-36s%10d%10d%10s%10s\n", cut(clean(p.Name), 35), p.Planned, p.Failed, millis(p.Response.P50), millis(p.Response.P99))
	}
}

func failures(b *strings.Builder, d *report.Document) {
	if d.Total.Failed == 0 {
		return
	}
	b.WriteString("\nfailures\n")
	for _, class := range slices.Sorted(maps.Keys(d.Total.Classes)) {
		if class == loadtest.OK.String() || class == loadtest.Interrupted.String() {
			continue
		}
		line := fmt.Sprintf("  %-14s%8d", class, d.Total.Classes[class])
		if text := d.Errors[class]; text != "" {
			line += "  " + clean(text)
		}
		b.WriteString(cut(line, defaultWidth) + "\n")
	}
	var line strings.Builder
	line.WriteString("  by status    ")
	for _, status := range slices.Sorted(maps.Keys(d.Total.Statuses)) {
		fmt.Fprintf(&line, " %d: %d", status, d.Total.Statuses[status])
	}
	b.WriteString(cut(line.String(), defaultWidth) + "\n")
}

func verdict(b *strings.Builder, d *report.Document) {
	b.WriteString("\n")
	for _, x := range d.Found() {
		fmt.Fprintf(b, "%s: %s\n", x.Name, x.Value)
	}
	for _, o := range d.Verdict.Objectives {
		word := "met   "
		if !o.Met {
			word = "MISSED"
		}
		b.WriteString(cut(fmt.Sprintf("%s  %-34s  %s", word, o.Text, o.Value), defaultWidth) + "\n")
	}
	for _, s := range d.Setup {
		if s.Name == "rate changed" {
			fmt.Fprintf(b, "rate changed %s\n", s.Value)
		}
	}
	fmt.Fprintf(b, "generator: %s\n", d.Verdict.Generator)
	fixed := &screen{w: b, width: defaultWidth, terminal: true}
	for _, reason := range d.Verdict.Reasons {
		b.WriteString(fixed.wrap("  "+clean(reason)) + "\n")
	}
}

// size writes a number of bytes.
func size(n int64) string {
	v, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%.4g %s", v, unit)
}
