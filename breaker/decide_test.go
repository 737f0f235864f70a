package breaker_test

import (
	"math"
	"testing"
	"time"

	"holdfast/breaker"
)

func TestEveryRuleOfDecide(t *testing.T) {
	t.Parallel()
	plain := breaker.Config{}
	off := breaker.Config{FailureThreshold: -1}
	rates := breaker.Config{FailureThreshold: -1, Window: breaker.Window{
		Kind: breaker.WindowTime, MinimumCalls: 20, FailureRatePercent: 50,
		SlowCallRatePercent: 80, SlowCallDuration: time.Second,
	}}
	onlySlow := rates
	onlySlow.Window.FailureRatePercent = -1
	const s, f, i = breaker.Success, breaker.Failure, breaker.Ignored
	rows := []struct {
		name string
		cfg  breaker.Config
		in   breaker.Inputs
		to   breaker.State
		rule breaker.Rule
	}{
		{"success", plain, breaker.Inputs{Outcome: s}, breaker.Closed, breaker.RuleNone},
		{"below the threshold", plain, breaker.Inputs{Outcome: f, Failures: 4}, breaker.Closed, breaker.RuleNone},
		{"at the threshold", plain, breaker.Inputs{Outcome: f, Failures: 5}, breaker.Open, breaker.RuleConsecutiveFailures},
		{"beyond the threshold", plain, breaker.Inputs{Outcome: f, Failures: 6}, breaker.Open, breaker.RuleConsecutiveFailures},
		{"ignored at the threshold", plain, breaker.Inputs{Outcome: i, Failures: 5}, breaker.Closed, breaker.RuleNone},
		{"threshold off", off, breaker.Inputs{Outcome: f, Failures: 500}, breaker.Closed, breaker.RuleNone},
		{"no window, no rate", off, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 99, Failures: 99}}, breaker.Closed, breaker.RuleNone},
		{"too few calls", rates, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 19, Failures: 19, Slow: 19}}, breaker.Closed, breaker.RuleNone},
		{"rate at the limit", rates, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 20, Failures: 10}}, breaker.Open, breaker.RuleFailureRate},
		{"rate below the limit", rates, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 21, Failures: 10}}, breaker.Closed, breaker.RuleNone},
		{"a success that completes the minimum", rates, breaker.Inputs{Outcome: s, Window: breaker.Tally{Calls: 20, Failures: 19}}, breaker.Open, breaker.RuleFailureRate},
		{"slow at the limit", rates, breaker.Inputs{Outcome: s, Window: breaker.Tally{Calls: 20, Slow: 16}}, breaker.Open, breaker.RuleSlowCallRate},
		{"slow below the limit", rates, breaker.Inputs{Outcome: s, Window: breaker.Tally{Calls: 20, Slow: 15}}, breaker.Closed, breaker.RuleNone},
		{"failures come before slowness", rates, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 20, Failures: 20, Slow: 20}}, breaker.Open, breaker.RuleFailureRate},
		{"failure rate off", onlySlow, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 20, Failures: 20}}, breaker.Closed, breaker.RuleNone},
		{"failure rate off, slow", onlySlow, breaker.Inputs{Outcome: f, Window: breaker.Tally{Calls: 20, Failures: 20, Slow: 16}}, breaker.Open, breaker.RuleSlowCallRate},
		{"open, not due", plain, breaker.Inputs{State: breaker.Open}, breaker.Open, breaker.RuleNone},
		{"open, due", plain, breaker.Inputs{State: breaker.Open, Due: true}, breaker.HalfOpen, breaker.RuleRecoveryDue},
		{"probe failed", plain, breaker.Inputs{State: breaker.HalfOpen, Outcome: f, Successes: 2}, breaker.Open, breaker.RuleProbeFailed},
		{"probe ignored", plain, breaker.Inputs{State: breaker.HalfOpen, Outcome: i, Successes: 3}, breaker.HalfOpen, breaker.RuleNone},
		{"probe succeeded", plain, breaker.Inputs{State: breaker.HalfOpen, Outcome: s, Successes: 2}, breaker.HalfOpen, breaker.RuleNone},
		{"last probe succeeded", plain, breaker.Inputs{State: breaker.HalfOpen, Outcome: s, Successes: 3}, breaker.Closed, breaker.RuleProbesSucceeded},
		{"a slow probe without a slow rule", plain, breaker.Inputs{State: breaker.HalfOpen, Outcome: s, Took: time.Hour, Successes: 3}, breaker.Closed, breaker.RuleProbesSucceeded},
		{"a slow probe with one", rates, breaker.Inputs{State: breaker.HalfOpen, Outcome: s, Took: 1001 * time.Millisecond, Successes: 3}, breaker.Open, breaker.RuleProbeSlow},
		{"a probe at the limit is not slow", rates, breaker.Inputs{State: breaker.HalfOpen, Outcome: s, Took: time.Second, Successes: 3}, breaker.Closed, breaker.RuleProbesSucceeded},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cfg := row.cfg.WithDefaults()
			if got, want := cfg.Decide(row.in), (breaker.Decision{To: row.to, Rule: row.rule}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestTimeOpen(t *testing.T) {
	t.Parallel()
	none := breaker.Config{RecoveryTimeout: 10 * time.Second, JitterPercent: -1}
	flat := breaker.Config{RecoveryTimeout: 10 * time.Second, Growth: 1, JitterPercent: 50}
	huge := breaker.Config{RecoveryTimeout: math.MaxInt64 / 2, Growth: 1000}
	rows := []struct {
		name string
		cfg  breaker.Config
		n    int
		draw float64
		want time.Duration
	}{
		{"first, never jittered", breaker.Config{}, 1, 0.999, time.Minute},
		{"zero counts as the first", breaker.Config{}, 0, 0.999, time.Minute},
		{"second, least", breaker.Config{}, 2, 0, 2 * time.Minute},
		{"second, half the jitter", breaker.Config{}, 2, 0.5, 126 * time.Second},
		{"fifth, at the maximum", breaker.Config{}, 5, 0, 10 * time.Minute},
		{"a thousandth does not overflow", breaker.Config{}, 1000, 0.5, 630 * time.Second},
		{"no jitter", none, 3, 0.999, 40 * time.Second},
		{"no growth", flat, 9, 0.5, 12500 * time.Millisecond},
		{"centuries do not overflow", huge, 3, 0.999, math.MaxInt64},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cfg := row.cfg.WithDefaults()
			if got := cfg.OpenFor(row.n, row.draw); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestDefaultsAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	got := (&breaker.Config{}).WithDefaults()
	want := breaker.Config{
		FailureThreshold: 5, RecoveryTimeout: 60 * time.Second, MaxRecoveryTimeout: 10 * time.Minute, Growth: 2,
		JitterPercent: 10, HalfOpenMaxCalls: 3, HalfOpenTimeout: 60 * time.Second,
	}
	if got.OnEvent != nil || got.Rand != nil || got.Window != want.Window || got.FailureThreshold != want.FailureThreshold ||
		got.RecoveryTimeout != want.RecoveryTimeout || got.MaxRecoveryTimeout != want.MaxRecoveryTimeout ||
		got.Growth != want.Growth || got.JitterPercent != want.JitterPercent ||
		got.HalfOpenMaxCalls != want.HalfOpenMaxCalls || got.HalfOpenTimeout != want.HalfOpenTimeout {
		t.Errorf("got %+v, want %+v", got, want)
	}
	count := (&breaker.Config{Window: breaker.Window{Kind: breaker.WindowCount, Calls: 7}}).WithDefaults().Window
	if count.MinimumCalls != 7 || count.FailureRatePercent != 50 {
		t.Errorf("a count window of 7 has the defaults %+v", count)
	}
	timed := (&breaker.Config{Window: breaker.Window{Kind: breaker.WindowTime}}).WithDefaults().Window
	if timed.Duration != 10*time.Second || timed.MinimumCalls != 20 || timed.FailureRatePercent != 50 {
		t.Errorf("a time window has the defaults %+v", timed)
	}
}
