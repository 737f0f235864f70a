package histogram

import (
	"math"
	"time"
)

// Quantile is the value that a share of q of the recorded values does not exceed (nearest rank), q from 0 to 1. It is
// within 1/512 of the true one; 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	var one [1]time.Duration
	h.Quantiles([]float64{q}, one[:])
	return one[0]
}

// Quantiles is Quantile for several shares in ascending order, in one pass: they fit each other also while others record.
// It writes into values, which is as long as shares.
func (h *Histogram) Quantiles(shares []float64, values []time.Duration) {
	n := h.Count()
	clear(values[:len(shares)])
	if n == 0 {
		return
	}
	var seen int64
	next := 0
	for b := range h.Buckets() {
		seen += b.Count
		for next < len(shares) && seen >= rank(shares[next], n) {
			values[next] = h.within(time.Duration(b.middle()))
			next++
		}
	}
	for ; next < len(shares); next++ {
		values[next] = h.Max()
	}
}

// rank is which value, in ascending order and from 1, has a share of q up to it.
func rank(q float64, n int64) int64 {
	r := math.Ceil(q*float64(n) - 1e-9) // 0.29*100 is a little more than 29
	return min(max(int64(r), 1), n)
}

// within keeps a bucket's middle from lying outside of what was recorded.
func (h *Histogram) within(d time.Duration) time.Duration {
	return min(max(d, h.Min()), h.Max())
}

// Share is the part of the values that are at most d, from 0 to 1. A bucket counts when its middle does.
func (h *Histogram) Share(d time.Duration) float64 {
	var below, all int64
	for b := range h.Buckets() {
		all += b.Count
		if h.within(time.Duration(b.middle())) <= d {
			below += b.Count
		}
	}
	if all == 0 {
		return 0
	}
	return float64(below) / float64(all)
}

// Sound says whether n values are enough to speak of their quantile q: at least ten have to lie beyond it.
func Sound(q float64, n int64) bool { return float64(n)*(1-q) >= 10-1e-6 }
