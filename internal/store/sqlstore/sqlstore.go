// Package sqlstore holds the statements both databases share. They speak the same dialect where it matters (ON CONFLICT,
// row values, $1), so there is one implementation of store.Store but for what a database does its own way: opening,
// migrations, checks and the meaning of its errors, which packages sqlite and postgres add.
//
// Times and documents travel as text in both directions. SQLite keeps them so; PostgreSQL reads them as TIMESTAMPTZ and
// JSONB. Times have microseconds.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/store"
)

// Dialect is what differs.
type Dialect struct {
	ForUpdate     string // appended to a SELECT whose row is about to change
	RowsPerInsert int    // rows of one INSERT
	Begin         string // first statement of a transaction; may be empty
	Columns       string // query for the names of the columns of table $1
	// Classify names the sentinel and the hint for an error of the driver. It never returns nil as kind.
	Classify func(err error) (hint string, kind error)
	// Redact makes the text of a cause fit to be shown. May be nil.
	Redact func(err error) error
}

// DB runs statements. Safe for concurrent use.
type DB struct {
	write, read *sql.DB
	dialect     Dialect
	timeout     time.Duration
}

// New wraps two pools, which may be one and the same.
func New(write, read *sql.DB, timeout time.Duration, d Dialect) *DB {
	return &DB{write: write, read: read, dialect: d, timeout: timeout}
}

// Read runs f on the pool for readers, with the deadline.
func (d *DB) Read(ctx context.Context, op string, f func(ctx context.Context, db *sql.DB) error) error {
	limited, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return d.Explain(ctx, op, f(limited, d.read))
}

// Write runs f in a transaction, with the deadline. An error of f rolls back.
func (d *DB) Write(ctx context.Context, op string, f func(ctx context.Context, tx *sql.Tx) error) error {
	limited, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	return d.Explain(ctx, op, d.transact(limited, f))
}

func (d *DB) transact(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if d.dialect.Begin != "" {
		if _, err := tx.ExecContext(ctx, d.dialect.Begin); err != nil {
			_ = tx.Rollback()
			return err
		}
	}
	if err := f(ctx, tx); err != nil {
		_ = tx.Rollback() // says only that the transaction or connection is gone already
		return err
	}
	return tx.Commit()
}

// callerError is an error of the caller's own function, handed back as it is.
type callerError struct{ err error }

func (c callerError) Error() string { return c.err.Error() }

// Explain turns an error of a driver into a *store.Error. A caller that went away gets its context's error; a deadline
// that passed, whoever set it, means that the store was too slow to count on.
func (d *DB) Explain(ctx context.Context, op string, err error) error {
	var mine *store.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &mine):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", op, context.Canceled)
	}
	if own, ok := errors.AsType[callerError](err); ok {
		return own.err
	}
	if errors.Is(err, sql.ErrNoRows) {
		return &store.Error{Op: op, Kind: store.ErrNotFound}
	}
	for _, kind := range []error{store.ErrNotFound, store.ErrConflict, store.ErrRejected} {
		if errors.Is(err, kind) {
			return &store.Error{Op: op, Kind: kind}
		}
	}
	hint, kind := d.classify(err)
	if d.dialect.Redact != nil {
		err = d.dialect.Redact(err)
	}
	return &store.Error{Op: op, Kind: kind, Err: err, Hint: hint}
}

func (d *DB) classify(err error) (hint string, kind error) {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", d.timeout), store.ErrUnavailable
	}
	return d.dialect.Classify(err)
}
