package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// SQLite has the same columns as were agreed upon for PostgreSQL, in the same
// order, as NOT NULL as there, and refuses the same words. The file is in WAL
// mode.
func TestTheFourTablesAreAsAgreed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	if err := open(t, path).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text, err := os.ReadFile("../testdata/agreed.sql")
	if err != nil {
		t.Fatal(err)
	}
	tables := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \(\n(.*?)\n\);`).FindAllStringSubmatch(string(text), -1)
	if len(tables) != 4 {
		t.Fatalf("%d tables were agreed upon", len(tables))
	}
	for _, table := range tables {
		agreed := columnsAgreed(table[2])
		if got := columnsOf(t, db, table[1]); strings.Join(got, "\n") != strings.Join(agreed, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", table[1], strings.Join(got, "\n"), strings.Join(agreed, "\n"))
		}
		var made string
		if err := db.QueryRowContext(t.Context(), "SELECT sql FROM sqlite_schema WHERE name = ?", table[1]).Scan(&made); err != nil {
			t.Fatal(err)
		}
		for _, check := range regexp.MustCompile(`CHECK \(\w+ IN \([^)]*\)\)`).FindAllString(table[2], -1) {
			if !strings.Contains(made, check) {
				t.Errorf("%s has no %s", table[1], check)
			}
		}
	}
	var mode string
	if err := db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("the file is in the mode %q, %v", mode, err)
	}
}

// columnsAgreed reads "name: NOT NULL" of the lines of a table.
func columnsAgreed(body string) []string {
	var list []string
	for line := range strings.SplitSeq(body, "\n") {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Contains(rest, "NOT NULL") || strings.Contains(rest, "PRIMARY KEY") {
			name += " NOT NULL"
		}
		list = append(list, name)
	}
	return list
}

func columnsOf(t *testing.T, db *sql.DB, table string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT name || CASE WHEN \"notnull\" OR pk THEN ' NOT NULL' ELSE '' END FROM pragma_table_info(?)", table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
