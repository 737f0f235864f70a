package exchange_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/exchange"
)

func TestQuantilesAreWithinAnEighthOfTheExact(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"even": func() time.Duration { return 20*time.Microsecond + time.Duration(rng.Int64N(int64(time.Second))) },
		"exponential": func() time.Duration {
			return 16*time.Microsecond + time.Duration(rng.ExpFloat64()*float64(50*time.Millisecond))
		},
		"log-normal": func() time.Duration {
			return 16*time.Microsecond + time.Duration(math.Exp(rng.NormFloat64()*2)*float64(time.Millisecond))
		},
		"constant": func() time.Duration { return 123 * time.Millisecond },
		"long":     func() time.Duration { return time.Minute + time.Duration(rng.Int64N(int64(time.Hour))) },
	} {
		for _, n := range []int{1, 10, 1000, 20_000} {
			var h exchange.Histogram
			samples := make([]time.Duration, n)
			for i := range samples {
				samples[i] = draw()
				h.Add(samples[i])
			}
			slices.Sort(samples)
			s := h.Snapshot()
			for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
				exact := samples[max(int(math.Ceil(q*float64(n)))-1, 0)]
				got := s.Quantile(q)
				if got < exact || float64(got) > 1.125*float64(exact) {
					t.Errorf("%s, %d samples: quantile %v is %s, exact is %s", name, n, q, got, exact)
				}
			}
			if s.Count != uint64(n) {
				t.Errorf("%d counted, want %d", s.Count, n)
			}
		}
	}
}

func TestAHistogramHoldsAnyDuration(t *testing.T) {
	t.Parallel()
	var h exchange.Histogram
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 1, 16384, time.Hour, 1000 * time.Hour, math.MaxInt64} {
		h.Add(d)
	}
	s := h.Snapshot()
	if s.Count != 8 || s.Quantile(0.1) != 16384 || s.Quantile(1) < time.Hour {
		t.Errorf("%d counted, from %s to %s", s.Count, s.Quantile(0.1), s.Quantile(1))
	}
	var none exchange.HistogramSnapshot
	if none.Quantile(0.5) != 0 || none.Below(time.Hour) != 0 {
		t.Error("an empty histogram has quantiles")
	}
}

func TestASnapshotLessAnEarlierOneIsTheInterval(t *testing.T) {
	t.Parallel()
	var h exchange.Histogram
	h.Add(time.Second)
	before := h.Snapshot()
	for range 10 {
		h.Add(time.Millisecond)
	}
	after := h.Snapshot()
	d := after.Sub(before)
	if d.Count != 10 || d.Sum != 10*time.Millisecond || d.Quantile(1) > 1125*time.Microsecond {
		t.Errorf("%d counted, %s together, at most %s", d.Count, d.Sum, d.Quantile(1))
	}
	all := h.Snapshot()
	for bound, want := range map[time.Duration]uint64{time.Microsecond: 0, 900 * time.Microsecond: 0, 2 * time.Millisecond: 10, time.Minute: 11} {
		if got := all.Below(bound); got != want {
			t.Errorf("%d below %s, want %d", got, bound, want)
		}
	}
}

func TestAHistogramIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var h exchange.Histogram
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 1000 {
				h.Add(time.Duration(n) * time.Microsecond)
				if n%100 == 0 {
					h.Snapshot()
				}
			}
		})
	}
	all.Wait()
	if n := h.Snapshot().Count; n != 4000 {
		t.Errorf("%d counted, want 4000", n)
	}
}
