// Package postgres is the store for several nodes, or for those who want Holdfast's state where their data is.
//
// Open connects to nothing, because a gateway must start while its store is down. Connections come from a small pool and
// are made anew when they break; who waits, and for how long, is the caller's matter (store.Outbox backs off, commands have
// a deadline). Statements are not prepared by name, so a transaction pooler may stand in between; only Listen needs a
// direct connection.
//
// Migrate is safe from many nodes at once: it holds an advisory lock in a transaction, and looks before it changes. A role
// without the right to create tables works on tables that another role made (holdfast setup).
//
// No error holds a password: addresses that cannot be parsed are described, not quoted, and every other text is searched
// for the password before it is handed out. Who is not on this machine must be spoken to over TLS, see CheckTLS.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"holdfast/internal/store"
	"holdfast/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationLock is the key of the advisory lock: "holdfast" in ASCII.
const migrationLock = 0x686f6c6466617374

// Config says where the server is.
type Config struct {
	URL         string        // postgres://user@host/db or the keyword form; what it leaves out comes from PGHOST and the like
	Timeout     time.Duration // of a call; 0 is 3 s
	Connections int           // at most; 0 is 6
}

// Store is a store on a server. Safe for concurrent use.
type Store struct {
	*sqlstore.DB
	pool    *pgxpool.Pool
	sql     *sql.DB
	user    string
	secrets []string
}

var _ store.Store = (*Store)(nil)

// Open checks the address and returns the store.
func Open(c Config) (*Store, error) {
	if c.Timeout == 0 {
		c.Timeout = 3 * time.Second
	}
	if c.Connections == 0 {
		c.Connections = 6
	}
	cfg, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = int32(max(c.Connections, 2)) // one holds the migration lock while another migrates
	configure(cfg.ConnConfig, c.Timeout)
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", hide(err, secrets(cfg.ConnConfig)))
	}
	s := &Store{pool: pool, sql: stdlib.OpenDBFromPool(pool), user: cfg.ConnConfig.User, secrets: secrets(cfg.ConnConfig)}
	s.DB = sqlstore.New(s.sql, s.sql, c.Timeout, sqlstore.Dialect{
		ForUpdate:     " FOR UPDATE",
		RowsPerInsert: 200,
		// For this transaction only: behind a pooler the connection is somebody else's a moment later.
		Begin:    "SET LOCAL statement_timeout = " + strconv.FormatInt(c.Timeout.Milliseconds(), 10),
		Columns:  "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND table_schema = ANY (current_schemas(false))",
		Classify: s.classify,
		Redact:   func(err error) error { return hide(oneLine(err), s.secrets) },
	})
	return s, nil
}

func configure(c *pgx.ConnConfig, timeout time.Duration) {
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	c.ConnectTimeout = timeout
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "holdfast"
	}
	// A call that runs out of time asks the server to stop, and gives the connection up if that has no effect.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
}

// Migrate implements store.Keeper.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.migrate(ctx)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42501" {
		return &store.Error{
			Op: "create tables", Kind: store.ErrDenied, Err: fmt.Errorf("role %s has no right to", s.user),
			Hint: "run holdfast setup once with a role that has, and grant " + s.user + " SELECT, INSERT, UPDATE and DELETE on its tables; or GRANT CREATE ON SCHEMA public TO " + s.user,
		}
	}
	return s.Explain(ctx, "create tables", err)
}

func (s *Store) migrate(ctx context.Context) error {
	tree, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.sql, tree, goose.WithTableName("holdfast_schema_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	lock, err := s.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Rollback() }() // gives the lock up
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_xact_lock("+strconv.FormatInt(migrationLock, 10)+")"); err != nil {
		return err
	}
	return sqlstore.Migrate(ctx, p)
}

// Ping implements store.Keeper.
func (s *Store) Ping(ctx context.Context) error {
	return s.Read(ctx, "ask the store", func(ctx context.Context, db *sql.DB) error {
		var standby bool
		if err := db.QueryRowContext(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
			return err
		}
		if standby {
			return &store.Error{Op: "ask the store", Kind: store.ErrUnavailable, Err: errors.New("the server is a standby"), Hint: standbyHint}
		}
		return nil
	})
}

const standbyHint = "name the primary in the address, or all servers with target_session_attrs=read-write"

// Close closes all connections, and waits for calls that use one.
func (s *Store) Close() error {
	err := s.sql.Close()
	s.pool.Close()
	return err
}

// classify says what an error means and what helps.
func (s *Store) classify(err error) (hint string, kind error) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
			return "is PostgreSQL running at that address, and reachable from here?", store.ErrUnavailable
		}
		return "", store.ErrUnavailable
	}
	switch {
	case strings.HasPrefix(e.Code, "22"), strings.HasPrefix(e.Code, "23"), strings.HasPrefix(e.Code, "54"):
		return "", store.ErrRejected
	case strings.HasPrefix(e.Code, "28"):
		return "the server does not accept role " + s.user + ": check the password and pg_hba.conf", store.ErrDenied
	}
	switch e.Code {
	case "25006":
		return standbyHint, store.ErrUnavailable
	case "3D000":
		return "create the database first", store.ErrUnavailable
	case "42501":
		return "GRANT SELECT, INSERT, UPDATE, DELETE on Holdfast's tables TO " + s.user, store.ErrDenied
	case "42P01", "42703":
		return "run holdfast setup", store.ErrUnavailable
	case "53100":
		return "the server's disk is full", store.ErrUnavailable
	case "53300":
		return "the server has no connection left: raise max_connections, or use a pooler", store.ErrUnavailable
	}
	return "", store.ErrUnavailable
}
