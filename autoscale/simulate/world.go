package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"
)

// World is the function and the platform around a policy. Its zero value is a
// function whose instances work on one request of 100 ms at a time and boot in
// 30 s.
type World struct {
	// Slots is how many requests an instance works on at once. 0 is 1.
	Slots int `json:"slots"`
	// Service is how long a request takes on average. 0 is 100 ms.
	Service time.Duration `json:"service"`
	// ServiceVariation is the squared coefficient of variation of that time:
	// 1, exponential, when 0; negative is none, always the same.
	ServiceVariation float64 `json:"service_variation"`
	// ArrivalVariation is that of the times between requests: 1, Poisson, when
	// 0; 4 for bursts; negative is none: requests are an even flow, and all is
	// fluid.
	ArrivalVariation float64 `json:"arrival_variation"`

	// Boot is how long an instance takes until it is ready.
	Boot Boot `json:"boot"`
	// Drain is how long an instance is paid for after it was taken out.
	Drain time.Duration `json:"drain"`
	// Spares is how many more are kept booted: they are paid for, and one of them
	// is ready at once when an instance is added.
	Spares int `json:"spares,omitempty"`

	// SpeedSpread is the coefficient of variation of how fast instances are:
	// lognormal with a mean of 1. 0: they are all the same.
	SpeedSpread float64 `json:"speed_spread,omitempty"`
	// SlowStart is how long a new instance takes until it has its whole share, as
	// the balancer's slow start gives it: in proportion to its age, a tenth at
	// first. 0: it has it at once.
	SlowStart time.Duration `json:"slow_start,omitempty"`

	// Tick is the time between decisions. 0 is 15 s.
	Tick time.Duration `json:"tick"`
	// Window is what measurements are averaged over, 0 is 1 min. Lag is how old
	// they are.
	Window time.Duration `json:"window"`
	Lag    time.Duration `json:"lag"`

	// Queue is how many requests may wait. 0 is 1000, negative is none.
	Queue int `json:"queue"`
	// Patience is how long a request waits before it is lost. 0 is 10 s.
	Patience time.Duration `json:"patience"`

	// MaxWait is how long a request may wait before it counts as late. 0 is
	// Service. Violations is the share of late and lost requests that a minute
	// may have. 0 is 0.05.
	MaxWait    time.Duration `json:"max_wait"`
	Violations float64       `json:"violations"`

	// Discrete is how many requests may be expected in a tick for it to be
	// simulated one by one. 0 is 500, negative: everything is fluid.
	Discrete int `json:"discrete"`
	// Warmup is how much of the trace is simulated first and counted nowhere.
	Warmup time.Duration `json:"warmup"`
	// Price is what an instance costs in an hour.
	Price float64 `json:"price"`
}

// Boot is the distribution of boot times: always Median when P95 is 0, else
// lognormal. 0 is 30 s.
type Boot struct {
	Median time.Duration `json:"median"`
	P95    time.Duration `json:"p95"`
	// Fails is the share of boots that end without a ready instance; it is
	// then booted again.
	Fails float64 `json:"fails"`
}

// discreteBelow is the number of ready instances from which on the formulas of
// the fluid are good enough.
const discreteBelow = 10

func (w World) withDefaults() World {
	w.Slots = cmp.Or(w.Slots, 1)
	w.Service = cmp.Or(w.Service, 100*time.Millisecond)
	w.ServiceVariation = max(cmp.Or(w.ServiceVariation, 1), 0)
	w.ArrivalVariation = max(cmp.Or(w.ArrivalVariation, 1), 0)
	w.Boot.Median = cmp.Or(w.Boot.Median, 30*time.Second)
	w.Boot.P95 = max(w.Boot.P95, w.Boot.Median)
	w.Tick = cmp.Or(w.Tick, 15*time.Second)
	w.Window = max(cmp.Or(w.Window, time.Minute), w.Tick)
	w.Queue = max(cmp.Or(w.Queue, 1000), 0)
	w.Patience = cmp.Or(w.Patience, 10*time.Second)
	w.MaxWait = cmp.Or(w.MaxWait, w.Service)
	w.Violations = cmp.Or(w.Violations, 0.05)
	w.Discrete = max(cmp.Or(w.Discrete, 500), 0)
	if w.ArrivalVariation == 0 {
		w.Discrete = 0
	}
	return w
}

// Validate says everything that is wrong, each in a sentence that names the
// field.
func (w World) Validate() error {
	var all []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	add(w.Slots < 0 || w.Slots > 10_000, "slots: want 1 to 10000, not %d", w.Slots)
	add(w.Tick != 0 && (w.Tick < time.Second || w.Tick > time.Hour), "tick: want 1s to 1h, not %s", w.Tick)
	for name, d := range map[string]time.Duration{
		"service": w.Service, "boot": w.Boot.Median, "boot p95": w.Boot.P95, "drain": w.Drain, "slow start": w.SlowStart, "window": w.Window, "lag": w.Lag,
		"patience": w.Patience, "max wait": w.MaxWait, "warm-up": w.Warmup,
	} {
		add(d < 0, "%s: must not be negative, is %s", name, d)
	}
	add(w.Window > day || w.Lag > day, "window and lag: want at most a day")
	add(w.Spares < 0 || w.Spares > 1000, "spares: want 0 to 1000, not %d", w.Spares)
	add(!(w.SpeedSpread >= 0 && w.SpeedSpread <= 1), "speed spread: want a coefficient of variation of 0 to 1, not %v", w.SpeedSpread)
	add(!(w.Boot.Fails >= 0 && w.Boot.Fails <= 0.9), "boot fails: want a share of 0 to 0.9, not %v", w.Boot.Fails)
	add(!(w.Violations >= 0 && w.Violations < 1), "violations: want a share of 0 to 1, not %v", w.Violations)
	add(math.IsNaN(w.ServiceVariation) || w.ServiceVariation > 100 || math.IsNaN(w.ArrivalVariation) || w.ArrivalVariation > 100,
		"variations: want at most 100")
	add(!(w.Price >= 0) || math.IsInf(w.Price, 0), "price: must not be negative, is %v", w.Price)
	return errors.Join(all...)
}

const day = 24 * time.Hour

// uneven says whether slots differ.
func (w World) uneven() bool { return w.SpeedSpread > 0 || w.SlowStart > 0 }

// PerInstance is how many requests per second an instance can work off.
func (w World) PerInstance() float64 {
	w = w.withDefaults()
	return float64(w.Slots) / w.Service.Seconds()
}
