package app

import (
	"encoding/json"

	"holdfast/autoscale"
	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/event"
	"holdfast/internal/scaler"
	"holdfast/internal/signals"
	"holdfast/internal/store"
)

// makeScaler makes what adds and removes instances by itself.
func (a *App) makeScaler() {
	a.signals = signals.New(signals.Config{Tell: a.tellSignal})
	a.scaler = scaler.New(scaler.Config{
		Targets: a.scalingTargets, Platform: scaledPlatforms{scaledProcesses{a}, scaledRemotes{a}}, Measured: a.measuredForScaling, Decided: a.keepDecision(),
		Failed: func(function string, err error) {
			a.logs.For("scaling").Error("decision not carried out", "function", function, "error", err)
		},
	})
}

// scalingTargets are the functions whose scaling does not rest.
func (a *App) scalingTargets() []scaler.Target {
	var list []scaler.Target
	var sources []signals.Source
	c, s := a.config.Load(), a.control.State()
	for name, f := range c.Functions {
		if restsBecause(name, f, s) != "" {
			continue
		}
		if fn := a.gateway.Function(name); fn != nil {
			plan := a.plans.of(fn, f)
			target := plan.target
			obey(&target.Policy, s.Orders(name))
			list, sources = append(list, target), append(sources, plan.sources...)
		}
	}
	a.plans.fetch(a.signals, sources)
	return list
}

// restsBecause says why a function is not scaled; empty: it is.
func restsBecause(name string, f *config.Function, s *control.State) string {
	switch {
	case !f.Scaling.Enabled:
		return "functions." + name + ".scaling.enabled is false"
	case f.Platform.Name() == "":
		return "its instances are listed in the configuration; Holdfast adds and removes only those of a platform, such as platform: {process: ...}"
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
	if r := a.remotes.find(function); rests == "" && r != nil {
		rests = r.rests()
	}
	v, decided = a.scaler.View(function)
	return v, decided && rests == "", rests
}

// keepDecision hands decisions to the store, and tells when something begins or
// ends to look like an incident.
func (a *App) keepDecision() func(string, *autoscale.Decision) {
	incidents := map[string]string{} // of the scaler's goroutine alone
	return func(function string, d *autoscale.Decision) {
		a.logs.For("scaling").Debug("decided", "function", function, "current", d.Current, "result", d.Result, "rule", string(d.Rule), "reason", d.Reason)
		a.happened.Decided(function, d.Current, d.Result)
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
