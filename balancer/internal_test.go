package balancer

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

func TestTheHistogramIsAtMostSixPercentOff(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		d := time.Duration(math.Exp(rng.Float64()*math.Log(134e9-64e3)) + 64e3)
		got := middleOf(bucketOf(d))
		if off := math.Abs(float64(got-d)) / float64(d); off > 0.0626 {
			t.Fatalf("%v is counted as %v", d, got)
		}
	}
}

func TestHistogramBucketsGrowAndStayInRange(t *testing.T) {
	t.Parallel()
	last := -1
	for d := time.Duration(-1); d < 1000*time.Second; d += max(d/50, 1000) {
		k := bucketOf(d)
		if k < last || k >= histogramBuckets {
			t.Fatalf("%v is in bucket %d after %d, of %d", d, k, last, histogramBuckets)
		}
		last = k
	}
	if last != histogramBuckets-1 {
		t.Errorf("the longest is in bucket %d of %d", last, histogramBuckets)
	}
}

func TestTheHistogramForgetsInTurns(t *testing.T) {
	t.Parallel()
	var h histogram
	p50 := func(now int64) time.Duration {
		var q [1]time.Duration
		h.quantiles(now, []float64{0.5}, q[:])
		return q[0]
	}
	second := int64(time.Second)
	h.add(time.Millisecond, 100*second)
	if p50(100*second) == 0 || p50(130*second) == 0 {
		t.Error("forgotten within 30 s")
	}
	if p50(160*second) != 0 {
		t.Error("remembered after 60 s")
	}
	h.add(time.Millisecond, 100*second) // late by a minute: counted as of now
	if p50(160*second) == 0 {
		t.Error("a late sample was lost")
	}
}

func TestQuickExpIsCloseAndFalls(t *testing.T) {
	t.Parallel()
	last := 2.0
	for x := 0.0; x < 800; x += 0.0037 {
		got, want := quickExp(x), math.Exp(-x)
		if x < 600 && math.Abs(got-want) > 0.001*want {
			t.Fatalf("exp(-%v) is %v, want %v", x, got, want)
		}
		if got > last*1.001 || got < 0 {
			t.Fatalf("it rises at %v", x)
		}
		last = got
	}
}

func TestTheWheelIsExactForAnyWeights(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		weights := make([]uint64, 1+rng.IntN(40))
		divisor := uint64(0)
		for k := range weights {
			weights[k] = 1 + rng.Uint64N(maxWeight)
			divisor = gcd(divisor, weights[k])
		}
		w, start := newWheel(weights), rng.Uint64()>>1
		counts := make([]uint64, len(weights))
		for turn := range w.places {
			counts[w.at(start+turn)]++
		}
		for k := range weights {
			if counts[k] != weights[k]/divisor {
				t.Fatalf("weight %d of %v had %d turns in a circle", weights[k], weights, counts[k])
			}
		}
	}
}

func TestTheAliasTableIsExact(t *testing.T) {
	t.Parallel()
	weights := []float64{1000, 1, 37, 0.5, 12, 12, 250}
	table, sum := newAliasTable(weights), 0.0
	got := make([]float64, len(weights))
	for k, c := range table {
		kept := float64(c.keep) / (1<<32 - 1)
		got[k] += kept
		got[c.other] += 1 - kept
	}
	for _, w := range weights {
		sum += w
	}
	for k, w := range weights {
		if want := w / sum * float64(len(weights)); math.Abs(got[k]-want) > 1e-6 {
			t.Errorf("weight %v is drawn %v times its column, want %v", w, got[k], want)
		}
	}
}

func TestTableSizesArePrime(t *testing.T) {
	t.Parallel()
	for _, size := range tableSizes() {
		if !big.NewInt(int64(size)).ProbablyPrime(20) {
			t.Errorf("%d is not prime", size)
		}
	}
}

func TestHashTablesAreFair(t *testing.T) {
	t.Parallel()
	for name, weight := range map[string]func(k int) int{
		"equal": func(int) int { return 1 }, "mixed": func(k int) int { return 1 + k%5 },
		"extreme": func(k int) int { return 1 + k%2*99 },
	} {
		for _, n := range []int{1, 3, 100, 1000} {
			var members []*Instance
			sum := 0
			for k := range n {
				members = append(members, NewInstance(Spec{ID: fmt.Sprint(k), Weight: weight(k)}))
				sum += weight(k)
			}
			table := hashTable(members)
			counts := make([]int, n)
			for _, k := range table {
				counts[k]++
			}
			for k, got := range counts {
				want := float64(len(table)*weight(k)) / float64(sum)
				if math.Abs(float64(got)-want) > max(0.03*want, 1.01) {
					t.Fatalf("%s, %d members: %d has %d slots, want %.1f", name, n, k, got, want)
				}
			}
		}
	}
}

func TestGaugesFillOneCacheLine(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(gauges{}); size > 64 {
		t.Errorf("%d bytes", size)
	}
	t.Logf("instance %d bytes, pick %d bytes", unsafe.Sizeof(Instance{}), unsafe.Sizeof(Pick{}))
}
