package autoscale

import (
	"maps"
	"slices"
)

// byThresholds proposes more when any signal is above its limit, less when all
// are below theirs, and what there is in between.
func (d *deciding) byThresholds() {
	t := &d.Thresholds
	if len(t.Up) == 0 && len(t.Down) == 0 {
		return
	}
	above := false
	for _, name := range slices.Sorted(maps.Keys(t.Up)) {
		limit := t.Up[name]
		v, _, ok := d.in.value(name)
		switch {
		case !ok:
			d.missed(ByThreshold, name)
		case v > limit:
			above = true
			// From those that are ready: those that start are on their way already.
			n := max(d.current, d.ready+t.step(d.ready, v, limit))
			d.add(Proposal{Rule: ByThreshold, Signal: name, Instances: n, Value: v, Limit: limit}, "%s is %.4g, above %.4g", name, v, limit)
		}
	}
	if !above {
		d.belowThresholds()
	}
}

// step is how many instances a value above its limit adds.
func (t *Thresholds) step(ready int, v, limit float64) int {
	over := 0.0
	if limit > 0 {
		over = 100 * (v - limit) / limit
	}
	add, reached := 1, -1.0
	for _, s := range t.Steps {
		if s.Over <= over && s.Over > reached {
			reached = s.Over
			add = max(s.Add, whole(float64(ready)*s.Percent/100), 1)
		}
	}
	return add
}

// belowThresholds proposes to remove instances, or says what keeps them.
func (d *deciding) belowThresholds() {
	t := &d.Thresholds
	keep := Proposal{Rule: ByThreshold, Instances: d.current}
	if len(t.Down) == 0 {
		if len(d.Targets) == 0 && d.Capacity == nil { // else those say when there are too many
			d.add(keep, "no threshold for scaling up is crossed")
		}
		return
	}
	if t.IdleFor > 0 {
		idle, _, ok := d.in.value(IdleSeconds)
		keep.Signal, keep.Value, keep.Limit = IdleSeconds, idle, t.IdleFor.Seconds()
		switch {
		case !ok:
			d.missed(ByThreshold, IdleSeconds)
			return
		case idle < keep.Limit:
			d.add(keep, "the last request came %.0f s ago, not %.0f s", idle, keep.Limit)
			return
		}
	}
	under := 100.0
	for _, name := range slices.Sorted(maps.Keys(t.Down)) {
		v, whole, ok := d.in.value(name)
		keep.Signal, keep.Value, keep.Limit = name, v, t.Down[name]
		switch {
		case !ok:
			d.missed(ByThreshold, name)
			return
		case v >= t.Down[name]:
			d.add(keep, "%s is %.4g, not below %.4g", name, v, t.Down[name])
			return
		case !whole:
			d.add(keep, "%s is unknown of some instances", name)
			return
		}
		under = min(under, below(v, t.Down[name]))
	}
	d.add(Proposal{Rule: ByThreshold, Instances: d.current - min(t.stepDown(d.current, under), d.current)}, "%s", d.allBelow())
}

// below is by how many percent of a threshold a value is below it.
func below(v, limit float64) float64 {
	if limit <= 0 {
		return 0
	}
	return 100 * (limit - v) / limit
}

// stepDown is how many instances go when all signals are so far below their limits.
func (t *Thresholds) stepDown(current int, under float64) int {
	remove, reached := t.Remove, -1.0
	for _, s := range t.StepsDown {
		if s.Under <= under && s.Under > reached {
			reached = s.Under
			remove = max(s.Remove, int(float64(current)*s.Percent/100), 1)
		}
	}
	return remove
}

func (d *deciding) allBelow() string {
	return joined(slices.Sorted(maps.Keys(d.Thresholds.Down))) + " are below their thresholds"
}
