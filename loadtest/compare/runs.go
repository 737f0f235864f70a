package compare

import (
	"math/rand/v2"
	"slices"
)

// byRuns compares medians of runs, with the exact Mann-Whitney test.
func byRuns(before, after []*run, random *rand.Rand) []Metric {
	var list []Metric
	for _, f := range figures() {
		values := func(runs []*run) []float64 {
			v := make([]float64, len(runs))
			for i, r := range runs {
				s := r.rows.sample()
				s.add(r, 0, len(r.seconds))
				v[i] = f.of(&s)
			}
			return v
		}
		a, b := values(before), values(after)
		m := Metric{Name: f.name, HigherWin: f.higherWin, Before: median(a), After: median(b), P: mannWhitney(a, b)}
		m.Change = change(m.Before, m.After)
		changes := make([]float64, resamples)
		for i := range changes {
			changes[i] = change(median(drawn(a, random)), median(drawn(b, random)))
		}
		slices.Sort(changes)
		m.Low, m.High = middle(changes)
		list = append(list, m)
	}
	return list
}

func drawn(list []float64, random *rand.Rand) []float64 {
	out := make([]float64, len(list))
	for i := range out {
		out[i] = list[random.IntN(len(list))]
	}
	return out
}

// middle is the range of the middle 95 % of sorted values.
func middle(sorted []float64) (low, high float64) {
	cut := len(sorted) / 40
	return sorted[cut], sorted[len(sorted)-1-cut]
}

// mannWhitney is the two-sided p-value of the hypothesis that neither sample
// tends to larger values. It is exact: of all ways to deal the joint ranks, the
// part whose rank sum is as far from its mean. Ties share their mean rank.
func mannWhitney(a, b []float64) float64 {
	joint := slices.Concat(a, b)
	sorted := slices.Sorted(slices.Values(joint))
	doubled := make([]int, len(joint)) // twice the rank, which is whole with ties
	for i, v := range joint {
		first, _ := slices.BinarySearch(sorted, v)
		last := first
		for last < len(sorted) && sorted[last] == v {
			last++
		}
		doubled[i] = first + last + 1
	}
	sum, total := 0, 0
	for i, r := range doubled {
		total += r
		if i < len(a) {
			sum += r
		}
	}
	// ways[k][s]: how many of the sets of k values have the rank sum s.
	ways := make([][]float64, len(a)+1)
	for k := range ways {
		ways[k] = make([]float64, total+1)
	}
	ways[0][0] = 1
	for _, r := range doubled {
		for k := len(a); k > 0; k-- {
			for s := total; s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	// Distances from the mean, times the number of values to stay whole.
	distance := func(s int) int {
		d := s*len(joint) - total*len(a)
		return max(d, -d)
	}
	var as, every float64
	for s, n := range ways[len(a)] {
		every += n
		if distance(s) >= distance(sum) {
			as += n
		}
	}
	return as / every
}
