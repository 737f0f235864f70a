package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/cli/live"
	"holdfast/internal/runs"
	"holdfast/loadtest"
	"holdfast/loadtest/schedule"
)

func loadCommand(g *global) *cobra.Command {
	f := &loadFlags{}
	c := &cobra.Command{
		Use: "load [URL]", Short: "Put load on a service and measure what its clients would feel",
		Long: `Send requests and measure. With --rate they are due at that rate, whatever the
service does (open); without, -n users each wait for their answer (closed).
Response times count from the moment a request was due, so a service that
stands still shows; service times count from the moment it was sent.

--slo says what has to be reached, such as p99<250ms, errors<0.1%,
rate>=0.98*target, p99@steady<1s (of a stage); "abort" behind it ends the run.
--stages is a list of DURATION:RATE: 30s:100 (step), 1m:100-400 (line),
1m:300~100/10s (sine), 2s:3000! (spike); users instead of a rate: 30s:20u.
A stage may be NAMEd: peak=2s:3000!.
--check is "status 2xx", "body contains TEXT", "header NAME equals TEXT",
"json $.PATH matches REGEXP", "rows 1-10" or "column NAME equals TEXT".
-f reads all of it from a YAML file.

The scheme says what is spoken: http and https (with --http2 HTTP/2), ws and wss
with --message, grpc and grpcs://HOST:PORT/package.Service/Method with --data
(JSON, by server reflection), postgres:// with --query and --param.

While it runs: q or Ctrl-C stops with a report, + and - change the rate.
Exit codes: 2 an objective was missed, 3 nobody answers, 4 the generator was
the limit (--strict: also by its own judgement), 130 interrupted with a report.`,
		Example: `  holdfast load :8080/api/public/hello --rate 500 -d 30s --slo 'p99<250ms'
  holdfast load http://127.0.0.1:8080/ -n 50 -d 1m --report run.html
  holdfast load :8080 --stages 30s:100,1m:100-400 --access-log access.log
  holdfast load :8080 --access-log access.log --replay --speed 2
  holdfast load -f shop.yaml --report run.json --report run.xml
  holdfast load ws://127.0.0.1:8080/chat --message 'hello {{seq}}' --echo
  holdfast load grpc://:9000/shop.Stock/Get --data '{"item": "{{rand}}"}'
  holdfast load postgres://app@127.0.0.1/app --query 'SELECT $1' --param {{seq}}`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, args []string) error { return runLoad(c, g, f, first(args)) },
	}
	f.add(c, g)
	c.AddCommand(calibrateCommand(g))
	return c
}

// loadFlags are those of holdfast load.
type loadFlags struct {
	targetFlags
	reportFlags

	rate                     float64
	concurrency              int
	duration, rampUp, warmUp time.Duration
	stages, arrivals         string
	requests                 int64
	objectives               []string
	strict                   bool
	changed                  func(name string) bool
}

func (f *loadFlags) add(c *cobra.Command, g *global) {
	fs := c.Flags()
	fs.Float64Var(&f.rate, "rate", 0, "requests per second, all together (0: as the users manage)")
	fs.IntVarP(&f.concurrency, "concurrency", "n", 10, "users that wait for each answer; with --rate it sizes --max-in-flight")
	fs.DurationVarP(&f.duration, "duration", "d", 10*time.Second, "how long, after ramp-up and warm-up")
	fs.DurationVar(&f.rampUp, "ramp-up", 0, "raise the load evenly from nothing for so long first")
	fs.DurationVar(&f.warmUp, "warm-up", 0, "load that is not judged, before all")
	fs.StringVar(&f.stages, "stages", "", "stages of load in place of the four above, see above")
	fs.StringVar(&f.arrivals, "arrivals", "uniform", "how requests lie around the rate: uniform or poisson")
	fs.Int64Var(&f.requests, "requests", 0, "stop after so many requests (without --rate)")
	fs.StringArrayVar(&f.objectives, "slo", nil, "objective to reach; may be given more than once")
	fs.BoolVar(&f.strict, "strict", false, "exit code 4 when the generator judges itself INVALID")
	f.targetFlags.add(c, g)
	f.reportFlags.add(c)
	f.changed = fs.Changed
}

// runLoad is the command.
func runLoad(c *cobra.Command, g *global, f *loadFlags, url string) error {
	if err := f.checkReports(); err != nil {
		return err
	}
	t, err := f.target(g, url)
	if err != nil {
		return err
	}
	if err := f.shape(t); err != nil {
		return err
	}
	ctx, over := g.interruptible(c.Context())
	defer over()
	if n := t.load.Concurrency; !t.load.Open && len(t.load.Stages) == 0 && n >= manyUsers && t.load.RampUp == 0 {
		t.notes = append(t.notes, fmt.Sprintf("%d users begin in the same moment, which their first answers will show; --ramp-up 10s lets them come evenly", n))
	}
	if err := t.prepare(ctx, f.own, runs.Peak(&t.load)); err != nil {
		return err
	}
	notes(c, t.notes)
	r, err := runLive(ctx, c, g, t, loadtest.Run)
	if err != nil {
		return err
	}
	return f.conclude(c, g, t, r, f.strict)
}

// manyUsers are more than a service usually gets at once.
const manyUsers = 200

// interruptible gives signals their usual meaning back after the first one.
func (g *global) interruptible(ctx context.Context) (context.Context, func()) {
	stop := context.AfterFunc(ctx, func() {
		if g.env.Interrupted != nil {
			g.env.Interrupted()
		}
	})
	return ctx, func() { stop() }
}

// shape puts the load that the flags ask for over that of a scenario.
func (f *loadFlags) shape(t *target) error {
	l := &t.load
	if f.scenario != "" && len(l.Stages) > 0 {
		for _, name := range []string{"rate", "concurrency", "duration", "ramp-up"} {
			if f.changed(name) {
				return fmt.Errorf("--%s: the load of %s is made of stages; change them with --stages", name, f.scenario)
			}
		}
	}
	if f.replay {
		for _, name := range []string{"rate", "concurrency", "duration", "ramp-up", "warm-up", "stages", "arrivals", "requests"} {
			if f.changed(name) {
				return fmt.Errorf("--replay takes times and rate from the log, so leave --%s out; --speed makes it faster or slower", name)
			}
		}
		return f.judge(l)
	}
	if f.stages != "" && (f.changed("rate") || f.changed("concurrency") || f.changed("duration") || f.changed("ramp-up")) {
		return fmt.Errorf("--stages takes the place of --rate, --concurrency, --duration and --ramp-up: leave those out")
	}
	set(f, t, "rate", &l.Rate, f.rate)
	set(f, t, "concurrency", &l.Concurrency, f.concurrency)
	set(f, t, "duration", &l.Duration, f.duration)
	set(f, t, "ramp-up", &l.RampUp, f.rampUp)
	set(f, t, "warm-up", &l.Warmup, f.warmUp)
	set(f, t, "requests", &l.Requests, f.requests)
	if f.changed("arrivals") {
		var err error
		if l.Spacing, err = schedule.ParseSpacing(f.arrivals); err != nil {
			return fmt.Errorf("--arrivals: %w", err)
		}
	}
	if f.stages != "" {
		stages, open, err := parseStages(f.stages)
		if err != nil {
			return fmt.Errorf("--stages: %w", err)
		}
		l.Stages, l.Open, l.Rate, l.Concurrency, l.RampUp = stages, open, 0, 0, 0
	}
	l.Open = l.Open || l.Rate > 0
	return f.judge(l)
}

// judge reads the objectives.
func (f *loadFlags) judge(l *loadtest.Config) error {
	for _, text := range f.objectives {
		o, err := loadtest.ParseObjective(text)
		if err != nil {
			return fmt.Errorf("--slo %q: %w", text, err)
		}
		l.Objectives = append(l.Objectives, o)
	}
	if err := loadtest.CheckObjectives(l); err != nil {
		return fmt.Errorf("--slo: %w", err)
	}
	return nil
}

// set takes a flag over when it was given, or when there is no scenario that
// could say otherwise.
func set[T any](f *loadFlags, t *target, name string, to *T, value T) {
	if f.changed(name) || !t.scenario {
		*to = value
	}
}

// runLive runs a load and shows how it goes.
func runLive(
	ctx context.Context, c *cobra.Command, g *global, t *target, run func(context.Context, loadtest.Config) (*loadtest.Result, error),
) (*loadtest.Result, error) {
	load := t.load
	view := live.Config{
		Title: t.name + ": " + describe(&t.load), Length: runs.Length(&t.load), Open: load.Open,
		Input: g.env.Stdin, Output: c.ErrOrStderr(), Environ: g.env.Environ,
	}
	if load.Open && len(load.Order) == 0 { // what a log did has no other rate
		load.Throttle = &loadtest.Throttle{}
		view.Throttle, view.MostFactor = load.Throttle, t.mostFactor
	}
	var r *loadtest.Result
	err := live.Run(ctx, view, func(ctx context.Context, show live.Show) (err error) {
		load.OnPoint = show.Point
		r, err = run(ctx, load)
		return err
	})
	return r, err
}
