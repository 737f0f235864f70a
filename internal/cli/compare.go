package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/loadtest/compare"
	"holdfast/loadtest/report"
)

func compareCommand(g *global) *cobra.Command {
	var threshold float64
	var seed uint64
	c := &cobra.Command{
		Use: "compare BEFORE AFTER", Short: "Say whether two load tests differ, and how sure that is", Args: cobra.ExactArgs(2),
		Long: `Compare JSON reports of holdfast load. With five and more of each side (commas
between them) runs are compared, else stretches of ten seconds of them; the
requests of a run depend on each other and prove nothing by their number.

A change counts when it is beyond --threshold and its corrected p is below 5 %;
"same" needs the whole 95 % interval within the threshold. Exit code 2:
something became worse.`,
		Example: `  holdfast compare before.json after.json
  holdfast compare a1.json,a2.json,a3.json,a4.json,a5.json \
    b1.json,b2.json,b3.json,b4.json,b5.json`,
		RunE: func(c *cobra.Command, args []string) error {
			return compareRuns(c, g, args, compare.Options{Threshold: threshold / 100, Seed: seed})
		},
	}
	c.Flags().Float64Var(&threshold, "threshold", 5, "change that matters, in percent")
	c.Flags().Uint64Var(&seed, "seed", 0, "of the resampling")
	return c
}

func compareRuns(c *cobra.Command, g *global, args []string, o compare.Options) error {
	if o.Threshold <= 0 {
		return errors.New("--threshold: want a percentage above 0")
	}
	before, err := readReports(args[0])
	if err != nil {
		return err
	}
	after, err := readReports(args[1])
	if err != nil {
		return err
	}
	found, err := compare.Runs(before, after, o)
	if err != nil {
		return err
	}
	if g.json() {
		err = encodeIndented(c.OutOrStdout(), found)
	} else {
		err = writeComparison(g.screen(c.OutOrStdout()), found)
	}
	if err != nil {
		return err
	}
	var worse []string
	for i := range found.Metrics {
		if m := &found.Metrics[i]; m.Outcome == compare.Worse {
			worse = append(worse, m.Name)
		}
	}
	if len(worse) > 0 {
		return withCode(exitFailed, fmt.Errorf("worse: %s", strings.Join(worse, ", ")))
	}
	return nil
}

func readReports(names string) ([]*report.Document, error) {
	var list []*report.Document
	for name := range strings.SplitSeq(names, ",") {
		d, err := readReport(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func readReport(name string) (*report.Document, error) {
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	d, err := report.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (want the JSON report of holdfast load)", name, err)
	}
	if d.Search != nil || d.Law != nil {
		return nil, fmt.Errorf("%s is of a search by holdfast stress, whose load changes: compare runs of holdfast load", name)
	}
	return d, nil
}

func writeComparison(s *screen, found *compare.Comparison) error {
	t := &table{columns: []column{
		{name: "METRIC"},
		{name: "BEFORE", right: true},
		{name: "AFTER", right: true},
		{name: "CHANGE", right: true},
		{name: "95 % INTERVAL", right: true},
		{name: "P", right: true},
		{name: "OUTCOME"},
	}}
	for i := range found.Metrics {
		m := &found.Metrics[i]
		unit := ""
		if strings.HasPrefix(m.Name, "p") {
			unit = " ms"
		}
		t.add(text("%s", m.Name), text("%.4g%s", m.Before, unit), text("%.4g%s", m.After, unit), text("%s", changed(m.Change)),
			text("%s to %s", changed(m.Low), changed(m.High)), text("%.2g", m.P), cell{string(m.Outcome), outcomeColour(m.Outcome)})
	}
	if err := t.write(s); err != nil {
		return err
	}
	lines := []string{fmt.Sprintf("compared: %s; changes within %.3g %% do not matter; p is corrected for %s", found.Unit, 100*found.Threshold,
		counted(len(found.Metrics), "metric"))}
	return writeLines(s, append(lines, found.Notes...))
}

// changed writes a relative change; what became many times as much is said so.
func changed(v float64) string {
	if v >= 9 {
		return fmt.Sprintf("x%.3g", 1+v)
	}
	return fmt.Sprintf("%+.1f %%", 100*v)
}

func outcomeColour(o compare.Outcome) colour {
	switch o {
	case compare.Worse:
		return red
	case compare.Better:
		return green
	case compare.Inconclusive:
		return yellow
	case compare.Same:
	}
	return plain
}
