package loadtest_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/schedule"
)

// throttled runs 100/s for 20 s and changes the rate at 10 s.
func throttled(t *testing.T, factor float64, spacing schedule.Spacing) (*loadtest.Result, []loadtest.Point) {
	t.Helper()
	throttle := &loadtest.Throttle{}
	var points []loadtest.Point
	r := do(t, loadtest.Config{
		Client: constant(time.Millisecond), Rate: 100, Duration: 20 * time.Second, Spacing: spacing, Seed: 7, Throttle: throttle,
		OnPoint: func(p loadtest.Point) {
			if points = append(points, p); len(points) == 10 {
				throttle.Set(factor)
			}
		},
	})
	return r, points
}

func TestAThrottleChangesTheRateFromThenOn(t *testing.T) {
	t.Parallel()
	for _, factor := range []float64{0.5, 1, 2.5} {
		synctest.Test(t, func(t *testing.T) {
			r, points := throttled(t, factor, schedule.Uniform)
			want := 1000 + 1000*factor
			if got := float64(r.Total.Counts[loadtest.OK]); math.Abs(got-want) > 5 {
				t.Errorf("times %v: %v requests, want %v", factor, got, want)
			}
			if math.Abs(r.Target-want) > 5 {
				t.Errorf("times %v: the target is %v requests, want %v", factor, r.Target, want)
			}
			if got := points[15].Offered; math.Abs(got-100*factor) > 2 {
				t.Errorf("times %v: %v were due in a second, want %v", factor, got, 100*factor)
			}
			if factor == 1 && len(r.Changes) != 0 || factor != 1 && (len(r.Changes) != 1 || r.Changes[0].Factor != factor) {
				t.Errorf("times %v: changes %v", factor, r.Changes)
			}
		})
	}
}

func TestAThrottleKeepsPoissonArrivalsPoisson(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := throttled(t, 3, schedule.Poisson)
		if got := float64(r.Total.Counts[loadtest.OK]); math.Abs(got-4000) > 4*math.Sqrt(4000) {
			t.Errorf("%v requests, want 4000 within four standard deviations", got)
		}
	})
}

func TestAThrottleTakesNoNonsense(t *testing.T) {
	t.Parallel()
	var th loadtest.Throttle
	if th.Factor() != 1 {
		t.Error("the zero value changes the rate")
	}
	for _, factor := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		th.Set(2)
		if th.Set(factor); th.Factor() != 1 {
			t.Errorf("%v counts as %v", factor, th.Factor())
		}
	}
}
