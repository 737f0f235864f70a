package state_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the program that locks the file

	"holdfast/internal/store"
	pgstore "holdfast/internal/store/postgres"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
	"holdfast/test/holdfast"
	"holdfast/test/need"
	"holdfast/test/postgres"
)

// fault is a way in which the store fails.
type fault struct {
	address string // of the store, as in the configuration
	data    string // data directory; empty: one of its own
	begin   func(p *holdfast.Process)
	end     func()
	// open opens the store as another program would.
	open func(p *holdfast.Process) (store.Store, error)
	says []string // what the log must say of it
	// diskFull: what happens goes into the space the spool kept for this.
	// States have no such space: a kill leaves them as they were before.
	diskFull bool
}

const storeDown = "the store is down: facts wait on the disk, orders are refused"

// One after another: each measures how quick requests are. What else is tested
// here at the same time mostly sleeps.
func TestTheStoreFailsAndNobodyNotices(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	t.Run("PostgreSQL is killed", postgreSQLIsKilled)
	t.Run("PostgreSQL hangs", postgreSQLHangs)
	t.Run("SQLite is locked", sqliteIsLocked)
	t.Run("the disk is full", diskIsFull)
}

func postgreSQLIsKilled(t *testing.T) {
	server := postgres.Start(t)
	f := onPostgreSQL(t, server)
	f.begin = func(*holdfast.Process) { must(t, server.Kill()) }
	f.end = func() { must(t, server.Restart(t.Context())) }
	ride(t, f)
}

func postgreSQLHangs(t *testing.T) {
	server := postgres.Start(t)
	f := onPostgreSQL(t, server)
	frozen := false
	f.begin = func(*holdfast.Process) { must(t, server.Freeze()); frozen = true }
	f.end = func() { must(t, server.Thaw()); frozen = false }
	t.Cleanup(func() { // a frozen server cannot be stopped
		if frozen {
			f.end()
		}
	})
	ride(t, f)
}

func onPostgreSQL(t *testing.T, server *postgres.Server) fault {
	t.Helper()
	address := server.Database(t)
	return fault{
		address: asURL(t, address), says: []string{storeDown},
		open: func(*holdfast.Process) (store.Store, error) { return pgstore.Open(pgstore.Config{URL: address}) },
	}
}

// asURL turns the keyword form into a URL.
func asURL(t *testing.T, address string) string {
	t.Helper()
	c, err := pgx.ParseConfig(address)
	must(t, err)
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=%d", c.User, c.Database, url.QueryEscape(c.Host), c.Port)
}

func sqliteIsLocked(t *testing.T) {
	var unlock func()
	ride(t, fault{
		address: "sqlite", open: openFile, says: []string{storeDown},
		begin: func(p *holdfast.Process) { unlock = lock(t, filepath.Join(p.Data, "state.db")) },
		end:   func() { unlock() },
	})
}

func openFile(p *holdfast.Process) (store.Store, error) {
	return sqlite.Open(sqlite.Config{Path: filepath.Join(p.Data, "state.db")})
}

// lock holds a file as another program that writes to it.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	must(t, err)
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	must(t, err)
	return func() { must(t, db.Close()) }
}

func diskIsFull(t *testing.T) {
	holdfast.Binary(t) // is built elsewhere
	disk, err := storetest.SmallDisk(t, "16m")
	if err != nil {
		need.Missing(t, err.Error())
	}
	// The path of a socket in it must be short.
	short, err := os.MkdirTemp("", "hfd")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(short)) })
	data := filepath.Join(short, "d")
	must(t, os.Symlink(disk, data))
	ballast := filepath.Join(disk, "ballast")
	ride(t, fault{
		address: "sqlite", open: openFile, data: data, diskFull: true, says: []string{storeDown, "the disk is full"},
		begin: func(*holdfast.Process) { storetest.Fill(t, ballast) },
		end:   func() { must(t, os.Remove(ballast)) },
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
