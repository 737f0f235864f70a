package telemetry

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
)

// collector reads the functions at each scrape.
type collector struct {
	*descs

	config  MetricsConfig
	bounds  []time.Duration
	reasons []string // label values by exchange.Reason
}

func newCollector(all *catalog, c MetricsConfig) *collector { //nolint:gocritic // the copy is kept
	var s exchange.Stats
	names := make([]string, len(s.Reasons))
	for r := range names {
		names[r] = labelOf(exchange.Reason(r).String())
	}
	return &collector{descs: newDescs(all), config: c, bounds: durationBounds(), reasons: names}
}

// labelOf writes a sentence the way label values are written: "no route" is
// no_route.
func labelOf(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}), "_")
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.all() {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, fn := range c.config.Source.Functions() {
		s := scrape{ch: ch, labels: []string{fn.Name()}}
		c.exchangesOf(s, fn, now)
		c.breakerOf(s, fn, now)
		c.instancesOf(s, fn, now)
	}
}

func (c *collector) exchangesOf(s scrape, fn *exchange.Function, now time.Time) {
	stats := fn.Stats()
	for class := range stats.Exchanges {
		s.counter(c.exchanges, stats.Exchanges[class].Load(), className(class))
	}
	for r := range stats.Reasons {
		if n := stats.Reasons[r].Load(); n > 0 || final(exchange.Reason(r)) {
			s.counter(c.descs.reasons, n, c.reasons[r])
		}
	}
	s.counter(c.attempts, stats.Attempts.Load())
	s.counter(c.retries, stats.Retries.Load())
	s.counter(c.fallbacks, stats.Fallbacks.Load())
	s.counter(c.bytes, stats.Bytes.Load())
	var examples []Exemplar
	if c.config.Exemplars != nil {
		examples = c.config.Exemplars(fn.Name(), now)
	}
	s.histogram(c.duration, stats.Latency.Snapshot(), c.bounds, examples...)
	if fn.Policy().ColdStart > 0 {
		s.histogram(c.coldStart, stats.ColdStarts.Snapshot(), coldStartBounds())
		s.counter(c.coldHeld, stats.Held.Load())
	}
	waiting, oldest := fn.Waiting(now)
	s.gauge(c.inFlight, float64(fn.InFlight()))
	s.gauge(c.waiting, float64(waiting))
	s.gauge(c.oldestWait, oldest.Seconds())
	s.gauge(c.sessions, float64(fn.Sessions(now)))
	last := 0.0
	if t := stats.LastRequest(); !t.IsZero() {
		last = float64(t.UnixMilli()) / 1000
	}
	s.gauge(c.lastRequest, last)
	budget := fn.RetryBudget().Snapshot(now)
	s.gauge(c.budget, max(budget.Available, 0))
	s.counter(c.budgetRefused, budget.Refused)
}

// coldStartBounds reach from a program that is small to one that is loaded from
// far away first.
func coldStartBounds() []time.Duration {
	const ms = time.Millisecond
	return []time.Duration{50 * ms, 100 * ms, 200 * ms, 500 * ms, 1000 * ms, 2000 * ms, 5000 * ms, 10000 * ms, 30000 * ms, 60000 * ms, 180000 * ms, 600000 * ms}
}

// className names what exchange.Stats counts in a slot.
func className(class int) string {
	if class == 0 {
		return "client_gone"
	}
	return strconv.Itoa(class) + "xx"
}

// final says whether an exchange of a function can end for a reason. The
// others are shown once they do.
func final(r exchange.Reason) bool {
	return !slices.Contains([]exchange.Reason{
		exchange.ReasonNoRoute, exchange.ReasonHalfOpen, exchange.ReasonQueued, exchange.ReasonBackoff, exchange.ReasonFallback,
	}, r)
}

func (c *collector) breakerOf(s scrape, fn *exchange.Function, now time.Time) {
	br := fn.Breaker()
	if br == nil {
		return
	}
	snapshot := br.Snapshot(now)
	s.gauge(c.breakerState, float64(snapshot.State))
	s.gauge(c.breakerFailures, float64(snapshot.FailureCount))
	for state := breaker.Closed; state <= breaker.HalfOpen; state++ {
		s.gauge(c.breakerIn, oneIf(state == snapshot.State), state.String())
	}
}

func (c *collector) instancesOf(s scrape, fn *exchange.Function, now time.Time) {
	stats := fn.Balancer().Stats(now)
	var byStatus [balancer.Failed + 1]int
	for n := range stats.Instances {
		i := &stats.Instances[n]
		byStatus[i.Status]++
		about := s.about(i.ID)
		c.instanceOf(about, i)
		c.watchOf(about, fn.Name(), i.ID)
	}
	for status, n := range byStatus {
		s.gauge(c.instances, float64(n), balancer.Status(status).String())
	}
	s.gauge(c.available, float64(stats.Available))
	s.gauge(c.panicking, oneIf(stats.Panic))
	dropped := stats.EventsDropped
	if br := fn.Breaker(); br != nil {
		dropped += br.Snapshot(now).EventsDropped
	}
	s.counter(c.eventsDropped, dropped)
}

func (c *collector) instanceOf(s scrape, i *balancer.InstanceStats) {
	well := i.Status == balancer.Active ||
		i.Status == balancer.Recovering && i.Health == balancer.HealthUp && i.Lifecycle == balancer.Running
	s.gauge(c.up, oneIf(well))
	s.gauge(c.ejected, oneIf(i.Ejected))
	s.gauge(c.instanceInFlight, float64(i.InFlight))
	s.gauge(c.ewma, i.EWMA.Seconds())
	s.counter(c.picks, i.Attempts)
	s.counter(c.instanceAttempts, i.Successes+i.Failures)
	s.counter(c.instanceFailedAttempts, i.Failures)
	s.gauge(c.weight, i.EffectiveWeight)
}

// watchOf is what those who look after the instance counted.
func (c *collector) watchOf(s scrape, function, instance string) {
	if c.config.Checks != nil {
		if made, failed, known := c.config.Checks(function, instance); known {
			s.counter(c.checks, made)
			s.counter(c.checkFailures, failed)
		}
	}
	if c.config.Restarts != nil {
		if n, known := c.config.Restarts(function, instance); known {
			s.counter(c.restarts, n)
		}
	}
}

func oneIf(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// scrape is one answer being made; labels are the values that come first.
type scrape struct {
	ch     chan<- prometheus.Metric
	labels []string
}

func (s scrape) about(label string) scrape { return scrape{ch: s.ch, labels: s.with(label)} }

func (s scrape) with(labels ...string) []string {
	return append(slices.Clip(s.labels), labels...)
}

func (s scrape) counter(d *prometheus.Desc, v uint64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, prometheus.CounterValue, float64(v), s.with(labels...)...)
	s.send(d, m, err)
}

func (s scrape) gauge(d *prometheus.Desc, v float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, v, s.with(labels...)...)
	s.send(d, m, err)
}

func (s scrape) histogram(d *prometheus.Desc, h exchange.HistogramSnapshot, bounds []time.Duration, examples ...Exemplar) {
	buckets := make(map[float64]uint64, len(bounds))
	for _, b := range bounds {
		buckets[b.Seconds()] = h.Below(b)
	}
	m, err := prometheus.NewConstHistogram(d, h.Count, h.Sum.Seconds(), buckets, s.with()...)
	if err == nil && len(examples) > 0 {
		m, err = prometheus.NewMetricWithExemplars(m, exemplarsOf(examples)...)
	}
	s.send(d, m, err)
}

// send reports a metric that cannot be made, a name that is no UTF-8 say,
// instead of ending the process over it.
func (s scrape) send(d *prometheus.Desc, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	s.ch <- m
}
