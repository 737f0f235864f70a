package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"strings"
)

// table is where rows go, and what happens to one that is there already.
type table struct {
	name, columns, conflict string
}

func (t table) width() int { return strings.Count(t.columns, ",") + 1 }

func (t table) statement(rows int) string {
	return "INSERT INTO " + t.name + " (" + t.columns + ") VALUES " + placeholders(1, rows, t.width()) + " " + t.conflict
}

// insert writes rows, several with one statement where the database gains from it.
func (d *DB) insert(ctx context.Context, tx *sql.Tx, t table, rows [][]any) error {
	if d.dialect.RowsPerInsert <= 1 {
		return insertEach(ctx, tx, t, rows)
	}
	for part := range slices.Chunk(rows, d.dialect.RowsPerInsert) {
		if _, err := tx.ExecContext(ctx, t.statement(len(part)), slices.Concat(part...)...); err != nil {
			return err
		}
	}
	return nil
}

// insertEach prepares once: inside SQLite a statement costs more to parse than to run.
func insertEach(ctx context.Context, tx *sql.Tx, t table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx, t.statement(1))
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	for _, row := range rows {
		if _, err := st.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// list runs a query and reads every row.
func list[T any](ctx context.Context, q querier, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err says what was wrong
	var all []T
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// querier is a *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// listed is list on the pool for readers.
func listed[T any](ctx context.Context, d *DB, op string, scan func(*sql.Rows, *T) error, query string, args ...any) (all []T, err error) {
	err = d.Read(ctx, op, func(ctx context.Context, db *sql.DB) (err error) {
		all, err = list(ctx, db, scan, query, args...)
		return err
	})
	return all, err
}
