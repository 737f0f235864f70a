package app

import (
	"context"
	"path/filepath"
	"time"

	"holdfast/internal/config"
	"holdfast/internal/control"
	"holdfast/internal/store"
	"holdfast/internal/store/postgres"
	"holdfast/internal/store/sqlite"
)

// firstLook is how long the start waits for the store. What takes longer is
// made up for while serving.
const firstLook = 5 * time.Second

// openStore opens the store and what stands in front of it. A store that does
// not answer is no error: Holdfast serves without.
func (a *App) openStore(c *config.Config) error {
	var err error
	if a.store, err = OpenStore(c); err != nil {
		return err
	}
	return a.openOutbox(c.DataDir)
}

// StoreFile is where the embedded store keeps its data.
func StoreFile(c *config.Config) string { return filepath.Join(c.DataDir, "state.db") }

// OpenStore opens the store a configuration names, without asking it anything.
func OpenStore(c *config.Config) (store.Store, error) {
	if c.Store == "sqlite" {
		s, err := sqlite.Open(sqlite.Config{Path: StoreFile(c)})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	if err := postgres.CheckTLS(c.Store); err != nil {
		return nil, err
	}
	s, err := postgres.Open(postgres.Config{URL: c.Store})
	if err != nil {
		return nil, err
	}
	return s, nil
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
	a.recall(ctx)
}
