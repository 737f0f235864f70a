package breaker_test

import (
	"errors"
	"testing"
	"time"

	"holdfast/breaker"
)

func TestARestoredOpenBreakerStaysOpenUntilItsNextAttempt(t *testing.T) {
	t.Parallel()
	before := newBench(t, breaker.Config{})
	before.call(5, breaker.Failure)
	saved := before.Snapshot(before.now)

	after := newBench(t, breaker.Config{})
	after.wait(20 * time.Second)
	old := after.permit()
	if err := after.Restore(saved, after.now); err != nil {
		t.Fatal(err)
	}
	if got := after.Snapshot(after.now); got != saved {
		t.Errorf("restored %+v, want %+v", got, saved)
	}
	after.done(old, breaker.Success)
	after.refused()
	after.wait(40*time.Second - 1)
	after.refused()
	after.wait(1)
	after.call(1, breaker.Failure)
	if got := after.NextAttempt().Sub(after.now); got < 2*time.Minute {
		t.Errorf("the opening after a restored one lasts %s, want it to have grown", got)
	}
	if len(after.events) != 2 {
		t.Errorf("%d events, want 2: restoring is none", len(after.events))
	}
}

func TestRestoreRules(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name    string
		in      breaker.Snapshot
		state   breaker.State
		allowed bool
		probe   bool
		next    time.Duration // 0: none
	}{
		{"closed", breaker.Snapshot{FailureCount: 4}, breaker.Closed, true, false, 0},
		{"open in the future", breaker.Snapshot{State: breaker.Open, NextAttempt: epoch.Add(time.Second)}, breaker.Open, false, false, time.Second},
		{"open, due", breaker.Snapshot{State: breaker.Open, NextAttempt: epoch}, breaker.Open, true, true, -1},
		{"open, past", breaker.Snapshot{State: breaker.Open, NextAttempt: epoch.Add(-time.Hour)}, breaker.Open, true, true, -1},
		{"open without a time is due", breaker.Snapshot{State: breaker.Open}, breaker.Open, true, true, -1},
		{"open beyond any opening is cut", breaker.Snapshot{State: breaker.Open, NextAttempt: epoch.AddDate(9, 0, 0)}, breaker.Open, false, false, 11 * time.Minute},
		{"forced", breaker.Snapshot{State: breaker.Open, Forced: true, NextAttempt: epoch}, breaker.Open, false, false, 0},
		{"half-open starts its probes again", breaker.Snapshot{State: breaker.HalfOpen, HalfOpenCalls: 3, HalfOpenSuccesses: 2}, breaker.HalfOpen, true, true, 0},
		{"negative counts are none", breaker.Snapshot{FailureCount: -5, Openings: -5}, breaker.Closed, true, false, 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newBench(t, breaker.Config{})
			if err := h.Restore(row.in, h.now); err != nil {
				t.Fatal(err)
			}
			h.is(row.state)
			s := h.Snapshot(h.now)
			if s.Openings < 0 || s.FailureCount < 0 || s.HalfOpenCalls != 0 || s.HalfOpenSuccesses != 0 {
				t.Errorf("snapshot %+v", s)
			}
			if next := h.NextAttempt(); row.next >= 0 && !next.Equal(s.NextAttempt) || row.next > 0 && next.Sub(epoch) != row.next {
				t.Errorf("next attempt %s", next.Sub(epoch))
			}
			p, ok := h.Allow(h.now)
			if ok != row.allowed || p.Probe() != row.probe {
				t.Errorf("allowed %v, probe %v", ok, p.Probe())
			}
		})
	}
}

func TestARestoredCountGoesOn(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	if err := h.Restore(breaker.Snapshot{FailureCount: 4}, h.now); err != nil {
		t.Fatal(err)
	}
	h.call(1, breaker.Failure)
	h.is(breaker.Open)
}

func TestRestoringForgetsWhatTheBreakerKnew(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{Window: breaker.Window{Kind: breaker.WindowCount, MinimumCalls: 50}})
	h.call(5, breaker.Failure)
	h.now = h.NextAttempt()
	h.call(2, breaker.Success)
	probe := h.permit()
	if err := h.Restore(breaker.Snapshot{State: breaker.HalfOpen}, h.now); err != nil {
		t.Fatal(err)
	}
	h.done(probe, breaker.Success)
	s := h.Snapshot(h.now)
	if s.HalfOpenCalls != 0 || s.HalfOpenSuccesses != 0 || s.Window.Calls != 0 || s.FailureCount != 0 {
		t.Errorf("snapshot %+v", s)
	}
}

func TestAnUnknownStateIsNotRestored(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	if err := h.Restore(breaker.Snapshot{State: 3}, h.now); !errors.Is(err, breaker.ErrUnknownState) {
		t.Errorf("got %v", err)
	}
}
