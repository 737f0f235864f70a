package app

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/admin"
	"holdfast/internal/config"
	"holdfast/internal/monitor"
	"holdfast/internal/scaler"
	"holdfast/internal/signals"
)

// measuredForScaling takes what was measured anyway: by the monitor, by the
// health checks, and from where signals are fetched.
func (a *App) measuredForScaling(function string) scaler.Measured {
	m := a.figuresForScaling(function)
	now := time.Now()
	if f := a.config.Load().Functions[function]; f != nil {
		a.addHealthNumbers(function, f, &m, now)
	}
	if r := a.remotes.find(function); r != nil {
		r.addUsage(&m, now)
	}
	for _, r := range a.signals.Readings(function, now) {
		if r.Known {
			m.Function[autoscale.Signal(custom+r.Name)] = r.Value
		}
	}
	return m
}

// tellSignal says in the log that a signal cannot be fetched, and that it can be
// again.
func (a *App) tellSignal(function, name, problem string) {
	if problem == "" {
		a.logs.For("scaling").Info("signal is known again", "function", function, "signal", name)
		return
	}
	a.logs.For("scaling").Warn("signal cannot be fetched; while it is unknown no instance is removed", "function", function, "signal", name, "problem", problem)
}

// scalingSignals tells the admin interface where a function's own signals come
// from and how old they are.
func (a *App) scalingSignals(function string) []admin.ScalingSource {
	f := a.config.Load().Functions[function]
	if f == nil {
		return nil
	}
	now, fetched := time.Now(), map[string]signals.Reading{}
	for _, r := range a.signals.Readings(function, now) {
		fetched[r.Name] = r
	}
	var list []admin.ScalingSource
	for _, name := range slices.Sorted(maps.Keys(f.Scaling.Signals)) {
		g := f.Scaling.Signals[name]
		s := admin.ScalingSource{Name: name, Signal: signalNamed(&f.Scaling, name), Kind: "formula", What: g.Formula, At: now}
		switch {
		case g.HealthJSON != "":
			s.Kind, s.What, s.At = "health_json", g.HealthJSON, a.oldestCheck(function)
		case g.Prometheus != nil:
			s.Kind, s.What = "prometheus", g.Prometheus.Query
		case g.HTTPJSON != nil:
			s.Kind, s.What = "http_json", g.HTTPJSON.Path
		}
		if r, ok := fetched[name]; ok {
			s.At, s.Problem = r.At, r.Problem
		}
		list = append(list, s)
	}
	return list
}

// oldestCheck is when the first of the last checks of a function's instances came
// in; zero: there was none.
func (a *App) oldestCheck(function string) time.Time {
	var oldest time.Time
	fn := a.gateway.Function(function)
	if fn == nil {
		return oldest
	}
	stats := fn.Balancer().Stats(time.Now())
	for i := range stats.Instances {
		v, ok := a.prober.View(targetKey(function, stats.Instances[i].ID))
		if ok && !v.At.IsZero() && (oldest.IsZero() || v.At.Before(oldest)) {
			oldest = v.At
		}
	}
	return oldest
}

func (a *App) figuresForScaling(function string) scaler.Measured {
	m := scaler.Measured{Function: map[autoscale.Signal]float64{}, Instances: map[string]map[autoscale.Signal]float64{}}
	s := a.monitor.Snapshot()
	n, found := slices.BinarySearchFunc(s.Functions, function, func(f monitor.FunctionFigures, name string) int { return strings.Compare(f.Function, name) })
	if !found {
		return m
	}
	f := &s.Functions[n]
	m.Function = signalsOf(map[autoscale.Signal]float64{autoscale.ResponseTimeMS: f.P95, autoscale.ErrorRatePercent: f.Errors})
	for i := range f.Instances {
		in := &f.Instances[i]
		m.Instances[in.Instance] = signalsOf(map[autoscale.Signal]float64{autoscale.CPUPercent: in.CPU, autoscale.MemoryPercent: in.Memory})
	}
	return m
}

// signalsOf leaves out what is unknown.
func signalsOf(m map[autoscale.Signal]float64) map[autoscale.Signal]float64 {
	for name, v := range m {
		if math.IsNaN(v) {
			delete(m, name)
		}
	}
	return m
}

// fresh is how many intervals a measurement counts.
const fresh = 3

// healthWays are the places of numbers that a function's scaling wants from the
// answers to its health checks.
func healthWays(f *config.Function) []string {
	var list []string
	for _, g := range f.Scaling.Signals {
		if g.HealthJSON != "" {
			list = append(list, g.HealthJSON)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// addHealthNumbers adds the signals that instances tell in their health answers.
func (a *App) addHealthNumbers(function string, f *config.Function, m *scaler.Measured, now time.Time) {
	fn := a.gateway.Function(function)
	if fn == nil || len(healthWays(f)) == 0 {
		return
	}
	limit := fresh*f.Health.Interval.Std() + f.Health.Timeout.Std()
	stats := fn.Balancer().Stats(now)
	for i := range stats.Instances {
		id := stats.Instances[i].ID
		v, ok := a.prober.View(targetKey(function, id))
		if !ok || now.Sub(v.At) > limit {
			continue
		}
		if m.Instances[id] == nil {
			m.Instances[id] = map[autoscale.Signal]float64{}
		}
		for name, g := range f.Scaling.Signals {
			if n, ok := v.Last.Numbers[g.HealthJSON]; ok && g.HealthJSON != "" {
				m.Instances[id][autoscale.Signal(custom+name)] = n
			}
		}
	}
}
