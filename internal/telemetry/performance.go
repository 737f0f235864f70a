package telemetry

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

// performanceCollector shows what a monitor measured.
type performanceCollector struct {
	read                                    func() Performance
	schedulerLag, anomalies                 *prometheus.Desc
	instanceCPU, instanceMemory, rss, loops *prometheus.Desc
}

func newPerformanceCollector(all *catalog, read func() Performance) *performanceCollector {
	all.group("Performance", "What the performance monitor measured last, every 10 s.")
	about := all.describe
	return &performanceCollector{
		read:           read,
		schedulerLag:   about("scheduler_lag_seconds", "p99 of how long goroutines of Holdfast that could run waited for a processor, over the last 10 s."),
		anomalies:      about("anomalies", "What is out of the ordinary now, by function and rule; function is empty for Holdfast itself.", "function", "rule"),
		instanceCPU:    about("instance_cpu_ratio", "Part of one processor core an instance uses, as its health answer says or as measured.", "function", "instance"),
		instanceMemory: about("instance_memory_ratio", "Part an instance uses of the memory it may use, as its health answer says or as measured.", "function", "instance"),
		rss:            about("instance_resident_memory_bytes", "Memory of all processes of an instance that runs on this machine.", "function", "instance"),
		loops:          about("instance_event_loop_lag_seconds", "Lag of an instance's event loop, as its health answer says.", "function", "instance"),
	}
}

// Describe implements prometheus.Collector.
func (c *performanceCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.schedulerLag, c.anomalies, c.instanceCPU, c.instanceMemory, c.rss, c.loops} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *performanceCollector) Collect(ch chan<- prometheus.Metric) {
	p := c.read()
	known := func(d *prometheus.Desc, v float64, labels ...string) {
		if !math.IsNaN(v) {
			scrape{ch: ch}.gauge(d, v, labels...)
		}
	}
	known(c.schedulerLag, p.SchedulerLag)
	for a, n := range p.Anomalies {
		known(c.anomalies, float64(n), a.Function, a.Rule)
	}
	for i := range p.Instances {
		u := &p.Instances[i]
		known(c.instanceCPU, u.CPU, u.Function, u.Instance)
		known(c.instanceMemory, u.Memory, u.Function, u.Instance)
		known(c.loops, u.LoopLag, u.Function, u.Instance)
		if u.RSS > 0 {
			known(c.rss, float64(u.RSS), u.Function, u.Instance)
		}
	}
}
