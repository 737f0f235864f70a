package loadtest_test

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
)

// Services whose behaviour is known: the generator has to find it.

func TestALogNormalDelayIsFoundInThePercentiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const median, sigma = 20 * time.Millisecond, 0.5
		delay := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			rng := rand.New(rand.NewPCG(s.Random(), 0)) //nolint:gosec // it has to repeat
			return time.Duration(float64(median) * math.Exp(sigma*rng.NormFloat64())), loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(delay), Rate: 200, Duration: 100 * time.Second, Seed: 2})
		for q, z := range map[float64]float64{0.5: 0, 0.9: 1.2816, 0.99: 2.3263} {
			near(t, "log-normal quantile", r.Total.Service.Quantile(q), time.Duration(float64(median)*math.Exp(sigma*z)), 0.04)
		}
	})
}

func TestOnePercentOfErrorsIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		faulty := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			if s.Seq%100 == 42 {
				return time.Microsecond, loadtest.BadStatus
			}
			return 10 * time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(faulty), Rate: 500, Duration: 10 * time.Second, Objectives: objectives(t, "errors<=1%", "errors<1%", "min>=10ms")})
		if r.Total.Failures() != 50 || r.Total.ErrorRatio() != 0.01 {
			t.Errorf("%d failures, ratio %v", r.Total.Failures(), r.Total.ErrorRatio())
		}
		if !r.Objectives[0].Passed || r.Objectives[1].Passed || !r.Objectives[2].Passed {
			t.Errorf("objectives %+v", r.Objectives)
		}
	})
}

func TestARateLimitIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, taken := time.Now(), atomic.Int64{}
		limiter := func(s *loadtest.Shot) (time.Duration, loadtest.Class) {
			if second := int64(time.Since(begun)/time.Second) + 1; taken.Add(1) > 100*second {
				taken.Add(-1)
				s.Status, s.RetryAfter = 429, time.Second
				return time.Millisecond, loadtest.RateLimited
			}
			return time.Millisecond, loadtest.OK
		}
		r := do(t, loadtest.Config{Client: model(limiter), Rate: 250, Duration: 20 * time.Second})
		if good := r.Total.Counts[loadtest.OK]; good < 1990 || good > 2010 || r.Total.Counts[loadtest.RateLimited] != 5000-good {
			t.Errorf("%d good, %d limited, want 100 a second of 250", good, r.Total.Counts[loadtest.RateLimited])
		}
		if rate := r.Rate(); rate < 99 || rate > 101 || r.TargetRate() != 250 {
			t.Errorf("a rate of %v of %v", rate, r.TargetRate())
		}
		if p := r.Series[10]; p.Limited < 148 || p.Limited > 152 {
			t.Errorf("%d were limited in a second, want 150", p.Limited)
		}
	})
}

// What was measured while it ran and what is said at the end come from the same counters.
func TestTheSeriesAndTheResultAgree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var live []loadtest.Point
		c := loadtest.Config{
			Client: constant(30 * time.Millisecond), Rate: 123, Duration: 7 * time.Second, Warmup: 2 * time.Second, MaxInFlight: 3, MaxWait: 100 * time.Millisecond,
			OnPoint: func(p loadtest.Point) { live = append(live, p) },
		}
		r := do(t, c)
		var done, good, failed, unsent int64
		for i := range live {
			done += live[i].Done
			good += live[i].OK
			failed += live[i].Failed
			unsent += live[i].NotSent
		}
		both := func(class loadtest.Class) int64 { return r.Total.Counts[class] + r.Warmup.Counts[class] }
		if len(live) != len(r.Series) || done != 9*123 || good != both(loadtest.OK) || unsent != both(loadtest.NotSent) || failed != unsent || unsent == 0 {
			t.Errorf("%d points for %d; %d done, %d good, %d failed, %d not sent; the result has %d good and %d not sent",
				len(live), len(r.Series), done, good, failed, unsent, both(loadtest.OK), both(loadtest.NotSent))
		}
	})
}
