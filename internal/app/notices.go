package app

import (
	"context"

	"holdfast/internal/store"
	"holdfast/internal/store/postgres"
)

// listen takes over what was changed in PostgreSQL without this node: breakers
// that were reset there, tokens that others made or revoked. SQLite has no
// others to hear of.
func (a *App) listen(ctx context.Context) error {
	s, ok := a.store.(*postgres.Store)
	if !ok {
		return nil
	}
	logger, silent := a.logs.For("store"), false
	return s.Listen(ctx, postgres.Listener{
		Reset: func(function string, by store.Actor) {
			if err := a.control.BreakerWasReset(ctx, by, function); err != nil {
				logger.InfoContext(ctx, "a breaker was reset in the database, here is none", "function", function, "reason", err)
			}
		},
		Tokens: a.door.tokens.Refresh,
		Listening: func() {
			if silent {
				logger.InfoContext(ctx, "notices of the database arrive again")
			}
			silent = false
		},
		Broken: func(err error) {
			if !silent {
				logger.WarnContext(ctx, "no notices of the database arrive: what others change takes effect later", "error", err)
			}
			silent = true
		},
	})
}

// cleanUp removes what is older than it is kept, once a day.
func (a *App) cleanUp(ctx context.Context) error {
	logger := a.logs.For("store")
	c := store.Cleaner{Store: a.store, OnDone: func(list []store.OldRows, err error) {
		var rows int64
		for _, t := range list {
			rows += t.Rows
		}
		if err != nil {
			logger.WarnContext(ctx, "old rows not removed", "error", err)
			return
		}
		logger.InfoContext(ctx, "old rows removed", "rows", rows, "older_than", store.DefaultRetention)
	}}
	return c.Run(ctx)
}
