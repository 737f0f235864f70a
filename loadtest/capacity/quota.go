package capacity

import "math"

// AIMD finds its way to a limit that somebody enforces, as TCP finds the bandwidth of a path: the rate doubles until a request
// is refused by 429; from then on it goes down at a refusal, to 0.7 times or to what was let through where that is less, and up
// by a fixed step in each second without. So it swings around the limit, follows one that moves, and is refused little. The
// zero value begins at 1/s.
type AIMD struct {
	Rate float64 // requests per second, now

	step    float64 // 0: it still doubles
	resting bool    // the second after a cut shows what was sent before it
}

// How the rate goes down, and up again: in some ten seconds.
const (
	cutTo    = 0.7
	cutMost  = 0.25
	stepPart = 0.03
)

// Second takes how the last one went and returns the rate for the next. While the target has asked for a rest it stays.
func (a *AIMD) Second(s Served) float64 {
	a.Rate = max(a.Rate, 1)
	switch {
	case s.Good+s.Refused == 0 && s.Held > 0:
	case s.Refused > 0 && !a.resting:
		a.Rate, a.resting = max(min(cutTo*a.Rate, max(float64(s.Good), cutMost*a.Rate)), 1), true
		a.step = stepPart / cutTo * a.Rate
	case s.Refused > 0:
		a.resting = false // it goes on: cut again if the next one is refused too
	case a.step == 0:
		a.Rate *= 2
	default:
		a.Rate, a.resting = a.Rate+a.step, false
	}
	return a.Rate
}

// Quota is a limit as a token bucket: Rate requests per second in the long run, and Burst at once after a rest.
type Quota struct {
	Rate, Burst float64
	// Error is the part of the answers that such a bucket would have given otherwise.
	Error float64
	// Known: requests were refused in at least two seconds, with a second between them that was not.
	Known bool
}

// Served is what came of a second: requests that were let through, refused, and held back as the target had asked for a rest.
type Served struct{ Good, Refused, Held int64 }

// FindQuota finds the bucket that explains best what was let through and what was refused, second by second: the least squares
// over a grid that gets finer. A bucket may be full at the begin.
func FindQuota(seconds []Served) Quota {
	low, high, sum, refused, between := math.Inf(1), 0.0, 0.0, 0, false
	for i, s := range seconds {
		sum += float64(s.Good)
		high = max(high, float64(s.Good))
		if s.Refused == 0 {
			continue
		}
		low = min(low, max(float64(s.Good), 0.1)/4)
		refused++
		between = between || refused > 1 && seconds[i-1].Refused == 0
	}
	if refused == 0 || sum == 0 {
		return Quota{}
	}
	best := Quota{Error: math.Inf(1)}
	burst := [2]float64{0, max(sum, 1)}
	for range 6 {
		best = search(seconds, [2]float64{low, high}, burst, best)
		width := (high - low) / gridded
		low, high = max(best.Rate-2*width, low), best.Rate+2*width
		wide := max((burst[1]-burst[0])/gridded, 1e-3)
		burst = [2]float64{max(best.Burst-2*wide, 0), best.Burst + 2*wide}
	}
	best.Known = between
	best.Error = misses(seconds, best.Rate, best.Burst) / sum
	return best
}

// gridded is how many steps a grid has each way.
const gridded = 40

func search(seconds []Served, rate, burst [2]float64, best Quota) Quota {
	for i := range gridded + 1 {
		r := rate[0] + (rate[1]-rate[0])*float64(i)/gridded
		for k := range gridded + 1 {
			part := float64(k) / gridded
			b := burst[0] + (burst[1]-burst[0])*part*part // finer where buckets are small
			if e := squares(seconds, r, b); e < best.Error {
				best = Quota{Rate: r, Burst: b, Error: e}
			}
		}
	}
	return best
}

// predict calls each with what a bucket would have let through of a second, what was, and by how much the bucket was not as
// empty as a refusal says.
func predict(seconds []Served, rate, burst float64, each func(want, got, left float64)) {
	tokens := burst
	for _, s := range seconds {
		offered, sending := float64(s.Good+s.Refused), 1.0 // part of the second before the rest
		if all := offered + float64(s.Held); s.Held > 0 && s.Refused > 0 {
			sending = offered / all
		}
		there := tokens + sending*rate
		want, left := min(offered, there), 0.0
		if s.Refused > 0 {
			left = there - float64(s.Good)
		}
		tokens = min(there-want+(1-sending)*rate, burst)
		each(want, float64(s.Good), left)
	}
}

func squares(seconds []Served, rate, burst float64) (sum float64) {
	predict(seconds, rate, burst, func(want, got, left float64) { sum += (want-got)*(want-got) + left*left })
	return sum
}

func misses(seconds []Served, rate, burst float64) (sum float64) {
	predict(seconds, rate, burst, func(want, got, _ float64) { sum += math.Abs(want - got) })
	return sum
}
