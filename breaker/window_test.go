package breaker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/breaker"
)

// heard is one call as the naive model keeps it: in a list, with the time it was reported.
type heard struct {
	at           time.Time
	failed, slow bool
}

func sum(calls []heard) breaker.Tally {
	t := breaker.Tally{Calls: len(calls)}
	for _, c := range calls {
		if c.failed {
			t.Failures++
		}
		if c.slow {
			t.Slow++
		}
	}
	return t
}

// naiveCount keeps the last n calls.
func naiveCount(calls []heard, n int) []heard { return calls[max(0, len(calls)-n):] }

// naiveTime keeps the calls of the current tenth of a window and of the nine tenths before it, counted from the first call.
func naiveTime(calls []heard, start, now time.Time, window time.Duration) []heard {
	tenth := func(at time.Time) time.Duration { return at.Sub(start) / (window / 10) }
	var kept []heard
	for _, c := range calls {
		if tenth(now)-tenth(c.at) < 10 {
			kept = append(kept, c)
		}
	}
	return kept
}

func TestWindowsAgreeWithANaiveModel(t *testing.T) {
	t.Parallel()
	for _, kind := range []breaker.WindowKind{breaker.WindowCount, breaker.WindowTime} {
		for seed := range uint64(20) {
			t.Run(fmt.Sprintf("%s/%d", kind, seed), func(t *testing.T) {
				t.Parallel()
				compareWindow(t, kind, rand.New(rand.NewPCG(seed, 1)))
			})
		}
	}
}

func compareWindow(t *testing.T, kind breaker.WindowKind, r *rand.Rand) {
	t.Helper()
	w := breaker.Window{
		Kind: kind, Calls: 1 + r.IntN(60), Duration: time.Second * time.Duration(1+r.IntN(20)),
		FailureRatePercent: float64(30 + r.IntN(60)), SlowCallRatePercent: float64(20 + r.IntN(60)), SlowCallDuration: time.Second,
	}
	w.MinimumCalls = 1 + r.IntN(w.Calls)
	h := newBench(t, breaker.Config{FailureThreshold: -1, Window: w})
	failureShare, slowShare, pause := r.Float64(), r.Float64(), time.Duration(1+r.Int64N(int64(time.Second)))
	var calls []heard
	var start time.Time
	for range 1000 {
		h.wait(time.Duration(r.Int64N(int64(pause))))
		if r.IntN(200) == 0 {
			h.wait(time.Duration(r.Int64N(int64(2 * w.Duration))))
		}
		if len(calls) == 0 {
			start = h.now
		}
		c := heard{at: h.now, failed: r.Float64() < failureShare, slow: r.Float64() < slowShare}
		calls = append(calls, c)
		report(h, c)
		kept := naiveCount(calls, w.Calls)
		if kind == breaker.WindowTime {
			kept = naiveTime(calls, start, h.now, w.Duration)
		}
		want := sum(kept)
		if got := h.Snapshot(h.now).Window; got != want {
			t.Fatalf("after %d calls the window holds %+v, want %+v", len(calls), got, want)
		}
		trip := want.Calls >= w.MinimumCalls &&
			(want.FailureRate() >= w.FailureRatePercent || want.SlowRate() >= w.SlowCallRatePercent)
		if got := h.State() == breaker.Open; got != trip {
			t.Fatalf("window %+v of %+v: open %v, want %v", want, w, got, trip)
		}
		if trip {
			h.Reset("again", h.now)
			calls = nil
			failureShare, slowShare = r.Float64(), r.Float64()
		}
	}
}

func report(h *bench, c heard) {
	o, took := breaker.Success, time.Second
	if c.failed {
		o = breaker.Failure
	}
	if c.slow {
		took++
	}
	h.Done(h.permit(), o, took, h.now)
}

func TestATimeWindowEmptiesWhileIdle(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{FailureThreshold: -1, Window: breaker.Window{Kind: breaker.WindowTime, MinimumCalls: 10}})
	h.call(9, breaker.Failure)
	h.wait(9 * time.Second)
	if got := h.Snapshot(h.now).Window.Calls; got != 9 {
		t.Errorf("after 9 s of 10 the window holds %d calls", got)
	}
	h.wait(time.Second)
	if got := h.Snapshot(h.now).Window; got != (breaker.Tally{}) || got.FailureRate() != -1 {
		t.Errorf("after 10 s the window holds %+v", got)
	}
	h.call(1, breaker.Failure)
	h.is(breaker.Closed)
}

func TestAnEarlierNowCountsInTheCurrentBucket(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{FailureThreshold: -1, Window: breaker.Window{Kind: breaker.WindowTime}})
	h.call(1, breaker.Success)
	h.wait(30 * time.Second)
	h.call(1, breaker.Success)
	h.wait(-time.Hour)
	h.call(1, breaker.Failure)
	if got := h.Snapshot(h.now).Window; got != (breaker.Tally{Calls: 2, Failures: 1}) {
		t.Errorf("the window holds %+v", got)
	}
}

func TestReasonsSpeakOfRates(t *testing.T) {
	t.Parallel()
	w := breaker.Window{Kind: breaker.WindowCount, SlowCallRatePercent: 40, SlowCallDuration: time.Second}
	h := newBench(t, breaker.Config{FailureThreshold: -1, Window: w})
	h.call(10, breaker.Success)
	h.call(10, breaker.Failure)
	if got, want := h.last().Reason, "50% of 20 calls failed (limit 50%)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	h.Reset("again", h.now)
	h.call(12, breaker.Success)
	for range 8 {
		h.Done(h.permit(), breaker.Success, 2*time.Second, h.now)
	}
	if got, want := h.last().Reason, "40% of 20 calls took longer than 1s (limit 40%)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := h.Snapshot(h.now).Window; got != (breaker.Tally{Calls: 20, Slow: 8}) {
		t.Errorf("an open breaker no longer shows what opened it: %+v", got)
	}
}
