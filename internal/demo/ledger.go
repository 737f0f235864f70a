package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ledgerID is what an id may look like: one word of a line.
var ledgerID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,200}$`)

// ledger is where POSTs are recorded.
type ledger interface {
	record(ctx context.Context, id, instance string) error
	close()
}

// openLedger takes a file's name or a database's URL.
func openLedger(ctx context.Context, where string) (ledger, error) {
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		return openTable(ctx, where)
	}
	file, err := os.OpenFile(where, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return lines{file}, nil
}

// lines is a file that several instances may share.
type lines struct{ *os.File }

// record makes one write of one line with O_APPEND: instances that share the
// file do not mix their lines, and a killed one leaves no half of it.
func (l lines) record(_ context.Context, id, instance string) error {
	_, err := l.WriteString(id + " " + instance + "\n")
	return err
}

func (l lines) close() { _ = l.Close() } // each line was written through

// table is a PostgreSQL table without any key, so that what was written twice
// is there twice.
type table struct{ pool *pgxpool.Pool }

const (
	tableConns = 8
	tableTime  = time.Second // a database that is gone must not keep clients waiting
	makeTable  = `SELECT pg_advisory_xact_lock(4807); CREATE TABLE IF NOT EXISTS holdfast_demo_ledger (id text NOT NULL, instance text NOT NULL)`
	noTable    = "42P01" // undefined_table
)

// openTable reaches for nothing: an instance starts without its database.
func openTable(ctx context.Context, url string) (ledger, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil { // the parser may quote the password
		return nil, errors.New("parse the address of the ledger: want postgres://USER@HOST:PORT/DB, with letters like @ : / # % in a password as %40 %3A %2F %23 %25")
	}
	c.MaxConns, c.ConnConfig.ConnectTimeout = tableConns, tableTime
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	return &table{pool}, nil
}

func (t *table) record(ctx context.Context, id, instance string) error {
	ctx, stop := context.WithTimeout(ctx, tableTime)
	defer stop()
	err := t.insert(ctx, id, instance)
	if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != noTable {
		return err
	}
	// Sent as one, both are one transaction. Of instances that do it at the same time one would fail without the lock.
	conn, err := t.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	_, err = conn.Conn().PgConn().Exec(ctx, makeTable).ReadAll()
	conn.Release()
	if err != nil {
		return err
	}
	return t.insert(ctx, id, instance)
}

func (t *table) insert(ctx context.Context, id, instance string) error {
	_, err := t.pool.Exec(ctx, "INSERT INTO holdfast_demo_ledger (id, instance) VALUES ($1, $2)", id, instance)
	return err
}

func (t *table) close() { t.pool.Close() }

// recording appends the request to the ledger and then goes on to next, which
// may misbehave: the request was processed all the same.
func (in *instance) recording(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if in.ledger == nil {
			in.refuse(w, http.StatusNotFound, "this instance keeps no ledger; start it with one")
			return
		}
		id := r.Header.Get("X-Ledger-Id")
		if !ledgerID.MatchString(id) {
			in.refuse(w, http.StatusBadRequest, fmt.Sprintf("the header X-Ledger-Id is %q; give 1 to 200 letters, digits or . _ : -", id))
			return
		}
		if err := in.ledger.record(r.Context(), id, in.id); err != nil {
			in.refuse(w, http.StatusServiceUnavailable, "the ledger cannot be written now; try again in a moment")
			return
		}
		next(w, r)
	}
}

func (in *instance) recorded(w http.ResponseWriter, r *http.Request) {
	in.write(w, http.StatusOK, struct {
		identity
		LedgerID string `json:"ledger_id"`
	}{in.identify(r), r.Header.Get("X-Ledger-Id")})
}
