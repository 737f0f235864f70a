package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/store/storetest"
)

// open is a store whose deadline is far away: a busy disk is nothing these tests are about.
func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	return opened(t, sqlite.Config{Path: path, Timeout: time.Minute})
}

func opened(t *testing.T, c sqlite.Config) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSQLiteConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		t.Helper()
		return open(t, filepath.Join(t.TempDir(), "state.db"))
	})
}

func TestTheFileIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new dir", "50% ? #1.db")
	s := open(t, path)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", name, info, err)
		}
	}
}

func TestADamagedFileSaysTheWayOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	err := open(t, path).Migrate(t.Context())
	if !errors.Is(err, store.ErrCorrupt) || !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("error %v, want ErrCorrupt and ErrUnavailable", err)
	}
	for _, want := range []string{".recover", "state.db.broken"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not mention %s", err, want)
		}
	}
}

func TestTablesOfANewerProgramAreLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	raw(t, path, "INSERT INTO holdfast_schema_version (version_id, is_applied) VALUES (999, 1)")
	if err := s.Migrate(t.Context()); !errors.Is(err, store.ErrTooNew) {
		t.Errorf("error %v, want ErrTooNew", err)
	}
}

func TestAForeignTableIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	raw(t, path, "CREATE TABLE scaling_actions (id INTEGER PRIMARY KEY, created_at TEXT, function_name TEXT)")
	list, err := store.Setup(t.Context(), open(t, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := store.Failed(list)
	if len(bad) != 1 || bad[0].Name != "table scaling_actions" || !strings.Contains(bad[0].Detail, "trigger_reason") {
		t.Errorf("failed checks %+v, want the foreign table with its missing columns", bad)
	}
}

func TestDamageInsideTheFileIsFound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var facts []store.Fact
	for range 600 {
		facts = append(facts, storetest.Action("api"))
	}
	for part := range slices.Chunk(facts, 100) { // a busy machine takes its time, and a call has a deadline
		if err := s.AppendFacts(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	raw(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := info.Size() / 3; at < 2*info.Size()/3; at += 4096 {
		if _, err := f.WriteAt([]byte(strings.Repeat("damage", 500)), at); err != nil {
			t.Fatal(err)
		}
	}
	list, err := open(t, path).Verify(t.Context())
	if bad := store.Failed(list); !errors.Is(err, store.ErrCorrupt) && len(bad) == 0 {
		t.Errorf("verify found nothing: %v, %+v", err, list)
	}
}
