package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/drill"
	"holdfast/fault/sysfault"
	"holdfast/loadtest/anyload"
	"holdfast/loadtest/pgload"
)

// isDatabase says that a ledger is a table, not a file.
func isDatabase(ledger string) bool {
	return strings.HasPrefix(ledger, "postgres://") || strings.HasPrefix(ledger, "postgresql://")
}

const wayToDatabase = "name the database of the instances: holdfast up --demo --demo-ledger postgres://USER@127.0.0.1/DB, and the same URL after --ledger here"

// database is how the ledger is read and lost when it is a table in a
// database, which is then the one that the instances need.
func (f *drillFlags) database(s *drillServer, out *drill.Config) error {
	if !isDatabase(f.ledger) {
		out.NoDatabase = "the ledger is not in a database; " + wayToDatabase
		return nil
	}
	if _, err := pgload.Hosts(f.ledger); err != nil {
		return fmt.Errorf("--ledger: %w", err)
	}
	u, err := url.Parse(f.ledger)
	if err != nil { // the parser quotes what may be a password
		return errors.New("--ledger: want a URL like postgres://USER@HOST:PORT/DB")
	}
	out.Ledger = anyload.Redacted(f.ledger) // it is shown in errors
	out.ReadLedger = func(ctx context.Context, prefix string) (map[string]int, error) {
		return readTable(ctx, f.ledger, prefix)
	}
	if u.Hostname() == "" || !s.local || !ownAddress(u.Hostname()) {
		out.NoDatabase = "the database of the ledger cannot be reached over TCP on this machine, so it is not taken away; " + wayToDatabase
		return nil
	}
	port, err := postgresPort(u)
	if err != nil {
		return err
	}
	out.LoseDatabase = func(ctx context.Context, d *sysfault.Driver, refuse bool, atMost time.Duration) (func() error, error) {
		return d.Inject(ctx, sysfault.Network{Port: port, Refuse: refuse}, atMost)
	}
	return nil
}

// readTable counts entries by their id, as the demo writes them.
func readTable(ctx context.Context, address, prefix string) (map[string]int, error) {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }() // all was read
	rows, err := conn.Query(ctx, "SELECT id, count(*) FROM holdfast_demo_ledger WHERE starts_with(id, $1) GROUP BY id", prefix)
	if err != nil {
		return nil, err
	}
	seen, id, n := map[string]int{}, "", 0
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error { seen[id] = n; return nil })
	return seen, err
}
