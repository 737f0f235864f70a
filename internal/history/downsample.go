package history

import (
	"math"
	"time"
)

// minute is the values of one minute; known is false for a gap.
type minute struct {
	values values
	known  bool
}

// combine puts what several nodes saw of the same minutes together. Rates, errors and connections add up; the success rate
// and the median are means weighted by rate; of the high percentiles the highest counts, an upper bound of the true one;
// of processor, memory, instances and signals, which nodes see alike, the highest as well.
func combine(nodes map[string][]row) []minute {
	var all []minute
	for _, rows := range nodes {
		if all == nil {
			all = make([]minute, len(rows))
		}
		for i, r := range rows {
			if r.known() {
				all[i].add(r.values())
			}
		}
	}
	return all
}

func (m *minute) add(v values) {
	if !m.known {
		m.values, m.known = v, true
		return
	}
	a := &m.values
	wa, wv := weight(a[Rate]), weight(v[Rate])
	for s := range a {
		switch Series(s) {
		case Rate, Errors, Connections:
			a[s] = sum(a[s], v[s])
		case P50, SuccessRate:
			a[s] = mean(a[s], wa, v[s], wv)
		case P95, P99, CPU, Memory, Instances, Own, seriesCount:
			a[s] = highest(a[s], v[s])
		}
	}
}

// weight is never zero, so that minutes without requests still have a mean.
func weight(rate float64) float64 {
	if math.IsNaN(rate) {
		return 1e-6
	}
	return max(rate, 1e-6)
}

func sum(a, b float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	if math.IsNaN(b) {
		return a
	}
	return a + b
}

func mean(a, wa, b, wb float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	if math.IsNaN(b) {
		return a
	}
	return (a*wa + b*wb) / (wa + wb)
}

func highest(a, b float64) float64 {
	if math.IsNaN(a) || b > a {
		return b
	}
	return a
}

// downsample makes a point of every step minutes that has any. Steps are counted from 1970, so that they do not depend on
// where a range begins. Errors add up; rate, connections, instances, processor, memory and signals are means over the known
// minutes; the success rate and the median are means weighted by rate; of the high percentiles the highest counts.
func downsample(minutes []minute, from, step int64) []Point {
	points := make([]Point, 0, int64(len(minutes))/step+1)
	for i := 0; i < len(minutes); {
		begin := floorDiv(from+int64(i), step) * step
		end := min(int(begin+step-from), len(minutes))
		if p, ok := summarize(minutes[i:end]); ok {
			points = append(points, p.point(time.Unix(begin*60, 0).UTC()))
		}
		i = end
	}
	return points
}

func summarize(minutes []minute) (values, bool) {
	var t total
	known := false
	for i := range minutes {
		if minutes[i].known {
			known = true
			t.add(&minutes[i].values)
		}
	}
	if len(minutes) == 1 {
		return minutes[0].values, known
	}
	return t.values(), known
}

// total sums up minutes, each series with its weights.
type total struct {
	sum, weight, top values
}

func (t *total) add(v *values) {
	w := weight(v[Rate])
	for s, x := range v {
		if math.IsNaN(x) {
			continue
		}
		each := 1.0
		if Series(s) == P50 || Series(s) == SuccessRate {
			each = w
		}
		if t.weight[s] == 0 || x > t.top[s] {
			t.top[s] = x
		}
		t.sum[s] += x * each
		t.weight[s] += each
	}
}

func (t *total) values() values {
	var v values
	for s := range v {
		switch {
		case t.weight[s] == 0:
			v[s] = math.NaN()
		case Series(s) == Errors:
			v[s] = t.sum[s]
		case Series(s) == P95 || Series(s) == P99:
			v[s] = t.top[s]
		default:
			v[s] = t.sum[s] / t.weight[s]
		}
	}
	return v
}

// StepFor returns the smallest usual step with which a range has at most points points: one of 1, 2, 5, 10, 15, 30 minutes,
// 1, 2, 3, 6, 12 hours, or whole days. A number of points below one counts as one.
func StepFor(length time.Duration, points int) time.Duration {
	points = max(points, 1)
	for _, m := range []int{1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720} {
		if step := time.Duration(m) * time.Minute; length <= step*time.Duration(points) {
			return step
		}
	}
	each := length / time.Duration(points)
	return each.Truncate(24*time.Hour) + 24*time.Hour
}
