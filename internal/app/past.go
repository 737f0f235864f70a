package app

import (
	"context"
	"fmt"
	"math"
	"time"

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
		OnError: func(err error) { logger.Warn("take a minute", "error", err) },
	})
	return nil
}

// past gives the admin interface the history in its own terms.
type past struct{ history *history.History }

// Range implements admin.History. Minutes without a sample are left out.
func (p past) Range(ctx context.Context, function string, from, to time.Time, step time.Duration) ([]admin.HistoryPoint, error) {
	points, err := p.history.Range(ctx, history.Query{Function: function, From: from, To: to, Step: step})
	list := make([]admin.HistoryPoint, 0, len(points))
	for _, x := range points {
		if math.IsNaN(x.Rate) {
			continue
		}
		list = append(list, admin.HistoryPoint{
			At: x.At, RequestsPerSecond: x.Rate, ErrorPercent: known(100 - x.SuccessRate), SuccessPercent: known(x.SuccessRate),
			P50MS: known(x.P50), P95MS: known(x.P95), P99MS: known(x.P99), Instances: known(x.Instances),
			CPUPercent: maybe(x.CPU), MemoryPercent: maybe(x.Memory), Connections: maybe(x.Connections),
		})
	}
	return list, err
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
