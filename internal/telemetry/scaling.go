package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Scaling is the latest decision about a function.
type Scaling struct {
	Function                 string
	Current, Wanted, Decided int // instances: asked for before, by the rules, in the end
	Min, Max                 int
	Incident                 bool
}

// scalingCollector shows what a scaler decided.
type scalingCollector struct {
	read                                               func() []Scaling
	current, wanted, decided, lowest, highest, trouble *prometheus.Desc
}

func newScalingCollector(read func() []Scaling) *scalingCollector {
	about := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("holdfast_scaling_"+name, help, []string{"function"}, nil)
	}
	return &scalingCollector{
		read:    read,
		current: about("current_instances", "Instances that were asked for when the last decision was made."),
		wanted:  about("wanted_instances", "Instances that the rules wanted in the last decision, before limits."),
		decided: about("decided_instances", "Instances that the last decision came to."),
		lowest:  about("min_instances", "Fewest instances that a decision may come to."),
		highest: about("max_instances", "Most instances that a decision may come to."),
		trouble: about("incident", "1 while the figures look like an incident rather than load."),
	}
}

// Describe implements prometheus.Collector.
func (c *scalingCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.current, c.wanted, c.decided, c.lowest, c.highest, c.trouble} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *scalingCollector) Collect(ch chan<- prometheus.Metric) {
	to := scrape{ch: ch}
	for _, s := range c.read() {
		incident := 0.0
		if s.Incident {
			incident = 1
		}
		to.gauge(c.current, float64(s.Current), s.Function)
		to.gauge(c.wanted, float64(s.Wanted), s.Function)
		to.gauge(c.decided, float64(s.Decided), s.Function)
		to.gauge(c.lowest, float64(s.Min), s.Function)
		to.gauge(c.highest, float64(s.Max), s.Function)
		to.gauge(c.trouble, incident, s.Function)
	}
}
