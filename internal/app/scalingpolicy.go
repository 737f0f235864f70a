package app

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
	"holdfast/exchange"
	"holdfast/internal/config"
	"holdfast/internal/formula"
	"holdfast/internal/scaler"
	"holdfast/internal/signals"
)

// scalingPlans are made once for each configuration of a function.
type scalingPlans struct {
	mu      sync.Mutex
	plans   map[string]scalingPlan // by function
	sources []signals.Source       // that are fetched
}

type scalingPlan struct {
	config  *config.Function
	target  scaler.Target
	sources []signals.Source
}

func (p *scalingPlans) of(fn *exchange.Function, f *config.Function) scalingPlan {
	p.mu.Lock()
	defer p.mu.Unlock()
	plan, ok := p.plans[fn.Name()]
	if !ok || plan.config != f {
		plan = scalingPlan{f, scalingTargetOf(f), sourcesOf(fn.Name(), &f.Scaling)}
		if p.plans == nil {
			p.plans = map[string]scalingPlan{}
		}
		p.plans[fn.Name()] = plan
	}
	plan.target.Function = fn
	return plan
}

// fetch has the sources of the functions that are scaled fetched, and no others.
func (p *scalingPlans) fetch(c *signals.Collector, sources []signals.Source) {
	slices.SortFunc(sources, func(a, b signals.Source) int {
		return cmp.Or(strings.Compare(a.Function, b.Function), strings.Compare(a.Name, b.Name))
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	if !reflect.DeepEqual(p.sources, sources) {
		p.sources = sources
		c.Set(sources)
	}
}

// sourcesOf are the signals of a function that are fetched from elsewhere.
func sourcesOf(function string, c *config.Scaling) []signals.Source {
	var list []signals.Source
	for name, g := range c.Signals {
		s := signals.Source{Function: function, Name: name}
		switch p, h := g.Prometheus, g.HTTPJSON; {
		case p != nil:
			s.URL, s.Query, s.Headers, s.Interval, s.Timeout = p.URL, p.Query, p.Headers, p.Interval.Std(), p.Timeout.Std()
		case h != nil:
			s.URL, s.Path, s.Headers, s.Interval, s.Timeout = h.URL, h.Path, h.Headers, h.Interval.Std(), h.Timeout.Std()
		default:
			continue
		}
		list = append(list, s)
	}
	return list
}

// scalingTargetOf is what the scaler has to know of a function, without the
// function itself.
func scalingTargetOf(f *config.Function) scaler.Target {
	t := scaler.Target{Policy: scalingPolicyOf(f), Windows: map[string]*schedule.Window{}, Derived: derivedOf(&f.Scaling)}
	for name, c := range f.Scaling.Schedules {
		if w, err := c.Window(); err == nil { // reading the configuration refuses the others
			t.Windows[name] = w
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Scaling.Signals)) {
		g, signal := f.Scaling.Signals[name], signalNamed(&f.Scaling, name)
		if g.HealthJSON == "" {
			continue
		}
		t.OfInstances = append(t.OfInstances, signal)
		if g.Combine != "each" {
			t.Combined = append(t.Combined, scaler.Combined{Signal: signal, How: scaler.Combination(g.Combine)})
		}
	}
	if c := f.Scaling.Capacity; c != nil {
		t.ServiceTime = c.ServiceTime.Std()
	}
	return t
}

// custom begins the names of signals from the configuration, so that they never
// meet one of the library.
const custom = "custom:"

// signalNamed is the signal that a name in a function's scaling means.
func signalNamed(c *config.Scaling, name string) autoscale.Signal {
	if c.Signals[name] != nil {
		return autoscale.Signal(custom + name)
	}
	return autoscale.Signal(name)
}

// derivedOf are the formulas, each after those it uses. They were compiled
// before, when the configuration was read.
func derivedOf(c *config.Scaling) []scaler.Derived {
	var known []string
	for _, s := range autoscale.Standard() {
		known = append(known, string(s))
	}
	known = slices.AppendSeq(known, maps.Keys(c.Signals))
	formulas := map[string]*formula.Formula{}
	for name, g := range c.Signals {
		if f, err := formula.Compile(g.Formula, known); err == nil {
			formulas[name] = f
		}
	}
	order, err := formula.Order(formulas)
	if err != nil {
		return nil
	}
	var list []scaler.Derived
	for _, name := range order {
		d := scaler.Derived{Signal: signalNamed(c, name), Formula: formulas[name], Means: map[string]autoscale.Signal{}}
		for _, used := range d.Formula.Names() {
			d.Means[used] = signalNamed(c, used)
		}
		list = append(list, d)
	}
	return list
}

// scalingPolicyOf writes the configuration as a policy.
func scalingPolicyOf(f *config.Function) autoscale.Policy {
	c := &f.Scaling
	most := mostInstances(f)
	p := autoscale.Policy{
		Min: min(c.MinInstances, most), Max: most, Cooldown: c.CooldownPeriod.Std(), Boot: bootOf(f),
		Thresholds: thresholdsOf(c), Targets: targetsOf(c), Capacity: capacityOf(c.Capacity),
		Panic:     autoscale.Panic{Off: c.Panic.Disabled, Factor: c.Panic.Factor, For: c.Panic.For.Std(), Drain: c.Panic.Drain.Std()},
		Tolerance: orOff(c.TolerancePercent / 100), ChangesPerHour: c.ChangesPerHour,
		Up: paceOf(&c.Up), Down: paceOf(&c.Down),
		Guards: autoscale.Guards{VersionIsNew: c.Guards.VersionIsNew.Std(), Settle: c.Guards.Settle.Std(), TryAgain: c.Guards.TryAgain.Std()},
		Budget: autoscale.Budget{Price: c.Budget.Price, PerHour: c.Budget.PerHour, PerMonth: c.Budget.PerMonth, AtCap: autoscale.AtCap(c.Budget.AtCap)},
		Mode:   modeOf(&c.Mode),
	}
	for _, name := range slices.Sorted(maps.Keys(c.Schedules)) {
		w := c.Schedules[name]
		p.Schedules = append(p.Schedules, autoscale.Schedule{Name: name, Min: w.MinInstances, Max: w.MaxInstances})
	}
	p.Zero.After = p.Thresholds.IdleFor
	if p.Down.Rates == nil {
		p.Down.Rates = []autoscale.Rate{{Instances: max(p.Thresholds.Remove, 1), Per: time.Second}}
	}
	if p.Down.Hold == 0 {
		p.Down.Hold = -1 // the library takes 0 for its default
	}
	return p
}

// bootOf is how long an instance may take until it is ready; 0: the library's
// default.
func bootOf(f *config.Function) time.Duration {
	return cmp.Or(f.Scaling.Boot, f.Platform.ReadyTimeout()).Std()
}

// mostInstances is how many the configuration allows, and the ports of processes
// of which some are for spares.
func mostInstances(f *config.Function) int {
	n := max(f.Scaling.MaxInstances, f.Scaling.MinInstances, 1)
	if p := f.Platform.Process; p != nil && !p.Ports.IsZero() {
		n = min(n, p.Ports.Len()-p.WarmSpares)
	}
	return n
}

func thresholdsOf(c *config.Scaling) autoscale.Thresholds {
	up, down := &c.ScaleUpThreshold, &c.ScaleDownThreshold
	t := autoscale.Thresholds{
		Up:      limitsUsed(up.CPUPercent, up.MemoryPercent, up.ResponseTimeMs, up.ErrorRatePercent, up.ActiveConnections),
		Down:    limitsUsed(down.CPUPercent, down.MemoryPercent, down.ResponseTimeMs, down.ErrorRatePercent, down.ActiveConnections),
		IdleFor: time.Duration(down.IdleTimeMinutes * float64(time.Minute)),
		Remove:  down.Remove,
	}
	for name, v := range up.Signals {
		t.Up[signalNamed(c, name)] = v
	}
	for name, v := range down.Signals {
		t.Down[signalNamed(c, name)] = v
	}
	for _, s := range up.Steps {
		t.Steps = append(t.Steps, autoscale.Step{Over: s.OverPercent, Add: s.Add, Percent: s.AddPercent})
	}
	return t
}

// limitsUsed are those that are used; 0 is not.
func limitsUsed(cpu, memory, response, errors float64, connections int) map[autoscale.Signal]float64 {
	m := map[autoscale.Signal]float64{}
	for name, v := range map[autoscale.Signal]float64{
		autoscale.CPUPercent: cpu, autoscale.MemoryPercent: memory, autoscale.ResponseTimeMS: response,
		autoscale.ErrorRatePercent: errors, autoscale.ActiveConnections: float64(connections),
	} {
		if v > 0 {
			m[name] = v
		}
	}
	return m
}

// targetsOf: what each instance says of itself is a mean unless said otherwise.
func targetsOf(c *config.Scaling) []autoscale.Target {
	var list []autoscale.Target
	for _, name := range slices.Sorted(maps.Keys(c.Targets)) {
		x := c.Targets[name]
		t := autoscale.Target{Signal: signalNamed(c, name), Value: x.Value, Kind: autoscale.Kind(x.Kind)}
		if x.Kind == "auto" {
			t.Kind = autoscale.Automatic
			if g := c.Signals[name]; g != nil && g.HealthJSON != "" && g.Combine == "each" {
				t.Kind = autoscale.Mean
			}
		}
		list = append(list, t)
	}
	return list
}

func capacityOf(c *config.ScalingCapacity) *autoscale.Capacity {
	if c == nil {
		return nil
	}
	return &autoscale.Capacity{Slots: c.Concurrency, Waiting: c.WaitingPercent / 100, MaxWait: c.Wait.Std(), Variation: c.Variation}
}

func paceOf(c *config.ScalingPace) autoscale.Limits {
	l := autoscale.Limits{Hold: c.Hold.Std(), Careful: c.Careful, Never: c.Never}
	for _, r := range c.Rates {
		l.Rates = append(l.Rates, autoscale.Rate{Instances: r.Instances, Percent: r.Percent, Per: r.Per.Std()})
	}
	return l
}

// modeOf is the mode of the configuration. One that people ordered goes before
// it.
func modeOf(c *config.ScalingMode) autoscale.Mode {
	kind := map[string]autoscale.ModeKind{
		"on": autoscale.On, "up-only": autoscale.UpOnly, "advisory": autoscale.Advisory, "paused": autoscale.Paused, "pinned": autoscale.Pinned,
	}[c.Kind]
	return autoscale.Mode{Kind: kind, Until: c.Ends(), At: c.At}
}
