package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/autoscale/simulate"
	"holdfast/internal/cli/rehearsal"
)

func simulateCommand(g *global) *cobra.Command {
	f := &simulateFlags{}
	c := &cobra.Command{
		Use: "simulate [TRACE]", Short: "Rehearse autoscaling policies on recorded demand",
		Long: `Let policies decide about a function whose demand was recorded, and show what
it would have cost and how its requests would have fared.

TRACE is "unix_seconds,count" per step (.csv, .csv.gz), or an access log:
Holdfast's own as JSON, or in the combined format. --history takes what the
running Holdfast, or with --from-store the store of the configuration, keeps of
a function.

--policy is hpa-70 (as Kubernetes does it; any percentage), capacity (as many
instances as make waiting rare), function or service (the default profiles), or
FILE or FILE:FUNCTION: the scaling of a function in a configuration; -c FILE
--function NAME means the same.

Few instances and requests are simulated request by request, many as a flow.
HOURS are instance-hours, IDEAL how many times those of a platform that knows
the future and boots at once; SLOW MIN the minutes in which more than
--violations of the requests waited longer than --max-wait or were lost, LATE
the requests that did, LOST those that got no answer, SHORT the time with fewer
instances than the demand keeps busy; +- is the deviation between seeds.`,
		Example: `  holdfast simulate demand.csv.gz --peak 10 --policy hpa-70 --policy capacity
  holdfast simulate access.log --service-time 80ms --policy holdfast.yaml:web
  holdfast simulate --history web --suggest
  holdfast simulate demand.csv --pareto --report pareto.html`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runSimulate(c, g, f, first(args)) },
	}
	f.add(c)
	return c
}

// present is the first policy with schedules; there may be none.
func present(list []simulate.Contender) simulate.Contender {
	for _, c := range list {
		if len(c.Around.Windows) > 0 {
			return c
		}
	}
	return simulate.Contender{}
}

// runSimulate is the command.
func runSimulate(c *cobra.Command, g *global, f *simulateFlags, file string) error {
	if err := f.check(); err != nil {
		return err
	}
	t, past, err := f.trace(c.Context(), g, file)
	if err != nil {
		return err
	}
	t, w, err := f.prepare(t)
	if err != nil {
		return err
	}
	lowest, highest := f.bounds(t, w)
	contenders, err := f.contenders(g, lowest, highest, w)
	if err != nil {
		return err
	}
	t.Notes = append(t.Notes, past.Prepare(t, contenders)...)
	r := &rehearsal.Document{Trace: *t, World: w, Goal: f.goal}
	if r.Policies, err = f.compare(contenders, t, w, f.report != ""); err != nil {
		return err
	}
	if f.pareto {
		if r.Reactive, err = f.compare(simulate.ReactiveLine(lowest, highest, w), t, w, false); err != nil {
			return err
		}
		if r.Sized, err = f.compare(simulate.SizedLine(lowest, highest, w), t, w, false); err != nil {
			return err
		}
	}
	if f.suggest {
		if r.Suggested, err = simulate.Suggest(t, w, f.goal, f.seeds, present(contenders)); err != nil {
			return fmt.Errorf("simulate: %w", err)
		}
	}
	return f.conclude(c, g, r)
}

func (f *simulateFlags) compare(list []simulate.Contender, t *simulate.Trace, w simulate.World, timeline bool) ([]simulate.Result, error) {
	results, err := simulate.Comparison{Contenders: list, Trace: t, World: w, Seeds: f.seeds, Timeline: timeline}.Do()
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	return results, nil
}
