package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/store"
)

// tables returns every table with the columns the statements of this package use.
func tables() [][2]string {
	return [][2]string{
		{"function_instances", instanceColumns},
		{"circuit_breaker_states", breakerColumns},
		{"auto_recovery_configs", configColumns},
		{"scaling_actions", actionColumns},
		{"holdfast_events", eventColumns},
		{"holdfast_decisions", decisionColumns},
		{"holdfast_tokens", tokenColumns},
		{"holdfast_audit", auditColumns},
		{"holdfast_config_changes", "id, who, target, before, after, created_at"},
		{"holdfast_overrides", "path, value, updated_at, updated_by"},
		{"holdfast_sessions", "function_name, generation, updated_at"},
		{"holdfast_node_states", nodeStateColumns},
		{"holdfast_minutes", minutesColumns},
		{"holdfast_history", chunkColumns},
	}
}

// CheckTables looks for every table and column, and writes a row that it takes back.
func (d *DB) CheckTables(ctx context.Context) ([]store.Check, error) {
	var all []store.Check
	for _, t := range tables() {
		c, err := d.checkTable(ctx, t[0], strings.Split(t[1], ", "))
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return append(all, d.checkWrite(ctx)), nil
}

func (d *DB) checkTable(ctx context.Context, name string, want []string) (store.Check, error) {
	have, err := listed(ctx, d, "look at table "+name, func(r *sql.Rows, s *string) error { return r.Scan(s) }, d.dialect.Columns, name)
	if err != nil {
		return store.Check{}, err
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(c string) bool { return slices.Contains(have, c) })
	switch {
	case len(have) == 0:
		return store.Check{Name: "table " + name, Detail: "is missing: run holdfast setup"}, nil
	case len(missing) > 0:
		return store.Check{Name: "table " + name, Detail: "was not made by Holdfast: it has no column " + strings.Join(missing, ", ") +
			"; rename it and run holdfast setup"}, nil
	}
	return store.Check{Name: "table " + name, OK: true, Detail: fmt.Sprintf("%d columns", len(have))}, nil
}

var errTakeBack = errors.New("take back")

func (d *DB) checkWrite(ctx context.Context) store.Check {
	err := d.Write(ctx, "write a row", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := addConfig(ctx, tx, store.FunctionConfig{Function: "holdfast setup"}, time.Now()); err != nil {
			return err
		}
		return callerError{errTakeBack}
	})
	if !errors.Is(err, errTakeBack) {
		return store.Check{Name: "write", Detail: err.Error()}
	}
	return store.Check{Name: "write", OK: true, Detail: "a row was written and taken back"}
}
