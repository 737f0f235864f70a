package loadtest

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/loadtest/schedule"
)

// Throttle changes the rate of an open run while it is under way, as somebody who watches it may want to. The zero value
// leaves the rate as planned. It may be used from many goroutines, and for one run at a time.
type Throttle struct{ less atomic.Uint64 } // the factor less 1, so that 0 is 1

// Set makes the rate factor times what is planned, from the request behind the next one on. What is not a positive number
// counts as 1. The load lasts as long as planned.
func (t *Throttle) Set(factor float64) {
	if !(factor > 0) || math.IsInf(factor, 0) {
		factor = 1
	}
	t.less.Store(math.Float64bits(factor - 1))
}

// Factor is what was set last.
func (t *Throttle) Factor() float64 {
	if t == nil {
		return 1
	}
	return 1 + math.Float64frombits(t.less.Load())
}

// Change is one of the rate, by a Throttle.
type Change struct {
	At     time.Duration // since the begin of the run
	Factor float64       // of the planned rate, from then on
}

// maxChanges bounds what is remembered of them; then the rate stays as it is.
const maxChanges = 1000

// demand is how many requests are due: the curve, with the changes of the rate.
type demand struct {
	curve schedule.Curve

	mu      sync.Mutex
	changes []Change
	before  []float64 // due until each of them
}

// due is how many requests are due from the begin to t.
func (d *demand) due(t time.Duration) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.until(t)
}

func (d *demand) until(t time.Duration) float64 {
	for i := len(d.changes) - 1; i >= 0; i-- {
		if c := &d.changes[i]; t >= c.At {
			return d.before[i] + c.Factor*(d.curve.Arrivals(t)-d.curve.Arrivals(c.At))
		}
	}
	return d.curve.Arrivals(t)
}

// change takes note of a change and says whether it may be made.
func (d *demand) change(c Change) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.changes) == maxChanges {
		return false
	}
	before := d.until(c.At)
	d.changes, d.before = append(d.changes, c), append(d.before, before)
	return true
}

// made are the changes so far.
func (d *demand) made() []Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Change(nil), d.changes...)
}
