package app

import (
	"context"
	"encoding/hex"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/recorder"
)

// makeRecorder makes what keeps events and states in the store.
func (a *App) makeRecorder() error {
	id, err := a.data.secret("node-id")
	if err != nil {
		return err
	}
	a.node = hex.EncodeToString(id[:6])
	a.recorder = recorder.New(recorder.Config{Outbox: a.outbox, Functions: a.gateway.Functions, Node: a.node})
	return nil
}

// recall reads what an earlier Holdfast left behind. Without it everything
// begins anew.
func (a *App) recall(ctx context.Context) {
	m, err := recorder.Recall(ctx, a.store, a.node, a.outbox.Waiting())
	if err != nil {
		a.logger.WarnContext(ctx, "the store does not answer: breakers begin closed, instances unchecked", "error", err)
	}
	a.memory = m
	a.recallScaled(ctx)
	a.instances.wasUp = func(name string, f *config.Function, id, endpoint string) bool {
		// A process was started anew, whatever was at its address before.
		return f.Platform.Process == nil && m.WasUp(name, id, endpoint, time.Now())
	}
}

// restoreBreakers opens the breakers that were open; it is called before the
// first exchange.
func (a *App) restoreBreakers() {
	now := time.Now()
	for _, fn := range a.gateway.Functions() {
		br := fn.Breaker()
		restored, err := a.memory.Breaker(fn.Name(), br, now)
		switch {
		case err != nil:
			a.logger.Warn("a breaker begins closed", "function", fn.Name(), "error", err)
		case restored:
			a.logger.Info("breaker is as it was before the restart", "function", fn.Name(),
				"state", br.State().String(), "next_attempt", br.NextAttempt())
		}
	}
}
