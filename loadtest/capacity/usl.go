package capacity

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// At is the throughput of a service at a concurrency.
type At struct {
	Concurrency float64 // requests under way at a time
	Throughput  float64 // good answers per second
}

// Range is a value with its 95 % confidence interval.
type Range struct{ Value, Low, High float64 }

// USL is a fit of the Universal Scalability Law,
//
//	X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1))
//
// (N. Gunther, Guerrilla Capacity Planning, 2007): lambda is the throughput of
// one, sigma the part that has to wait for others, kappa what it costs to agree
// with each of them.
type USL struct {
	Lambda, Sigma, Kappa Range
	// Peak is the concurrency beyond which more brings less, sqrt((1-sigma)/kappa),
	// and Most the throughput there. Both are NaN when the peak lies beyond what was
	// tested: the law does not say how far it holds.
	Peak, Most Range
	// R2 is the part of the variance that the fit explains.
	R2 float64
	// Tested is the largest concurrency among the points.
	Tested float64
}

const (
	leastPoints = 6
	resamples   = 1000
)

// ErrFewPoints says that a fit of three parameters would fit anything.
var ErrFewPoints = errors.New("the scalability law needs at least 6 different concurrencies")

// FitUSL fits the law to measurements at six or more concurrencies. Errors are
// taken to be a part of the value. seed makes the confidence intervals, which
// are bootstrapped, repeat.
func FitUSL(points []At, seed uint64) (USL, error) {
	distinct := map[float64]bool{}
	for _, p := range points {
		if !(p.Concurrency >= 1) || !(p.Throughput > 0) || math.IsInf(p.Concurrency+p.Throughput, 1) {
			return USL{}, fmt.Errorf("fit the scalability law: a concurrency of %v with %v answers/s is no measurement", p.Concurrency, p.Throughput)
		}
		distinct[p.Concurrency] = true
	}
	if len(distinct) < leastPoints {
		return USL{}, ErrFewPoints
	}
	best := solve(points)
	u := USL{R2: best.r2(points)}
	for _, p := range points {
		u.Tested = max(u.Tested, p.Concurrency)
	}
	u.bootstrap(points, best, rand.New(rand.NewPCG(seed, 0)))
	return u, nil
}

// law is a law with its three parameters.
type law struct{ lambda, sigma, kappa float64 }

func (l law) at(n float64) float64 {
	return l.lambda * n / (1 + l.sigma*(n-1) + l.kappa*n*(n-1))
}

func (l law) peak() float64 {
	if l.kappa <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(max(1-l.sigma, 0) / l.kappa)
}

func (l law) r2(points []At) float64 {
	var average, off, spread float64
	for _, p := range points {
		average += p.Throughput / float64(len(points))
	}
	for _, p := range points {
		off += square(p.Throughput - l.at(p.Concurrency))
		spread += square(p.Throughput - average)
	}
	return 1 - off/spread
}

func square(v float64) float64 { return v * v }

// solve fits by least squares of relative errors. Written as
//
//	N/X = a + b (N-1) + c N (N-1),  lambda = 1/a, sigma = b/a, kappa = c/a
//
// the law is linear; weighting with X/N makes the errors relative. Of the
// solutions with b and c, one of them or none held at zero, the best one counts
// that has no negative part.
func solve(points []At) law {
	best, least := law{}, math.Inf(1)
	for _, free := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		x, ok := solveFor(points, free)
		if !ok || x[0] <= 0 || x[1] < 0 || x[2] < 0 {
			continue
		}
		l := law{1 / x[0], x[1] / x[0], x[2] / x[0]}
		var off float64
		for _, p := range points {
			off += square(1 - p.Throughput/l.at(p.Concurrency))
		}
		if off < least-1e-12 {
			best, least = l, off
		}
	}
	return best
}

// solveFor solves the normal equations for the free ones of a, b and c.
func solveFor(points []At, free []int) (x [3]float64, ok bool) {
	var m [3][4]float64
	for _, p := range points {
		n := p.Concurrency
		w := p.Throughput / n
		row := [3]float64{w, w * (n - 1), w * n * (n - 1)}
		for i, fi := range free {
			for j, fj := range free {
				m[i][j] += row[fi] * row[fj]
			}
			m[i][3] += row[fi] // the right side is w N/X = 1
		}
	}
	k := len(free)
	for i := range k { // Gauss with pivots
		pivot := i
		for r := i + 1; r < k; r++ {
			if math.Abs(m[r][i]) > math.Abs(m[pivot][i]) {
				pivot = r
			}
		}
		if m[i], m[pivot] = m[pivot], m[i]; m[i][i] == 0 {
			return x, false
		}
		for r := range k {
			if r == i {
				continue
			}
			f := m[r][i] / m[i][i]
			for j := i; j < 4; j++ {
				m[r][j] -= f * m[i][j]
			}
		}
	}
	for i, f := range free {
		x[f] = m[i][3] / m[i][i]
	}
	return x, true
}

// bootstrap fits the law again and again to points made of the fit and its own
// relative errors, drawn with replacement, and takes the middle 95 %.
func (u *USL) bootstrap(points []At, best law, random *rand.Rand) {
	errs := make([]float64, len(points))
	for i, p := range points {
		errs[i] = p.Throughput / best.at(p.Concurrency)
	}
	var all [5][]float64
	sample := make([]At, len(points))
	for range resamples {
		for i, p := range points {
			sample[i] = At{p.Concurrency, best.at(p.Concurrency) * errs[random.IntN(len(errs))]}
		}
		for i, v := range solve(sample).values() {
			all[i] = append(all[i], v)
		}
	}
	for i, to := range []*Range{&u.Lambda, &u.Sigma, &u.Kappa, &u.Peak, &u.Most} {
		slices.Sort(all[i])
		*to = Range{best.values()[i], all[i][resamples/40], all[i][resamples-1-resamples/40]}
	}
	if best.peak() > u.Tested {
		nan := math.NaN()
		u.Peak, u.Most = Range{nan, nan, nan}, Range{nan, nan, nan}
	}
}

func (l law) values() [5]float64 {
	peak := l.peak()
	most := math.Inf(1)
	if !math.IsInf(peak, 1) {
		most = l.at(peak)
	}
	return [5]float64{l.lambda, l.sigma, l.kappa, peak, most}
}
