package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/drill"
	"holdfast/fault/sysfault"
	"holdfast/internal/runs"
	"holdfast/internal/supervise"
	"holdfast/loadtest"
	"holdfast/loadtest/stress"
)

// runChild is the name of the command that a run of the API is.
const runChild = "run-child"

// runChildCommand carries out one run for a Holdfast that serves, its parent.
func runChildCommand(g *global) *cobra.Command {
	return &cobra.Command{
		Use: runChild, Hidden: true, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runs.Serve(c.Context(), func(ctx context.Context, o runs.Order, tell func(runs.Moment)) (runs.Outcome, error) {
				return (&childRun{g: g, order: o, tell: tell}).carryOut(ctx)
			})
		},
	}
}

// takeBack is what a Holdfast does when a drill it started has ended: faults
// first, which need nobody else, then orders, through whoever answers on the
// socket of the data directory.
func takeBack(ctx context.Context, data, dir string) error {
	return takeBackAll(ctx, newDrillServer(&global{env: &Environment{}, dataDir: data}), dir)
}

func takeBackAll(ctx context.Context, s drill.Server, dir string) error {
	if _, err := sysfault.Recover(ctx, dir); err != nil {
		return err // maybe another driver's, whose orders are none of ours
	}
	_, err := drill.TakeBack(ctx, s, dir)
	return err
}

// childRun is a run under way.
type childRun struct {
	g     *global
	order runs.Order
	tell  func(runs.Moment)
}

func (r *childRun) point(p loadtest.Point) {
	r.tell(runs.Moment{Kind: runs.Figures, Second: runs.SecondOf(&p)})
}

// carryOut runs it, writes the report and says how it went.
func (r *childRun) carryOut(ctx context.Context) (runs.Outcome, error) {
	plan, err := r.order.Spec.Plan(&r.order.Target)
	if err != nil {
		return runs.Outcome{}, err
	}
	var out bytes.Buffer
	skipped, err := r.run(ctx, plan, &out)
	if out.Len() > 0 {
		if failed := writeWhole(r.order.Report, out.Bytes()); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	if skipped != "" {
		return runs.Outcome{Skipped: true, Message: clean(skipped)}, nil
	}
	if err == nil {
		return runs.Outcome{}, nil
	}
	o := runs.Outcome{Code: exitError, Message: clean(err.Error())}
	if coded, ok := errors.AsType[*codedError](err); ok {
		o.Code = coded.code
	}
	if ctx.Err() != nil {
		o.Code = exitInterrupted
	}
	return o, nil
}

func writeWhole(path string, b []byte) error {
	next := path + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// run writes the report to out. What cannot be done here is no error but
// skipped.
func (r *childRun) run(ctx context.Context, p *runs.Plan, out io.Writer) (skipped string, err error) {
	switch r.order.Spec.Kind {
	case runs.Drill:
		return r.drill(ctx, p, out)
	case runs.Stress:
		return "", r.stress(ctx, p, out)
	}
	t, err := r.target(ctx, p, runs.Peak(&p.Load))
	if err != nil {
		return "", err
	}
	result, err := loadtest.Run(ctx, t.load)
	return "", r.conclude(t, result, err, out)
}

// target makes what is loaded, once it is known that it may be.
func (r *childRun) target(ctx context.Context, p *runs.Plan, peak float64) (*target, error) {
	t := &target{name: p.Name, load: p.Load, to: p.To, run: r.order.ID}
	identify(t)
	if err := t.guarded(); err != nil {
		return nil, err
	}
	t.load.OnPoint = r.point
	return t, t.prepare(ctx, r.order.Spec.OwnThis, peak)
}

// conclude writes the report of a load.
func (r *childRun) conclude(t *target, result *loadtest.Result, err error, out io.Writer) error {
	if err != nil {
		return err
	}
	if err := document(t, result).JSON(out); err != nil {
		return err
	}
	return verdictOf(t, result, r.order.Spec.Strict)
}

func (r *childRun) stress(ctx context.Context, p *runs.Plan, out io.Writer) error {
	s := &r.order.Spec
	if p.Suite != stress.Breakpoint {
		t, err := r.target(ctx, p, runs.Peak(&p.Load))
		if err != nil {
			return err
		}
		tester := stress.StressTester{Base: t.load, Suite: p.Suite, Rate: s.Rate, Length: p.Length}
		found, err := tester.Run(ctx)
		if err != nil {
			return err
		}
		return r.conclude(t, found.Load, nil, out)
	}
	f := &stressFlags{
		suite: p.Suite, p99: p.P99, step: p.Step, errors: orElse(s.Errors, 1), least: orElse(s.Min, 10), most: orElse(s.Max, 1e5), precision: orElse(s.Precision, 5),
	}
	t, err := r.target(ctx, p, 2*f.most) // it overloads
	if err != nil {
		return err
	}
	c := &cobra.Command{}
	c.SetOut(out)
	c.SetErr(&sentences{tell: r.tell})
	return f.search(ctx, c, &global{env: r.g.env, output: "json"}, t, nil)
}

func orElse(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}

// sentences makes a note of each line that is written.
type sentences struct {
	tell func(runs.Moment)
	rest string
}

// Write implements io.Writer.
func (s *sentences) Write(b []byte) (int, error) {
	lines := strings.Split(s.rest+string(b), "\n")
	for _, line := range lines[:len(lines)-1] {
		if line != "" {
			s.tell(runs.Moment{Kind: runs.Note, Text: clean(line)})
		}
	}
	s.rest = lines[len(lines)-1]
	return len(b), nil
}

// drill carries an experiment out, against the Holdfast that is the parent.
func (r *childRun) drill(ctx context.Context, p *runs.Plan, out io.Writer) (skipped string, err error) {
	s := &r.order.Spec
	f := &drillFlags{function: r.order.Target.Function, gateway: r.order.Target.Gateway, path: s.Path, ledger: s.Ledger}
	c := &cobra.Command{}
	c.SetContext(ctx)
	config, err := f.config(c, r.g)
	if err != nil {
		return "", err
	}
	if config.Guard[0], err = supervise.Self(); err != nil {
		return "", err
	}
	config.Experiment = p.Experiment
	config.OnPoint = r.point
	config.OnLine = func(line string) { r.tell(runs.Moment{Kind: runs.Note, Text: clean(line)}) }
	config.OnFault = func(x drill.Fault) {
		m := runs.Moment{At: x.Injected, Kind: runs.FaultOn, Text: clean(x.What)}
		if !x.Reverted.IsZero() {
			m.At, m.Kind = x.Reverted, runs.FaultOff
		}
		r.tell(m)
	}
	result, err := drill.Run(ctx, config)
	if err != nil {
		if ctx.Err() != nil {
			return "", withCode(exitInterrupted, errors.New("stopped by order"))
		}
		return "", err
	}
	if err := json.NewEncoder(out).Encode(documentOf([]*drill.Result{result})); err != nil {
		return "", err
	}
	if result.Skipped != "" {
		return result.Skipped, nil
	}
	err = drillsVerdict([]*drill.Result{result})
	if coded, ok := errors.AsType[*codedError](err); ok && coded.code == exitFailed {
		return "", withCode(exitFailed, errors.New("not as expected: "+missedExpectations(result)))
	}
	return "", err
}

// missedExpectations names them.
func missedExpectations(r *drill.Result) string {
	var list []string
	for _, outcomes := range [][]drill.Outcome{r.Steady, r.Expect} {
		for i := range outcomes {
			if o := &outcomes[i]; !o.Met && !o.Skipped {
				list = append(list, o.Text)
			}
		}
	}
	return strings.Join(list, ", ")
}
