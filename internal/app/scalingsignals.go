package app

import (
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/config"
	"holdfast/internal/monitor"
	"holdfast/internal/scaler"
)

// measuredForScaling takes what was measured anyway: by the monitor, by the
// health checks, and from where signals are fetched.
func (a *App) measuredForScaling(function string) scaler.Measured {
	m := a.figuresForScaling(function)
	if f := a.config.Load().Functions[function]; f != nil {
		a.addHealthNumbers(function, f, &m, time.Now())
	}
	return m
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
