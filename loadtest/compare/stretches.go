package compare

import (
	"math/rand/v2"
	"slices"

	"holdfast/loadtest"
	"holdfast/loadtest/report"
)

// rows are the rows of the map of heat that any run uses, in order.
type rows struct {
	list  []int
	times []float64 // the middle of each, in milliseconds
}

func rowsOf(sides ...[]*report.Document) *rows {
	known := map[int]bool{}
	for _, side := range sides {
		for _, d := range side {
			for i := range d.Series {
				for _, h := range d.Series[i].Heat {
					known[h[0]] = true
				}
			}
		}
	}
	r := &rows{}
	for row := range known {
		r.list = append(r.list, row)
	}
	slices.Sort(r.list)
	for _, row := range r.list {
		from, to := loadtest.HeatRange(row)
		r.times = append(r.times, (from+(to-from)/2).Seconds()*1000)
	}
	return r
}

// run is a run as it is drawn from.
type run struct {
	rows    *rows
	seconds []second
}

// second is one step of a run: how many response times fell into each row.
type second struct {
	length, good, failed float64
	counts               []int
}

func (r *rows) runs(list []*report.Document) []*run {
	out := make([]*run, len(list))
	for n, d := range list {
		out[n] = &run{rows: r}
		for i := range d.Series {
			p := &d.Series[i]
			s := second{p.Length, p.OK * p.Length, p.Failed * p.Length, make([]int, len(r.list))}
			for _, h := range p.Heat {
				k, _ := slices.BinarySearch(r.list, h[0])
				s.counts[k] += h[1]
			}
			out[n].seconds = append(out[n].seconds, s)
		}
	}
	return out
}

// sample is what happened in some seconds of runs.
type sample struct {
	second

	rows *rows
}

func (r *rows) sample() sample { return sample{second{counts: make([]int, len(r.list))}, r} }

func (s *sample) add(r *run, from, to int) {
	for i := range r.seconds[from:to] {
		v := &r.seconds[from+i]
		s.length += v.length
		s.good += v.good
		s.failed += v.failed
		for row, n := range v.counts {
			s.counts[row] += n
		}
	}
}

func (s *sample) reset() {
	s.length, s.good, s.failed = 0, 0, 0
	clear(s.counts)
}

// quantile is that of the response times, in milliseconds.
func (s *sample) quantile(q float64) float64 {
	all := 0
	for _, n := range s.counts {
		all += n
	}
	left := int(q * float64(all))
	for row, n := range s.counts {
		if left -= n; left < 0 {
			return s.rows.times[row]
		}
	}
	return 0
}

// draw fills the sample with as many stretches of neighbouring seconds as the
// runs have.
func (s *sample) draw(runs []*run, random *rand.Rand) {
	s.reset()
	for _, r := range runs {
		for range (len(r.seconds) + block - 1) / block {
			from := random.IntN(len(r.seconds) - block + 1)
			s.add(r, from, from+block)
		}
	}
}

// byStretches compares all seconds of both sides. How far that is chance is
// found by drawing stretches of neighbouring seconds with replacement: seconds
// depend on those before them.
func byStretches(before, after []*run, random *rand.Rand) []Metric {
	a, b := before[0].rows.sample(), before[0].rows.sample()
	for _, r := range before {
		a.add(r, 0, len(r.seconds))
	}
	for _, r := range after {
		b.add(r, 0, len(r.seconds))
	}
	kinds := figures()
	list := make([]Metric, len(kinds))
	for k, f := range kinds {
		list[k] = Metric{Name: f.name, HigherWin: f.higherWin, Before: f.of(&a), After: f.of(&b)}
		list[k].Change = change(list[k].Before, list[k].After)
	}
	changes := make([][]float64, len(kinds))
	for range resamples {
		a.draw(before, random)
		b.draw(after, random)
		for k, f := range kinds {
			changes[k] = append(changes[k], change(f.of(&a), f.of(&b)))
		}
	}
	for k := range list {
		slices.Sort(changes[k])
		list[k].Low, list[k].High = middle(changes[k])
		list[k].P = twoSided(changes[k])
	}
	return list
}

// twoSided is the p-value of no change: twice the smaller part of the changes on
// either side of it, and never below what so many can tell.
func twoSided(changes []float64) float64 {
	var down, up float64
	for _, c := range changes {
		if c <= 0 {
			down++
		}
		if c >= 0 {
			up++
		}
	}
	n := float64(len(changes))
	return min(1, 2*(min(down, up)+1)/(n+1))
}
