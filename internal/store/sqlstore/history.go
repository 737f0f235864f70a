package sqlstore

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

const chunkColumns = "node, function_name, day, revision, data"

// idsPerStatement bounds the parameters of one statement.
const idsPerStatement = 100

// FreshMinutes implements store.Histories.
func (d *DB) FreshMinutes(ctx context.Context, part int, from, to int64, limit int) ([]store.Minutes, error) {
	query := "SELECT " + minutesColumns + " FROM holdfast_minutes WHERE minute >= $1 AND minute < $2"
	args := []any{from, to}
	if part >= 0 {
		query, args = query+" AND part = $3", append(args, part)
	}
	query += " ORDER BY minute, id"
	if limit > 0 {
		query += " LIMIT " + strconv.Itoa(limit)
	}
	return listed(ctx, d, "read fresh minutes", func(r *sql.Rows, m *store.Minutes) error {
		return r.Scan(&m.ID, &m.Node, &m.Minute, &m.Part, &m.Data)
	}, query, args...)
}

// Chunks implements store.Histories.
func (d *DB) Chunks(ctx context.Context, functions []string, fromDay, toDay int64) (all []store.Chunk, err error) {
	err = d.Read(ctx, "read history", func(ctx context.Context, db *sql.DB) error {
		for part := range slices.Chunk(functions, idsPerStatement) {
			args := []any{fromDay, toDay}
			for _, f := range part {
				args = append(args, store.Text(f))
			}
			some, err := list(ctx, db, func(r *sql.Rows, c *store.Chunk) error {
				return r.Scan(&c.Node, &c.Function, &c.Day, &c.Revision, &c.Data)
			}, "SELECT "+chunkColumns+" FROM holdfast_history WHERE day >= $1 AND day <= $2 AND function_name IN "+
				placeholders(3, 1, len(part))+" ORDER BY day, node", args...)
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	return all, err
}

// Fold implements store.Histories.
func (d *DB) Fold(ctx context.Context, chunks []store.Chunk, folded []uuid.UUID) error {
	return d.Write(ctx, "fold history", func(ctx context.Context, tx *sql.Tx) error {
		for _, c := range chunks {
			if err := foldChunk(ctx, tx, c); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(folded, idsPerStatement) {
			args := make([]any, len(part))
			for i, id := range part {
				args[i] = id
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM holdfast_minutes WHERE id IN "+placeholders(1, 1, len(part)), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func foldChunk(ctx context.Context, tx *sql.Tx, c store.Chunk) error {
	var res sql.Result
	var err error
	if c.Revision == 0 {
		res, err = tx.ExecContext(ctx, table{"holdfast_history", chunkColumns, "ON CONFLICT (node, function_name, day) DO NOTHING"}.statement(1),
			store.Text(c.Node), store.Text(c.Function), c.Day, 1, c.Data)
	} else {
		res, err = tx.ExecContext(ctx, `UPDATE holdfast_history SET data = $1, revision = revision + 1
WHERE node = $2 AND function_name = $3 AND day = $4 AND revision = $5`, c.Data, store.Text(c.Node), store.Text(c.Function), c.Day, c.Revision)
	}
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return orConflict(err)
	}
	return nil
}

// DropHistory implements store.Histories.
func (d *DB) DropHistory(ctx context.Context, day int64) (removed int64, err error) {
	err = d.Write(ctx, "remove old history", func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM holdfast_history WHERE day < $1", day)
		if err != nil {
			return err
		}
		if removed, err = res.RowsAffected(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM holdfast_minutes WHERE minute < $1", day*24*60)
		return err
	})
	return removed, err
}

// HistoryFunctions implements store.Histories.
func (d *DB) HistoryFunctions(ctx context.Context) ([]string, error) {
	return listed(ctx, d, "read the functions with history", func(r *sql.Rows, s *string) error { return r.Scan(s) },
		"SELECT DISTINCT function_name FROM holdfast_history ORDER BY function_name")
}
