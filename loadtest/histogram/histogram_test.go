package histogram_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/loadtest/histogram"
	"holdfast/test/need"
)

func TestQuantilesAgreeWithSortedValues(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() time.Duration{
		"log-normal":   func() time.Duration { return time.Duration(math.Exp(rng.NormFloat64()*1.5 + 15)) },
		"exponential":  func() time.Duration { return time.Duration(rng.ExpFloat64() * 3e6) },
		"nanoseconds":  func() time.Duration { return time.Duration(rng.IntN(700)) },
		"two clusters": func() time.Duration { return time.Duration([]int{50_000, 2_000_000_000}[rng.IntN(2)] + rng.IntN(999)) },
		"anything":     func() time.Duration { return time.Duration(rng.Uint64() >> (1 + rng.IntN(62))) },
	}
	for name, draw := range shapes {
		var h histogram.Histogram
		values := make([]time.Duration, 20_000)
		for i := range values {
			values[i] = draw()
			h.Record(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.01, 0.29, 0.5, 0.9, 0.99, 0.999, 0.9999, 1} {
			want := values[min(max(int(math.Ceil(q*float64(len(values))-1e-9)), 1), len(values))-1]
			got := h.Quantile(q)
			if diff := math.Abs(float64(got - want)); diff > float64(want)/512+1 {
				t.Errorf("%s: quantile %v is %v, want %v within 1/512", name, q, got, want)
			}
		}
		if h.Min() != values[0] || h.Max() != values[len(values)-1] {
			t.Errorf("%s: extremes %v and %v, want %v and %v", name, h.Min(), h.Max(), values[0], values[len(values)-1])
		}
		if h.Count() != int64(len(values)) {
			t.Errorf("%s: counted %d", name, h.Count())
		}
	}
}

func TestMomentsOfKnownValues(t *testing.T) {
	t.Parallel()
	var h histogram.Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Deviation() != 0 || h.Share(time.Hour) != 0 {
		t.Error("an empty histogram says something")
	}
	h.RecordN(100, 3)
	h.Record(200)
	h.Record(-5) // counts as zero
	if h.Mean() != 100 || h.Min() != 0 || h.Max() != 200 {
		t.Errorf("mean %d, min %d, max %d, want 100, 0, 200", h.Mean(), h.Min(), h.Max())
	}
	if got := h.Deviation(); got != 63 { // sqrt((0+0+0+100²+100²)/5) = 63.2
		t.Errorf("deviation %d, want 63", got)
	}
	if got := h.Share(150); got != 0.8 {
		t.Errorf("a share of %v is at most 150, want 0.8", got)
	}
}

func TestMergingIsTheSameAsRecordingTogether(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	var parts [3]histogram.Histogram
	var whole, merged histogram.Histogram
	for range 9999 {
		d := time.Duration(rng.ExpFloat64() * 1e7)
		parts[rng.IntN(3)].Record(d)
		whole.Record(d)
	}
	for i := range parts {
		merged.Merge(&parts[i])
	}
	if !slices.Equal(slices.Collect(merged.Buckets()), slices.Collect(whole.Buckets())) || merged.Mean() != whole.Mean() ||
		merged.Min() != whole.Min() || merged.Max() != whole.Max() {
		t.Error("the merged histogram differs from the whole one")
	}
}

func TestSinceIsWhatCameAfter(t *testing.T) {
	t.Parallel()
	var h, before, after histogram.Histogram
	h.Record(time.Second)
	h.Record(time.Millisecond)
	before.Merge(&h)
	for i := range 500 {
		h.Record(time.Duration(i) * time.Microsecond)
		after.Record(time.Duration(i) * time.Microsecond)
	}
	got := h.Since(&before)
	if !slices.Equal(slices.Collect(got.Buckets()), slices.Collect(after.Buckets())) || got.Mean() != after.Mean() {
		t.Error("the difference is not what was recorded in between")
	}
	if got.Max() > time.Millisecond || got.Quantile(0.99) > 500*time.Microsecond {
		t.Errorf("max %v and p99 %v still hold what was before", got.Max(), got.Quantile(0.99))
	}
}

func TestManyRecordersLoseNothing(t *testing.T) {
	t.Parallel()
	var h histogram.Histogram
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10_000 {
				h.Record(time.Duration(g*10_000 + i))
			}
		})
	}
	for range 20 {
		h.Quantile(0.99)
	}
	wg.Wait()
	if h.Count() != 80_000 || h.Max() != 79_999 || h.Min() != 0 {
		t.Errorf("count %d, min %d, max %d", h.Count(), h.Min(), h.Max())
	}
}

func TestTenMillionRecordsTakeNoMoreMemoryThanTenThousand(t *testing.T) { //nolint:paralleltest // it measures the heap
	need.Plain(t)
	var h histogram.Histogram
	rng := rand.New(rand.NewPCG(5, 6))
	record := func(n int) {
		for range n {
			h.Record(time.Duration(math.Exp(rng.NormFloat64() + 15)))
		}
	}
	record(10_000)
	before := heap()
	record(10_000_000)
	if grown := int64(heap()) - int64(before); grown > 64<<10 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if h.Count() != 10_010_000 {
		t.Errorf("counted %d", h.Count())
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestQuantilesNeedTenValuesBeyond(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    float64
		n    int64
		want bool
	}{{0.5, 20, true}, {0.5, 19, false}, {0.99, 1000, true}, {0.99, 999, false}, {0.999, 10_000, true}, {1, 1 << 40, false}} {
		if got := histogram.Sound(c.q, c.n); got != c.want {
			t.Errorf("Sound(%v, %d) is %v", c.q, c.n, got)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	var h histogram.Histogram
	d := time.Duration(0)
	for b.Loop() {
		h.Record(d)
		d = (d + 7919) & (1<<24 - 1)
	}
}
