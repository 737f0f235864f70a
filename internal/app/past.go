package app

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"holdfast/autoscale"
	"holdfast/internal/admin"
	"holdfast/internal/history"
	"holdfast/internal/recorder"
)

// makeHistory makes what keeps the minutes of all functions.
func (a *App) makeHistory() error {
	logger := a.logs.For("history")
	var err error
	a.history, err = history.New(history.Config{
		Store: a.store, Recorder: a.outbox, Node: a.node,
		OnError: func(err error) { logger.Warn("keep history", "error", err) },
	})
	if err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	a.minutes = recorder.NewMinutes(recorder.MinutesConfig{
		Functions: a.gateway.Functions, Append: a.history.Append,
		Numbers: func(function, instance string) map[string]float64 {
			v, _ := a.prober.View(targetKey(function, instance))
			return v.Last.Numbers
		},
		Signals: a.signalsNow,
		OnError: func(err error) { logger.Warn("take a minute", "error", err) },
	})
	return nil
}

// signalsNow are the function's own signals as they were when its scaling was last
// decided about, by their names in the configuration. Of one that each instance
// has it is the mean.
func (a *App) signalsNow(function string) map[string]float64 {
	v, decided := a.scaler.View(function)
	if !decided {
		return nil
	}
	list := map[string]float64{}
	for _, name := range a.signalNames(function) {
		if x, ok := v.Latest.Inputs.Signals.Value(autoscale.Signal(custom + name)); ok {
			list[name] = x
		}
	}
	return list
}

// signalNames are the function's own signals in the configuration.
func (a *App) signalNames(function string) []string {
	f := a.config.Load().Functions[function]
	if f == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(f.Scaling.Signals))
}

// past gives the admin interface the history in its own terms.
type past struct {
	history *history.History
	signals func(function string) []string
}

// Range implements admin.History. Minutes without a sample are left out.
func (p past) Range(ctx context.Context, function string, from, to time.Time, step time.Duration) ([]admin.HistoryPoint, error) {
	points, err := p.history.Range(ctx, history.Query{Function: function, From: from, To: to, Step: step})
	if err != nil {
		return nil, err
	}
	signals, err := p.signalsOf(ctx, function, from, to, step)
	list := make([]admin.HistoryPoint, 0, len(points))
	for _, x := range points {
		if math.IsNaN(x.Rate) {
			continue
		}
		list = append(list, admin.HistoryPoint{
			At: x.At, RequestsPerSecond: x.Rate, ErrorPercent: known(100 - x.SuccessRate), SuccessPercent: known(x.SuccessRate),
			P50MS: known(x.P50), P95MS: known(x.P95), P99MS: known(x.P99), Instances: known(x.Instances),
			CPUPercent: maybe(x.CPU), MemoryPercent: maybe(x.Memory), Connections: maybe(x.Connections), Signals: signals[x.At],
		})
	}
	return list, err
}

// signalsOf are the function's own signals, by time and name.
func (p past) signalsOf(ctx context.Context, function string, from, to time.Time, step time.Duration) (map[time.Time]map[string]float64, error) {
	list := map[time.Time]map[string]float64{}
	for _, name := range p.signals(function) {
		points, err := p.history.Range(ctx, history.Query{Function: history.SignalOf(function, name), From: from, To: to, Step: step})
		if err != nil {
			return nil, err
		}
		for i := range points {
			if x := &points[i]; !math.IsNaN(x.Own) {
				if list[x.At] == nil {
					list[x.At] = map[string]float64{}
				}
				list[x.At][name] = x.Own
			}
		}
	}
	return list, nil
}

// known is 0 for what a minute without requests does not have.
func known(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func maybe(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
