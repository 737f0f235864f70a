package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// assumedLatency stands for an instance whose first answer is still out:
	// it gets one attempt to prove itself, not all of them at once.
	assumedLatency = float64(250 * time.Millisecond)
	// maxRetryAfter bounds how long an instance's own Retry-After counts.
	maxRetryAfter = 300 * time.Second
)

// atomicFloat is a float64 readable without a lock.
type atomicFloat struct{ bits atomic.Uint64 }

func (f *atomicFloat) Load() float64   { return math.Float64frombits(f.bits.Load()) }
func (f *atomicFloat) Store(v float64) { f.bits.Store(math.Float64bits(v)) }

// fade is how much of a value is left after the time from since to now.
func fade(since, now int64, invTau float64) float64 {
	return quickExp(max(float64(now-since), 0) * invTau)
}

// estimate is the expected latency in ns for the next attempt. It falls with
// time towards floor, the latency of the fastest instance: from the last sample
// while idle, from the last Begin while something is in flight.
func (g *gauges) estimate(now, inflight int64, invTau, floor float64) float64 {
	cost, since := g.cost.bits.Load(), g.stamp.Load()
	if inflight > 0 {
		since = max(since, g.began.Load())
		if cost == 0 {
			cost = math.Float64bits(assumedLatency)
		}
	}
	x := float64(now-since) * invTau
	if x < 1e-3 { // busy, or time behind: not worth an exp
		return math.Float64frombits(cost)
	}
	// Compared as integers, which takes no branch; positive floats sort alike.
	low := math.Float64frombits(min(cost, math.Float64bits(floor)))
	return low + (math.Float64frombits(cost)-low)*quickExp(x)
}

// quickExp is exp(-x) for x >= 0 to three digits, several times as fast: a pick
// needs two of them, and the estimates have no more than two digits.
func quickExp(x float64) float64 {
	y := x * math.Log2E
	if y >= 1000 {
		return 0
	}
	whole := int(y + 0.5)
	f := y - float64(whole) // 2^-f as its Taylor polynomial, f in [-0.5, 0.5]
	part := (1 - 0.693147181*f) + f*f*(0.240226507-0.0555041087*f)
	return part * math.Float64frombits(uint64(1023-whole)<<52)
}

// sample takes one result into the estimates (Finagle's peak-EWMA: up at once,
// down with time). Requires results.mu, so that writers do not lose updates.
func (i *Instance) sample(r Result, now int64, c *Config) {
	failed, took := r.Failure != None, float64(r.Latency)
	switch {
	case failed:
		penalty := max(c.FailurePenalty, min(r.RetryAfter, maxRetryAfter))
		took = max(took, float64(penalty))
	case r.Long:
		return
	}
	took = max(took, 1)
	w := 0.0
	if since := i.stamp.Load(); since != 0 {
		w = fade(since, now, 1/float64(c.Decay))
	}
	if cost := i.cost.Load(); took > cost {
		i.cost.Store(took)
	} else {
		i.cost.Store(cost*w + took*(1-w))
	}
	i.failing.Store(blend(i.failing.Load(), share(failed), w))
	if mean := i.results.mean.Load(); !failed && mean == 0 {
		i.results.mean.Store(took)
	} else if !failed {
		i.results.mean.Store(blend(mean, took, w))
	}
	i.stamp.Store(max(now, i.stamp.Load()))
}

func blend(old, sample, w float64) float64 { return old*w + sample*(1-w) }

func share(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
