package balancer

import (
	"errors"
	"fmt"
	"time"
)

// Config says how a Balancer behaves. The zero value is usable: every zero
// field takes the default named beside it. A negative value turns a rule off
// where the field says so.
type Config struct {
	// Strategy chooses among the available instances. Default P2C.
	Strategy Strategy
	// Zone and Region are where this gateway runs. When one is set, instances of
	// the same zone come first within a priority, then those of the same region.
	Zone, Region string
	// OverprovisioningFactor is how much more than its usual load an instance
	// can carry; spillover to the next level starts below 1/factor available.
	// Default 1.4.
	OverprovisioningFactor float64
	// PanicThreshold is the share (0 to 1) of available instances below which
	// health is ignored. 0, the default: only when nobody is available.
	PanicThreshold float64
	// SlowStart ramps up instances that are new or back from failure.
	SlowStart SlowStart
	// Ejection takes failing instances out of rotation.
	Ejection Ejection
	// Decay is the time constant of the latency estimate. Default 10 s.
	Decay time.Duration
	// FailurePenalty is the latency a failed attempt counts as. Default 5 s.
	FailurePenalty time.Duration
	// HashBalanceFactor bounds the load of an instance under ConsistentHash, as
	// a multiple of its fair part. Default 1.25; negative: no bound.
	HashBalanceFactor float64
	// HotQuantile is Prequal's hot-cold limit, a quantile of the in-flight
	// distribution. Default 0.84.
	HotQuantile float64
	// OnEvent receives what happened, one call at a time and in order, with no
	// lock held: it may call the Balancer. It delays whoever caused the event.
	OnEvent func(Event)
}

// SlowStart is the ramp of an instance's weight:
// weight x max(MinWeightPercent/100, (age/Window)^(1/Aggression)).
type SlowStart struct {
	// Window is the length of the ramp. 0: no slow start.
	Window time.Duration
	// Aggression bends the ramp; 1 (the default) is linear, more is steeper early.
	Aggression float64
	// MinWeightPercent is where the ramp starts. Default 10.
	MinWeightPercent float64
}

// Ejection says when results take an instance out of rotation, and for how long.
type Ejection struct {
	// Disabled turns ejection off and brings ejected instances back.
	Disabled bool
	// ConsecutiveFailures in a row eject. Default 5; negative: off.
	ConsecutiveFailures int
	// FailureRatePercent of at least MinRequests within Window eject.
	// Default 50; negative: off.
	FailureRatePercent float64
	// MinRequests is the least number of results within Window for a judgement
	// by failure rate or latency. Default 20.
	MinRequests int
	// Window is what the rates look back on, kept in ten buckets. Default 10 s.
	Window time.Duration
	// LatencyFactor times the median of the other instances (and at least 50 ms
	// more) ejects, when half of the window's answers were that slow too.
	// Default 3; negative: off.
	LatencyFactor float64
	// BaseTime is the length of a first ejection. Default 30 s.
	BaseTime time.Duration
	// MaxTime is the longest ejection, before jitter. Default 300 s, and never
	// less than BaseTime.
	MaxTime time.Duration
	// JitterPercent lengthens each ejection by up to this much. Default 0.
	JitterPercent float64
	// MaxPercent of the instances may be ejected at once, but always one may be.
	// Default 34.
	MaxPercent float64
	// MinHealthyPercent of the instances must stay available. Default 50.
	MinHealthyPercent float64
}

// withDefaults returns a copy in which every zero field has its default.
func (c *Config) withDefaults() Config {
	d := *c
	d.applyDefaults()
	return d
}

func (c *Config) applyDefaults() {
	setFloat(&c.OverprovisioningFactor, 1.4)
	setDuration(&c.Decay, 10*time.Second)
	setDuration(&c.FailurePenalty, 5*time.Second)
	setFloat(&c.HashBalanceFactor, 1.25)
	setFloat(&c.HotQuantile, 0.84)
	setFloat(&c.SlowStart.Aggression, 1)
	setFloat(&c.SlowStart.MinWeightPercent, 10)
	e := &c.Ejection
	if e.ConsecutiveFailures == 0 {
		e.ConsecutiveFailures = 5
	}
	if e.MinRequests == 0 {
		e.MinRequests = 20
	}
	setFloat(&e.FailureRatePercent, 50)
	setFloat(&e.LatencyFactor, 3)
	setFloat(&e.MaxPercent, 34)
	setFloat(&e.MinHealthyPercent, 50)
	setDuration(&e.Window, 10*time.Second)
	setDuration(&e.BaseTime, 30*time.Second)
	setDuration(&e.MaxTime, max(300*time.Second, e.BaseTime))
}

func setFloat(f *float64, to float64) {
	if *f == 0 {
		*f = to
	}
}

func setDuration(d *time.Duration, to time.Duration) {
	if *d == 0 {
		*d = to
	}
}

// validate reports every field that makes no sense, by name.
func (c *Config) validate() error {
	e, s := c.Ejection, c.SlowStart
	if int(c.Strategy) >= len(Strategies()) {
		return fmt.Errorf("balancer config: Strategy %d is unknown", c.Strategy)
	}
	return errors.Join(
		within("OverprovisioningFactor", c.OverprovisioningFactor, 1, 100),
		within("PanicThreshold", c.PanicThreshold, 0, 1),
		within("Decay", c.Decay, time.Millisecond, time.Hour),
		within("FailurePenalty", c.FailurePenalty, time.Microsecond, 5*time.Minute),
		atLeast("HashBalanceFactor", c.HashBalanceFactor, 1),
		within("HotQuantile", c.HotQuantile, 0, 1),
		within("SlowStart.Window", s.Window, 0, 24*time.Hour),
		within("SlowStart.Aggression", s.Aggression, 0.01, 100),
		within("SlowStart.MinWeightPercent", s.MinWeightPercent, 0.1, 100),
		atLeast("Ejection.LatencyFactor", e.LatencyFactor, 1),
		within("Ejection.FailureRatePercent", max(e.FailureRatePercent, 0), 0, 100),
		within("Ejection.MinRequests", e.MinRequests, 1, 1_000_000),
		within("Ejection.Window", e.Window, 100*time.Millisecond, time.Hour),
		within("Ejection.BaseTime", e.BaseTime, time.Millisecond, 24*time.Hour),
		within("Ejection.MaxTime", e.MaxTime, e.BaseTime, 24*time.Hour),
		within("Ejection.JitterPercent", e.JitterPercent, 0, 100),
		within("Ejection.MaxPercent", e.MaxPercent, 0, 100),
		within("Ejection.MinHealthyPercent", e.MinHealthyPercent, 0, 100),
	)
}

// within refuses NaN too: no comparison with it holds.
func within[T float64 | int | time.Duration](field string, v, low, high T) error {
	if v >= low && v <= high {
		return nil
	}
	return fmt.Errorf("balancer config: %s is %v, want %v to %v", field, v, low, high)
}

// atLeast allows any negative value: it means off.
func atLeast(field string, v, low float64) error {
	if v >= low || v < 0 {
		return nil
	}
	return fmt.Errorf("balancer config: %s is %v, want at least %v, or negative for off", field, v, low)
}
