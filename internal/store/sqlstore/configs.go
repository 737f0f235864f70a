package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"holdfast/internal/store"
)

const configColumns = "function_name, recovery_config, load_balancing_config, scaling_config, enabled, created_at, updated_at"

func scanConfig(r interface{ Scan(...any) error }, c *store.FunctionConfig) error {
	return r.Scan(&c.Function, document{&c.Recovery}, document{&c.LoadBalancing}, document{&c.Scaling}, &c.Enabled,
		when{&c.CreatedAt}, when{&c.UpdatedAt})
}

// FunctionConfig implements store.Configs.
func (d *DB) FunctionConfig(ctx context.Context, function string) (c store.FunctionConfig, err error) {
	err = d.Read(ctx, "read the configuration of "+function, func(ctx context.Context, db *sql.DB) error {
		return scanConfig(db.QueryRowContext(ctx, "SELECT "+configColumns+" FROM auto_recovery_configs WHERE function_name = $1", function), &c)
	})
	return c, err
}

// FunctionConfigs implements store.Configs.
func (d *DB) FunctionConfigs(ctx context.Context) ([]store.FunctionConfig, error) {
	return listed(ctx, d, "read configurations", func(r *sql.Rows, c *store.FunctionConfig) error { return scanConfig(r, c) },
		"SELECT "+configColumns+" FROM auto_recovery_configs ORDER BY function_name")
}

// EditFunctionConfig implements store.Configs.
func (d *DB) EditFunctionConfig(ctx context.Context, function, action, reason string, by store.Actor, edit func(*store.FunctionConfig) error) (c store.FunctionConfig, changed bool, err error) {
	err = d.Write(ctx, "change the configuration of "+function, func(ctx context.Context, tx *sql.Tx) error {
		c, changed, err = d.editConfig(ctx, tx, store.AuditEntry{Actor: by, Action: action, Target: store.Text(function), Reason: reason}, edit)
		return err
	})
	return c, changed && err == nil, err
}

// editConfig edits the configuration of the function that change is about.
func (d *DB) editConfig(ctx context.Context, tx *sql.Tx, change store.AuditEntry, edit func(*store.FunctionConfig) error) (c store.FunctionConfig, changed bool, err error) {
	now := time.Now()
	// The row must be there to be locked; the transaction takes it back when nothing comes of it.
	blank := store.FunctionConfig{Function: change.Target, Enabled: true}
	added, err := addConfig(ctx, tx, blank, now)
	if err != nil {
		return c, false, err
	}
	row := tx.QueryRowContext(ctx, "SELECT "+configColumns+" FROM auto_recovery_configs WHERE function_name = $1"+d.dialect.ForUpdate, blank.Function)
	if err := scanConfig(row, &c); err != nil {
		return c, false, err
	}
	before := c
	if err := edit(&c); err != nil {
		return before, false, callerError{err}
	}
	c.Function, c.CreatedAt, c.UpdatedAt = before.Function, before.CreatedAt, now.UTC().Truncate(time.Microsecond)
	if was, is := configDocument(before), configDocument(c); string(was) != string(is) || added {
		if added {
			was = nil
		}
		change.At, change.Before, change.After = c.UpdatedAt, was, is
		return c, true, d.storeConfig(ctx, tx, c, change)
	}
	return before, false, nil
}

func (d *DB) storeConfig(ctx context.Context, tx *sql.Tx, c store.FunctionConfig, change store.AuditEntry) error {
	_, err := tx.ExecContext(ctx, `UPDATE auto_recovery_configs SET recovery_config = $1, load_balancing_config = $2,
scaling_config = $3, enabled = $4, updated_at = $5 WHERE function_name = $6`,
		store.Document(c.Recovery), store.Document(c.LoadBalancing), store.Document(c.Scaling), c.Enabled, stamp(c.UpdatedAt), c.Function)
	if err != nil {
		return err
	}
	return d.logChange(ctx, tx, change)
}

// configDocument is what the logs keep of a row, also used to see whether it changed.
func configDocument(c store.FunctionConfig) json.RawMessage {
	b, err := json.Marshal(map[string]any{
		"recovery_config":       canonical(c.Recovery),
		"load_balancing_config": canonical(c.LoadBalancing),
		"scaling_config":        canonical(c.Scaling),
		"enabled":               c.Enabled,
	})
	if err != nil {
		return json.RawMessage(`{"invalid":true}`) // the table refuses the row as well
	}
	return b
}

// canonical orders the keys of a document, which PostgreSQL gives back in an order of its own.
func canonical(doc json.RawMessage) any {
	var v any
	d := json.NewDecoder(strings.NewReader(store.Document(doc)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return doc
	}
	return v
}

func addConfig(ctx context.Context, tx *sql.Tx, c store.FunctionConfig, now time.Time) (added bool, err error) {
	t := table{"auto_recovery_configs", configColumns, "ON CONFLICT (function_name) DO NOTHING"}
	res, err := tx.ExecContext(ctx, t.statement(1), store.Text(c.Function), store.Document(c.Recovery),
		store.Document(c.LoadBalancing), store.Document(c.Scaling), c.Enabled, stamp(now), stamp(now))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// AddDefaults implements store.Configs.
func (d *DB) AddDefaults(ctx context.Context, all []store.FunctionConfig) (added int, err error) {
	now := time.Now()
	err = d.Write(ctx, "add default configurations", func(ctx context.Context, tx *sql.Tx) error {
		for _, c := range all {
			isNew, err := addConfig(ctx, tx, c, now)
			if err != nil {
				return err
			}
			if isNew {
				added++
			}
			n, err := addBreaker(ctx, tx, c.Function, now)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	return added, err
}

func addBreaker(ctx context.Context, tx *sql.Tx, function string, now time.Time) (int, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO circuit_breaker_states (function_name, state, created_at, updated_at)
VALUES ($1, 'closed', $2, $3) ON CONFLICT (function_name) DO NOTHING`, store.Text(function), stamp(now), stamp(now))
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// Overrides implements store.Configs.
func (d *DB) Overrides(ctx context.Context) ([]store.Override, error) {
	return listed(ctx, d, "read overrides", func(r *sql.Rows, o *store.Override) error {
		return r.Scan(&o.Path, document{&o.Value}, when{&o.UpdatedAt}, &o.UpdatedBy)
	}, "SELECT path, value, updated_at, updated_by FROM holdfast_overrides ORDER BY path")
}

// SetOverride implements store.Configs.
func (d *DB) SetOverride(ctx context.Context, path string, value json.RawMessage, by store.Actor) error {
	return d.Write(ctx, "set override "+path, func(ctx context.Context, tx *sql.Tx) error {
		path, e := store.Text(path), store.AuditEntry{At: time.Now(), Actor: by, Action: "config.set", After: value}
		e.Target = path
		err := tx.QueryRowContext(ctx, "SELECT value FROM holdfast_overrides WHERE path = $1"+d.dialect.ForUpdate, path).Scan(document{&e.Before})
		if err != nil && (value == nil || !errors.Is(err, sql.ErrNoRows)) {
			return err
		}
		if value == nil {
			e.Action = "config.unset"
			_, err = tx.ExecContext(ctx, "DELETE FROM holdfast_overrides WHERE path = $1", path)
		} else {
			_, err = tx.ExecContext(ctx, `INSERT INTO holdfast_overrides (path, value, updated_at, updated_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (path) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
				path, store.Document(value), stamp(e.At), store.Text(by.Name))
		}
		if err != nil {
			return err
		}
		return d.logChange(ctx, tx, e)
	})
}

// logChange writes the history of the configuration and the audit log.
func (d *DB) logChange(ctx context.Context, tx *sql.Tx, e store.AuditEntry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO holdfast_config_changes (id, who, target, before, after, created_at)
VALUES ($1, $2, $3, $4, $5, $6)`, store.NewID(), store.Text(e.Actor.Name), e.Target, docOrNull(e.Before), docOrNull(e.After), stamp(e.At))
	if err != nil {
		return err
	}
	return addAudit(ctx, tx, e)
}

// ConfigChanges implements store.Configs.
func (d *DB) ConfigChanges(ctx context.Context, q store.Query) ([]store.ConfigChange, error) {
	where, args := page(q, "holdfast_config_changes", "target", "")
	return listed(ctx, d, "read the history of the configuration", func(r *sql.Rows, c *store.ConfigChange) error {
		return r.Scan(&c.ID, &c.Who, &c.Target, document{&c.Before}, document{&c.After}, when{&c.At})
	}, "SELECT id, who, target, before, after, created_at FROM holdfast_config_changes"+where, args...)
}
