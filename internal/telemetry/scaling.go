package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Scaling is the latest decision about a function.
type Scaling struct {
	Function                 string
	Current, Wanted, Decided int // instances: asked for before, by the rules, in the end
	Min, Max                 int
	Incident                 bool
	Mode                     string                   // on, up_only, advisory, paused, pinned
	Left                     map[string]float64       // of the budget, by hour and month
	Signals                  map[string]ScalingSignal // of the configuration, by name
}

// ScalingSignal is a signal; nil is unknown. Age is in seconds.
type ScalingSignal struct{ Value, Age *float64 }

// scalingCollector shows what a scaler decided.
type scalingCollector struct {
	read                                               func() []Scaling
	current, wanted, decided, lowest, highest, trouble *prometheus.Desc
	mode, left, signal, age                            *prometheus.Desc
}

func newScalingCollector(all *catalog, read func() []Scaling) *scalingCollector {
	all.group("Autoscaling", "Of functions that are scaled: the latest decision, every 2 s.")
	about := func(name, help string, labels ...string) *prometheus.Desc {
		return all.describe("scaling_"+name, help, append([]string{"function"}, labels...)...)
	}
	return &scalingCollector{
		read:    read,
		current: about("current_instances", "Instances that were asked for when the last decision was made."),
		wanted:  about("wanted_instances", "Instances that the rules wanted in the last decision, before limits."),
		decided: about("decided_instances", "Instances that the last decision came to."),
		lowest:  about("min_instances", "Fewest instances that a decision may come to."),
		highest: about("max_instances", "Most instances that a decision may come to."),
		trouble: about("incident", "1 while the figures look like an incident rather than load."),
		mode:    about("mode", "1 for the mode of scaling.", "mode"),
		left:    about("budget_left", "What is left of the budget in this hour or month, in its money or instance-hours.", "period"),
		signal:  about("signal", "Signals of the configuration as the last decision had them; missing while unknown.", "signal"),
		age:     about("signal_age_seconds", "How long ago a signal of the configuration was measured.", "signal"),
	}
}

// Describe implements prometheus.Collector.
func (c *scalingCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.current, c.wanted, c.decided, c.lowest, c.highest, c.trouble, c.mode, c.left, c.signal, c.age} {
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
		to.gauge(c.mode, 1, s.Function, s.Mode)
		for period, v := range s.Left {
			to.gauge(c.left, v, s.Function, period)
		}
		for name, x := range s.Signals {
			if x.Value != nil {
				to.gauge(c.signal, *x.Value, s.Function, name)
			}
			if x.Age != nil {
				to.gauge(c.age, *x.Age, s.Function, name)
			}
		}
	}
}
