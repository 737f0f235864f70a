package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"holdfast/internal/store"
)

// classify says what an error of SQLite means and what helps.
func classify(err error, path string) (hint string, kind error) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return "", store.ErrUnavailable
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another process holds " + path + ": fuser names it", store.ErrUnavailable
	case sqlite3.SQLITE_FULL:
		return "the disk of " + path + " is full: free some space, Holdfast goes on by itself", store.ErrUnavailable
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return "check the rights of " + path + " and its directory", store.ErrDenied
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Sprintf("stop Holdfast; rescue what is readable with: sqlite3 %[1]s .recover | sqlite3 %[1]s.new "+
			"&& mv %[1]s %[1]s.broken && rm -f %[1]s-wal %[1]s-shm && mv %[1]s.new %[1]s; without rescue, only move the file away", path), store.ErrCorrupt
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return "", store.ErrRejected
	}
	return "", store.ErrUnavailable
}

// Verify implements store.Keeper.
func (s *Store) Verify(ctx context.Context) ([]store.Check, error) {
	list, err := s.CheckTables(ctx)
	if err != nil {
		return list, err
	}
	mode, err := s.checkText(ctx, "write-ahead log", "PRAGMA journal_mode", "wal")
	if err != nil {
		return list, err
	}
	// Reads the whole file; the deadline of a call is too short for a big one, so the caller's context alone counts.
	sound := store.Check{Name: "integrity", OK: true}
	if err := s.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&sound.Detail); err != nil {
		return list, s.Explain(ctx, "check the file", err)
	}
	sound.OK = sound.Detail == "ok"
	return append(list, mode, sound, s.checkFile()), nil
}

func (s *Store) checkText(ctx context.Context, name, query, want string) (store.Check, error) {
	c := store.Check{Name: name}
	err := s.Read(ctx, "check "+name, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, query).Scan(&c.Detail)
	})
	c.OK = c.Detail == want
	return c, err
}

func (s *Store) checkFile() store.Check {
	info, err := os.Stat(s.path)
	if err != nil {
		return store.Check{Name: "file", Detail: err.Error()}
	}
	return store.Check{
		Name: "file", OK: info.Mode().Perm()&0o077 == 0,
		Detail: fmt.Sprintf("%s, %s, %d bytes", s.path, info.Mode().Perm(), info.Size()),
	}
}
