package breaker_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"holdfast/breaker"
)

func TestABadConfigurationNamesItsField(t *testing.T) {
	t.Parallel()
	window := func(w breaker.Window) breaker.Config { return breaker.Config{Window: w} }
	rows := []struct {
		field string
		cfg   breaker.Config
	}{
		{"FailureThreshold", breaker.Config{FailureThreshold: -2}},
		{"FailureThreshold", breaker.Config{FailureThreshold: 1_000_001}},
		{"RecoveryTimeout", breaker.Config{RecoveryTimeout: -1}},
		{"MaxRecoveryTimeout", breaker.Config{MaxRecoveryTimeout: time.Second}},
		{"Growth", breaker.Config{Growth: 0.9}},
		{"Growth", breaker.Config{Growth: math.NaN()}},
		{"Growth", breaker.Config{Growth: math.Inf(1)}},
		{"JitterPercent", breaker.Config{JitterPercent: 101}},
		{"JitterPercent", breaker.Config{JitterPercent: math.NaN()}},
		{"HalfOpenMaxCalls", breaker.Config{HalfOpenMaxCalls: -1}},
		{"HalfOpenMaxCalls", breaker.Config{HalfOpenMaxCalls: 10_001}},
		{"HalfOpenTimeout", breaker.Config{HalfOpenTimeout: -1}},
		{"Window.Kind", window(breaker.Window{Kind: 9})},
		{"Window.Calls", window(breaker.Window{Kind: breaker.WindowCount, Calls: -1})},
		{"Window.Calls", window(breaker.Window{Kind: breaker.WindowCount, Calls: 1_000_001})},
		{"Window.Duration", window(breaker.Window{Kind: breaker.WindowTime, Duration: time.Millisecond})},
		{"Window.MinimumCalls", window(breaker.Window{Kind: breaker.WindowTime, MinimumCalls: -1})},
		{"Window.MinimumCalls", window(breaker.Window{Kind: breaker.WindowCount, Calls: 10, MinimumCalls: 11})},
		{"Window.FailureRatePercent", window(breaker.Window{Kind: breaker.WindowTime, FailureRatePercent: 101})},
		{"Window.FailureRatePercent", window(breaker.Window{Kind: breaker.WindowTime, FailureRatePercent: -1})},
		{"Window.SlowCallRatePercent", window(breaker.Window{Kind: breaker.WindowTime, SlowCallRatePercent: -1})},
		{"Window.SlowCallRatePercent", window(breaker.Window{Kind: breaker.WindowTime, SlowCallRatePercent: math.NaN()})},
		{"Window.SlowCallDuration", window(breaker.Window{Kind: breaker.WindowTime, SlowCallRatePercent: 50})},
	}
	for _, row := range rows {
		_, err := breaker.New(row.cfg)
		bad, ok := errors.AsType[*breaker.ConfigError](err)
		if !ok || bad.Field != row.field || !strings.Contains(err.Error(), row.field) {
			t.Errorf("%s: got %v", row.field, err)
		}
	}
}

func TestNamesOfTheEnumerations(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		breaker.Closed.String():                  "closed",
		breaker.HalfOpen.String():                "half_open",
		breaker.State(7).String():                "State(7)",
		breaker.Ignored.String():                 "ignored",
		breaker.Failure.String():                 "failure",
		breaker.Success.String():                 "success",
		breaker.Outcome(7).String():              "Outcome(7)",
		breaker.WindowNone.String():              "none",
		breaker.WindowCount.String():             "count",
		breaker.WindowTime.String():              "time",
		breaker.WindowKind(7).String():           "WindowKind(7)",
		breaker.RuleReset.String():               "reset",
		breaker.RuleSlowCallRate.String():        "slow_call_rate",
		breaker.Rule(99).String():                "Rule(99)",
		breaker.RuleRecoveryDue.String():         "recovery_due",
		breaker.RuleNone.String():                "none",
		breaker.RuleProbesSucceeded.String():     "probes_succeeded",
		breaker.RuleConsecutiveFailures.String(): "consecutive_failures",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAStateSurvivesJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back breaker.State
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("%s came back as %s, %v", text, back, err)
		}
	}
	var s breaker.State
	if err := json.Unmarshal([]byte(`"ajar"`), &s); !errors.Is(err, breaker.ErrUnknownState) {
		t.Errorf("reading ajar: %v", err)
	}
	if _, err := breaker.State(9).MarshalText(); !errors.Is(err, breaker.ErrUnknownState) {
		t.Errorf("writing 9: %v", err)
	}
}
