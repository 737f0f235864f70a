package app

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/monitor"
	"holdfast/internal/scaler"
	"holdfast/internal/store"
)

// makeScaler makes what adds and removes instances by itself.
func (a *App) makeScaler() {
	a.scaler = scaler.New(scaler.Config{
		Targets: a.scalingTargets, Platform: scaledProcesses{a}, Measured: a.measuredForScaling, Decided: a.keepDecision(),
		Failed: func(function string, err error) {
			a.logs.For("scaling").Error("decision not carried out", "function", function, "error", err)
		},
	})
}

// scalingTargets are the functions whose scaling does not rest.
func (a *App) scalingTargets() []scaler.Target {
	var list []scaler.Target
	c, s := a.config.Load(), a.control.State()
	for name, f := range c.Functions {
		if restsBecause(name, f, s) != "" {
			continue
		}
		if fn := a.gateway.Function(name); fn != nil {
			list = append(list, scaler.Target{Function: fn, Policy: scalingPolicyOf(f)})
		}
	}
	return list
}

// restsBecause says why a function is not scaled; empty: it is.
func restsBecause(name string, f *config.Function, s *control.State) string {
	switch {
	case !f.Scaling.Enabled:
		return "functions." + name + ".scaling.enabled is false"
	case f.Platform.Process == nil:
		return "its instances are listed in the configuration; Holdfast adds and removes only what it starts itself, platform: {process: ...}"
	case s.Orders(name).Stopped != nil:
		return "the function is stopped; holdfast function init " + name + " begins anew"
	case !f.Enabled:
		return "functions." + name + ".enabled is false"
	}
	return ""
}

// scalingOf tells the admin interface how a function is scaled, or why not.
func (a *App) scalingOf(function string) (v scaler.View, decided bool, rests string) {
	if f := a.config.Load().Functions[function]; f != nil {
		rests = restsBecause(function, f, a.control.State())
	}
	v, decided = a.scaler.View(function)
	return v, decided && rests == "", rests
}

// scalingPolicyOf writes the configuration as a policy. The cooldown is the only
// rest between two changes. Where no idle time is asked for, it is also how long
// less must have been enough before an instance goes.
func scalingPolicyOf(f *config.Function) autoscale.Policy {
	c := &f.Scaling
	up, down := &c.ScaleUpThreshold, &c.ScaleDownThreshold
	p := autoscale.Policy{
		Min: min(c.MinInstances, mostProcesses(f)), Max: mostProcesses(f), Cooldown: c.CooldownPeriod.Std(), Boot: f.Platform.Process.ReadyTimeout.Std(),
		Thresholds: autoscale.Thresholds{
			Up:      thresholds(up.CPUPercent, up.MemoryPercent, up.ResponseTimeMs, up.ErrorRatePercent, up.ActiveConnections),
			Down:    thresholds(down.CPUPercent, down.MemoryPercent, down.ResponseTimeMs, down.ErrorRatePercent, down.ActiveConnections),
			IdleFor: time.Duration(down.IdleTimeMinutes * float64(time.Minute)),
		},
	}
	p.Zero.After = p.Thresholds.IdleFor
	p.Down.Hold, p.Down.Rates = p.Cooldown, []autoscale.Rate{{Instances: 1, Per: time.Second}}
	if p.Cooldown == 0 || p.Thresholds.IdleFor > 0 {
		p.Down.Hold = -1
	}
	return p
}

// mostProcesses is how many the configuration and its ports allow.
func mostProcesses(f *config.Function) int {
	n := max(f.Scaling.MaxInstances, f.Scaling.MinInstances, 1)
	if ports := f.Platform.Process.Ports; !ports.IsZero() {
		n = min(n, ports.Len())
	}
	return n
}

// thresholds are those that are used; 0 is not.
func thresholds(cpu, memory, response, errors float64, connections int) map[autoscale.Signal]float64 {
	m := map[autoscale.Signal]float64{}
	for name, v := range map[autoscale.Signal]float64{
		autoscale.CPUPercent: cpu, autoscale.MemoryPercent: memory, autoscale.ResponseTimeMS: response,
		autoscale.ErrorRatePercent: errors, autoscale.ActiveConnections: float64(connections),
	} {
		if v > 0 {
			m[name] = v
		}
	}
	return m
}

// measuredForScaling takes from the monitor what it has measured anyway.
func (a *App) measuredForScaling(function string) scaler.Measured {
	s := a.monitor.Snapshot()
	n, found := slices.BinarySearchFunc(s.Functions, function, func(f monitor.FunctionFigures, name string) int { return strings.Compare(f.Function, name) })
	if !found {
		return scaler.Measured{}
	}
	f := &s.Functions[n]
	m := scaler.Measured{
		Function:  signalsOf(map[autoscale.Signal]float64{autoscale.ResponseTimeMS: f.P95, autoscale.ErrorRatePercent: f.Errors}),
		Instances: map[string]map[autoscale.Signal]float64{},
	}
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

// keepDecision hands decisions to the store, and tells when something begins or
// ends to look like an incident.
func (a *App) keepDecision() func(string, *autoscale.Decision) {
	incidents := map[string]string{} // of the scaler's goroutine alone
	return func(function string, d *autoscale.Decision) {
		a.logs.For("scaling").Debug("decided", "function", function, "current", d.Current, "result", d.Result, "rule", string(d.Rule), "reason", d.Reason)
		if was := incidents[function]; was != d.Incident {
			incidents[function] = d.Incident
			e := event.Event{Kind: event.Scaling, Function: function, Source: "scaler", From: "incident", To: ordinary, Reason: was}
			if d.Incident != "" {
				e.From, e.To, e.Reason = ordinary, "incident", d.Incident
			}
			a.events.Publish(e)
		}
		inputs, errInputs := json.Marshal(d.Inputs)
		short := *d
		short.Inputs = autoscale.Inputs{}
		result, errResult := json.Marshal(short)
		if errInputs != nil || errResult != nil {
			return // a decision is made of what can be written
		}
		_ = a.outbox.Record(store.Decision{ // what it cannot take, it counts
			ID: store.NewID(), Node: a.node, Kind: "scaling", Function: function, Rule: string(d.Rule), Inputs: inputs, Result: result, At: d.At,
		})
	}
}
