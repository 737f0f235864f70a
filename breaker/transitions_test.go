package breaker_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/breaker"
)

func TestEveryTransition(t *testing.T) {
	t.Parallel()
	const s, f, i = breaker.Success, breaker.Failure, breaker.Ignored
	rows := []struct {
		name  string
		drive func(h *bench)
		want  breaker.State
		rules []breaker.Rule
	}{
		{"a new one is closed", func(*bench) {}, breaker.Closed, nil},
		{"four failures are not enough", func(h *bench) { h.call(4, f) }, breaker.Closed, nil},
		{
			"five consecutive failures open it", func(h *bench) { h.call(5, f) }, breaker.Open,
			[]breaker.Rule{breaker.RuleConsecutiveFailures},
		},
		{"a success starts the count again", func(h *bench) { h.call(4, f); h.call(1, s); h.call(4, f) }, breaker.Closed, nil},
		{
			"an ignored call does not", func(h *bench) { h.call(4, f); h.call(9, i); h.call(1, f) }, breaker.Open,
			[]breaker.Rule{breaker.RuleConsecutiveFailures},
		},
		{
			"it stays open until somebody asks", func(h *bench) { h.trip(); h.wait(time.Hour) }, breaker.Open,
			[]breaker.Rule{breaker.RuleConsecutiveFailures},
		},
		{
			"a call that is due becomes a probe", func(h *bench) { h.trip(); h.permit() }, breaker.HalfOpen,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue},
		},
		{
			"two successful probes are not enough", func(h *bench) { h.trip(); h.call(2, s) }, breaker.HalfOpen,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue},
		},
		{
			"three successful probes close it", func(h *bench) { h.trip(); h.call(3, s) }, breaker.Closed,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue, breaker.RuleProbesSucceeded},
		},
		{
			"one failed probe opens it", func(h *bench) { h.trip(); h.call(2, s); h.call(1, f) }, breaker.Open,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue, breaker.RuleProbeFailed},
		},
		{
			"an ignored probe counts for nothing", func(h *bench) { h.trip(); h.call(2, s); h.call(7, i) }, breaker.HalfOpen,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue},
		},
		{
			"the count is zero after closing", func(h *bench) { h.call(4, f); h.call(1, f); h.now = h.NextAttempt(); h.call(3, s); h.call(4, f) },
			breaker.Closed,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue, breaker.RuleProbesSucceeded},
		},
		{
			"forced open from closed", func(h *bench) { h.ForceOpen("x", h.now) }, breaker.Open,
			[]breaker.Rule{breaker.RuleForced},
		},
		{
			"forced open from half-open", func(h *bench) { h.trip(); h.permit(); h.ForceOpen("x", h.now) }, breaker.Open,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue, breaker.RuleForced},
		},
		{
			"forced open from open", func(h *bench) { h.trip(); h.ForceOpen("x", h.now) }, breaker.Open,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleForced},
		},
		{
			"reset from open", func(h *bench) { h.trip(); h.Reset("x", h.now) }, breaker.Closed,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleReset},
		},
		{
			"reset from half-open", func(h *bench) { h.trip(); h.permit(); h.Reset("x", h.now) }, breaker.Closed,
			[]breaker.Rule{breaker.RuleConsecutiveFailures, breaker.RuleRecoveryDue, breaker.RuleReset},
		},
		{
			"reset from forced open", func(h *bench) { h.ForceOpen("x", h.now); h.Reset("x", h.now) }, breaker.Closed,
			[]breaker.Rule{breaker.RuleForced, breaker.RuleReset},
		},
		{"reset of a closed one forgets the count", func(h *bench) { h.call(4, f); h.Reset("x", h.now); h.call(4, f) }, breaker.Closed, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			h := newBench(t, breaker.Config{})
			row.drive(h)
			h.is(row.want)
			var rules []breaker.Rule
			from := breaker.Closed
			for _, e := range h.events {
				rules = append(rules, e.Rule)
				if e.From != from || e.Reason == "" {
					t.Errorf("event %+v: want it to come from %s, with a reason", e, from)
				}
				from = e.To
			}
			if !slices.Equal(rules, row.rules) {
				t.Errorf("events %v, want %v", rules, row.rules)
			}
		})
	}
}

func TestTheFirstOpeningLastsExactlyTheRecoveryTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, err := breaker.New(breaker.Config{JitterPercent: 100})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			p, _ := b.Allow(time.Now())
			b.Done(p, breaker.Failure, 0, time.Now())
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if _, ok := b.Allow(time.Now()); ok {
			t.Error("allowed a nanosecond before the recovery timeout")
		}
		time.Sleep(time.Nanosecond)
		if p, ok := b.Allow(time.Now()); !ok || !p.Probe() {
			t.Errorf("at the recovery timeout: allowed %v, probe %v", ok, p.Probe())
		}
	})
}

func TestReopeningGrowsWithJitterUpToTheMaximum(t *testing.T) {
	t.Parallel()
	draw := 0.5
	h := newBench(t, breaker.Config{MaxRecoveryTimeout: 5 * time.Minute, Rand: func() float64 { return draw }})
	h.call(5, breaker.Failure)
	for n, want := range []time.Duration{
		time.Minute, 126 * time.Second, 252 * time.Second, 315 * time.Second, 315 * time.Second,
	} {
		if n > 0 {
			h.now = h.NextAttempt()
			h.call(1, breaker.Failure)
		}
		if got := h.NextAttempt().Sub(h.now); got != want {
			t.Errorf("opening %d lasts %s, want %s", n+1, got, want)
		}
		if s := h.Snapshot(h.now); s.Openings != n+1 || s.FailureCount != 5 {
			t.Errorf("opening %d: snapshot says %d openings, %d failures", n+1, s.Openings, s.FailureCount)
		}
	}
	if first := h.events[0]; first.Draw != 0 || first.Openings != 1 {
		t.Errorf("the first opening drew %v", first.Draw)
	}
	h.now = h.NextAttempt()
	h.call(3, breaker.Success)
	h.call(5, breaker.Failure)
	if got := h.NextAttempt().Sub(h.now); got != time.Minute {
		t.Errorf("the first opening after a recovery lasts %s, want a minute again", got)
	}
}

func TestAForcedBreakerIgnoresTimeAndResults(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	before := h.permit()
	h.ForceOpen("maintenance", h.now)
	h.done(before, breaker.Success)
	h.wait(1000 * time.Hour)
	h.refused()
	s := h.Snapshot(h.now)
	if !s.Forced || s.Reason != "maintenance" || !s.NextAttempt.IsZero() || !s.Since.Equal(epoch) {
		t.Errorf("snapshot %+v", s)
	}
	h.ForceOpen("longer maintenance", h.now)
	if s := h.Snapshot(h.now); s.Reason != "longer maintenance" || len(h.events) != 1 {
		t.Errorf("forced twice: reason %q, %d events", s.Reason, len(h.events))
	}
	h.Reset("done", h.now)
	h.call(1, breaker.Success)
	if s := h.Snapshot(h.now); s.Forced || s.Reason != "done" {
		t.Errorf("after reset: %+v", s)
	}
}

func TestUpdateKeepsTheState(t *testing.T) {
	t.Parallel()
	h := newBench(t, breaker.Config{})
	h.call(4, breaker.Failure)
	next := breaker.Config{FailureThreshold: 10, RecoveryTimeout: time.Second}
	if err := h.Update(next); err != nil {
		t.Fatal(err)
	}
	h.call(5, breaker.Failure)
	h.is(breaker.Closed)
	h.call(1, breaker.Failure)
	h.is(breaker.Open)
	attempt := h.NextAttempt()
	if got := attempt.Sub(h.now); got != time.Second {
		t.Errorf("opened for %s, want the new second", got)
	}
	if err := h.Update(breaker.Config{RecoveryTimeout: time.Hour, HalfOpenMaxCalls: 1}); err != nil {
		t.Fatal(err)
	}
	if !h.NextAttempt().Equal(attempt) {
		t.Errorf("update moved the next attempt from %s to %s", attempt, h.NextAttempt())
	}
	h.now = attempt
	h.call(1, breaker.Success)
	h.is(breaker.Closed)
	if err := h.Update(breaker.Config{Growth: 0.5}); err == nil {
		t.Error("a bad configuration was accepted")
	}
	if h.Config().RecoveryTimeout != time.Hour {
		t.Error("a bad configuration changed something")
	}
}

func TestUpdateKeepsTheWindowUnlessItsShapeChanges(t *testing.T) {
	t.Parallel()
	window := breaker.Window{Kind: breaker.WindowCount, Calls: 50}
	h := newBench(t, breaker.Config{FailureThreshold: -1, Window: window})
	h.call(10, breaker.Success)
	window.FailureRatePercent = 80
	if err := h.Update(breaker.Config{FailureThreshold: -1, Window: window}); err != nil {
		t.Fatal(err)
	}
	if got := h.Snapshot(h.now).Window.Calls; got != 10 {
		t.Errorf("after a new limit the window holds %d calls, want 10", got)
	}
	window.Calls = 60
	if err := h.Update(breaker.Config{FailureThreshold: -1, Window: window}); err != nil {
		t.Fatal(err)
	}
	if got := h.Snapshot(h.now).Window.Calls; got != 0 {
		t.Errorf("after a new size the window holds %d calls, want 0", got)
	}
}
