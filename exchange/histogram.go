package exchange

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in 8 buckets per power of two from 16 us to about
// 70 min: each bucket is at most 12.5 % wide. The zero value is ready; safe for
// concurrent use.
type Histogram struct {
	buckets [histogramBuckets]atomic.Uint64
	sum     atomic.Uint64 // nanoseconds
}

const (
	histogramShift   = 14 // 2^14 ns: the first bucket ends at 16 us
	histogramSteps   = 8
	histogramBuckets = 1 + 28*histogramSteps
)

// Add counts one duration.
func (h *Histogram) Add(d time.Duration) {
	h.buckets[bucketOf(d)].Add(1)
	h.sum.Add(uint64(max(d, 0)))
}

func bucketOf(d time.Duration) int {
	if d < 1<<histogramShift {
		return 0
	}
	power := bits.Len64(uint64(d)) - 1
	step := int(uint64(d)>>(power-3)) & (histogramSteps - 1)
	return min(1+(power-histogramShift)*histogramSteps+step, histogramBuckets-1)
}

// upperBound returns the end of a bucket.
func upperBound(bucket int) time.Duration {
	if bucket == 0 {
		return 1 << histogramShift
	}
	power, step := (bucket-1)/histogramSteps+histogramShift, (bucket-1)%histogramSteps
	return time.Duration(1)<<power + time.Duration(step+1)<<(power-3)
}

// HistogramSnapshot is a histogram at one moment; subtract an earlier one to
// get an interval.
type HistogramSnapshot struct {
	Count   uint64
	Sum     time.Duration
	Buckets [histogramBuckets]uint64
}

// Snapshot copies the histogram.
func (h *Histogram) Snapshot() HistogramSnapshot {
	s := HistogramSnapshot{Sum: time.Duration(h.sum.Load())}
	for i := range h.buckets {
		s.Buckets[i] = h.buckets[i].Load()
		s.Count += s.Buckets[i]
	}
	return s
}

// Sub returns what was added since an earlier snapshot.
func (s *HistogramSnapshot) Sub(earlier HistogramSnapshot) HistogramSnapshot {
	d := *s
	for i := range d.Buckets {
		d.Buckets[i] -= earlier.Buckets[i]
	}
	d.Count -= earlier.Count
	d.Sum -= earlier.Sum
	return d
}

// Quantile returns the upper end of the bucket that holds quantile q (0 to 1),
// 0 when nothing was counted.
func (s *HistogramSnapshot) Quantile(q float64) time.Duration {
	if s.Count == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(s.Count)))
	var seen uint64
	for i, n := range s.Buckets {
		if seen += n; n > 0 && seen >= rank {
			return upperBound(i)
		}
	}
	return upperBound(histogramBuckets - 1)
}

// Below returns how many durations were counted in buckets that end at or
// before d.
func (s *HistogramSnapshot) Below(d time.Duration) uint64 {
	var n uint64
	for i := range s.Buckets {
		if upperBound(i) > d {
			break
		}
		n += s.Buckets[i]
	}
	return n
}
