package app

import (
	"context"
	"path/filepath"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
)

// firstLook is how long the start waits for the store. What takes longer is
// made up for while serving.
const firstLook = 5 * time.Second

// openStore opens the store and what stands in front of it. A store that does
// not answer is no error: Holdfast serves without.
func (a *App) openStore(c *config.Config) error {
	s, err := sqlite.Open(sqlite.Config{Path: filepath.Join(c.DataDir, "state.db")})
	if err != nil {
		return err
	}
	a.store = s
	a.outbox, err = store.NewOutbox(s, store.OutboxConfig{Dir: filepath.Join(c.DataDir, "spool")})
	return err
}

// readOrders makes the tables and reads the orders kept in them.
func (a *App) readOrders() {
	a.control = control.New(control.Config{
		Store: a.store, Facts: a.outbox, Runtime: &a.orders, Events: a.events, Logger: a.logs.For("control"),
		Copy: filepath.Join(a.data.path, ordersCopy),
	})
	ctx, stop := context.WithTimeout(context.Background(), firstLook)
	defer stop()
	err := a.store.Migrate(ctx)
	if err == nil {
		err = a.control.Load(ctx)
	} else {
		_ = a.control.Load(ctx) // from the copy; the reason is the same
	}
	if err != nil {
		a.logger.Warn("the store does not answer: orders are read from their copy", "error", err)
	}
}
