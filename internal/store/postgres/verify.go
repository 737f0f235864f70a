package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"holdfast/internal/store"
)

// Verify implements store.Keeper.
func (s *Store) Verify(ctx context.Context) ([]store.Check, error) {
	list, err := s.CheckTables(ctx)
	if err != nil {
		return list, err
	}
	for _, f := range []string{
		"holdfast_cleanup(interval)", "holdfast_status()", "holdfast_reset_breaker(text)", "holdfast_recent_actions(text, integer)",
		"holdfast_tell_tokens()",
	} {
		c, err := s.checkFunction(ctx, f)
		if err != nil {
			return list, err
		}
		list = append(list, c)
	}
	server, err := s.checkServer(ctx)
	return append(list, server), err
}

func (s *Store) checkFunction(ctx context.Context, signature string) (store.Check, error) {
	c := store.Check{Name: "function " + signature, Detail: "is missing: run holdfast setup"}
	var mine bool
	err := s.Read(ctx, "look for "+signature, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT f IS NOT NULL, coalesce(has_function_privilege(f, 'EXECUTE'), false)
FROM (SELECT to_regprocedure($1) AS f) AS x`, signature).Scan(&c.OK, &mine)
	})
	switch {
	case c.OK && mine:
		c.Detail = "role " + s.user + " may call it"
	case c.OK:
		c.Detail = "role " + s.user + " may not call it, nor does Holdfast"
	}
	return c, err
}

// oldestServer is the oldest major version the tests have seen and PostgreSQL's own project maintains.
const oldestServer = 14

func (s *Store) checkServer(ctx context.Context) (store.Check, error) {
	c := store.Check{Name: "server"}
	var number int
	var version string
	var encrypted bool
	err := s.Read(ctx, "ask for the version", func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'),
coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`).Scan(&number, &version, &encrypted)
	})
	c.OK = number/10000 >= oldestServer
	c.Detail = fmt.Sprintf("PostgreSQL %s, TLS %t", version, encrypted)
	if !c.OK {
		c.Detail += fmt.Sprintf("; %d is the oldest that is supported", oldestServer)
	}
	return c, err
}
