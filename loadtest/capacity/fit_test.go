package capacity_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"holdfast/loadtest/capacity"
)

func points(lambda, sigma, kappa, noise float64, most int, random *rand.Rand) []capacity.At {
	var list []capacity.At
	for n := 1.0; n <= float64(most); n *= 2 {
		x := lambda * n / (1 + sigma*(n-1) + kappa*n*(n-1))
		list = append(list, capacity.At{Concurrency: n, Throughput: x * (1 + noise*random.NormFloat64())})
	}
	return list
}

func TestTheScalabilityLawIsFoundAgain(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ lambda, sigma, kappa float64 }{
		{1000, 0.05, 0.0005}, {20, 0, 0.001}, {500, 0.1, 0}, {100, 0, 0},
	} {
		u, err := capacity.FitUSL(points(c.lambda, c.sigma, c.kappa, 0, 256, random), 1)
		if err != nil {
			t.Fatal(err)
		}
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-6+1e-4*b }
		if !near(u.Lambda.Value, c.lambda) || !near(u.Sigma.Value, c.sigma) || !near(u.Kappa.Value, c.kappa) || u.R2 < 0.9999 {
			t.Errorf("%+v was found as %+v", c, u)
		}
		if c.kappa == 0 && !math.IsNaN(u.Peak.Value) {
			t.Errorf("%+v has no peak, found %v", c, u.Peak)
		}
	}
}

func TestConfidenceIntervalsHoldTheTruth(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	held, all := 0, 60
	for seed := range uint64(all) {
		u, err := capacity.FitUSL(points(1000, 0.03, 0.0004, 0.03, 512, random), seed)
		if err != nil {
			t.Fatal(err)
		}
		peak := math.Sqrt((1 - 0.03) / 0.0004)
		if u.Peak.Low > u.Peak.Value || u.Peak.High < u.Peak.Value {
			t.Fatalf("the interval %v does not hold its value", u.Peak)
		}
		if u.Peak.Low <= peak && peak <= u.Peak.High {
			held++
		}
	}
	if held < all*70/100 { // residuals of a fit with three parameters to ten points are smaller than the errors
		t.Errorf("%d of %d intervals hold the peak", held, all)
	}
}

func TestAFitDoesNotExtrapolate(t *testing.T) {
	t.Parallel()
	u, err := capacity.FitUSL(points(1000, 0.01, 0.00001, 0, 64, rand.New(rand.NewPCG(1, 1))), 1) // its peak is at 314
	if err != nil || !math.IsNaN(u.Peak.Value) || !math.IsNaN(u.Most.High) || u.Tested != 64 {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := capacity.FitUSL(points(1000, 0, 0, 0, 16, rand.New(rand.NewPCG(1, 1))), 1); !errors.Is(err, capacity.ErrFewPoints) {
		t.Errorf("five points: %v", err)
	}
	for _, bad := range []capacity.At{{0, 1}, {1, 0}, {1, math.NaN()}, {math.Inf(1), 1}} {
		if _, err := capacity.FitUSL([]capacity.At{bad}, 1); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestAKneeIsWhereACurveBends(t *testing.T) {
	t.Parallel()
	curve := func(f func(x float64) float64) []capacity.XY {
		var list []capacity.XY
		for x := 10.0; x <= 1000; x += 10 {
			list = append(list, capacity.XY{X: x, Y: f(x)})
		}
		return list
	}
	goodput := curve(func(x float64) float64 { return min(x, 600) })
	if x, ok := capacity.Knee(goodput, false); !ok || x != 600 {
		t.Errorf("goodput bends at %v (%v), want 600", x, ok)
	}
	latency := curve(func(x float64) float64 { return max(5, x-700) })
	if x, ok := capacity.Knee(latency, true); !ok || x < 650 || x > 720 {
		t.Errorf("latency bends at %v (%v), want 700", x, ok)
	}
	if x, ok := capacity.Knee(curve(func(x float64) float64 { return 3 * x }), false); ok {
		t.Errorf("a line bends at %v", x)
	}
	if _, ok := capacity.Knee(goodput[:4], false); ok {
		t.Error("four points bend")
	}
}
