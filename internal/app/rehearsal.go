package app

import (
	"maps"
	"slices"

	"holdfast/autoscale"
	"holdfast/autoscale/simulate"
	"holdfast/internal/config"
	"holdfast/internal/scaler"
)

// Rehearsal is how a function would be scaled, and what its policy is told besides
// what is measured, as if its decisions were carried out.
func Rehearsal(name string, f *config.Function) simulate.Contender {
	t := rehearsalTarget(f)
	c := simulate.Contender{Name: name, Policy: t.Policy, Around: simulate.Around{Windows: t.Windows}}
	c.Policy.Mode = autoscale.Mode{}
	for i := range t.Derived {
		c.Around.Derived = append(c.Around.Derived, derivedForRehearsal(&t.Derived[i]))
	}
	for _, own := range slices.Sorted(maps.Keys(f.Scaling.Signals)) {
		if g := f.Scaling.Signals[own]; g.HealthJSON != "" && g.Combine == "each" {
			c.Around.Each = append(c.Around.Each, signalNamed(&f.Scaling, own))
		}
	}
	return c
}

func rehearsalTarget(f *config.Function) scaler.Target {
	copied := *f
	if copied.Platform.Process == nil {
		copied.Platform.Process = &config.Process{}
	}
	return scalingTargetOf(&copied)
}

func derivedForRehearsal(d *scaler.Derived) simulate.Derived {
	v := simulate.Derived{Signal: d.Signal, Value: func(of func(autoscale.Signal) (float64, bool)) (float64, bool) {
		return d.Formula.Value(func(name string) (float64, bool) { return of(d.Means[name]) })
	}}
	for _, name := range d.Means {
		v.From = append(v.From, name)
	}
	slices.Sort(v.From)
	return v
}
