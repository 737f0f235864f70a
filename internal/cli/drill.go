package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/drill"
	"holdfast/fault/sysfault"
)

// drillFlags are the flags of `drill`.
type drillFlags struct {
	function, gateway, path string
	ledger, ledgerPath      string
	long, control           bool
	report                  string
}

func drillCommand(g *global) *cobra.Command {
	f := &drillFlags{}
	c := &cobra.Command{
		Use:   "drill [EXPERIMENT|FILE.yaml|all]...",
		Short: "Break something on purpose and see whether the installation heals",
		Long: `Put load on a function of the running Holdfast, break something on purpose,
take it back, and measure what clients felt and what Holdfast did about it.
Without an argument it lists the experiments. Faults are real: processes are
killed and frozen, ports refuse connections, on this machine. All of it is
taken back at the end, also when this command is killed. What the machine or
the installation cannot do is reported as skipped, never as passed.

Nearly all faults need root on Linux. Exit code 2: an expectation was missed;
4: the load could not be offered, so that a drill shows nothing.`,
		Example: `  holdfast drill
  holdfast drill failover --function public
  holdfast drill all --ledger /tmp/ledger
  holdfast drill database-lost --ledger postgres://app@127.0.0.1/app
  holdfast drill hang --control --report hang.html
  holdfast drill ./mine.yaml -o json`,
		ValidArgs: append(drill.Names(), "all"),
		RunE:      func(c *cobra.Command, args []string) error { return runDrills(c, g, f, args) },
	}
	c.Flags().StringVar(&f.function, "function", "", "which one (default the one with most instances)")
	c.Flags().StringVar(&f.gateway, "gateway", "", "where requests go: http://127.0.0.1:8080 (default as configured)")
	c.Flags().StringVar(&f.path, "path", "", "what is asked for with GET (default the function's first route)")
	c.Flags().StringVar(&f.ledger, "ledger", "", "file, or postgres://USER@HOST/DB, in which the instances note each POST they process; without it duplicates are not measured")
	c.Flags().StringVar(&f.ledgerPath, "ledger-path", "", "what these POSTs go to (default ledger, below the path)")
	c.Flags().BoolVar(&f.long, "long", false, "windows five times as long")
	c.Flags().BoolVar(&f.control, "control", false, "besides, the same without Holdfast: the load goes to one instance itself")
	c.Flags().StringVar(&f.report, "report", "", "file for the report: FILE.html or FILE.json")
	return c
}

// drillGuardCommand outlives a drill by a moment and takes back what it left.
func drillGuardCommand(g *global) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "drill-guard", Hidden: true, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			err := sysfault.Guard(os.Stdin)
			ctx, stop := context.WithTimeout(context.WithoutCancel(c.Context()), askTimeout)
			defer stop()
			_, back := drill.TakeBack(ctx, newDrillServer(g), dir)
			return errors.Join(err, back)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "where the journals are")
	return c
}

const longer = 5

func runDrills(c *cobra.Command, g *global, f *drillFlags, args []string) error {
	if len(args) == 0 {
		return listDrills(c, g)
	}
	if ext := filepath.Ext(f.report); f.report != "" && ext != ".html" && ext != ".json" {
		return fmt.Errorf("--report %s: want a name that ends with .html or .json", f.report)
	}
	if err := writable(f.report); err != nil {
		return err
	}
	experiments, err := readExperiments(args)
	if err != nil {
		return err
	}
	config, err := f.config(c, g)
	if err != nil {
		return err
	}
	var results []*drill.Result
	for _, x := range experiments {
		list, err := f.carryOut(c, g, config, x)
		if err != nil {
			return errors.Join(err, f.show(c, g, results)) // what there is is not thrown away
		}
		results = append(results, list...)
	}
	if err := f.show(c, g, results); err != nil {
		return err
	}
	return drillsVerdict(results)
}

// writable finds out before anything is broken whether the report can be written.
func writable(report string) error {
	if report == "" {
		return nil
	}
	_, err := os.Lstat(report)
	made := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(report, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("--report: %w; name a file in a directory that is there and may be written to", err)
	}
	if err := file.Close(); err != nil || !made {
		return err
	}
	return os.Remove(report)
}

// drillsVerdict is the error that a list of drills ends with. What is missed weighs more than what shows nothing.
func drillsVerdict(results []*drill.Result) error {
	var missed, invalid []string
	for _, r := range results {
		switch {
		case r.Skipped != "" || r.Control || r.Passed:
		case r.Invalid():
			invalid = append(invalid, r.Experiment)
		default:
			missed = append(missed, r.Experiment)
		}
	}
	switch {
	case len(missed) > 0:
		return withCode(exitFailed, fmt.Errorf("not as expected: %s", strings.Join(missed, ", ")))
	case len(invalid) > 0:
		return withCode(exitGenerator, fmt.Errorf("the load was not offered, so these show nothing: %s", strings.Join(invalid, ", ")))
	}
	return nil
}

// carryOut does an experiment, and its control where that is wanted.
func (f *drillFlags) carryOut(c *cobra.Command, g *global, config drill.Config, x *drill.Experiment) ([]*drill.Result, error) {
	if f.long {
		x = x.Stretch(longer)
	}
	config.Experiment = x
	if !g.json() {
		config.OnLine = func(line string) { _, _ = fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", x.Name, clean(line)) } // progress may be lost
		config.OnLine(fmt.Sprintf("on %s for %s", config.Function, x.Length()))
	}
	list := make([]*drill.Result, 0, 2)
	for _, control := range []bool{false, true}[:1+bit(f.control)] {
		if config.Control = control; control && !controllable(x) {
			break
		}
		r, err := drill.Run(c.Context(), config)
		if c.Context().Err() != nil {
			return nil, withCode(exitInterrupted, interrupted(c.Context(), &config))
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// interrupted says whether a drill that was cut off left something.
func interrupted(ctx context.Context, c *drill.Config) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer stop()
	if err := takeBackAll(ctx, c.Server, c.Dir); err != nil {
		return fmt.Errorf("interrupted; not everything is taken back, which the next drill tries again: %w", err)
	}
	return errors.New("interrupted; everything is taken back")
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}

// controllable says that an experiment means something without Holdfast: its
// faults hit the instance itself.
func controllable(x *drill.Experiment) bool {
	return !slices.ContainsFunc(x.Inject, func(s drill.Step) bool {
		return slices.Contains([]drill.Action{drill.Scale, drill.Drain, drill.Set, drill.LoseStore, drill.LoseDatabase}, s.Do)
	})
}

func readExperiments(args []string) ([]*drill.Experiment, error) {
	if slices.Contains(args, "all") {
		args = drill.Names()
	}
	list := make([]*drill.Experiment, 0, len(args))
	for _, name := range args {
		x, err := readExperiment(name)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

func readExperiment(name string) (*drill.Experiment, error) {
	if slices.Contains(drill.Names(), name) {
		return drill.Builtin(name)
	}
	if !strings.ContainsAny(name, "./\\") {
		return nil, fmt.Errorf("there is no experiment %q; there are %s\na file of your own is named with its ending: ./%s.yaml", clean(name), strings.Join(drill.Names(), ", "), clean(name))
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the experiment: %w", err)
	}
	return drill.Parse(b, name)
}

func listDrills(c *cobra.Command, g *global) error {
	t := &table{columns: []column{{name: "EXPERIMENT"}, {name: "TAKES", right: true}, {name: "WHAT", least: 20}}}
	list := []map[string]string{}
	for _, name := range drill.Names() {
		x, err := drill.Builtin(name)
		if err != nil {
			return err
		}
		t.add(text("%s", name), text("%s", x.Length()), text("%s", x.About))
		list = append(list, map[string]string{"experiment": name, "about": x.About, "takes": x.Length().String()})
	}
	if g.json() {
		return writeJSON(c.OutOrStdout(), list)
	}
	return t.write(g.screen(c.OutOrStdout()))
}

// drillTime is how long asking may take before a drill begins.
const drillTime = 20 * time.Second
