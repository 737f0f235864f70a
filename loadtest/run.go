package loadtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/loadtest/objective"
	"holdfast/loadtest/selfcheck"
)

// run is a run under way.
type run struct {
	config   *Config
	plan     *plan
	origin   time.Time
	recorder *recorder
	sweeper  sweeper
	workers  sync.WaitGroup
	inFlight atomic.Int64
	made     atomic.Int64 // workers
	seq      atomic.Int64 // requests planned so far
	overdue  error        // of a timeout
	samples  [NumClasses]atomic.Pointer[string]
}

// Result is what a run measured.
type Result struct {
	Begun   time.Time
	Open    bool
	Elapsed time.Duration // of the measured part, until the last answer
	// Planned is how long the measured part was to last, and Target how many requests an open run had due in it.
	Planned time.Duration
	Target  float64
	// Total is all that was measured; Warmup was not judged. Stages and Endpoints are those of the Config.
	Total, Warmup *Summary
	Stages        []Stage
	Endpoints     []Named
	// Series has a point per second; in long runs per 2, 4, 8 seconds, so that there are 3,600 at most.
	Series []Point
	// Objectives is what came of each of them; Aborted the one that ended the run, or "".
	Objectives []objective.Outcome
	Aborted    string
	// Self says how far this machine is to be trusted with the figures.
	Self selfcheck.Report
	// Errors has the first error of each class of failures.
	Errors map[Class]string
	// Interrupted: the context ended before the load did.
	Interrupted bool
	// Changes are those of the rate by Config.Throttle; targets know them.
	Changes []Change
}

// Named is what became of the requests of one endpoint.
type Named struct {
	Name string
	*Summary
}

// Stage is what became of the requests due in one stage.
type Stage struct {
	Named
	Planned time.Duration
	Target  float64 // requests due in it; 0 in closed runs
}

// Rate is good answers per second of the measured part, until the last answer.
func (r *Result) Rate() float64 { return perSecond(float64(r.Total.Counts[OK]), r.Elapsed) }

// TargetRate is requests due per second of it; 0 in closed runs.
func (r *Result) TargetRate() float64 { return perSecond(r.Target, r.Planned) }

func perSecond(n float64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return n / d.Seconds()
}

// Passed says that every objective was reached.
func (r *Result) Passed() bool {
	return r.Aborted == "" && !slices.ContainsFunc(r.Objectives, func(o objective.Outcome) bool { return !o.Passed })
}

// Run puts the load on and measures until the last request has ended, or ctx does: then requests under way are
// interrupted and what was measured so far is returned, with Interrupted set and no error. It fails when the Config cannot
// be carried out. It holds all it knows in memory of fixed size and starts no goroutine that outlives it.
func Run(ctx context.Context, c Config) (*Result, error) { //nolint:gocritic // the copy is the point: defaults go into it
	c.withDefaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("check the load: %w", err)
	}
	plan, err := newPlan(&c)
	if err != nil {
		return nil, fmt.Errorf("plan the load: %w", err)
	}
	r := &run{config: &c, plan: plan, recorder: newRecorder(shards(), len(c.Stages)+1, len(c.Endpoints)), origin: time.Now()}
	r.overdue = fmt.Errorf("no whole answer within %v", c.Timeout)
	watch := newCollector(r)
	err = r.drive(ctx, watch)
	if err != nil {
		return nil, fmt.Errorf("run the load: %w", err)
	}
	return r.result(ctx, watch), nil
}

// drive runs the workers with those that look after them, and returns when all are gone.
func (r *run) drive(ctx context.Context, watch *collector) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var aides sync.WaitGroup
	aides.Go(func() { r.sweeper.run(ctx, r, done) })
	aides.Go(func() { watch.run(done, cancel) })
	err := r.load(ctx)
	if err != nil {
		cancel() // those that did start are interrupted
	}
	r.workers.Wait()
	close(done)
	aides.Wait()
	return err
}

// load starts the workers and, in an open run, hands out requests until there are no more.
func (r *run) load(ctx context.Context) error {
	if !r.config.Open {
		return r.closed(ctx)
	}
	d := newDispatcher(r)
	err := d.pace(ctx)
	d.stop()
	return err
}

func (r *run) newWorker(n int) (*worker, error) {
	user, err := r.config.Client.NewUser(n)
	if err != nil {
		return nil, fmt.Errorf("make user %d: %w", n, err)
	}
	w := &worker{run: r, user: user, wake: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
	if r.config.Open {
		w.sender, _ = user.(Sender)
	}
	w.shot.User = n
	r.sweeper.add(w)
	r.made.Add(1)
	return w, nil
}

// sample keeps the first error of a class.
func (r *run) sample(s *Shot) {
	if p := &r.samples[s.Class]; p.Load() == nil {
		text := s.Err.Error()
		p.CompareAndSwap(nil, &text)
	}
}

func (r *run) result(ctx context.Context, watch *collector) *Result {
	c, rec := r.config, r.recorder
	res := &Result{
		Begun: r.origin, Open: c.Open, Planned: r.plan.stages.Duration(),
		Total: rec.summary(measured, all), Warmup: rec.summary(0, all), Series: watch.series.points,
		Interrupted: ctx.Err() != nil, Aborted: watch.aborted, Errors: map[Class]string{},
	}
	res.Self = watch.judge.Report(res.Total.Counts[OutOfPorts] + res.Total.Counts[OutOfFiles])
	for class := range r.samples {
		if text := r.samples[class].Load(); text != nil && Class(class).Failure() {
			res.Errors[Class(class)] = *text
		}
	}
	res.Elapsed = max(watch.ended-r.plan.warmup, 0)
	if !res.Interrupted && res.Aborted == "" && c.Requests == 0 {
		res.Elapsed = max(res.Elapsed, res.Planned)
	}
	res.Objectives = r.outcomes(r.plan.warmup + res.Elapsed)
	due := r.plan.demand.due
	res.Changes = r.plan.demand.made()
	if c.Open {
		res.Target = due(r.plan.curve.Duration()) - due(r.plan.warmup)
	}
	at := r.plan.warmup
	for i := range c.Stages {
		s := Stage{Named: Named{Name: c.Stages[i].Name, Summary: rec.summary(1+i, all)}, Planned: c.Stages[i].Duration}
		if c.Open {
			s.Target = due(at+s.Planned) - due(at)
		}
		at += s.Planned
		res.Stages = append(res.Stages, s)
	}
	for i := range c.Endpoints {
		res.Endpoints = append(res.Endpoints, Named{Name: c.Endpoints[i].Name, Summary: rec.summary(measured, i)})
	}
	return res
}
