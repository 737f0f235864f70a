package report

import (
	"math"
	"slices"
)

// Slope is how many us the CPU time per request grows with each tenfold of a
// growing case: the line through its points, of least squares over their
// logarithms, fitted in every round.
func (r *Run) Slope(name, proxy string) (Spread, bool) { return spread(r.slopes(name, proxy)) }

// SlopeRatio compares the slopes of two proxies round by round: that of ours by
// that of the reference. A slope that is not above zero has no ratio.
func (r *Run) SlopeRatio(name string) (Spread, bool) {
	ours, reference := r.slopes(name, Ours), r.slopes(name, Reference)
	var values []float64
	for i := range min(len(ours), len(reference)) {
		if reference[i] > 0 {
			values = append(values, ours[i]/reference[i])
		}
	}
	return spread(values)
}

// slopeExcess is how much steeper ours is than the reference, us per tenfold.
func (r *Run) slopeExcess(name string) (Spread, bool) {
	ours, reference := r.slopes(name, Ours), r.slopes(name, Reference)
	var values []float64
	for i := range min(len(ours), len(reference)) {
		values = append(values, ours[i]-reference[i])
	}
	return spread(values)
}

// Points returns the sizes at which a growing case was measured.
func (r *Run) Points(name string) []int {
	var points []int
	for _, result := range r.Results {
		if result.Case == name {
			points = append(points, result.Point)
		}
	}
	slices.Sort(points)
	return slices.Compact(points)
}

// slopes are the slopes by round, of the rounds that have all points.
func (r *Run) slopes(name, proxy string) []float64 {
	points := r.Points(name)
	if len(points) < 2 {
		return nil
	}
	rounds := math.MaxInt
	for _, point := range points {
		result := r.Find(name, point, proxy)
		if result == nil {
			return nil
		}
		rounds = min(rounds, len(result.Rounds))
	}
	slopes := make([]float64, rounds)
	for i := range slopes {
		x, y := make([]float64, len(points)), make([]float64, len(points))
		for k, point := range points {
			x[k], y[k] = math.Log10(float64(point)), r.Find(name, point, proxy).Rounds[i].CPU
		}
		slopes[i] = slope(x, y)
	}
	return slopes
}

// slope is that of the line of least squares through (x, y).
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy, sxy, sxx float64
	for i := range x {
		sx += x[i]
		sy += y[i]
		sxy += x[i] * y[i]
		sxx += x[i] * x[i]
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
