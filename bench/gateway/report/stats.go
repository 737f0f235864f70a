package report

import (
	"fmt"
	"slices"
)

// Spread is a median with the least and the greatest of what it was taken from.
type Spread struct{ Mid, Low, High float64 }

// spread takes the middle of values, the mean of the two middle ones.
func spread(values []float64) (Spread, bool) {
	if len(values) == 0 {
		return Spread{}, false
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return Spread{Mid: (sorted[(n-1)/2] + sorted[n/2]) / 2, Low: sorted[0], High: sorted[n-1]}, true
}

// Of returns the spread of one figure over the rounds.
func (r *Result) Of(figure func(Sample) float64) (Spread, bool) {
	if r == nil {
		return Spread{}, false
	}
	values := make([]float64, len(r.Rounds))
	for i, s := range r.Rounds {
		values[i] = figure(s)
	}
	return spread(values)
}

// pair makes one figure of two results of each round that both have.
func pair(a, b *Result, figure func(a, b Sample) float64) (Spread, bool) {
	if a == nil || b == nil {
		return Spread{}, false
	}
	var values []float64
	for i := range min(len(a.Rounds), len(b.Rounds)) {
		values = append(values, figure(a.Rounds[i], b.Rounds[i]))
	}
	return spread(values)
}

// Ratio is a's figure by b's, round by round.
func Ratio(a, b *Result, figure func(Sample) float64) (Spread, bool) {
	return pair(a, b, func(a, b Sample) float64 { return figure(a) / figure(b) })
}

// Difference is a's figure less b's, round by round.
func Difference(a, b *Result, figure func(Sample) float64) (Spread, bool) {
	return pair(a, b, func(a, b Sample) float64 { return figure(a) - figure(b) })
}

// Figures of a sample.
func cpu(s Sample) float64    { return s.CPU }
func rate(s Sample) float64   { return s.Rate }
func p50(s Sample) float64    { return s.P50 }
func p99(s Sample) float64    { return s.P99 }
func p999(s Sample) float64   { return s.P999 }
func memory(s Sample) float64 { return s.Memory }

// String is what a line of progress says.
func (s Sample) String() string {
	if s.Memory > 0 {
		return fmt.Sprintf("%7.1f MiB%s", s.Memory, s.mood())
	}
	return fmt.Sprintf("%7.2f us/request %7.0f/s p99 %8.2f ms%s", s.CPU, s.Rate, s.P99/1e3, s.mood())
}

func (s Sample) mood() string { return fmt.Sprintf("  load %.1f others %.0f %%", s.Load, 100*s.Others) }
