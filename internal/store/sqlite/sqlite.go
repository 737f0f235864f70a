// Package sqlite is the embedded store: one file in the data directory, for a Holdfast that runs on one machine.
//
// The file is in WAL mode. One connection writes, a few read, and neither waits for the other. Each commit reaches the
// operating system, so kill -9 loses nothing; loss of power may cost the last seconds but never the consistency of the
// file (synchronous=NORMAL). The log beside the file is folded in every 4 MiB and cut back to 16 MiB.
//
// Open touches the file's name and rights only, because a gateway must start while its store cannot be used. A file that
// is locked by another process makes each call wait for BusyTimeout and answer store.ErrUnavailable; one that is damaged
// answers store.ErrCorrupt with the way out. Nothing is repaired or thrown away by itself.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver

	"holdfast/internal/store"
	"holdfast/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Config says where the file is.
type Config struct {
	Path        string        // of the file; its directory is made when missing
	Timeout     time.Duration // of a call; 0 is 3 s
	BusyTimeout time.Duration // how long a call waits for another process's lock; 0 is 1 s; less than Timeout
	Readers     int           // connections for reading; 0 is 4
}

// Store is a store in a file. Safe for concurrent use.
type Store struct {
	*sqlstore.DB
	path        string
	write, read *sql.DB
	migrating   chan struct{} // one at a time
}

var _ store.Store = (*Store)(nil)

// Open prepares the file, readable by its owner only, and returns the store. It does not read the file; Migrate does.
func Open(c Config) (*Store, error) {
	if c.Path == "" {
		return nil, errors.New("open store: no path")
	}
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	if c.BusyTimeout == 0 {
		c.BusyTimeout = time.Second
	}
	if c.Readers == 0 {
		c.Readers = 4
	}
	if err := protect(c.Path); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	write, err := pool(c, 1, forWriting)
	if err != nil {
		return nil, err
	}
	read, err := pool(c, c.Readers, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	s := &Store{path: c.Path, write: write, read: read, migrating: make(chan struct{}, 1)}
	s.DB = sqlstore.New(write, read, c.Timeout, sqlstore.Dialect{
		RowsPerInsert: 1,
		Columns:       "SELECT name FROM pragma_table_info($1)",
		Classify:      func(err error) (string, error) { return classify(err, c.Path) },
	})
	return s, nil
}

// protect makes the file for its owner only. An existing one is not opened: closing it here would give up the locks that
// SQLite holds on it in this process.
func protect(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	case err != nil:
		return err
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(path, 0o600)
	}
	return nil
}

// forWriting are the settings of the connection that writes; the order matters, a new file takes auto_vacuum only before
// its first page is written. Setting it is a write itself, which is why readers, that must not wait for another process's
// lock or for room on the disk, do not.
const forWriting = "_txlock=immediate&_pragma=auto_vacuum(incremental)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)" +
	"&_pragma=foreign_keys(1)&_pragma=wal_autocheckpoint(1000)&_pragma=journal_size_limit(16777216)"

// cacheKiB is how much of the file each connection keeps in memory. The kernel has it all besides, from where a page is
// read in microseconds. SQLite's own 2 MB would be up to 4 MB of memory on each of the connections, in the allocator of
// the driver, filled over hours as the file grows.
const cacheKiB = 512

// pool opens connections lazily. The settings are made anew on each.
func pool(c Config, size int, settings string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: c.Path}).EscapedPath() +
		"?_pragma=busy_timeout(" + strconv.FormatInt(c.BusyTimeout.Milliseconds(), 10) + ")&_pragma=cache_size(-" + strconv.Itoa(cacheKiB) + ")&" + settings
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// Migrate implements store.Keeper.
func (s *Store) Migrate(ctx context.Context) error {
	select {
	case s.migrating <- struct{}{}:
		defer func() { <-s.migrating }()
	case <-ctx.Done():
		return s.Explain(ctx, "create tables", ctx.Err())
	}
	tree, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, tree, goose.WithTableName("holdfast_schema_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	return s.Explain(ctx, "create tables", sqlstore.Migrate(ctx, p))
}

// Ping implements store.Keeper: it takes the lock of the writer.
func (s *Store) Ping(ctx context.Context) error {
	return s.Write(ctx, "ask the store", func(context.Context, *sql.Tx) error { return nil })
}

// Cleanup implements store.Keeper. Freed pages go back to the file system.
func (s *Store) Cleanup(ctx context.Context, olderThan time.Duration) ([]store.OldRows, error) {
	list, err := s.DB.Cleanup(ctx, olderThan)
	if err != nil {
		return list, err
	}
	err = s.exec(ctx, "PRAGMA incremental_vacuum(25000)", "PRAGMA wal_checkpoint(TRUNCATE)")
	return list, s.Explain(ctx, "shrink the file", err)
}

func (s *Store) exec(ctx context.Context, statements ...string) error {
	for _, q := range statements {
		if err := s.step(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// step runs a statement to its end: a vacuum works while its rows are read.
func (s *Store) step(ctx context.Context, query string) error {
	rows, err := s.write.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what was wrong
	for rows.Next() {
	}
	return rows.Err()
}

// Close closes the file.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }
