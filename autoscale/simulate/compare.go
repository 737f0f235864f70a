package simulate

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"holdfast/autoscale"
)

// Contender is a policy with a name.
type Contender struct {
	Name   string           `json:"name"`
	Policy autoscale.Policy `json:"policy"`
	// Around is what the policy is told besides what is simulated.
	Around Around `json:"-"`
}

// Result is what a policy came to over several seeds.
type Result struct {
	Contender
	// Mean is over the seeds, Deviation the standard deviation between them.
	Mean      Figures `json:"mean"`
	Deviation Figures `json:"deviation"`
	// Runs are the single ones; only the first has a timeline.
	Runs []*Outcome `json:"runs"`
}

// Comparison is several policies on the same trace with the same seeds.
type Comparison struct {
	Contenders []Contender
	Trace      *Trace
	World      World
	// Seeds is how many runs each policy gets; 0 is 5. The seeds are 1, 2, ...
	Seeds int
	// Timeline keeps the first run of each policy step by step.
	Timeline bool
}

// Do runs all of it, as many runs at once as there are processors.
func (c Comparison) Do() ([]Result, error) {
	seeds := c.Seeds
	if seeds <= 0 {
		seeds = 5
	}
	results := make([]Result, len(c.Contenders))
	errs := make([]error, len(c.Contenders)*seeds)
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i := range c.Contenders {
		results[i] = Result{Contender: c.Contenders[i], Runs: make([]*Outcome, seeds)}
		for k := range seeds {
			free <- struct{}{}
			all.Go(func() {
				defer func() { <-free }()
				run := Run{Policy: c.Contenders[i].Policy, Around: c.Contenders[i].Around, Trace: c.Trace, World: c.World, Seed: uint64(k + 1), Timeline: c.Timeline && k == 0}
				o, err := run.Do()
				if err != nil {
					errs[i*seeds+k] = fmt.Errorf("%s: %w", c.Contenders[i].Name, err)
				}
				results[i].Runs[k] = o
			})
		}
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err // the others say the same
		}
	}
	for i := range results {
		results[i].sum()
	}
	return results, nil
}

// sum makes the means and deviations.
func (r *Result) sum() {
	n := float64(len(r.Runs))
	mean, deviation := r.Mean.list(), r.Deviation.list()
	for _, o := range r.Runs {
		for i, v := range o.list() {
			*mean[i] += *v / n
		}
	}
	for _, o := range r.Runs {
		for i, v := range o.list() {
			*deviation[i] += (*v - *mean[i]) * (*v - *mean[i])
		}
	}
	for _, v := range deviation {
		*v = math.Sqrt(*v / max(n-1, 1))
	}
}

// Plus adds the figures of another run, so that divided by the number of runs
// they are means.
func (f *Figures) Plus(o *Figures) {
	sum := f.list()
	for i, v := range o.list() {
		*sum[i] += *v
	}
}

// list are all figures, in order.
func (f *Figures) list() []*float64 {
	return []*float64{
		&f.ThetaUnder, &f.ThetaOver, &f.TauUnder, &f.TauOver, &f.Missing, &f.Unstable, &f.Offered, &f.Lost, &f.Violations,
		&f.ViolatedTime, &f.WorstWindow, &f.InstanceHours, &f.Ideal, &f.IdealBoot, &f.Ratio, &f.RatioBoot, &f.Cost, &f.Starts,
		&f.ChangesPerDay, &f.Most, &f.Discrete,
	}
}

// Measure is a figure by which policies are held against each other at the
// same cost: the less, the better. Short is its name in a table.
type Measure struct {
	Name, Short string
	Of          func(*Figures) float64
}

// Measures are those that tell whether there were enough instances.
func Measures() []Measure {
	return []Measure{
		{"time below the objective", "SLOW MIN", func(f *Figures) float64 { return f.ViolatedTime }},
		{"requests late or lost", "LATE", func(f *Figures) float64 { return f.Violations }},
		{"time under-provisioned", "SHORT", func(f *Figures) float64 { return f.TauUnder }},
		{"demand without an instance", "MISSING", func(f *Figures) float64 { return f.Missing }},
	}
}

// ReactiveLine are the policies hpa-85 to hpa-50, cheapest first.
func ReactiveLine(lowest, highest int, w World) []Contender {
	var list []Contender
	for percent := 85.0; percent >= 50; percent -= 5 {
		list = append(list, Contender{Name: fmt.Sprintf("hpa-%.0f", percent), Policy: Reactive(percent, lowest, highest, w)})
	}
	return list
}

// SizedLine is the capacity model, from many that may wait to few.
func SizedLine(lowest, highest int, w World) []Contender {
	var list []Contender
	for _, waiting := range []float64{0.6, 0.3, 0.15, 0.08, 0.04, 0.02, 0.008, 0.002, 0.0003, 0.00001} {
		list = append(list, Contender{Name: fmt.Sprintf("%.3g%% wait", 100*waiting), Policy: Sized(waiting, lowest, highest, w)})
	}
	return list
}

// ErrBeyond says that a line does not reach a value.
var ErrBeyond = errors.New("the line does not get as low")

// HoursFor is the least number of instance-hours at which a line of results
// keeps a measure at or below a value, straight between its points, which come
// in the order of their hours.
func HoursFor(line []Result, of func(*Figures) float64, value float64) (float64, error) {
	least := math.Inf(1)
	for i := range line {
		a := &line[i].Mean
		if of(a) <= value {
			least = min(least, a.InstanceHours)
		}
		if i+1 == len(line) {
			break
		}
		b := &line[i+1].Mean
		if va, vb := of(a), of(b); (va-value)*(vb-value) < 0 {
			least = min(least, a.InstanceHours+(value-va)/(vb-va)*(b.InstanceHours-a.InstanceHours))
		}
	}
	if math.IsInf(least, 1) {
		return 0, ErrBeyond
	}
	return least, nil
}
