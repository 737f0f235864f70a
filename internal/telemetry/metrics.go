package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/exchange"
)

// Source is where the figures come from; a gateway is one.
type Source interface {
	Functions() []*exchange.Function
}

// MetricsConfig says what to show. Source is required.
type MetricsConfig struct {
	Source  Source
	Version string
	// DroppedLogs returns how many access log entries were dropped; nil: none
	// can be.
	DroppedLogs func() uint64
	// Performance returns the latest measurement; nil: there is none.
	Performance func() Performance
	// Runs returns what became of runs; nil: there are none.
	Runs func() Runs
	// Alerts returns what fires, and how it goes with telling; nil: nothing does.
	Alerts func() Alerts
	// Scaling returns the latest decisions, of functions that are scaled; nil:
	// none is.
	Scaling func() []Scaling
	// Happened are the events of functions; nil: nobody counts them.
	Happened *Happened
	// Store returns how the store is; nil: there is none.
	Store func() Store
	// Traces returns what became of traces; nil: none are sent.
	Traces func() TraceCounts
	// Exemplars returns exchanges whose traces were sent, quickest first; nil:
	// there are none.
	Exemplars func(function string, now time.Time) []Exemplar
	// Checks returns how many health checks of an instance were made and failed;
	// nil: none are made.
	Checks func(function, instance string) (made, failed uint64, known bool)
	// Restarts returns how often an instance was started again; nil: nobody does.
	Restarts func(function, instance string) (n uint64, known bool)
	// Ready says whether the gateway is; nil: it is not shown.
	Ready func() bool
	// Certificates returns when those of the listeners end; nil: there are none.
	Certificates func() map[string]time.Time
}

// Performance is what a monitor measured. NaN is unknown and left out.
type Performance struct {
	SchedulerLag float64 // seconds, p99
	Anomalies    map[Anomalous]int
	Instances    []InstanceUse
}

// Anomalous names a rule and the function it is about; "": Holdfast itself.
type Anomalous struct{ Function, Rule string }

// InstanceUse is what an instance uses.
type InstanceUse struct {
	Function, Instance string
	CPU, Memory        float64 // ratios: of a core, of what it may use
	RSS                uint64  // bytes; 0: unknown
	LoopLag            float64 // seconds
}

// Metrics answers Prometheus. Nothing is counted here: at each scrape the
// functions' own counters are read, so a request costs nothing for being
// measured. The number of series depends on the configuration alone: functions,
// instances and fixed lists of classes, reasons and states.
type Metrics struct{ registry *prometheus.Registry }

const (
	scrapesAtOnce = 4
	scrapeTimeout = 10 * time.Second
)

// NewMetrics makes the metrics with a registry of their own.
func NewMetrics(c MetricsConfig) *Metrics { //nolint:gocritic // the copy is kept
	m, all := &Metrics{registry: prometheus.NewRegistry()}, &catalog{}
	// It panics for two metrics of one name, which no configuration can cause.
	m.registry.MustRegister(newCollector(all, c), newOwnCollector(all, &c),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if c.Performance != nil {
		m.registry.MustRegister(newPerformanceCollector(all, c.Performance))
	}
	if c.Scaling != nil {
		m.registry.MustRegister(newScalingCollector(all, c.Scaling))
	}
	if c.Happened != nil {
		m.registry.MustRegister(newHappenedCollector(all, &c))
	}
	if c.Runs != nil {
		m.registry.MustRegister(newRunsCollector(all, c.Runs))
	}
	if c.Store != nil {
		m.registry.MustRegister(newStoreCollector(all, c.Store))
	}
	if c.Alerts != nil {
		m.registry.MustRegister(newAlertsCollector(all, c.Alerts))
	}
	if c.Traces != nil {
		m.registry.MustRegister(newTracesCollector(all, c.Traces))
	}
	return m
}

// Handler serves the figures in the format the client asks for, with exemplars
// where that is OpenMetrics. A figure that
// cannot be read is left out; the others are still served.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true, MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTimeout,
	})
}
