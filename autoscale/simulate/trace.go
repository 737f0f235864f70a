package simulate

import (
	"maps"
	"math"
	"slices"
	"time"

	"holdfast/autoscale"
)

// Trace is recorded demand: how many requests came in each step.
type Trace struct {
	Name  string        `json:"name"`
	Begin time.Time     `json:"begin"`
	Step  time.Duration `json:"step"`
	// Counts are the requests of each step; none is negative or NaN.
	Counts []float64 `json:"counts,omitempty"`
	// Recorded are signals as they were beside the demand, see Record.
	Recorded map[autoscale.Signal]Recorded `json:"-"`
	// Notes say what was made of gaps and duplicates.
	Notes []string `json:"notes,omitempty"`
}

// Length is how long the trace is.
func (t *Trace) Length() time.Duration { return time.Duration(len(t.Counts)) * t.Step }

// Rate is the demand in requests per second in a step.
func (t *Trace) Rate(step int) float64 { return t.Counts[step] / t.Step.Seconds() }

// Quantile is the rate that a share of the steps does not exceed.
func (t *Trace) Quantile(share float64) float64 {
	sorted := slices.Sorted(slices.Values(t.Counts))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(min(max(share, 0), 1)*float64(len(sorted)-1))] / t.Step.Seconds()
}

// peakShare is the share of steps that a peak is taken of: the highest few may
// be anything.
const peakShare = 0.999

// Peak is the rate that 99.9 % of the steps do not exceed.
func (t *Trace) Peak() float64 { return t.Quantile(peakShare) }

// Scaled is the trace with as many times the demand. What was recorded beside it
// stays.
func (t *Trace) Scaled(factor float64) *Trace {
	s := *t
	s.Counts = make([]float64, len(t.Counts))
	for i, n := range t.Counts {
		s.Counts[i] = n * factor
	}
	return &s
}

// Part is the trace from one share of its length to another: Part(0.5, 1) is
// the second half.
func (t *Trace) Part(from, to float64) *Trace {
	n := float64(len(t.Counts))
	first, last := int(math.Ceil(from*n)), int(math.Ceil(to*n))
	s := *t
	s.Begin = t.Begin.Add(time.Duration(first) * t.Step)
	s.Counts = t.Counts[first:max(first, last)]
	s.Recorded = maps.Clone(t.Recorded)
	for name, r := range s.Recorded {
		r.Values = r.Values[first:max(first, last)]
		s.Recorded[name] = r
	}
	return &s
}

// DiscreteFor is the World.Discrete with which at most so many requests of the
// trace are simulated one by one.
func DiscreteFor(t *Trace, w World, most int) int {
	w = w.withDefaults()
	sorted := slices.Sorted(slices.Values(t.Counts))
	sum, limit := 0.0, 0.0
	for _, n := range sorted {
		if sum += n; sum > float64(most) {
			break
		}
		limit = n
	}
	return max(int(math.Ceil(limit*w.Tick.Seconds()/t.Step.Seconds())), 1)
}
