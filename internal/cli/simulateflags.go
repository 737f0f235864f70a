package cli

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
	"holdfast/internal/app"
	"holdfast/internal/config"
)

// simulateFlags are those of holdfast simulate.
type simulateFlags struct {
	policies          []string
	config            []string
	function          string
	history           string
	days              float64
	fromStore         bool
	part              string
	peak              float64
	slots             int
	service           time.Duration
	serviceVariation  float64
	arrivals          string
	boot, bootP95     time.Duration
	bootFails         float64
	drain, lag        time.Duration
	spares            int
	speedSpread       float64
	slowStart         time.Duration
	tick, window      time.Duration
	queue             int
	patience, maxWait time.Duration
	violations        float64
	warmup            time.Duration
	price             float64
	seeds             int
	lowest, highest   int
	pareto, suggest   bool
	goal              float64
	report            string
}

func (f *simulateFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringArrayVar(&f.policies, "policy", nil, "policy to rehearse; may be given more than once (default hpa-70 and capacity)")
	fs.StringSliceVarP(&f.config, "config", "c", nil, "configuration with --function in it")
	fs.StringVar(&f.function, "function", "", "function whose scaling is rehearsed beside the policies")
	fs.StringVar(&f.history, "history", "", "take the demand of this function from the history Holdfast keeps")
	fs.Float64Var(&f.days, "days", 14, "how much of --history")
	fs.BoolVar(&f.fromStore, "from-store", false, "read --history in the store of the configuration, without a running Holdfast")
	fs.StringVar(&f.part, "part", "", "share of the demand to take, FROM-TO: 0.5-1 is the second half")
	fs.Float64Var(&f.peak, "peak", 0, "scale the demand so that its peak (99.9 % of the steps) keeps so many instances busy")
	fs.IntVar(&f.slots, "slots", 1, "requests an instance works on at once")
	fs.DurationVar(&f.service, "service-time", 100*time.Millisecond, "how long a request takes on average")
	fs.Float64Var(&f.serviceVariation, "service-variation", 1, "squared coefficient of variation of that; 0: always the same")
	fs.StringVar(&f.arrivals, "arrivals", "poisson", "how requests lie within a step: poisson, bursty (squared coefficient of variation 4) or even")
	fs.DurationVar(&f.boot, "boot", 30*time.Second, "how long an instance takes until it is ready (median)")
	fs.DurationVar(&f.bootP95, "boot-p95", 0, "the 95th percentile of that: lognormal (default: always the same)")
	fs.Float64Var(&f.bootFails, "boot-fails", 0, "boots that fail and begin again, in percent")
	fs.DurationVar(&f.drain, "drain", 10*time.Second, "how long an instance costs after it was taken out")
	fs.IntVar(&f.spares, "warm-spares", 0, "instances kept booted besides, paid for and ready at once")
	fs.Float64Var(&f.speedSpread, "speed-spread", 0, "how far instances differ in speed, in percent of it (standard deviation)")
	fs.DurationVar(&f.slowStart, "slow-start", 0, "how long an instance that joins others takes until it has its whole share")
	fs.DurationVar(&f.lag, "lag", 0, "how old measurements are")
	fs.DurationVar(&f.tick, "tick", 15*time.Second, "time between decisions")
	fs.DurationVar(&f.window, "window", time.Minute, "what measurements are averaged over")
	fs.IntVar(&f.queue, "queue", 1000, "requests that may wait")
	fs.DurationVar(&f.patience, "patience", 10*time.Second, "how long a request waits before it is lost")
	fs.DurationVar(&f.maxWait, "max-wait", 0, "longer waits count as late (default: the service time)")
	fs.Float64Var(&f.violations, "violations", 5, "percent of the requests of a minute that may be late or lost")
	fs.DurationVar(&f.warmup, "warm-up", 0, "begin of the demand that is simulated and not counted")
	fs.Float64Var(&f.price, "price", 0, "price of an instance-hour")
	fs.IntVar(&f.seeds, "seeds", 5, "runs of each policy, each with other random numbers")
	fs.IntVar(&f.lowest, "min", 1, "instances at least, of the policies that are not of a configuration")
	fs.IntVar(&f.highest, "max", 0, "instances at most, of those (default: twice what the highest step needs)")
	fs.BoolVar(&f.pareto, "pareto", false, "also sweep hpa-50 to hpa-85 and capacity, and compare at the same safety")
	fs.BoolVar(&f.suggest, "suggest", false, "propose thresholds, target, capacity and bounds, with what they would have come to")
	fs.Float64Var(&f.goal, "goal", 1, "percent of the minutes that may be slow, for --suggest")
	fs.StringVar(&f.report, "report", "", "file for the report: .html or .json")
}

func (f *simulateFlags) check() error {
	switch {
	case f.report != "" && filepath.Ext(f.report) != ".html" && filepath.Ext(f.report) != ".json":
		return fmt.Errorf("--report %s: want a name that ends in .html or .json", f.report)
	case f.seeds < 1 || f.seeds > 100:
		return fmt.Errorf("--seeds %d: want 1 to 100", f.seeds)
	case !(f.peak >= 0) || f.peak > 10_000:
		return fmt.Errorf("--peak %v: want 0 to 10000 instances", f.peak)
	case f.service <= 0 || f.service > time.Hour:
		return fmt.Errorf("--service-time %s: want more than 0 and at most 1h", f.service)
	case f.lowest < 0 || f.highest < 0 || f.highest > 0 && f.lowest > f.highest:
		return fmt.Errorf("--min %d --max %d: want 0 <= min <= max", f.lowest, f.highest)
	case !(f.days > 0) || f.days > 400:
		return fmt.Errorf("--days %v: want more than 0 and at most 400", f.days)
	case !(f.goal > 0) || f.goal >= 100:
		return fmt.Errorf("--goal %v: want a percentage above 0 and below 100", f.goal)
	case len(f.config) > 0 && f.function == "" && !f.fromStore:
		return errors.New("-c: say which function with --function")
	}
	_, err := f.variation()
	return err
}

func (f *simulateFlags) variation() (float64, error) {
	switch f.arrivals {
	case "poisson":
		return 1, nil
	case "bursty":
		return 4, nil
	case "even":
		return -1, nil
	}
	return 0, fmt.Errorf("--arrivals %s: want poisson, bursty or even", f.arrivals)
}

// exactly keeps a flag's 0 from meaning the default.
func exactly(v float64) float64 {
	if v == 0 {
		return -1
	}
	return v
}

// discreteBudget is how many requests are simulated one by one in a run.
const discreteBudget = 2_000_000

// prepare takes the part of a trace and scales it, and makes the world.
func (f *simulateFlags) prepare(t *simulate.Trace) (*simulate.Trace, simulate.World, error) {
	variation, err := f.variation()
	if err != nil {
		return nil, simulate.World{}, err
	}
	w := simulate.World{
		Slots: f.slots, Service: f.service, ServiceVariation: exactly(f.serviceVariation), ArrivalVariation: variation,
		Boot: simulate.Boot{Median: f.boot, P95: f.bootP95, Fails: f.bootFails / 100}, Drain: f.drain, Spares: f.spares,
		SpeedSpread: f.speedSpread / 100, SlowStart: f.slowStart, Tick: f.tick, Window: f.window, Lag: f.lag,
		Queue: int(exactly(float64(f.queue))), Patience: f.patience, MaxWait: f.maxWait, Violations: f.violations / 100,
		Warmup: f.warmup, Price: f.price,
	}
	if err := w.Validate(); err != nil {
		return nil, w, fmt.Errorf("simulate: %w", err)
	}
	if t, err = f.cut(t); err != nil {
		return nil, w, err
	}
	if f.peak > 0 {
		if t.Peak() == 0 {
			return nil, w, fmt.Errorf("--peak: %s has no demand to scale", t.Name)
		}
		t = t.Scaled(f.peak * w.PerInstance() / t.Peak())
	}
	if f.warmup >= t.Length() {
		return nil, w, fmt.Errorf("--warm-up %s: %s is only %s long", f.warmup, t.Name, t.Length())
	}
	w.Discrete = simulate.DiscreteFor(t, w, discreteBudget)
	return t, w, nil
}

// cut takes the --part of a trace.
func (f *simulateFlags) cut(t *simulate.Trace) (*simulate.Trace, error) {
	if f.part == "" {
		return t, nil
	}
	first, last, ok := strings.Cut(f.part, "-")
	from, errFrom := strconv.ParseFloat(first, 64)
	to, errTo := strconv.ParseFloat(last, 64)
	if !ok || errFrom != nil || errTo != nil || !(from >= 0 && from < to && to <= 1) {
		return nil, fmt.Errorf("--part %s: want FROM-TO between 0 and 1, such as 0.5-1", f.part)
	}
	cut := t.Part(from, to)
	if len(cut.Counts) < 2 {
		return nil, fmt.Errorf("--part %s: %s has only %s", f.part, t.Name, counted(len(t.Counts), "step"))
	}
	return cut, nil
}

// bounds are those of policies that are not of a configuration.
func (f *simulateFlags) bounds(t *simulate.Trace, w simulate.World) (lowest, highest int) {
	highest = f.highest
	if highest == 0 {
		need := slices.Max(t.Counts) / t.Step.Seconds() / w.PerInstance()
		highest = max(int(math.Ceil(2*min(need, 10_000))), f.lowest, 2)
	}
	return f.lowest, highest
}

// contenders are the policies that were asked for.
func (f *simulateFlags) contenders(g *global, lowest, highest int, w simulate.World) ([]simulate.Contender, error) {
	names := f.policies
	if len(names) == 0 && f.function == "" {
		names = []string{"hpa-70", "capacity"}
	}
	var list []simulate.Contender
	if f.function != "" {
		files := f.config
		if len(files) == 0 {
			files = []string{defaultFile}
		}
		c, err := configured(g, files, f.function)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	for _, name := range names {
		if file, function, ok := configurationFile(name); ok {
			c, err := configured(g, []string{file}, function)
			if err != nil {
				return nil, err
			}
			list = append(list, c)
			continue
		}
		p, err := simulate.Builtin(name, lowest, highest, w)
		if err != nil {
			return nil, fmt.Errorf("--policy: %w", err)
		}
		list = append(list, simulate.Contender{Name: name, Policy: p})
	}
	return list, nil
}

// signals are those that the policies use and nobody simulates.
func (f *simulateFlags) signals(g *global) ([]autoscale.Signal, error) {
	list, err := f.contenders(g, 1, 1, simulate.World{}) // bounds are no signals
	var names []autoscale.Signal
	for i := range list {
		names = append(names, list[i].Uses()...)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// configurationFile says whether a policy is FILE or FILE:FUNCTION.
func configurationFile(name string) (file, function string, ok bool) {
	file = name
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		file, function = name[:i], name[i+1:]
	}
	ext := filepath.Ext(file)
	return file, function, ext == ".yaml" || ext == ".yml"
}

// configured is the scaling of a function in a configuration; without a name
// its only function.
func configured(g *global, files []string, function string) (simulate.Contender, error) {
	c, _, err := config.Load(config.Options{Files: files, Environ: g.env.Environ})
	if err != nil {
		return simulate.Contender{}, explainProblems(err)
	}
	if function == "" && len(c.Functions) == 1 {
		for name := range c.Functions {
			function = name
		}
	}
	fn := c.Functions[function]
	if fn == nil {
		return simulate.Contender{}, fmt.Errorf("%s has no function %q: want one of %s", strings.Join(files, ", "), clean(function), strings.Join(slices.Sorted(maps.Keys(c.Functions)), ", "))
	}
	return app.Rehearsal(function, fn), nil
}
