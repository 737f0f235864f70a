package balancer

import (
	"math/bits"
	"time"
)

const (
	histogramUnit    = 8 * time.Microsecond
	histogramSub     = 3  // 2^3 buckets per doubling: at most 6 % off
	histogramTop     = 24 // 8 us x 2^24 is 134 s; longer counts as that
	histogramBuckets = 1<<histogramSub + (histogramTop-histogramSub)<<histogramSub
	histogramTurn    = int64(30 * time.Second)
)

// histogram counts latencies log-linearly in two halves that take turns, so
// that percentiles speak of the last 30 to 60 seconds. 1.4 KiB.
type histogram struct {
	turn   int64 // which 30 seconds the current half belongs to
	halves [2][histogramBuckets]uint32
}

func (h *histogram) add(took time.Duration, now int64) {
	h.rotate(now)
	h.halves[h.turn&1][bucketOf(took)]++
}

// rotate empties what is too old. It never goes back in time.
func (h *histogram) rotate(now int64) {
	turn := now / histogramTurn
	switch {
	case turn <= h.turn:
		return
	case turn > h.turn+1:
		clear(h.halves[h.turn&1][:])
	}
	h.turn = turn
	clear(h.halves[turn&1][:])
}

// quantiles writes the latency below which each share of answers was; 0 when
// there were none. Shares rise.
func (h *histogram) quantiles(now int64, shares []float64, into []time.Duration) {
	h.rotate(now)
	var total, seen uint64
	for k := range histogramBuckets {
		total += h.at(k)
	}
	clear(into)
	next := 0
	for k := 0; next < len(shares) && seen < total; k++ {
		n := h.at(k)
		seen += n
		for n > 0 && next < len(shares) && float64(seen) >= shares[next]*float64(total) {
			into[next] = middleOf(k)
			next++
		}
	}
}

func (h *histogram) at(k int) uint64 { return uint64(h.halves[0][k]) + uint64(h.halves[1][k]) }

// bucketOf is linear below 2^3 units, then has 2^3 buckets per doubling.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0) / histogramUnit)
	if v < 1<<histogramSub {
		return int(v)
	}
	v = min(v, 1<<histogramTop-1)
	shift := bits.Len64(v) - 1 - histogramSub
	return (shift+1)<<histogramSub + int(v>>shift)&(1<<histogramSub-1)
}

// middleOf is the middle of a bucket.
func middleOf(k int) time.Duration {
	if k < 1<<histogramSub {
		return time.Duration(k)*histogramUnit + histogramUnit/2
	}
	shift := k>>histogramSub - 1
	low := uint64(1<<histogramSub+k&(1<<histogramSub-1)) << shift
	return time.Duration(low)*histogramUnit + time.Duration(1<<shift)*histogramUnit/2
}
