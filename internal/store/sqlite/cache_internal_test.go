package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// SQLite's own size would let the memory of a busy store grow for hours.
func TestEachConnectionKeepsLittleOfTheFileInMemory(t *testing.T) {
	t.Parallel()
	s, err := Open(Config{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, db := range map[string]*sql.DB{"writes": s.write, "reads": s.read} {
		var size int
		if err := db.QueryRowContext(t.Context(), "PRAGMA cache_size").Scan(&size); err != nil || size != -cacheKiB {
			t.Errorf("the connection that %s keeps %d, %v; want %d", name, size, err, -cacheKiB)
		}
	}
}
