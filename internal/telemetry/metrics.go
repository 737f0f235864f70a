package telemetry

import (
	"net/http"
	"runtime"
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
	// Scaling returns the latest decisions, of functions that are scaled; nil:
	// none is.
	Scaling func() []Scaling
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
func NewMetrics(c MetricsConfig) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	// It panics for two metrics of one name, which no configuration can cause.
	if c.Performance != nil {
		m.registry.MustRegister(newPerformanceCollector(c.Performance))
	}
	if c.Scaling != nil {
		m.registry.MustRegister(newScalingCollector(c.Scaling))
	}
	if c.Runs != nil {
		m.registry.MustRegister(newRunsCollector(c.Runs))
	}
	m.registry.MustRegister(newCollector(c), buildInfo(c.Version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the figures in the format the client asks for. A figure that
// cannot be read is left out; the others are still served.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTimeout,
	})
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "holdfast_build_info", Help: "Always 1; the labels say which Holdfast runs and which Go built it.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}
