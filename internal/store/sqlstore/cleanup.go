package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"holdfast/internal/store"
)

// cleanupRows is how many rows one transaction removes: few enough that a writer behind it waits for milliseconds.
const cleanupRows = 1000

// rule says what is old in a table. key is its primary key, old a condition over $1, the time before which it is.
type rule struct {
	table, key, old string
	keepLong        bool // for AuditRetention at least
}

// rules is also what the SQL function holdfast_cleanup does on PostgreSQL.
func rules() []rule {
	return []rule{
		{table: "scaling_actions", key: "id", old: "created_at < $1"},
		{table: "holdfast_events", key: "id", old: "created_at < $1"},
		{table: "holdfast_decisions", key: "id", old: "created_at < $1"},
		{table: "function_instances", key: "id", old: "status IN ('inactive', 'failed') AND updated_at < $1"},
		{table: "holdfast_node_states", key: "(node, kind, name)", old: "updated_at < $1"},
		{table: "holdfast_tokens", key: "id", old: "(revoked_at < $1 OR expires_at < $1)"},
		{table: "holdfast_audit", key: "id", old: "created_at < $1", keepLong: true},
		{table: "holdfast_config_changes", key: "id", old: "created_at < $1", keepLong: true},
	}
}

// Cleanup implements store.Keeper.
func (d *DB) Cleanup(ctx context.Context, olderThan time.Duration) ([]store.OldRows, error) {
	return forOldRows(olderThan, func(r rule, before time.Time) (int64, error) { return d.cleanTable(ctx, r, before) })
}

// Outdated implements store.Keeper.
func (d *DB) Outdated(ctx context.Context, olderThan time.Duration) ([]store.OldRows, error) {
	return forOldRows(olderThan, func(r rule, before time.Time) (n int64, err error) {
		err = d.Read(ctx, "count old rows of "+r.table, func(ctx context.Context, db *sql.DB) error {
			return db.QueryRowContext(ctx, "SELECT count(*) FROM "+r.table+" WHERE "+r.old, stamp(before)).Scan(&n)
		})
		return n, err
	})
}

// forOldRows applies each rule with its point in time, until one fails.
func forOldRows(olderThan time.Duration, apply func(rule, time.Time) (int64, error)) ([]store.OldRows, error) {
	if olderThan < time.Minute {
		return nil, &store.Error{Op: "clean up", Kind: store.ErrRejected, Err: fmt.Errorf("older than %s is less than a minute", olderThan)}
	}
	var list []store.OldRows
	for _, r := range rules() {
		age := olderThan
		if r.keepLong {
			age = max(age, store.AuditRetention)
		}
		n, err := apply(r, time.Now().Add(-age))
		if err == nil || n > 0 {
			list = append(list, store.OldRows{Table: r.table, Rows: n, OlderThan: age})
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// cleanTable returns how many rows it removed, also when it could not remove all.
func (d *DB) cleanTable(ctx context.Context, r rule, before time.Time) (total int64, err error) {
	query := fmt.Sprintf("DELETE FROM %s WHERE %s IN (SELECT %s FROM %s WHERE %s LIMIT %d)",
		r.table, r.key, strings.Trim(r.key, "()"), r.table, r.old, cleanupRows)
	for {
		var n int64
		err := d.Write(ctx, "clean up "+r.table, func(ctx context.Context, tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, query, stamp(before))
			if err != nil {
				return err
			}
			n, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return total, err
		}
		if total += n; n < cleanupRows {
			return total, nil
		}
	}
}
