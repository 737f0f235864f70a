package breaker_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/breaker"
)

func TestThreeProbesRunAtOnce(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	h.trip()
	probes := []breaker.Permit{h.permit(), h.permit(), h.permit()}
	h.refused()
	if got := h.Snapshot(h.now).HalfOpenCalls; got != 3 {
		t.Errorf("snapshot says %d probes", got)
	}
	h.done(probes[1], breaker.Ignored)
	fourth := h.permit()
	h.refused()
	h.done(probes[0], breaker.Success)
	h.done(fourth, breaker.Success)
	if s := h.Snapshot(h.now); s.HalfOpenCalls != 1 || s.HalfOpenSuccesses != 2 {
		t.Errorf("snapshot says %d running, %d succeeded; want 1 and 2", s.HalfOpenCalls, s.HalfOpenSuccesses)
	}
	h.done(probes[2], breaker.Success)
	h.is(breaker.Closed)
}

func TestOnlyThreeOfManyGoroutinesProbe(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	h.trip()
	var passed atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if p, ok := h.Allow(h.now); ok && p.Probe() {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 3 || len(h.events) != 2 {
		t.Errorf("%d of 64 passed with %d events, want 3 and 2", passed.Load(), len(h.events))
	}
}

func TestALostPermitComesBackAfterTheHalfOpenTimeout(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{HalfOpenTimeout: 10 * time.Second})
	h.trip()
	lost := h.permit()
	h.wait(5 * time.Second)
	h.permit()
	h.permit()
	h.wait(5*time.Second - 1)
	h.refused()
	h.wait(1)
	h.permit()
	h.refused()
	h.done(lost, breaker.Failure)
	h.is(breaker.HalfOpen)
	if got := h.Snapshot(h.now).HalfOpenCalls; got != 3 {
		t.Errorf("the late result of the lost probe left %d running, want 3", got)
	}
	if got := h.Snapshot(h.now.Add(time.Hour)).HalfOpenCalls; got != 0 {
		t.Errorf("an hour later %d probes run, want 0", got)
	}
}

func TestAResultAfterTheHalfOpenTimeoutIsIgnoredEvenIfNobodyAskedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{HalfOpenTimeout: 10 * time.Second})
	h.trip()
	inTime, late := h.permit(), h.permit()
	h.wait(10*time.Second - 1)
	h.done(inTime, breaker.Success)
	h.wait(1)
	h.done(late, breaker.Failure)
	if s := h.Snapshot(h.now); s.State != breaker.HalfOpen || s.HalfOpenSuccesses != 1 || s.HalfOpenCalls != 0 {
		t.Errorf("snapshot %+v", s)
	}
}

func TestALostPermitIsKeptForTheRecoveryTimeoutByDefault(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{HalfOpenMaxCalls: 1})
	h.trip()
	h.permit()
	h.wait(time.Minute - 1)
	h.refused()
	h.wait(1)
	h.permit()
}

func TestAPermitCountsOnceInHalfOpen(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	h.trip()
	p := h.permit()
	for range 5 {
		h.done(p, breaker.Success)
	}
	h.is(breaker.HalfOpen)
}

func TestLateResultsOfAnOlderGenerationAreIgnored(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	var closed []breaker.Permit
	for range 20 {
		closed = append(closed, h.permit())
	}
	h.trip()
	probe, slowProbe := h.permit(), h.permit()
	for _, p := range closed[:10] {
		h.done(p, breaker.Success)
	}
	if s := h.Snapshot(h.now); s.State != breaker.HalfOpen || s.HalfOpenSuccesses != 0 {
		t.Fatalf("calls from before the outage moved the probes: %+v", s)
	}
	h.done(closed[10], breaker.Failure)
	h.is(breaker.HalfOpen)
	h.done(probe, breaker.Failure)
	h.is(breaker.Open)
	h.now = h.NextAttempt()
	h.call(1, breaker.Success)
	h.done(slowProbe, breaker.Failure)
	h.is(breaker.HalfOpen)
	h.call(2, breaker.Success)
	h.is(breaker.Closed)
	for _, p := range closed[11:] {
		h.done(p, breaker.Failure)
	}
	h.is(breaker.Closed)
	if got := h.Snapshot(h.now).FailureCount; got != 0 {
		t.Errorf("calls from before the outage count as %d failures", got)
	}
}

func TestTheZeroPermitIsIgnored(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{FailureThreshold: 1})
	h.done(breaker.Permit{}, breaker.Failure)
	h.is(breaker.Closed)
}

func TestASlowProbeFailsWhenSlowCallsCount(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{Window: breaker.Window{
		Kind: breaker.WindowTime, SlowCallRatePercent: 50, SlowCallDuration: time.Second,
	}})
	h.trip()
	h.Done(h.permit(), breaker.Success, time.Second, h.now)
	h.is(breaker.HalfOpen)
	h.Done(h.permit(), breaker.Success, time.Second+1, h.now)
	h.is(breaker.Open)
	if e := h.last(); e.Rule != breaker.RuleProbeSlow || e.Openings != 2 {
		t.Errorf("event %+v", e)
	}
}
