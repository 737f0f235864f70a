package recorder

import (
	"context"
	"math"
	"time"

	"holdfast/exchange"
	"holdfast/internal/history"
)

// MinutesConfig configures Minutes.
type MinutesConfig struct {
	Functions func() []*exchange.Function
	// Numbers returns what an instance's last health answer said of itself.
	Numbers func(function, instance string) map[string]float64
	// Signals returns what a function's own signals are now, by their names in the
	// configuration. What is unknown is missing. May be nil.
	Signals func(function string) map[string]float64
	// Append takes the samples of one minute; it must not wait.
	Append func(minute time.Time, samples []history.Sample) error
	// OnError is told when a minute was not taken.
	OnError func(error)
}

// Minutes samples every function at each full minute. A function's first full
// minute is the first one it has a sample of.
type Minutes struct {
	config MinutesConfig
	before map[string]counted
}

// counted is what a function's counters said a minute ago.
type counted struct {
	all, failed uint64
	latency     exchange.HistogramSnapshot
}

// NewMinutes makes a sampler.
func NewMinutes(c MinutesConfig) *Minutes { return &Minutes{config: c, before: map[string]counted{}} }

// Run samples until ctx ends.
func (m *Minutes) Run(ctx context.Context) error {
	m.sample(time.Now()) // where the first minute counts from
	for {
		next := time.Now().Truncate(time.Minute).Add(time.Minute)
		timer := time.NewTimer(time.Until(next))
		select {
		case <-timer.C:
			samples := m.sample(next)
			if err := m.config.Append(next.Add(-time.Minute), samples); err != nil {
				m.config.OnError(err)
			}
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

func (m *Minutes) sample(now time.Time) []history.Sample {
	var samples []history.Sample
	after := map[string]counted{}
	for _, fn := range m.config.Functions() {
		c := countedOf(fn)
		after[fn.Name()] = c
		if before, known := m.before[fn.Name()]; known {
			samples = append(samples, history.Sample{Function: fn.Name(), Point: m.point(fn, before, c, now)})
			samples = m.signals(samples, fn.Name(), now)
		}
	}
	m.before = after
	return samples
}

// signals adds a sample for each of a function's own signals. History holds no
// negative numbers: those are unknown.
func (m *Minutes) signals(samples []history.Sample, function string, now time.Time) []history.Sample {
	if m.config.Signals == nil {
		return samples
	}
	for name, v := range m.config.Signals(function) {
		if v >= 0 {
			p := history.Unknown(now)
			p.Own = v
			samples = append(samples, history.Sample{Function: history.SignalOf(function, name), Point: p})
		}
	}
	return samples
}

func countedOf(fn *exchange.Function) counted {
	s := fn.Stats()
	c := counted{failed: s.Exchanges[5].Load(), latency: s.Latency.Snapshot()}
	for i := range s.Exchanges {
		c.all += s.Exchanges[i].Load()
	}
	return c
}

func (m *Minutes) point(fn *exchange.Function, before, after counted, now time.Time) history.Point {
	p := history.Unknown(now)
	n, failed := after.all-before.all, after.failed-before.failed
	p.Rate, p.Errors = float64(n)/60, float64(failed)
	if n > 0 {
		p.SuccessRate = 100 * float64(n-failed) / float64(n)
	}
	if l := after.latency.Sub(before.latency); l.Count > 0 {
		p.P50, p.P95, p.P99 = ms(l.Quantile(0.5)), ms(l.Quantile(0.95)), ms(l.Quantile(0.99))
	}
	stats := fn.Balancer().Stats(now)
	p.Instances, p.Connections = float64(stats.Available), float64(fn.InFlight())
	var cpu, memory mean
	for i := range stats.Instances {
		numbers := m.config.Numbers(fn.Name(), stats.Instances[i].ID)
		cpu.add(numbers, "cpu_percent")
		memory.add(numbers, "memory_percent")
	}
	p.CPU, p.Memory = cpu.value(), memory.value()
	return p
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// mean is over the instances that say something.
type mean struct{ sum, n float64 }

func (a *mean) add(numbers map[string]float64, name string) {
	if v, said := numbers[name]; said {
		a.sum, a.n = a.sum+v, a.n+1
	}
}

func (a *mean) value() float64 {
	if a.n == 0 {
		return math.NaN()
	}
	return a.sum / a.n
}
