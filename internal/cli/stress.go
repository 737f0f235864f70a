package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/cli/live"
	"holdfast/internal/runs"
	"holdfast/loadtest"
	"holdfast/loadtest/capacity"
	"holdfast/loadtest/report"
	"holdfast/loadtest/stress"
)

func stressCommand(g *global) *cobra.Command {
	f := &stressFlags{}
	c := &cobra.Command{
		Use: "stress [URL]", Short: "Find out how much a service carries, where it breaks and how it recovers",
		Long: `Without --suite, look for the highest rate that keeps --p99 and --errors: warm
up, double until it breaks, bisect to --precision, hold both sides six times as
long, overload it twice over and measure how long it takes to be well again.
The other suites put a shape of load around --rate: smoke (a tenth of it),
load, stress (1, 1.5, 2, 3 times), spike (10 times), soak (an hour), recovery.
quota finds what a rate limiter allows: from --min on it doubles until requests
are answered 429, then goes down to 0.7 times at each and slowly up again, and
obeys Retry-After; the rate and the burst of the limit are fitted to that.

--scalability instead measures 1, 2, 4 ... users who wait for each answer and
fits the Universal Scalability Law; beyond what was tested nothing is said.

--write-limits FUNCTION makes limits of what was found, for that function of
the running Holdfast or of -c FILE, and shows the difference; --yes sets them
(config set). A file is not rewritten: its lines are printed.

Exit codes: 2 a limit or objective was missed, 3 nobody answers, 4 the
generator broke first, 130 interrupted with what was found so far.`,
		Example: `  holdfast stress :8080/api/public/hello
  holdfast stress :8080/api/public/hello --p99 100ms --step 5s --max 5000
  holdfast stress :8080/ --report found.html --report found.json
  holdfast stress :8080/ --suite quota --min 5 -d 2m
  holdfast stress :8080/ --suite spike --rate 200 --report spike.html
  holdfast stress :8080/api/public/hello --write-limits public --yes
  holdfast stress :8080/ --scalability --users 64`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, args []string) error { return runStress(c, g, f, first(args)) },
	}
	f.add(c, g)
	return c
}

// stressFlags are those of holdfast stress.
type stressFlags struct {
	targetFlags
	reportFlags

	suiteName           string
	suite               stress.Suite
	rate, errors        float64
	least, most         float64
	duration, p99, step time.Duration
	scalability         bool
	users               int
	function, config    string
	yes                 bool
	precision           float64
}

func (f *stressFlags) add(c *cobra.Command, g *global) {
	fs := c.Flags()
	fs.StringVar(&f.suiteName, "suite", string(stress.Breakpoint), "smoke, load, stress, spike, soak, recovery, quota or breakpoint")
	fs.Float64Var(&f.rate, "rate", 0, "normal rate of the other suites, requests per second")
	fs.DurationVarP(&f.duration, "duration", "d", 0, "of the whole suite (default: what is usual for it)")
	fs.DurationVar(&f.p99, "p99", 500*time.Millisecond, "response time that 99 % have to keep")
	fs.Float64Var(&f.errors, "errors", 1, "percent of the requests that may fail")
	fs.Float64Var(&f.least, "min", 10, "rate to begin with")
	fs.Float64Var(&f.most, "max", 1e6, "rate to end at")
	fs.Float64Var(&f.precision, "precision", 5, "percent that good and bad rates may be apart at the end")
	fs.DurationVar(&f.step, "step", 10*time.Second, "how long one rate is looked at; the rest of the search goes by it")
	fs.BoolVar(&f.scalability, "scalability", false, "fit the scalability law instead")
	fs.IntVar(&f.users, "users", 64, "users at most, with --scalability")
	fs.StringVar(&f.function, "write-limits", "", "function to make limits for")
	fs.StringVarP(&f.config, "config", "c", "", "configuration the function is in, instead of the running one")
	fs.BoolVar(&f.yes, "yes", false, "set the limits in the running Holdfast")
	f.targetFlags.add(c, g)
	f.reportFlags.add(c)
}

func (f *stressFlags) check() (err error) {
	if f.suite, err = stress.ParseSuite(f.suiteName); err != nil {
		return fmt.Errorf("--suite: %w", err)
	}
	searching := f.suite == stress.Breakpoint && !f.scalability
	switch {
	case f.scalability && f.suite != stress.Breakpoint:
		return errors.New("give either --suite or --scalability")
	case f.replay:
		return errors.New("--replay sends at the times of the log, and a stress test at rates of its own: leave it out")
	case f.suite == stress.Quota && f.rate != 0:
		return errors.New("--rate is of the other suites; quota begins at --min and ends at --max")
	case f.suite != stress.Breakpoint && f.suite != stress.Quota && f.rate <= 0:
		return fmt.Errorf("--suite %s needs a normal rate: give --rate", f.suite)
	case f.suite == stress.Breakpoint && f.rate != 0:
		return errors.New("--rate is of the other suites; a search goes from --min to --max")
	case f.function != "" && !searching:
		return errors.New("--write-limits needs a search: leave --suite and --scalability out")
	case f.function == "" && (f.config != "" || f.yes):
		return errors.New("-c and --yes belong to --write-limits")
	case f.config != "" && f.yes:
		return errors.New("--yes sets limits in the running Holdfast; a file is not rewritten: leave one of -c and --yes out")
	case f.step < time.Second:
		return fmt.Errorf("--step %v: want 1s or more", f.step)
	case f.least <= 0 || f.most < f.least:
		return fmt.Errorf("--min %g --max %g: want rates above 0, the smaller one first", f.least, f.most)
	case f.p99 <= 0 || f.errors <= 0 || f.errors > 100 || f.precision <= 0 || f.precision > 100:
		return errors.New("--p99, --errors and --precision: want a time and percentages above 0")
	case f.scalability && f.users < 32:
		return fmt.Errorf("--users %d: the law needs six concurrencies, so 32 or more", f.users)
	}
	return f.checkReports()
}

func runStress(c *cobra.Command, g *global, f *stressFlags, url string) error {
	if err := f.check(); err != nil {
		return err
	}
	t, err := f.target(g, url)
	if err != nil {
		return err
	}
	t.load.Rate, t.load.Concurrency, t.load.Stages, t.load.RampUp, t.load.Warmup, t.load.Requests, t.load.Objectives = 0, 0, nil, 0, 0, 0, nil
	ctx, over := g.interruptible(c.Context())
	defer over()
	var limits *limited
	if f.function != "" {
		if limits, err = findLimited(ctx, g, f); err != nil {
			return err
		}
	}
	if f.suite == stress.Quota {
		return f.findQuota(ctx, c, g, t)
	}
	if f.suite != stress.Breakpoint {
		return f.runSuite(ctx, c, g, t)
	}
	peak := 2 * f.most // it overloads
	if f.scalability {
		peak = 0
	}
	if err := t.prepare(ctx, f.own, peak); err != nil {
		return err
	}
	notes(c, t.notes)
	if f.scalability {
		return f.scale(ctx, c, g, t)
	}
	return f.search(ctx, c, g, t, limits)
}

// runSuite runs one that is a load with stages.
func (f *stressFlags) runSuite(ctx context.Context, c *cobra.Command, g *global, t *target) error {
	t.load.Open, t.load.Stages = true, f.suite.Stages(f.rate, f.duration)
	if err := f.goals(&t.load); err != nil {
		return err
	}
	if err := t.prepare(ctx, f.own, runs.Peak(&t.load)); err != nil {
		return err
	}
	notes(c, t.notes)
	r, err := runLive(ctx, c, g, t, func(ctx context.Context, load loadtest.Config) (*loadtest.Result, error) {
		tester := stress.StressTester{Base: load, Suite: f.suite, Rate: f.rate, Length: f.duration}
		found, err := tester.Run(ctx)
		if err != nil {
			return nil, err
		}
		return found.Load, nil
	})
	if err != nil {
		return err
	}
	return f.conclude(c, g, t, r, false)
}

// findQuota runs the suite that looks for a limit.
func (f *stressFlags) findQuota(ctx context.Context, c *cobra.Command, g *global, t *target) error {
	if err := t.prepare(ctx, f.own, f.most); err != nil {
		return err
	}
	notes(c, t.notes)
	t.load.Open, t.load.Rate, t.load.Duration = true, f.least, cmp.Or(f.duration, time.Minute)
	var r *stress.Result
	view := live.Config{
		Title: t.name + ": what its limit allows", Length: t.load.Duration, Open: true,
		Input: g.env.Stdin, Output: c.ErrOrStderr(), Environ: g.env.Environ,
	}
	err := live.Run(ctx, view, func(ctx context.Context, show live.Show) (err error) {
		tester := stress.StressTester{Base: t.load, Suite: stress.Quota, Length: t.load.Duration, Search: capacity.SearchConfig{Min: f.least, Max: f.most}}
		tester.Base.OnPoint = show.Point
		r, err = tester.Run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	d := document(t, r.Load)
	d.Quota = &report.Quota{Rate: r.Quota.Rate, Burst: r.Quota.Burst, Error: r.Quota.Error, Known: r.Quota.Known}
	d.Setup = slices.DeleteFunc(d.Setup, func(s report.Setting) bool { return s.Name == "rate changed" }) // it does so every second
	retitle(d, "load", fmt.Sprintf("the rate follows what is refused, from %s/s", perSecond(f.least)))
	if err := f.concludeAs(d, c, g, t, r.Load, false); err != nil {
		return err
	}
	if r.Broke {
		return withCode(exitFailed, errors.New("requests failed or piled up before any was refused with 429, so no limit is enforced; the suite breakpoint finds what it carries"))
	}
	if !r.Quota.Known {
		return withCode(exitFailed, fmt.Errorf("no limit was found up to %s/s: too few requests were refused with 429; raise --max or -d", perSecond(f.most)))
	}
	return nil
}

// goals makes objectives of --p99 and --errors where they were given: what a
// suite is for may be to see them missed.
func (f *stressFlags) goals(l *loadtest.Config) error {
	var list []string
	if f.given("p99") {
		list = append(list, fmt.Sprintf("p99<=%v", f.p99))
	}
	if f.given("errors") {
		list = append(list, fmt.Sprintf("errors<=%g%%", f.errors))
	}
	for _, text := range list {
		o, err := loadtest.ParseObjective(text)
		if err != nil {
			return err
		}
		l.Objectives = append(l.Objectives, o)
	}
	return nil
}

// ownShare is the CPU on average from which the generator is the limit.
const ownShare = 0.8

func (f *stressFlags) search(ctx context.Context, c *cobra.Command, g *global, t *target, limits *limited) error {
	var r *stress.Result
	out := c.OutOrStdout()
	if g.json() {
		out = c.ErrOrStderr()
	}
	view := live.Config{Title: t.name, Open: true, Quiet: true, Input: g.env.Stdin, Output: c.ErrOrStderr(), Environ: g.env.Environ}
	err := live.Run(ctx, view, func(ctx context.Context, show live.Show) (err error) {
		told := newSteps(out, show.Line)
		told.title(t, f)
		tester := f.tester(t)
		tester.Base.OnPoint, tester.OnStep, tester.OnLook = show.Point, told.begin, told.look
		r, err = tester.Run(ctx)
		return err
	})
	if err != nil {
		return err
	}
	v := foundOf(t, f, r)
	if limits != nil {
		limits.suggest(r.Found, &v)
	}
	if err := f.reportSearch(t, r, &v); err != nil {
		return err
	}
	if g.json() {
		err = encodeIndented(c.OutOrStdout(), v)
	} else {
		err = v.write(g.screen(c.OutOrStdout()), limits)
	}
	if err == nil && limits != nil && f.yes && !r.Interrupted {
		err = limits.set(ctx, c, g, v.Limits)
	}
	return errors.Join(err, codeOf(r, &v))
}

// tester makes the search.
func (f *stressFlags) tester(t *target) *stress.StressTester {
	return &stress.StressTester{
		Base: t.load, Suite: stress.Breakpoint,
		Search: capacity.SearchConfig{
			Limits: capacity.Limits{P99: f.p99, Errors: f.errors / 100}, Min: f.least, Max: f.most, Window: f.step, Precision: f.precision / 100,
			WarmUp: f.step, ConfirmFor: 6 * f.step, OverloadFor: 2 * f.step, RecoverFor: max(6*f.step, 20*time.Second),
		},
		Suspect: func(r *loadtest.Result) bool { return r.Self.CPU >= ownShare },
	}
}

// codeOf says how a search went as an exit code.
func codeOf(r *stress.Result, v *foundView) error {
	switch {
	case r.Interrupted:
		return withCode(exitInterrupted, errors.New("interrupted; this is what was found so far"))
	case r.Found.Cause == capacity.Generator:
		return withCode(exitGenerator, errors.New("the generator broke first, so the target carries more than was found: "+
			"use another machine for the load, or a lower --max"))
	case v.Sustainable == 0:
		what := "try a lower --min"
		if v.best() > 0 {
			what = "what was good for a moment was not for long: see that nothing else uses the machine or the service meanwhile"
		}
		return withCode(exitFailed, errors.New("no rate was sustained; "+what))
	}
	return nil
}

// causes are what broke first, in words.
func causes() map[capacity.Cause]string {
	return map[capacity.Cause]string{
		capacity.Nothing: "nothing", capacity.Generator: "the generator", capacity.Limited: "429 or 503 with Retry-After",
		capacity.Resets: "connections were refused or reset", capacity.Errors: "answers failed",
		capacity.Queue: "requests piled up", capacity.Latency: "p99 over the limit",
	}
}
