// Package histogram counts durations in a fixed number of buckets, so that a run of hours needs no more memory than one
// of seconds, and gives quantiles back within 0.2 %.
//
// # Buckets
//
// They are log-linear: every power of two is an octave, cut into 256 buckets of equal width. A bucket is therefore never
// wider than 1/256 of the values in it, and its middle never farther than 1/512 from them. Values below 256 ns have a
// bucket each. All values an int64 can hold have one, so nothing is ever clamped or dropped.
//
// An octave takes memory (2 KiB) when its first value comes. Response times of a run lie in some ten octaves: 20 KiB.
//
// # Concurrency
//
// Record is two atomic additions and no lock; any number of goroutines may record while others read. Recorders that share
// a histogram share cache lines, so a hot one is better kept once per core and merged. A reader beside recorders sees
// each value wholly or not at all, but not a moment in time.
package histogram

import (
	"iter"
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	subBits = 8
	sub     = 1 << subBits
	octaves = 64 - subBits // bit lengths 9 to 63, and one page for all that is shorter
)

type page [sub]atomic.Int64

// Histogram counts durations. The zero value is empty and ready. It must not be copied.
type Histogram struct {
	pages [octaves]atomic.Pointer[page]
	sum   atomic.Int64 // of all values in ns; 292 years
	max   atomic.Int64
	floor atomic.Int64 // 1 + the smallest value; 0: none yet
}

// Bucket is a range of durations, From included and To not, and how many there were of them.
type Bucket struct {
	From, To time.Duration
	Count    int64
}

// place finds the bucket of a value.
func place(v uint64) (octave, index int) {
	if v < sub {
		return 0, int(v)
	}
	shift := bits.Len64(v) - 1 - subBits
	return shift + 1, int(v>>shift) - sub
}

// bounds is the range of a bucket.
func bounds(octave, index int) (from, to int64) {
	if octave == 0 {
		return int64(index), int64(index) + 1
	}
	shift := octave - 1
	from = int64(sub+index) << shift
	if to = from + 1<<shift; to < from {
		to = math.MaxInt64
	}
	return from, to
}

// Record counts d once. What is negative counts as zero: clocks are read on several cores.
func (h *Histogram) Record(d time.Duration) { h.RecordN(d, 1) }

// RecordN counts d n times.
func (h *Histogram) RecordN(d time.Duration, n int64) {
	if n <= 0 {
		return
	}
	v := int64(max(d, 0))
	octave, index := place(uint64(v))
	h.page(octave)[index].Add(n)
	h.sum.Add(v * n)
	h.widen(v, v)
}

// widen lets the extremes cover low and high.
func (h *Histogram) widen(low, high int64) {
	for m := h.max.Load(); high > m; m = h.max.Load() {
		if h.max.CompareAndSwap(m, high) {
			break
		}
	}
	for f := h.floor.Load(); f == 0 || low+1 < f; f = h.floor.Load() {
		if h.floor.CompareAndSwap(f, low+1) {
			break
		}
	}
}

func (h *Histogram) page(octave int) *page {
	if p := h.pages[octave].Load(); p != nil {
		return p
	}
	h.pages[octave].CompareAndSwap(nil, new(page))
	return h.pages[octave].Load()
}

// Merge adds all that other counted.
func (h *Histogram) Merge(other *Histogram) {
	for octave := range other.pages {
		from := other.pages[octave].Load()
		if from == nil {
			continue
		}
		to := h.page(octave)
		for i := range from {
			if n := from[i].Load(); n != 0 {
				to[i].Add(n)
			}
		}
	}
	h.sum.Add(other.sum.Load())
	if f := other.floor.Load(); f > 0 {
		h.widen(f-1, other.max.Load())
	}
}

// Since returns what h counted after it was like earlier, a copy of it made before. The extremes of the difference are
// those of its buckets.
func (h *Histogram) Since(earlier *Histogram) *Histogram {
	d := &Histogram{}
	for octave := range h.pages {
		now, then := h.pages[octave].Load(), earlier.pages[octave].Load()
		if now == nil {
			continue
		}
		for i := range now {
			n := now[i].Load()
			if then != nil {
				n -= then[i].Load()
			}
			if n > 0 {
				d.page(octave)[i].Add(n)
				from, to := bounds(octave, i)
				d.widen(from, min(to-1, h.max.Load()))
			}
		}
	}
	d.sum.Store(h.sum.Load() - earlier.sum.Load())
	return d
}

// Buckets are those that are not empty, in order.
func (h *Histogram) Buckets() iter.Seq[Bucket] {
	return func(yield func(Bucket) bool) {
		for octave := range h.pages {
			p := h.pages[octave].Load()
			if p == nil {
				continue
			}
			for i := range p {
				n := p[i].Load()
				if n == 0 {
					continue
				}
				from, to := bounds(octave, i)
				if !yield(Bucket{From: time.Duration(from), To: time.Duration(to), Count: n}) {
					return
				}
			}
		}
	}
}

// Count is how many values were recorded.
func (h *Histogram) Count() int64 {
	var n int64
	for b := range h.Buckets() {
		n += b.Count
	}
	return n
}

// Min is the smallest value, exactly; 0 when there is none.
func (h *Histogram) Min() time.Duration { return time.Duration(max(h.floor.Load()-1, 0)) }

// Max is the largest value, exactly; 0 when there is none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Mean is the average, exactly; 0 when there is none.
func (h *Histogram) Mean() time.Duration {
	n := h.Count()
	if n == 0 {
		return 0
	}
	return time.Duration(h.sum.Load() / n)
}

// Deviation is the standard deviation, from the middles of the buckets.
func (h *Histogram) Deviation() time.Duration {
	mean, sum, n := float64(h.Mean()), 0.0, int64(0)
	for b := range h.Buckets() {
		d := b.middle() - mean
		sum += d * d * float64(b.Count)
		n += b.Count
	}
	if n == 0 {
		return 0
	}
	return time.Duration(math.Sqrt(sum / float64(n)))
}

func (b Bucket) middle() float64 { return (float64(b.From) + float64(b.To-1)) / 2 }
