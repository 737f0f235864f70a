package breaker

import (
	"fmt"
	"math"
	"time"
)

// Tally counts the calls a window holds.
type Tally struct {
	Calls    int
	Failures int
	Slow     int // calls longer than SlowCallDuration, failed or not
}

// FailureRate is the share of failed calls in percent, -1 when there are none.
func (t Tally) FailureRate() float64 { return percent(t.Failures, t.Calls) }

// SlowRate is the share of slow calls in percent, -1 when there are none.
func (t Tally) SlowRate() float64 { return percent(t.Slow, t.Calls) }

func percent(part, whole int) float64 {
	if whole == 0 {
		return -1
	}
	return 100 * float64(part) / float64(whole)
}

// Inputs is everything a decision depends on beside the Config. Counts include the call that has just ended.
type Inputs struct {
	State     State
	Outcome   Outcome       // closed and half-open: how the call ended
	Took      time.Duration // closed and half-open: how long it took
	Failures  int           // closed: consecutive failures
	Window    Tally         // closed: what the window holds
	Successes int           // half-open: probes that succeeded
	Due       bool          // open: NextAttempt is past, and the breaker is not forced open
}

// Rule names what bound a decision. The zero value, RuleNone, says that nothing changes.
type Rule uint8

// The rules. The last two are orders of an operator and never come from Decide.
const (
	RuleNone                Rule = iota
	RuleConsecutiveFailures      // closed to open
	RuleFailureRate              // closed to open
	RuleSlowCallRate             // closed to open
	RuleRecoveryDue              // open to half-open
	RuleProbesSucceeded          // half-open to closed
	RuleProbeFailed              // half-open to open
	RuleProbeSlow                // half-open to open
	RuleForced                   // any to open
	RuleReset                    // any to closed
)

// String gives the rule in snake case, as used in records.
func (r Rule) String() string {
	names := [...]string{
		"none", "consecutive_failures", "failure_rate", "slow_call_rate", "recovery_due",
		"probes_succeeded", "probe_failed", "probe_slow", "forced", "reset",
	}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("Rule(%d)", uint8(r))
}

// Decision is the state that follows and the rule that chose it.
type Decision struct {
	To   State
	Rule Rule
}

// Decide says what state follows. It is pure, and a running breaker changes state by its answer only (operators aside).
// The Config must have its defaults filled in, as the one that Breaker.Config returns.
func (c *Config) Decide(in Inputs) Decision {
	switch {
	case in.State == Open:
		return c.decideOpen(in)
	case in.Outcome == Ignored:
		return Decision{To: in.State}
	case in.State == HalfOpen:
		return c.decideHalfOpen(in)
	}
	return c.decideClosed(in)
}

func (c *Config) decideOpen(in Inputs) Decision {
	if in.Due {
		return Decision{To: HalfOpen, Rule: RuleRecoveryDue}
	}
	return Decision{To: Open}
}

func (c *Config) decideHalfOpen(in Inputs) Decision {
	switch {
	case in.Outcome == Failure:
		return Decision{To: Open, Rule: RuleProbeFailed}
	case c.slow(in.Took):
		return Decision{To: Open, Rule: RuleProbeSlow}
	case in.Successes >= c.HalfOpenMaxCalls:
		return Decision{To: Closed, Rule: RuleProbesSucceeded}
	}
	return Decision{To: HalfOpen}
}

func (c *Config) decideClosed(in Inputs) Decision {
	w := &c.Window
	switch {
	case in.Outcome == Failure && c.FailureThreshold > 0 && in.Failures >= c.FailureThreshold:
		return Decision{To: Open, Rule: RuleConsecutiveFailures}
	case w.Kind == WindowNone || in.Window.Calls < w.MinimumCalls:
		return Decision{To: Closed}
	case w.FailureRatePercent > 0 && in.Window.FailureRate() >= w.FailureRatePercent:
		return Decision{To: Open, Rule: RuleFailureRate}
	case w.SlowCallRatePercent > 0 && in.Window.SlowRate() >= w.SlowCallRatePercent:
		return Decision{To: Open, Rule: RuleSlowCallRate}
	}
	return Decision{To: Closed}
}

func (c *Config) slow(took time.Duration) bool {
	return c.Window.SlowCallRatePercent > 0 && took > c.Window.SlowCallDuration
}

// OpenFor is how long the breaker stays open: n is how often it opened since it was last closed, this time included;
// draw is a random number in [0, 1). The first time is RecoveryTimeout exactly; the n-th is RecoveryTimeout·Growth^(n-1),
// at most MaxRecoveryTimeout, lengthened by up to JitterPercent.
func (c *Config) OpenFor(n int, draw float64) time.Duration {
	if n <= 1 {
		return c.RecoveryTimeout
	}
	grown := min(saturatedProduct(c.RecoveryTimeout, math.Pow(c.Growth, float64(n-1))), c.MaxRecoveryTimeout)
	return saturatedProduct(grown, 1+max(c.JitterPercent, 0)/100*draw)
}

// sentence explains a decision to people.
func (c *Config) sentence(d Decision, in Inputs) string {
	w := &c.Window
	switch d.Rule {
	case RuleConsecutiveFailures:
		return fmt.Sprintf("%d consecutive failures (threshold %d)", in.Failures, c.FailureThreshold)
	case RuleFailureRate:
		return fmt.Sprintf("%.4g%% of %d calls failed (limit %.4g%%)", in.Window.FailureRate(), in.Window.Calls, w.FailureRatePercent)
	case RuleSlowCallRate:
		return fmt.Sprintf("%.4g%% of %d calls took longer than %s (limit %.4g%%)",
			in.Window.SlowRate(), in.Window.Calls, w.SlowCallDuration, w.SlowCallRatePercent)
	case RuleRecoveryDue:
		return "the recovery timeout is over, probing"
	case RuleProbesSucceeded:
		return fmt.Sprintf("%d probes succeeded", in.Successes)
	case RuleProbeFailed:
		return "a probe failed"
	case RuleProbeSlow:
		return fmt.Sprintf("a probe took %s (slow beyond %s)", in.Took, w.SlowCallDuration)
	case RuleNone, RuleForced, RuleReset:
	}
	return d.Rule.String()
}
