package main

import (
	"errors"
	"math"

	"holdfast/autoscale/simulate"
)

// gap is by how many percent more instance-hours a policy costs than the
// reactive line where that is as safe: the mean over seeds, and its 95 %
// interval.
type gap struct {
	mean, low, high float64
	safer           bool // the line is never as safe
	idle            bool // nothing is left to compare: a cheaper one of the line had none at all, too
}

// gaps holds each policy of the capacity line against the reactive line by a
// measure. Where both have none at all, only the cheapest policy without is
// compared: what dearer ones are safer in, the measure does not see.
func (c *contest) gaps(m simulate.Measure) []gap {
	out := make([]gap, len(c.sized))
	none := false
	for i := range c.sized {
		if none {
			out[i].idle = true
			continue
		}
		none = m.Of(&c.sized[i].Mean) == 0
		out[i] = c.gapOf(i, m)
	}
	return out
}

func (c *contest) gapOf(i int, m simulate.Measure) gap {
	var list []float64
	for seed := range c.sized[i].Runs {
		is := &c.sized[i].Runs[seed].Figures
		hours, err := simulate.HoursFor(ofSeed(c.reactive, seed), m.Of, m.Of(is))
		if errors.Is(err, simulate.ErrBeyond) {
			return gap{safer: true}
		}
		list = append(list, 100*(is.InstanceHours/hours-1))
	}
	return interval(list)
}

// ofSeed is the line of one seed.
func ofSeed(line []simulate.Result, seed int) []simulate.Result {
	out := make([]simulate.Result, len(line))
	for i := range line {
		out[i] = simulate.Result{Contender: line[i].Contender, Mean: line[i].Runs[seed].Figures}
	}
	return out
}

// interval is the mean of some values and where it lies with 95 % (Student's
// t).
func interval(list []float64) gap {
	n := float64(len(list))
	mean, square := 0.0, 0.0
	for _, v := range list {
		mean += v / n
	}
	for _, v := range list {
		square += (v - mean) * (v - mean)
	}
	if n < 2 {
		return gap{mean: mean, low: math.Inf(-1), high: math.Inf(1)}
	}
	half := studentT(len(list)-1) * math.Sqrt(square/(n-1)/n)
	return gap{mean: mean, low: mean - half, high: mean + half}
}

// studentT is the 97.5th percentile for so many degrees of freedom.
func studentT(freedom int) float64 {
	table := []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	return 2.228
}
