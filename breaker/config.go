package breaker

import (
	"cmp"
	"fmt"
	"time"
)

// WindowKind chooses what the rates are computed over. The zero value is WindowNone.
type WindowKind uint8

// The kinds of window.
const (
	WindowNone  WindowKind = iota // no rates, only consecutive failures
	WindowCount                   // the last Calls calls
	WindowTime                    // the calls of the last Duration
)

// String gives none, count or time.
func (k WindowKind) String() string {
	switch k {
	case WindowNone:
		return "none"
	case WindowCount:
		return "count"
	case WindowTime:
		return "time"
	}
	return fmt.Sprintf("WindowKind(%d)", uint8(k))
}

// Window configures the rates. The zero value has none.
type Window struct {
	// Kind chooses the window. With WindowNone every other field is ignored.
	Kind WindowKind
	// Calls is the size of a count window. 0 is 100, at most 1,000,000.
	Calls int
	// Duration is the length of a time window, kept in ten buckets: the rates cover between nine and ten tenths of it.
	// 0 is 10 s, at least 10 ms.
	Duration time.Duration
	// MinimumCalls is how many calls the window must hold before a rate means anything. 0 is 20, or Calls when that is less.
	MinimumCalls int
	// FailureRatePercent opens the breaker when at least this share of the calls failed. 0 is 50, negative is off.
	FailureRatePercent float64
	// SlowCallRatePercent opens the breaker when at least this share of the calls, failed or not, took longer than
	// SlowCallDuration. 0 is off. When on, a slow probe counts as a failed one: a breaker that opened because calls were
	// slow must not close while they still are.
	SlowCallRatePercent float64
	// SlowCallDuration is the time beyond which a call is slow. Needed when SlowCallRatePercent is set.
	SlowCallDuration time.Duration
}

// Config says when a breaker opens and how it recovers. The zero value is the default: five consecutive failures open
// it for 60 s, three successful probes close it.
type Config struct {
	// FailureThreshold is how many consecutive failures open the breaker. 0 is 5, -1 is off, at most 1,000,000.
	FailureThreshold int
	// RecoveryTimeout is how long the first opening lasts, exactly. 0 is 60 s.
	RecoveryTimeout time.Duration
	// MaxRecoveryTimeout bounds the growth of the following openings, before jitter. 0 is ten times RecoveryTimeout.
	MaxRecoveryTimeout time.Duration
	// Growth multiplies the time open with each opening since the breaker was last closed. 0 is 2, at least 1.
	Growth float64
	// JitterPercent lengthens every opening but the first by a random share of up to this many percent, so that many
	// breakers that opened together do not probe together. 0 is 10, negative is none, at most 100.
	JitterPercent float64
	// HalfOpenMaxCalls is how many probes may run at once, and how many must succeed to close the breaker. 0 is 3, at
	// most 10,000.
	HalfOpenMaxCalls int
	// HalfOpenTimeout is after what time a probe without a result is given up. It should be longer than any call lasts.
	// 0 is RecoveryTimeout.
	HalfOpenTimeout time.Duration
	// Window adds rates over many calls.
	Window Window
	// OnEvent hears of every change of state: in order, one at a time, outside the lock. It may call the breaker. It runs
	// in the goroutine of a caller, so it should be quick. May be nil.
	OnEvent func(Event)
	// Rand gives the jitter, in [0, 1). It is called under the breaker's lock and must not call the breaker.
	// nil is rand.Float64 of math/rand/v2.
	Rand func() float64
}

const (
	maxThreshold   = 1_000_000 // must fit the counter in word
	maxWindowCalls = 1_000_000
	maxProbes      = 10_000
)

// WithDefaults returns a copy in which every zero field has the value it stands for.
func (c *Config) WithDefaults() Config {
	full := *c
	full.FailureThreshold = cmp.Or(full.FailureThreshold, 5)
	full.RecoveryTimeout = cmp.Or(full.RecoveryTimeout, time.Minute)
	full.MaxRecoveryTimeout = cmp.Or(full.MaxRecoveryTimeout, saturatedProduct(full.RecoveryTimeout, 10))
	full.Growth = cmp.Or(full.Growth, 2)
	full.JitterPercent = cmp.Or(full.JitterPercent, 10)
	full.HalfOpenMaxCalls = cmp.Or(full.HalfOpenMaxCalls, 3)
	full.HalfOpenTimeout = cmp.Or(full.HalfOpenTimeout, full.RecoveryTimeout)
	full.Window = full.Window.withDefaults()
	return full
}

func (w Window) withDefaults() Window {
	switch w.Kind {
	case WindowNone:
		return Window{}
	case WindowCount:
		w.Calls = cmp.Or(w.Calls, 100)
		w.MinimumCalls = cmp.Or(w.MinimumCalls, min(20, w.Calls))
	case WindowTime:
		w.Duration = cmp.Or(w.Duration, 10*time.Second)
		w.MinimumCalls = cmp.Or(w.MinimumCalls, 20)
	}
	w.FailureRatePercent = cmp.Or(w.FailureRatePercent, 50)
	return w
}

// Validate checks the configuration with its defaults filled in; the error names the field.
func (c *Config) Validate() error {
	full := c.WithDefaults()
	switch {
	case full.FailureThreshold < -1 || full.FailureThreshold > maxThreshold:
		return invalid("FailureThreshold", full.FailureThreshold, "want -1 (off) to 1,000,000")
	case full.RecoveryTimeout < 0:
		return invalid("RecoveryTimeout", full.RecoveryTimeout, "must be positive")
	case full.MaxRecoveryTimeout < full.RecoveryTimeout:
		return invalid("MaxRecoveryTimeout", full.MaxRecoveryTimeout, "must not be less than RecoveryTimeout")
	case !(full.Growth >= 1 && full.Growth <= 1000):
		return invalid("Growth", full.Growth, "want 1 to 1000")
	case !(full.JitterPercent <= 100):
		return invalid("JitterPercent", full.JitterPercent, "want at most 100")
	case full.HalfOpenMaxCalls < 0 || full.HalfOpenMaxCalls > maxProbes:
		return invalid("HalfOpenMaxCalls", full.HalfOpenMaxCalls, "want 1 to 10,000")
	case full.HalfOpenTimeout < 0:
		return invalid("HalfOpenTimeout", full.HalfOpenTimeout, "must be positive")
	}
	return full.Window.validate()
}

func (w Window) validate() error {
	switch {
	case w.Kind == WindowNone:
		return nil
	case w.Kind > WindowTime:
		return invalid("Window.Kind", w.Kind, "is not known")
	case w.Kind == WindowCount && (w.Calls < 0 || w.Calls > maxWindowCalls):
		return invalid("Window.Calls", w.Calls, "want 1 to 1,000,000")
	case w.Kind == WindowTime && w.Duration < 10*time.Millisecond:
		return invalid("Window.Duration", w.Duration, "want at least 10ms")
	case w.MinimumCalls < 0:
		return invalid("Window.MinimumCalls", w.MinimumCalls, "must be positive")
	case w.Kind == WindowCount && w.MinimumCalls > w.Calls:
		return invalid("Window.MinimumCalls", w.MinimumCalls, "must not exceed Window.Calls, the rates would never count")
	}
	return w.validateRates()
}

func (w Window) validateRates() error {
	switch {
	case !(w.FailureRatePercent <= 100):
		return invalid("Window.FailureRatePercent", w.FailureRatePercent, "want at most 100")
	case !(w.SlowCallRatePercent >= 0 && w.SlowCallRatePercent <= 100):
		return invalid("Window.SlowCallRatePercent", w.SlowCallRatePercent, "want 0 (off) to 100")
	case w.SlowCallRatePercent > 0 && w.SlowCallDuration <= 0:
		return invalid("Window.SlowCallDuration", w.SlowCallDuration, "must be positive when SlowCallRatePercent is set")
	case w.FailureRatePercent < 0 && w.SlowCallRatePercent == 0:
		return invalid("Window.FailureRatePercent", w.FailureRatePercent, "is off and so is SlowCallRatePercent: use WindowNone")
	}
	return nil
}

// ConfigError says which field of a Config is wrong and why.
type ConfigError struct {
	Field, Problem string
	Value          any
}

// Error names the field, its value and the way out.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("breaker config: %s %v: %s", e.Field, e.Value, e.Problem)
}

func invalid(field string, value any, problem string) error {
	return &ConfigError{Field: field, Value: value, Problem: problem}
}

// saturatedProduct multiplies without overflow; the result never exceeds the longest Duration.
func saturatedProduct(d time.Duration, factor float64) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	if product := float64(d) * factor; product < float64(longest) {
		return time.Duration(product)
	}
	return longest
}
