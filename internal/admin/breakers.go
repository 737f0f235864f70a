package admin

import (
	"context"
	"time"

	"holdfast/breaker"
	"holdfast/exchange"
)

// Breakers is the answer about breakers.
type Breakers struct {
	Breakers []Breaker `json:"breakers"`
}

// Breaker is the breaker of one function.
type Breaker struct {
	Function string `json:"function"`
	// State is closed, open, half_open, or off when the function has none.
	State  string    `json:"state"`
	Since  time.Time `json:"since,omitzero"` // zero: it never changed
	Reason string    `json:"reason,omitempty"`
	// Rule names what led to the state.
	Rule   string `json:"rule,omitempty"`
	Forced bool   `json:"forced"`
	// FailureCount is consecutive failures: now when closed, else those that
	// opened it. FailureThreshold is -1 when they do not count.
	FailureCount     int       `json:"failure_count"`
	FailureThreshold int       `json:"failure_threshold"`
	LastFailure      time.Time `json:"last_failure,omitzero"`
	// NextAttempt is when an open breaker lets a request try; zero when it is
	// forced open.
	NextAttempt       time.Time `json:"next_attempt,omitzero"`
	HalfOpenCalls     int       `json:"half_open_calls"`
	HalfOpenSuccesses int       `json:"half_open_successes"`
	HalfOpenMaxCalls  int       `json:"half_open_max_calls"`
	// Openings since it was last closed; RecoveryTimeoutMS is how long the
	// first one lasts, NextOpeningMS the next one without jitter.
	Openings          int            `json:"openings"`
	RecoveryTimeoutMS float64        `json:"recovery_timeout_ms"`
	NextOpeningMS     float64        `json:"next_opening_ms"`
	Window            *BreakerWindow `json:"window,omitempty"`
}

// BreakerWindow is what a breaker with rates looks back on.
type BreakerWindow struct {
	Kind         string  `json:"kind"` // count or time
	Calls        int     `json:"calls"`
	MinimumCalls int     `json:"minimum_calls"`
	Failures     int     `json:"failures"`
	Slow         int     `json:"slow"`
	FailureRate  float64 `json:"failure_rate_percent"` // 0 without calls
	SlowRate     float64 `json:"slow_call_rate_percent"`
	// Limits in percent; 0 or less: off.
	FailureRateLimit float64 `json:"failure_rate_limit_percent"`
	SlowRateLimit    float64 `json:"slow_call_rate_limit_percent"`
	SlowCallMS       float64 `json:"slow_call_ms"`
}

// byFunction narrows an answer to one function.
type byFunction struct {
	Function string `query:"function" doc:"only this function"`
}

func (s *Server) breakers(_ context.Context, in *byFunction) (Breakers, error) {
	functions, err := s.functionsOf(in.Function)
	if err != nil {
		return Breakers{}, err
	}
	v, now := Breakers{Breakers: []Breaker{}}, time.Now()
	for _, fn := range functions {
		v.Breakers = append(v.Breakers, breakerOf(fn, now))
	}
	return v, nil
}

func breakerOf(fn *exchange.Function, now time.Time) Breaker {
	br := fn.Breaker()
	if br == nil {
		return Breaker{Function: fn.Name(), State: "off", Reason: "the function has no breaker"}
	}
	s, c := br.Snapshot(now), br.Config()
	v := Breaker{
		Function: fn.Name(), State: s.State.String(), Since: s.Since, Reason: s.Reason, Rule: s.Rule.String(), Forced: s.Forced,
		FailureCount: s.FailureCount, FailureThreshold: c.FailureThreshold, LastFailure: s.LastFailure, NextAttempt: s.NextAttempt,
		HalfOpenCalls: s.HalfOpenCalls, HalfOpenSuccesses: s.HalfOpenSuccesses, HalfOpenMaxCalls: c.HalfOpenMaxCalls,
		Openings: s.Openings, RecoveryTimeoutMS: ms(c.RecoveryTimeout), NextOpeningMS: ms(c.OpenFor(s.Openings+1, 0)),
	}
	if c.Window.Kind != breaker.WindowNone {
		v.Window = windowOf(&c.Window, s.Window)
	}
	return v
}

func windowOf(w *breaker.Window, t breaker.Tally) *BreakerWindow {
	return &BreakerWindow{
		Kind: w.Kind.String(), Calls: t.Calls, MinimumCalls: w.MinimumCalls, Failures: t.Failures, Slow: t.Slow,
		FailureRate: max(t.FailureRate(), 0), SlowRate: max(t.SlowRate(), 0),
		FailureRateLimit: w.FailureRatePercent, SlowRateLimit: w.SlowCallRatePercent, SlowCallMS: ms(w.SlowCallDuration),
	}
}
