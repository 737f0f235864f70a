package schedule

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Spacing is how arrivals lie around the curve.
type Spacing uint8

// The spacings.
const (
	Uniform Spacing = iota // evenly: the distance is always one by the rate
	Poisson                // like independent clients: the distances are exponentially distributed
)

var spacingNames = [...]string{Uniform: "uniform", Poisson: "poisson"}

// String is the spacing's name.
func (s Spacing) String() string {
	if int(s) < len(spacingNames) {
		return spacingNames[s]
	}
	return fmt.Sprintf("Spacing(%d)", s)
}

// ParseSpacing reads a spacing's name.
func ParseSpacing(name string) (Spacing, error) {
	for s, n := range spacingNames {
		if n == name {
			return Spacing(s), nil
		}
	}
	return 0, fmt.Errorf("want uniform or poisson as arrivals, not %q", name)
}

// Arrivals goes through the moments at which requests are due. The same curve, spacing and seed give the same moments.
// It is for one goroutine.
type Arrivals struct {
	curve   Curve
	poisson bool
	rng     *rand.Rand
	sum     float64 // of the next: S(i), or i
	last    float64 // of the one before
	i       int64   // since the begin, or since the scale changed
	from    float64 // sum then
	scale   float64 // arrivals by those of the curve
}

// NewArrivals begins at the first request; seed matters to Poisson only.
func NewArrivals(c Curve, s Spacing, seed uint64) *Arrivals {
	a := &Arrivals{curve: c, poisson: s == Poisson, scale: 1}
	if a.poisson {
		a.rng = rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) //nolint:gosec // a seed that repeats is the point
		a.sum = a.rng.ExpFloat64()
	}
	return a
}

// Next is when the next request is due, after the curve's begin; ok is false after the last.
func (a *Arrivals) Next() (t time.Duration, ok bool) {
	if t, ok = a.curve.When(a.sum); !ok {
		return 0, false
	}
	a.last = a.sum
	a.i++
	if a.poisson {
		a.sum += a.rng.ExpFloat64() / a.scale
	} else {
		a.sum = a.from + float64(a.i)/a.scale
	}
	return t, true
}

// Scale makes the rate factor times that of the curve, behind the request that Next returned last.
func (a *Arrivals) Scale(factor float64) {
	a.sum = a.last + (a.sum-a.last)*a.scale/factor
	a.from, a.i, a.scale = a.last, 1, factor
}
