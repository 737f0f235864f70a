package app

import (
	"net/http"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/internal/config"
)

// load reads one function `a` with one instance and the given further keys.
func load(t *testing.T, keys string) *config.Function {
	t.Helper()
	text := "functions:\n  a:\n    routes: [{path: /a/}]\n    instances: [{id: x, url: 'http://127.0.0.1:1'}]\n" + keys
	c, _, err := config.Load(config.Options{
		Files: []string{"t.yaml"}, ReadFile: func(string) ([]byte, error) { return []byte(text), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.Functions["a"]
}

func TestTheDefaultsAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	s, err := specOf("a", load(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	b, p := s.Config.Breaker, s.Config.Policy
	if b.FailureThreshold != 5 || b.RecoveryTimeout != time.Minute || b.HalfOpenMaxCalls != 3 {
		t.Errorf("breaker %+v", b)
	}
	if s.Config.Balancer.Strategy != balancer.P2C || p.Retry.Attempts != 2 || p.Fallback != nil {
		t.Errorf("strategy %v, retries %d, fallback %v", s.Config.Balancer.Strategy, p.Retry.Attempts, p.Fallback)
	}
	if h := checkPolicyOf(load(t, "")); h.Interval != 30*time.Second || h.SuspectInterval != 5*time.Second {
		t.Errorf("health %+v", h)
	}
	if got := healthPath(load(t, "")); got != "/a/health" {
		t.Errorf("health path %q", got)
	}
}

func TestADisabledFunctionOnlyLetsTrafficFlow(t *testing.T) {
	t.Parallel()
	s, err := specOf("a", load(t, "    enabled: false\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Config.Breaker != nil || !s.Config.Balancer.Ejection.Disabled || s.Config.Policy.Retry.Attempts != 0 {
		t.Errorf("recovery does not rest: %+v", s.Config)
	}
}

func TestAWrittenZeroTurnsARuleOff(t *testing.T) {
	t.Parallel()
	s, err := specOf("a", load(t, `    circuit_breaker: {failure_threshold: 0, window: {calls: 10}, jitter_percent: 0}
    retry: {attempts: 0, body_limit: 0, budget: {percent: 0, min_per_second: 0}}
    timeouts: {attempt: 0, exchange: 0, idle: 0}
    load_balancing: {ejection: {consecutive_failures: 0, failure_rate_percent: 0, latency_factor: 0}}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := s.Config
	for name, off := range map[string]bool{
		"failure_threshold":    c.Breaker.FailureThreshold < 0,
		"jitter_percent":       c.Breaker.JitterPercent < 0,
		"attempts":             c.Policy.Retry.Attempts == 0,
		"body_limit":           s.Options.ReplayLimit < 0,
		"percent":              c.Budget.Ratio < 0,
		"min_per_second":       c.Budget.MinPerSecond < 0,
		"timeouts.attempt":     c.Policy.Timeouts.Attempt == endless,
		"timeouts.exchange":    c.Policy.Timeouts.Exchange == endless,
		"timeouts.idle":        c.Policy.Timeouts.Idle == endless,
		"consecutive_failures": c.Balancer.Ejection.ConsecutiveFailures < 0,
		"failure_rate_percent": c.Balancer.Ejection.FailureRatePercent < 0,
		"latency_factor":       c.Balancer.Ejection.LatencyFactor < 0,
	} {
		if !off {
			t.Errorf("%s: 0 is not off", name)
		}
	}
}

func TestFallbacksAreTranslated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, keys       string
		status           int
		redirect, header string
	}{
		{"static", "    fallback: {status: 200, body: soon, headers: {X-A: b}}\n", http.StatusOK, "", "b"},
		{"redirect", "    fallback: {redirect: 'https://example.org/*'}\n", http.StatusTemporaryRedirect, "https://example.org/*", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fb := policyOf(load(t, c.keys)).Fallback
			if fb == nil || fb.Status != c.status || fb.Redirect != c.redirect || fb.Header["X-A"] != c.header {
				t.Errorf("got %+v", fb)
			}
		})
	}
}
