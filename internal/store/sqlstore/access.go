package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"holdfast/internal/store"
)

const (
	tokenColumns = "id, name, role, hash, created_at, created_by, expires_at, last_used_at, revoked_at"
	auditColumns = "id, who, role, source, action, target, before, after, reason, error_message, created_at"
)

func scanToken(r interface{ Scan(...any) error }, t *store.Token) error {
	return r.Scan(&t.ID, &t.Name, &t.Role, &t.Hash, when{&t.CreatedAt}, &t.CreatedBy, when{&t.ExpiresAt}, when{&t.LastUsedAt}, when{&t.RevokedAt})
}

// AddToken implements store.Tokens.
func (d *DB) AddToken(ctx context.Context, t store.Token, by store.Actor) error {
	return d.Write(ctx, "add token "+t.Name, func(ctx context.Context, tx *sql.Tx) error {
		into := table{"holdfast_tokens", tokenColumns, "ON CONFLICT (id) DO NOTHING"}
		res, err := tx.ExecContext(ctx, into.statement(1), t.ID, store.Text(t.Name), string(t.Role), t.Hash, stamp(t.CreatedAt),
			store.Text(by.Name), stamp(t.ExpiresAt), nil, nil)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return orConflict(err)
		}
		return addAudit(ctx, tx, store.AuditEntry{At: t.CreatedAt, Actor: by, Action: "token.create", Target: t.ID, After: tokenDocument(t)})
	})
}

func orConflict(err error) error {
	if err != nil {
		return err
	}
	return store.ErrConflict
}

// tokenDocument is what the audit log keeps of a token; the hash stays out by its tag.
func tokenDocument(t store.Token) json.RawMessage {
	b, err := json.Marshal(t)
	if err != nil {
		return nil // no field of a token can fail
	}
	return b
}

// Token implements store.Tokens.
func (d *DB) Token(ctx context.Context, id string) (t store.Token, err error) {
	err = d.Read(ctx, "read token", func(ctx context.Context, db *sql.DB) error {
		return scanToken(db.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM holdfast_tokens WHERE id = $1", store.Text(id)), &t)
	})
	return t, err
}

// Tokens implements store.Tokens.
func (d *DB) Tokens(ctx context.Context) ([]store.Token, error) {
	return listed(ctx, d, "read tokens", func(r *sql.Rows, t *store.Token) error { return scanToken(r, t) },
		"SELECT "+tokenColumns+" FROM holdfast_tokens ORDER BY created_at, id")
}

// RevokeToken implements store.Tokens.
func (d *DB) RevokeToken(ctx context.Context, id string, by store.Actor) error {
	return d.Write(ctx, "revoke token "+id, func(ctx context.Context, tx *sql.Tx) error {
		var t store.Token
		row := tx.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM holdfast_tokens WHERE id = $1"+d.dialect.ForUpdate, store.Text(id))
		if err := scanToken(row, &t); err != nil || !t.RevokedAt.IsZero() {
			return err
		}
		before := tokenDocument(t)
		t.RevokedAt = time.Now().UTC()
		if _, err := tx.ExecContext(ctx, "UPDATE holdfast_tokens SET revoked_at = $1 WHERE id = $2", stamp(t.RevokedAt), t.ID); err != nil {
			return err
		}
		return addAudit(ctx, tx, store.AuditEntry{At: t.RevokedAt, Actor: by, Action: "token.revoke", Target: t.ID, Before: before, After: tokenDocument(t)})
	})
}

func addAudit(ctx context.Context, tx *sql.Tx, e store.AuditEntry) error {
	if e.ID == uuid.Nil {
		e.ID = store.NewID()
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	_, err := tx.ExecContext(ctx, table{"holdfast_audit", auditColumns, "ON CONFLICT (id) DO NOTHING"}.statement(1),
		e.ID, store.Text(e.Actor.Name), store.Text(string(e.Actor.Role)), store.Text(e.Actor.Source), store.Text(e.Action),
		store.Text(e.Target), docOrNull(e.Before), docOrNull(e.After), orNull(e.Reason), orNull(e.Error), stamp(e.At))
	return err
}

// Audit implements store.Audits.
func (d *DB) Audit(ctx context.Context, e store.AuditEntry) error {
	return d.Write(ctx, "write the audit log", func(ctx context.Context, tx *sql.Tx) error { return addAudit(ctx, tx, e) })
}

// AuditLog implements store.Audits.
func (d *DB) AuditLog(ctx context.Context, q store.Query) ([]store.AuditEntry, error) {
	where, args := page(q, "holdfast_audit", "target", "action")
	return listed(ctx, d, "read the audit log", func(r *sql.Rows, e *store.AuditEntry) error {
		return r.Scan(&e.ID, &e.Actor.Name, &e.Actor.Role, &e.Actor.Source, &e.Action, &e.Target, document{&e.Before},
			document{&e.After}, text{&e.Reason}, text{&e.Error}, when{&e.At})
	}, "SELECT "+auditColumns+" FROM holdfast_audit"+where, args...)
}

// SessionGenerations implements store.Sessions.
func (d *DB) SessionGenerations(ctx context.Context) (map[string]int64, error) {
	type row struct {
		function   string
		generation int64
	}
	rows, err := listed(ctx, d, "read session generations", func(r *sql.Rows, g *row) error { return r.Scan(&g.function, &g.generation) },
		"SELECT function_name, generation FROM holdfast_sessions")
	all := make(map[string]int64, len(rows))
	for _, r := range rows {
		all[r.function] = r.generation
	}
	return all, err
}

// ClearSessions implements store.Sessions.
func (d *DB) ClearSessions(ctx context.Context, function string, by store.Actor) (generation int64, err error) {
	err = d.Write(ctx, "clear the sessions of "+function, func(ctx context.Context, tx *sql.Tx) error {
		now := time.Now()
		err := tx.QueryRowContext(ctx, `INSERT INTO holdfast_sessions (function_name, generation, updated_at) VALUES ($1, 1, $2)
ON CONFLICT (function_name) DO UPDATE SET generation = holdfast_sessions.generation + 1, updated_at = excluded.updated_at
RETURNING generation`, store.Text(function), stamp(now)).Scan(&generation)
		if err != nil {
			return err
		}
		return addAudit(ctx, tx, store.AuditEntry{At: now, Actor: by, Action: "function.clear_sessions", Target: function})
	})
	return generation, err
}
