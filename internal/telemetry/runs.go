package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Runs are the load tests, stress tests and drills of the API since the start.
type Runs struct {
	Ended map[RunEnd]int
	Under map[string]int // by kind
}

// RunEnd is a way to end: passed, failed, crashed and so on.
type RunEnd struct{ Kind, Outcome string }

type runsCollector struct {
	read         func() Runs
	total, under *prometheus.Desc
}

func newRunsCollector(all *catalog, read func() Runs) *runsCollector {
	all.group("Runs", "Load tests, stress tests and drills that were started through the API.")
	return &runsCollector{
		read:  read,
		total: all.describe("runs_total", "Load tests, stress tests and drills that ended, by outcome.", "kind", "outcome"),
		under: all.describe("runs_in_progress", "Load tests, stress tests and drills under way.", "kind"),
	}
}

// Describe implements prometheus.Collector.
func (c *runsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.total
	ch <- c.under
}

// Collect implements prometheus.Collector.
func (c *runsCollector) Collect(ch chan<- prometheus.Metric) {
	r := c.read()
	for end, n := range r.Ended {
		ch <- prometheus.MustNewConstMetric(c.total, prometheus.CounterValue, float64(n), end.Kind, end.Outcome)
	}
	for kind, n := range r.Under {
		ch <- prometheus.MustNewConstMetric(c.under, prometheus.GaugeValue, float64(n), kind)
	}
}
