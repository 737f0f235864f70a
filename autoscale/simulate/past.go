package simulate

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale"
)

// Past is what was measured beside the demand, at the ends of steps that began at
// the times of At. The zero value is nothing.
type Past struct {
	At []time.Time
	// Instances are those that were ready.
	Instances []float64
	// Signals are as long as At; NaN is unknown.
	Signals map[autoscale.Signal][]float64
}

// Add adds a step. Signals that are missing are unknown.
func (p *Past) Add(at time.Time, instances float64, signals map[autoscale.Signal]float64) {
	if p.Signals == nil {
		p.Signals = map[autoscale.Signal][]float64{}
	}
	p.At, p.Instances = append(p.At, at), append(p.Instances, instances)
	for name, v := range signals {
		if p.Signals[name] == nil {
			p.Signals[name] = slices.Repeat([]float64{math.NaN()}, len(p.At)-1)
		}
		p.Signals[name] = append(p.Signals[name], v)
	}
	for name, list := range p.Signals {
		if len(list) < len(p.At) {
			p.Signals[name] = append(list, math.NaN())
		}
	}
}

// Prepare records the signals that contenders use beside the demand of a trace,
// takes out of the contenders what neither the past nor the simulation has, see
// Contender.Rehearsable, and says all that in sentences.
func (p *Past) Prepare(t *Trace, list []Contender) (notes []string) {
	used := map[autoscale.Signal]bool{}
	for i := range list {
		for _, name := range list[i].Uses() {
			used[name] = used[name] || list[i].Shares(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		values := p.Signals[name]
		if used[name] {
			values = slices.Clone(values)
			for i := range values {
				values[i] *= p.Instances[i]
			}
		}
		t.Record(name, p.At, values, used[name])
		switch _, known := t.Recorded[name]; {
		case known && used[name]:
			notes = append(notes, plainName(name)+" was recorded: as much as all instances had then is divided among those that are ready")
		case known:
			notes = append(notes, plainName(name)+" was recorded: it is what it was then, with any number of instances")
		}
	}
	missing := map[autoscale.Signal]bool{}
	for i := range list {
		var out []autoscale.Signal
		list[i], out = list[i].Rehearsable(t)
		for _, name := range out {
			missing[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		notes = append(notes, plainName(name)+" has no past in this time: targets and thresholds for it are left out")
	}
	return notes
}

// plainName is a signal's name as its user wrote it.
func plainName(name autoscale.Signal) string {
	return "the signal " + strings.TrimPrefix(string(name), "custom:")
}

// Uses are the signals that are not simulated and that the policy, or what is
// calculated for it, looks at, in order.
func (c Contender) Uses() []autoscale.Signal {
	used := map[autoscale.Signal]bool{}
	for _, t := range c.Policy.Targets {
		used[t.Signal] = true
	}
	for _, m := range []map[autoscale.Signal]float64{c.Policy.Thresholds.Up, c.Policy.Thresholds.Down} {
		for name := range m {
			used[name] = true
		}
	}
	for _, d := range slices.Backward(c.Around.Derived) { // each after those it uses
		if !used[d.Signal] {
			continue
		}
		delete(used, d.Signal)
		for _, name := range d.From {
			used[name] = true
		}
	}
	for _, name := range autoscale.Standard() {
		delete(used, name)
	}
	return slices.Sorted(maps.Keys(used))
}
