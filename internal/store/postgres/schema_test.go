package postgres_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

const agreedTables = "'function_instances', 'circuit_breaker_states', 'auto_recovery_configs', 'scaling_actions'"

// The four tables that every installation has are those that were agreed upon,
// column by column with type, default and NOT NULL, and with their constraints.
func TestTheFourTablesAreAsAgreed(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	ok(t, open(t, url).Migrate(t.Context()))
	text, err := os.ReadFile("../testdata/agreed.sql")
	ok(t, err)
	conn, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	defer func() { ok(t, conn.Close(t.Context())) }()
	_, err = conn.Exec(t.Context(), "CREATE SCHEMA agreed; SET search_path = agreed, public;\n"+string(text))
	ok(t, err)
	ours, agreed := tablesIn(t, conn, "public"), tablesIn(t, conn, "agreed")
	if len(agreed) < 40 {
		t.Fatalf("only %d facts about the agreed tables", len(agreed))
	}
	for _, fact := range agreed {
		if !slices.Contains(ours, fact) {
			t.Errorf("missing: %s", fact)
		}
	}
	for _, fact := range ours {
		if !slices.Contains(agreed, fact) {
			t.Errorf("not agreed: %s", fact)
		}
	}
}

// tablesIn tells all about the four tables in a schema, a sentence each.
func tablesIn(t *testing.T, conn *pgx.Conn, schema string) []string {
	t.Helper()
	var list []string
	for _, question := range []string{
		`SELECT format('%s.%s: %s, nullable %s, default %s', table_name, column_name, data_type, is_nullable, coalesce(column_default, '-'))
		   FROM information_schema.columns WHERE table_schema = $1 AND table_name IN (` + agreedTables + `)`,
		`SELECT format('%s: %s', r.relname, pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
		   JOIN pg_namespace n ON n.oid = r.relnamespace WHERE n.nspname = $1 AND c.contype <> 'n' AND r.relname IN (` + agreedTables + `)`,
	} {
		rows, err := conn.Query(t.Context(), question, schema)
		ok(t, err)
		facts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		ok(t, err)
		for _, fact := range facts {
			list = append(list, strings.ReplaceAll(fact, fmt.Sprintf("%s.", schema), ""))
		}
	}
	return list
}
