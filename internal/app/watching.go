package app

import (
	"context"
	"maps"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/event"
	"holdfast/internal/history"
	"holdfast/internal/monitor"
)

// ordinary is where an anomaly comes from and goes to.
const ordinary = "ordinary"

// makeMonitor makes what watches how everything performs.
func (a *App) makeMonitor() {
	a.monitor = monitor.New(monitor.Config{
		Functions: a.gateway.Functions,
		Numbers: func(function, instance string) map[string]float64 {
			v, _ := a.prober.View(targetKey(function, instance))
			return v.Last.Numbers
		},
		Group: func(function, instance string) int {
			i, _ := a.processOf(function, instance)
			return i.PID // each process leads a group of its own
		},
		Past: func(ctx context.Context, function string, from, to time.Time) ([]history.Point, error) {
			return a.history.Range(ctx, history.Query{Function: function, From: from, To: to})
		},
		Tell: a.tellAnomaly,
	})
}

func limitsOf(c *config.Config) monitor.Limits {
	m := &c.Monitor
	return monitor.Limits{
		MemoryPercent: m.MemoryPercent, LoopLagMS: m.LoopLag.Std().Seconds() * 1000, ErrorPercent: m.ErrorPercent, LatencyFactor: m.LatencyFactor,
	}
}

func (a *App) tellAnomaly(x monitor.Anomaly) {
	numbers := maps.Clone(x.Numbers)
	if numbers == nil {
		numbers = map[string]float64{}
	}
	numbers["value"], numbers["worst"], numbers["limit"], numbers["window_s"] = x.Value, x.Worst, x.Limit, x.Window.Seconds()
	e := event.Event{
		Kind: event.Anomaly, Function: x.Function, Instance: x.Instance, Source: "monitor", From: ordinary, To: string(x.Rule),
		Reason: x.Text, Numbers: numbers,
	}
	if !x.Ended.IsZero() {
		e.From, e.To = e.To, e.From
		e.Reason = "lasted " + x.Ended.Sub(x.Since).Round(time.Second).String() + "; last: " + x.Text
	}
	a.events.Publish(e)
}
