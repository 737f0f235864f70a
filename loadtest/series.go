package loadtest

import (
	"math/bits"
	"slices"
	"time"

	"holdfast/loadtest/histogram"
	"holdfast/loadtest/selfcheck"
)

// Point is what happened in one step of a run, a second at first.
type Point struct {
	At     time.Duration // its end, since the begin of the run
	Length time.Duration
	Phase  string // name of the stage at its end

	Offered  float64 // requests the schedule had due in it; closed: those that ended
	Done     int64   // requests that ended in it
	OK       int64
	Failed   int64 // NotSent included
	NotSent  int64
	Timeouts int64
	Limited  int64 // answers that said "too many"
	InFlight int64 // at its end
	Users    int   // made so far
	BytesIn  int64

	P50, P90, P99, P999, Max time.Duration // response times of good answers and timeouts
	ServiceP50, ServiceP99   time.Duration
	TimerLagP99              time.Duration

	// Self is what the step was like for this machine.
	Self selfcheck.Sample
	// Heat holds the response times for a map of heat; see HeatRange.
	Heat []Heat
}

// Heat is how many response times fell into a row of the map.
type Heat struct {
	Row   int32
	Count int32
}

// heatBits: an octave has 16 rows, each 6 % high.
const heatBits = 4

func heatRow(d time.Duration) int32 {
	v := uint64(max(d, 1))
	shift := max(bits.Len64(v)-1-heatBits, 0)
	return int32(shift<<heatBits) + int32(v>>shift) //nolint:gosec // below 60*16+32
}

// HeatRange is the range of response times in a row.
func HeatRange(row int) (from, to time.Duration) {
	if row < 2<<heatBits {
		return time.Duration(row), time.Duration(row + 1)
	}
	shift := row>>heatBits - 1
	v := int64(row - shift<<heatBits)
	return time.Duration(v << shift), time.Duration((v + 1) << shift)
}

// measure fills in what histograms of the step say.
func (p *Point) measure(response, service, lag *histogram.Histogram) {
	var v [4]time.Duration
	response.Quantiles([]float64{0.5, 0.9, 0.99, 0.999}, v[:])
	p.P50, p.P90, p.P99, p.P999, p.Max = v[0], v[1], v[2], v[3], response.Max()
	service.Quantiles([]float64{0.5, 0.99}, v[:])
	p.ServiceP50, p.ServiceP99 = v[0], v[1]
	p.TimerLagP99 = lag.Quantile(0.99)
	for b := range response.Buckets() {
		row := heatRow(b.From + (b.To-1-b.From)/2)
		if n := len(p.Heat); n == 0 || p.Heat[n-1].Row != row {
			p.Heat = append(p.Heat, Heat{Row: row})
		}
		p.Heat[len(p.Heat)-1].Count += int32(b.Count) //nolint:gosec // requests of a second
	}
	p.Heat = slices.Clip(p.Heat)
}

// Join puts q, which follows p, to p. Quantiles come from the map of heat then and are within 3 %; those of the service
// and of the timer are the larger ones.
func (p *Point) Join(q *Point) {
	p.At, p.Phase, p.InFlight, p.Users = q.At, q.Phase, q.InFlight, q.Users
	p.Length += q.Length
	p.Offered += q.Offered
	p.Done += q.Done
	p.OK += q.OK
	p.Failed += q.Failed
	p.NotSent += q.NotSent
	p.Timeouts += q.Timeouts
	p.Limited += q.Limited
	p.BytesIn += q.BytesIn
	p.Max = max(p.Max, q.Max)
	p.Self.Join(&q.Self)
	p.ServiceP50, p.ServiceP99 = max(p.ServiceP50, q.ServiceP50), max(p.ServiceP99, q.ServiceP99)
	p.TimerLagP99 = max(p.TimerLagP99, q.TimerLagP99)
	p.Heat = joinHeat(p.Heat, q.Heat)
	p.P50, p.P90, p.P99, p.P999 = p.heatQuantile(0.5), p.heatQuantile(0.9), p.heatQuantile(0.99), p.heatQuantile(0.999)
}

func joinHeat(a, b []Heat) []Heat {
	list := make([]Heat, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Row < b[0].Row:
			list, a = append(list, a[0]), a[1:]
		case a[0].Row > b[0].Row:
			list, b = append(list, b[0]), b[1:]
		default:
			list = append(list, Heat{Row: a[0].Row, Count: a[0].Count + b[0].Count})
			a, b = a[1:], b[1:]
		}
	}
	return slices.Clip(append(append(list, a...), b...))
}

func (p *Point) heatQuantile(q float64) time.Duration {
	var all, seen int64
	for _, h := range p.Heat {
		all += int64(h.Count)
	}
	for _, h := range p.Heat {
		if seen += int64(h.Count); float64(seen) >= q*float64(all) {
			from, to := HeatRange(int(h.Row))
			return min((from+to-1)/2, p.Max)
		}
	}
	return 0
}

// maxPoints bounds a series. When it is full, pairs of points become one.
const maxPoints = 3600

// series keeps the points of a run.
type series struct {
	limit  int // even
	points []Point
	every  int // how many steps a point has
	steps  int // of the last point
}

func newSeries(limit int) *series { return &series{limit: limit, every: 1} }

// add takes in the next step.
func (s *series) add(p Point) {
	if s.steps > 0 && s.steps < s.every {
		s.points[len(s.points)-1].Join(&p)
		s.steps++
		return
	}
	if len(s.points) == s.limit {
		s.coarsen()
	}
	s.points = append(s.points, p)
	s.steps = 1
}

// coarsen halves the number of points.
func (s *series) coarsen() {
	half := len(s.points) / 2
	for i := range half {
		a := s.points[2*i]
		a.Join(&s.points[2*i+1])
		s.points[i] = a
	}
	clear(s.points[half:])
	s.points = s.points[:half]
	s.every *= 2
}
