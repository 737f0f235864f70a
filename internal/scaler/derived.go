package scaler

import (
	"slices"
	"time"

	"holdfast/autoscale"
)

// complete adds to what was measured what follows from it: the service time, the
// schedules in force, what instances say together, and what formulas say.
func (t *Target) complete(f *follower, s *autoscale.Signals, now time.Time) {
	if took := f.service.guess; t.ServiceTime > 0 {
		s.Values[autoscale.ServiceTimeMS] = milliseconds(t.ServiceTime)
	} else if took > 0 {
		s.Values[autoscale.ServiceTimeMS] = milliseconds(took)
	}
	for name, w := range t.Windows {
		if w.Open(now) {
			s.Schedules = append(s.Schedules, name)
		}
	}
	slices.Sort(s.Schedules)
	s.OfInstances = t.OfInstances
	for _, c := range t.Combined {
		if v, ok := c.of(s.Instances); ok {
			s.Values[c.Signal] = v
		}
	}
	for _, d := range t.Derived {
		v, ok := d.Formula.Value(func(name string) (float64, bool) { return s.Value(d.Means[name]) })
		if ok {
			s.Values[d.Signal] = v
		}
	}
}

// of combines what the ready instances say.
func (c *Combined) of(list []autoscale.Instance) (float64, bool) {
	var said []float64
	for i := range list {
		if list[i].State != autoscale.Ready {
			continue
		}
		v, ok := list[i].Values[c.Signal]
		if !ok {
			return 0, false
		}
		said = append(said, v)
	}
	if len(said) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, v := range said {
		sum += v
	}
	switch c.How {
	case Most:
		return slices.Max(said), true
	case Min:
		return slices.Min(said), true
	case Mean:
		return sum / float64(len(said)), true
	case Sum:
	}
	return sum, true
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
