package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver that the lock is taken with

	"holdfast/fault/sysfault"
)

type storeFault func(ctx context.Context, d *sysfault.Driver, atMost time.Duration) (revert func() error, err error)

// storeFault is how the store is taken away, or nil when that cannot be done
// from here.
func (s *drillServer) storeFault(ctx context.Context) (storeFault, error) {
	if !s.local {
		return nil, nil //nolint:nilnil // there is none
	}
	kind, err := s.value(ctx, "store")
	if err != nil {
		return nil, err
	}
	if kind == "sqlite" {
		dir, err := s.value(ctx, "data_dir")
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "state.db")
		if _, err := os.Stat(file); err != nil || !filepath.IsAbs(dir) {
			return nil, nil //nolint:nilerr,nilnil // it is not where this command can reach it
		}
		return lockSQLite(file), nil
	}
	u, err := url.Parse(kind)
	if err != nil || !ownAddress(u.Hostname()) {
		return nil, nil //nolint:nilerr,nilnil // it is elsewhere
	}
	port, err := postgresPort(u)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, d *sysfault.Driver, atMost time.Duration) (func() error, error) {
		return d.Inject(ctx, sysfault.Network{Port: port, Refuse: true}, atMost)
	}, nil
}

// postgresPort is where a database listens. A fault there is felt by everybody
// who uses it.
func postgresPort(u *url.URL) (int, error) {
	text := u.Port()
	if text == "" {
		return 5432, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("the port of the database: %w", err)
	}
	return n, nil
}

// lockSQLite holds the lock of the file, so that nobody else can write. The
// kernel takes the lock back when this process ends.
func lockSQLite(file string) storeFault {
	return func(ctx context.Context, _ *sysfault.Driver, _ time.Duration) (func() error, error) {
		db, err := sql.Open("sqlite", file+"?_pragma=busy_timeout(5000)")
		if err != nil {
			return nil, fmt.Errorf("open the store: %w", err)
		}
		db.SetMaxOpenConns(1)
		if _, err := db.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
			return nil, errors.Join(fmt.Errorf("lock the store: %w", err), db.Close())
		}
		return func() error {
			_, err := db.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
			if err = errors.Join(err, db.Close()); err != nil {
				return fmt.Errorf("unlock the store: %w", err)
			}
			return nil
		}, nil
	}
}
