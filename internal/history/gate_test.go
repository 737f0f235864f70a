package history_test

import (
	"context"
	"sync/atomic"

	"holdfast/internal/store"
)

// gated is a store that can be closed for writing.
type gated struct {
	store.Store
	closed atomic.Bool
}

func (g *gated) set(closed bool) { g.closed.Store(closed) }

func (g *gated) AppendFacts(ctx context.Context, facts []store.Fact) error {
	if g.closed.Load() {
		return store.ErrUnavailable
	}
	return g.Store.AppendFacts(ctx, facts)
}
