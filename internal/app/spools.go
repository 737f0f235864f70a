package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/store"
	"holdfast/internal/store/spool"
)

const (
	// maxSpools is how many processes may have the data directory at the same
	// time: one that serves, and those before it that still finish something.
	maxSpools = 8
	// adoptEvery is how often spools of others are looked at.
	adoptEvery = 2 * time.Second
)

// spoolDir names the spools: the first is the one of a Holdfast that replaces
// nobody.
func spoolDir(data string, n int) string {
	if n == 0 {
		return filepath.Join(data, "spool")
	}
	return filepath.Join(data, fmt.Sprintf("spool-%d", n+1))
}

// openOutbox opens the first spool that nobody has: a process that is being
// replaced needs its own to its end.
func (a *App) openOutbox(data string) (err error) {
	for n := range maxSpools {
		a.spool = n
		a.outbox, err = store.NewOutbox(a.store, store.OutboxConfig{Dir: spoolDir(data, n), OnNotice: a.tellStore})
		if !errors.Is(err, spool.ErrLocked) || a.passing.takeover == nil {
			return err
		}
	}
	return err
}

// adoptSpools brings to the store what processes before this one could not,
// once they are gone. It returns when no other spool holds anything.
func (a *App) adoptSpools(ctx context.Context) error {
	ticker := time.NewTicker(adoptEvery)
	defer ticker.Stop()
	told := map[string]bool{}
	for {
		left := false
		for n := range maxSpools {
			if n == a.spool {
				continue
			}
			dir := spoolDir(a.data.path, n)
			done, err := a.adoptSpool(ctx, dir)
			left = left || !done
			if err != nil && !told[dir] {
				told[dir] = true
				a.logger.WarnContext(ctx, "the spool of an earlier process cannot be opened: what is in it waits there", "spool", dir, "error", err)
			}
		}
		if !left {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// adoptSpool empties and removes one spool; false: somebody still has it, or it
// cannot be opened.
func (a *App) adoptSpool(ctx context.Context, dir string) (done bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	o, err := store.NewOutbox(a.store, store.OutboxConfig{Dir: dir, Remove: true, OnNotice: a.tellLosses})
	if errors.Is(err, spool.ErrLocked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- o.Run(ctx) }()
	ticker := time.NewTicker(adoptEvery / 20)
	defer ticker.Stop()
	for waits(o) && ctx.Err() == nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	done = ctx.Err() == nil
	stop()
	if err := <-ran; err != nil {
		a.logger.WarnContext(ctx, "close the spool of an earlier process", "spool", dir, "error", err)
	}
	return done, nil
}

// tellLosses is tellStore for a second outbox: how the store is the first tells.
func (a *App) tellLosses(n store.Notice) {
	if n.Kind != store.StoreUp && n.Kind != store.StoreDown {
		a.tellStore(n)
	}
}

func waits(o *store.Outbox) bool {
	h := o.Health()
	return h.Spooled > 0 || h.States > 0 || h.Queued > 0
}
