package telemetry

import (
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metric describes a metric that /metrics may have.
type Metric struct {
	Name, Help string
	Type       string // counter, gauge, histogram, or summary
	Labels     []string
}

// Unit is what the metric counts in, by its name as Prometheus has it; "": things.
func (m *Metric) Unit() string {
	name := strings.TrimSuffix(m.Name, "_total")
	switch {
	case strings.HasSuffix(name, "_timestamp_seconds"), strings.HasSuffix(name, "_start_time_seconds"):
		return "seconds of Unix time"
	case strings.HasSuffix(name, "_seconds"):
		return "seconds"
	case strings.HasSuffix(name, "_bytes"):
		return "bytes"
	case strings.HasSuffix(name, "_ratio"):
		return "ratio, 1 is all"
	case strings.HasSuffix(name, "_percent"):
		return "percent"
	}
	return ""
}

// Group is metrics that belong together.
type Group struct {
	Title, About string
	Metrics      []Metric
}

// catalog is where all metrics are described: what it has written down is what
// there is.
type catalog struct{ groups []Group }

func (c *catalog) group(title, about string) { c.groups = append(c.groups, Group{title, about, nil}) }

// describe describes a counter, if its name ends as those do, or a gauge.
func (c *catalog) describe(name, help string, labels ...string) *prometheus.Desc {
	kind := "gauge"
	if strings.HasSuffix(name, "_total") {
		kind = "counter"
	}
	return c.add(Metric{"holdfast_" + name, help, kind, labels})
}

func (c *catalog) histogram(name, help string, labels ...string) *prometheus.Desc {
	return c.add(Metric{"holdfast_" + name, help, "histogram", labels})
}

func (c *catalog) add(m Metric) *prometheus.Desc {
	last := &c.groups[len(c.groups)-1]
	last.Metrics = append(last.Metrics, m)
	return prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
}

// descs are all of a group on.
type described []*prometheus.Desc

// Describe implements that part of prometheus.Collector.
func (d described) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range d {
		ch <- x
	}
}

// Catalog returns all metrics there may be, in groups. Those of the process differ
// between systems; they are Linux's there.
func Catalog() []Group {
	c := &catalog{}
	everything(c)
	c.group("Process and Go runtime", "Of Holdfast's own process, as all programs with Prometheus' Go library have them. Those of the process are Linux's; other systems have fewer.")
	foreign := &c.groups[len(c.groups)-1]
	foreign.Metrics = append(foreignMetrics(collectors.NewGoCollector()), processMetrics()...)
	slices.SortFunc(foreign.Metrics, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return c.groups
}

// everything describes all metrics of Holdfast.
func everything(c *catalog) {
	newDescs(c)
	newPerformanceCollector(c, nil)
	newScalingCollector(c, nil)
	newHappenedCollector(c, nil)
	newRunsCollector(c, nil)
	newStoreCollector(c, nil)
	newAlertsCollector(c, nil)
	newTracesCollector(c, nil)
	newOwnCollector(c, nil)
}

// foreignMetrics are those of a collector whose metrics all have a value.
func foreignMetrics(of prometheus.Collector) []Metric {
	r := prometheus.NewRegistry()
	r.MustRegister(of)
	families, err := r.Gather()
	if err != nil {
		return nil // what cannot be read is not shown by /metrics either
	}
	var list []Metric
	for _, f := range families {
		m := Metric{Name: f.GetName(), Help: f.GetHelp(), Type: strings.ToLower(f.GetType().String())}
		for _, l := range f.GetMetric()[0].GetLabel() {
			m.Labels = append(m.Labels, l.GetName())
		}
		list = append(list, m)
	}
	return list
}

// processMetrics are those of the process collector on Linux.
func processMetrics() []Metric {
	if runtime.GOOS != "linux" {
		return nil
	}
	return foreignMetrics(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
}
