package balancer

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	learnEvery = int64(time.Second)
	// learnFresh: older samples say nothing about the others of today.
	learnFresh = int64(60 * time.Second)
)

// Failure is how an attempt failed. The zero value, None, is a success.
type Failure uint8

const (
	// None is an answer below 500.
	None Failure = iota
	// BadStatus is an answer of 500 or above.
	BadStatus
	// Unreachable means the connection was refused or not made in time.
	Unreachable
	// Timeout means no head of an answer in time.
	Timeout
	// Reset means the connection broke before the answer.
	Reset
	// Canceled means the client left. It says nothing about the instance.
	Canceled
	// Truncated means the answer broke off, or stood still, after its head.
	Truncated
)

// String returns a phrase that fits into a sentence.
func (f Failure) String() string {
	switch f {
	case None:
		return "none"
	case BadStatus:
		return "bad status"
	case Unreachable:
		return "unreachable"
	case Timeout:
		return "timeout"
	case Reset:
		return "connection reset"
	case Canceled:
		return "canceled"
	case Truncated:
		return "answer broke off"
	}
	return fmt.Sprintf("failure(%d)", uint8(f))
}

// Result is how one attempt ended.
type Result struct {
	Failure Failure
	// Latency is the time to the first byte of the answer, or to the failure.
	Latency time.Duration
	// Long marks upgrades and streams: they are not latency.
	Long bool
	// RetryAfter is the instance's own wish after a failure; above
	// FailurePenalty it is the latency the failure counts as, up to 300 s.
	RetryAfter time.Duration
}

// signals is what the balancer knows of all instances together.
type signals struct {
	_ [64]byte // inflight is written all the time, the rest read all the time
	// inflight is of all instances; kept for ConsistentHash only.
	inflight atomic.Int64
	_        [56]byte
	// fastest and median are of the plain latencies in ns, 0 while unknown;
	// median leaves the slowest out: it is the median of the others as the
	// slowest sees it.
	fastest, median atomicFloat
	learned         atomic.Int64

	mu      sync.Mutex // guards scratch
	scratch []float64
}

// Observe takes the result of one attempt into the statistics of i, and ejects
// it if that was one failure too many. Call it once per attempt, when it is
// known how it ended: an answer that breaks off is one failure, not a success
// and a failure, since the success would hide the failures before it.
func (b *Balancer) Observe(i *Instance, r Result, now time.Time) {
	if r.Failure == Canceled {
		return
	}
	v := b.view.Load()
	t := v.tick(now)
	limit := v.cfg.Ejection.slowLimit(b.signals.median.Load())
	found, what := i.record(r, limit, t, v.cfg)
	if last := b.signals.learned.Load(); last == 0 || t-last >= learnEvery || what == chargeLatency {
		b.signals.learn(v, t)
	}
	if what == chargeLatency && found.mean <= v.cfg.Ejection.slowLimit(b.signals.median.Load()) {
		what = chargeNone // what was known of the others was older than what made all of them slow
	}
	if what != chargeNone && i.tier() == tierUsable {
		b.eject(i, what, found, now)
	}
}

// record updates the statistics and judges the instance by them.
func (i *Instance) record(r Result, slowLimit float64, t int64, c *Config) (evidence, charge) {
	failed := r.Failure != None
	slow := !failed && !r.Long && slowLimit > 0 && float64(r.Latency) > slowLimit
	s := &i.results
	s.mu.Lock()
	defer s.mu.Unlock()
	i.sample(r, t, c)
	s.window.add(t, c.Ejection.Window, failed, slow)
	if !r.Long && r.Latency > 0 {
		s.latencies.add(r.Latency, t)
	}
	onProbation := s.probation > 0
	s.count(failed)
	if !failed && !slow {
		return evidence{}, chargeNone
	}
	found := evidence{
		failure: r.Failure, consecutive: s.consecutive, probation: onProbation,
		mean: i.results.mean.Load(), slowLimit: slowLimit,
	}
	found.total, found.failed, found.slow = s.window.sum(t, c.Ejection.Window)
	return found, c.Ejection.judge(found)
}

func (s *results) count(failed bool) {
	s.probation = max(s.probation-1, 0)
	if failed {
		s.failures++
		s.consecutive++
		return
	}
	s.successes++
	s.consecutive = 0
}

// learn brings fastest and median up to date, about once a second, and sets
// right what inflight missed: another strategy was in force, or the set changed.
func (s *signals) learn(v *view, t int64) {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	s.learned.Store(t)
	s.inflight.Store(v.inFlight())
	s.scratch = slices.Grow(s.scratch[:0], len(v.all))
	for _, i := range v.all {
		fresh := t-i.stamp.Load() < learnFresh
		if mean := i.results.mean.Load(); mean > 0 && fresh && i.tier() == tierUsable {
			s.scratch = append(s.scratch, mean)
		}
	}
	s.fastest.Store(0)
	s.median.Store(0)
	if len(s.scratch) == 0 {
		return
	}
	slices.Sort(s.scratch)
	s.fastest.Store(s.scratch[0])
	s.median.Store(middle(s.scratch[:len(s.scratch)-1]))
}

func (v *view) inFlight() int64 {
	sum := int64(0)
	for _, i := range v.all {
		sum += i.flight.now()
	}
	return sum
}

// middle is the median of sorted values; 0 of none.
func middle(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
