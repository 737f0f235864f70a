package simulate

import (
	"maps"
	"math"
	"slices"
	"time"

	"holdfast/autoscale"
	"holdfast/autoscale/schedule"
)

// Around is what a policy is told besides what is simulated. The zero value is
// nothing. A function that is scaled adds the same to what it measured.
type Around struct {
	// Windows are when the schedules of the policy are in force, by their names.
	Windows map[string]*schedule.Window
	// Derived are signals that are calculated from others, each after those it
	// uses.
	Derived []Derived
	// Each are recorded signals that every instance has of its own, so that with
	// more instances each has less. So is the signal of a target of the kinds Mean
	// and Ratio.
	Each []autoscale.Signal
}

// Derived is a signal that is calculated from others.
type Derived struct {
	Signal autoscale.Signal
	From   []autoscale.Signal
	// Value calculates it; false: it is unknown. Runs call it at the same time.
	Value func(of func(autoscale.Signal) (float64, bool)) (float64, bool)
}

// Recorded is a signal as it was beside the demand of a trace.
type Recorded struct {
	// Values are those at the end of each step; NaN is unknown.
	Values []float64
	// Shared: the values are of all instances together, and each has its part of
	// them. Otherwise they are what they are with any number of instances.
	Shared bool
}

// Record puts what was measured at times beside the demand. A value is that of
// the end of the step that begins at its time; those of other times, and NaN,
// are left out.
func (t *Trace) Record(name autoscale.Signal, at []time.Time, values []float64, shared bool) {
	r := Recorded{slices.Repeat([]float64{math.NaN()}, len(t.Counts)), shared}
	known := false
	for i := range min(len(at), len(values)) {
		since := at[i].Sub(t.Begin)
		if step := int(since / t.Step); since >= 0 && step < len(r.Values) && !math.IsNaN(values[i]) && !math.IsInf(values[i], 0) {
			r.Values[step], known = values[i], true
		}
	}
	if !known {
		return
	}
	t.Recorded = maps.Clone(t.Recorded)
	if t.Recorded == nil {
		t.Recorded = map[autoscale.Signal]Recorded{}
	}
	t.Recorded[name] = r
}

// Shares says whether of a recorded signal each instance has a part.
func (c Contender) Shares(name autoscale.Signal) bool {
	return slices.Contains(c.Around.Each, name) || slices.ContainsFunc(c.Policy.Targets, func(t autoscale.Target) bool {
		return t.Signal == name && (t.Kind == autoscale.Mean || t.Kind == autoscale.Ratio)
	})
}

// Rehearsable is the contender without the targets and thresholds whose signals
// are neither simulated nor beside the demand of a trace, and the names of those
// in order. A signal that is never known would forbid removing any instance.
func (c Contender) Rehearsable(t *Trace) (left Contender, out []autoscale.Signal) {
	known := map[autoscale.Signal]bool{}
	for _, name := range autoscale.Standard() {
		known[name] = true
	}
	for name := range t.Recorded {
		known[name] = true
	}
	for _, d := range c.Around.Derived {
		known[d.Signal] = !slices.ContainsFunc(d.From, func(name autoscale.Signal) bool { return !known[name] })
	}
	missing := map[autoscale.Signal]bool{}
	lost := func(name autoscale.Signal) bool {
		missing[name] = missing[name] || !known[name]
		return !known[name]
	}
	p := &c.Policy
	p.Targets = slices.DeleteFunc(slices.Clone(p.Targets), func(x autoscale.Target) bool { return lost(x.Signal) })
	for _, m := range []*map[autoscale.Signal]float64{&p.Thresholds.Up, &p.Thresholds.Down} {
		*m = maps.Clone(*m)
		maps.DeleteFunc(*m, func(name autoscale.Signal, _ float64) bool { return lost(name) })
	}
	maps.DeleteFunc(missing, func(_ autoscale.Signal, is bool) bool { return !is })
	return c, slices.Sorted(maps.Keys(missing))
}

// surround adds to what was measured what else a policy is told. Of what was
// recorded it takes the last step that was over by then.
func (s *simulation) surround(in *autoscale.Signals, now float64) {
	at := s.wall(now)
	for name, w := range s.Around.Windows {
		if w.Open(at) {
			in.Schedules = append(in.Schedules, name)
		}
	}
	slices.Sort(in.Schedules)
	last := int(math.Floor((now-s.world.Lag.Seconds())/s.Trace.Step.Seconds()+1e-9)) - 1
	for name, r := range s.Trace.Recorded {
		if last < 0 || last >= len(r.Values) || math.IsNaN(r.Values[last]) {
			continue
		}
		v := r.Values[last]
		if r.Shared {
			v /= float64(max(len(s.fleet.ready), 1))
		}
		in.Values[name] = v
	}
	if len(s.Around.Derived) > 0 {
		told := *in // so that in stays on the stack where nothing is derived
		s.derive(&told)
	}
}

// derive adds what is calculated to the values.
func (s *simulation) derive(in *autoscale.Signals) {
	for _, d := range s.Around.Derived {
		if v, ok := d.Value(in.Value); ok {
			in.Values[d.Signal] = v
		}
	}
}
