package loadtest_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/schedule"
	"holdfast/test/need"
)

// single is a service with one place, where requests are served in the order they come, each for d.
func single(d func() time.Duration) model {
	begun, free := time.Now(), atomic.Int64{}
	return func(*loadtest.Shot) (time.Duration, loadtest.Class) {
		now := int64(time.Since(begun))
		for {
			until := free.Load()
			end := max(until, now) + int64(d())
			if free.CompareAndSwap(until, end) {
				return time.Duration(end - now), loadtest.OK
			}
		}
	}
}

// waitMD1 is the share of waits up to t in a queue with Poisson arrivals and constant service of 1 at load rho (Erlang):
// (1-ρ) Σ (ρ(k-t))^k / k! e^(-ρ(k-t)), k from 0 to ⌊t⌋. It is exact and alternates in sign, so it holds for small t.
func waitMD1(rho, t float64) float64 {
	sum := 0.0
	for k := 0.0; k <= t; k++ {
		x := rho * (k - t)
		term := math.Exp(-x)
		for i := 1.0; i <= k; i++ {
			term *= x / i
		}
		sum += term
	}
	return (1 - rho) * sum
}

// quantileMD1 is the response time of which a share of q is not longer.
func quantileMD1(rho, q float64) float64 {
	low, high := 0.0, 30.0
	for high-low > 1e-6 {
		if mid := (low + high) / 2; waitMD1(rho, mid) < q {
			low = mid
		} else {
			high = mid
		}
	}
	return high + 1
}

func TestTheTablesOfTheMD1QueueAreRight(t *testing.T) {
	t.Parallel()
	// Nobody waits with probability 1-ρ; the mean wait, which the distribution leads to, is ρ/(2(1-ρ)).
	if got := waitMD1(0.7, 0); math.Abs(got-0.3) > 1e-9 {
		t.Errorf("a share of %v does not wait, want 0.3", got)
	}
	mean := 0.0
	for x := 0.0; x < 25; x += 0.001 {
		mean += (1 - waitMD1(0.7, x)) * 0.001
	}
	if want := 0.7 / 0.6; math.Abs(mean-want) > 0.01 {
		t.Errorf("the mean wait is %v, want %v", mean, want)
	}
}

// With Poisson arrivals a service of one place is a queue whose percentiles are known. The generator has to find them.
func TestPercentilesAgreeWithQueueingTheory(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	synctest.Test(t, func(t *testing.T) {
		const d = 10 * time.Millisecond
		rho := 0.7
		r := do(t, loadtest.Config{
			Client: single(func() time.Duration { return d }), Rate: rho / d.Seconds(), Spacing: schedule.Poisson, Seed: 11,
			Duration: 1500 * time.Second, Warmup: 5 * time.Second,
		})
		for _, q := range []float64{0.5, 0.9, 0.99} {
			want := time.Duration(quantileMD1(rho, q) * float64(d))
			near(t, "M/D/1 response quantile", r.Total.Response.Quantile(q), want, 0.05)
		}
		near(t, "M/D/1 mean", r.Total.Response.Mean(), time.Duration((1+rho/(2*(1-rho)))*float64(d)), 0.05)
		// What evenly spaced arrivals hide: nobody waits at all.
		even := do(t, loadtest.Config{Client: single(func() time.Duration { return d }), Rate: rho / d.Seconds(), Duration: 20 * time.Second})
		near(t, "D/D/1 p99", even.Total.Response.Quantile(0.99), d, 0.05)
	})
}

// With service times drawn from an exponential distribution as well, the response times of one place have one too: of mean
// 1/(μ-λ), so that a share of q is within -ln(1-q)/(μ-λ).
func TestPercentilesAgreeWithTheMM1Queue(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	synctest.Test(t, func(t *testing.T) {
		const d = 10 * time.Millisecond
		rho := 0.5
		var mu sync.Mutex
		draw := rand.New(rand.NewPCG(1, 2))
		service := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(draw.ExpFloat64() * float64(d))
		}
		r := do(t, loadtest.Config{
			Client: single(service), Rate: rho / d.Seconds(), Spacing: schedule.Poisson, Seed: 12, Duration: 4000 * time.Second, Warmup: 5 * time.Second,
		})
		mean := float64(d) / (1 - rho)
		for _, q := range []float64{0.5, 0.9, 0.99} {
			got, want := r.Total.Response.Quantile(q), time.Duration(-math.Log(1-q)*mean)
			t.Logf("p%v %v, in theory %v", 100*q, got, want)
			near(t, "M/M/1 response quantile", got, want, 0.05)
		}
		near(t, "M/M/1 mean", r.Total.Response.Mean(), time.Duration(mean), 0.05)
	})
}
