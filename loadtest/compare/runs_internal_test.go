package compare

import (
	"math"
	"testing"
)

// The p-values are those of the tables of the U distribution.
func TestTheMannWhitneyTestIsExact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{4, 5, 6}, 0.1},
		{[]float64{1, 2, 3, 4}, []float64{5, 6, 7, 8}, 2.0 / 70},
		{[]float64{8, 7, 6, 5}, []float64{1, 2, 3, 4}, 2.0 / 70},
		{[]float64{1, 3, 5}, []float64{2, 4, 6}, 0.7},
		{[]float64{1, 1, 1}, []float64{1, 1, 1}, 1},
		{[]float64{1, 2}, []float64{1, 2}, 1},
	} {
		if got := mannWhitney(c.a, c.b); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v and %v: p %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestHolmCorrectsForTheNumberOfTests(t *testing.T) {
	t.Parallel()
	list := []Metric{{P: 0.01}, {P: 0.04}, {P: 0.03}, {P: 0.6}}
	holm(list)
	for i, want := range []float64{0.04, 0.09, 0.09, 0.6} {
		if math.Abs(list[i].P-want) > 1e-9 {
			t.Errorf("%d: %v, want %v", i, list[i].P, want)
		}
	}
}
