package history_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/history"
	"holdfast/internal/store/postgres"
	"holdfast/test/need"
	server "holdfast/test/postgres"
)

// mostForAWeek is how long reading a week of one function may take.
const mostForAWeek = 50 * time.Millisecond

// TestTwoWeeksOfAThousandFunctionsFitTheBudgetOnPostgreSQL measures the tables with their indexes, TOAST and dead rows.
// Two weeks pass here in minutes, for autovacuum too fast to keep up, so its work is done where its default thresholds
// would have it done: the table of chunks every six hours of that time, the minutes after each fold. The largest size ever
// seen counts. The short form is a sample of functions that must stay within the sample's share.
func TestTwoWeeksOfAThousandFunctionsFitTheBudgetOnPostgreSQL(t *testing.T) {
	t.Parallel()
	need.Plain(t)
	functions, days := 100, 2
	if need.Soak() {
		functions, days = budgetOf, budgetDays
	}
	url := server.Start(t).Database(t)
	s, err := postgres.Open(postgres.Config{URL: url, Timeout: time.Minute})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	ok(t, s.Migrate(t.Context()))
	conn, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	t.Cleanup(func() { ok(t, conn.Close(context.WithoutCancel(t.Context()))) })
	empty := historySize(t, conn)

	l := newLife(t, s, functions)
	began, largest := time.Now(), int64(0)
	for quarter := range days * 4 {
		l.liveMinutes(t, 360)
		largest = max(largest, historySize(t, conn))
		_, err := conn.Exec(t.Context(), "VACUUM (ANALYZE) holdfast_minutes")
		ok(t, err)
		_, err = conn.Exec(t.Context(), "VACUUM (ANALYZE) holdfast_history")
		ok(t, err)
		if need.Soak() && quarter%8 == 7 {
			t.Logf("day %d: at most %.1f MB after %v", quarter/4+1, float64(largest)/1e6, time.Since(began).Round(time.Second))
		}
	}
	each := float64(largest-empty) / float64(functions*days)
	t.Logf("%d functions, %d days in %v: at most %.1f MB, %.0f bytes for each function and day",
		functions, days, time.Since(began).Round(time.Second), float64(largest)/1e6, each)
	if whole := each * budgetOf * budgetDays; whole > budgetBytes {
		t.Errorf("%d days of %d functions take %.0f MB, more than %d", budgetDays, budgetOf, whole/1e6, budgetBytes/1_000_000)
	}
	t.Attr("history_postgres_mb", fmt.Sprintf("%.0f", each*budgetOf*budgetDays/1e6))
	l.wantWeekQuick(t, "postgres")
}

// historySize is all that the history takes of a database.
func historySize(t *testing.T, conn *pgx.Conn) (bytes int64) {
	t.Helper()
	ok(t, conn.QueryRow(t.Context(), "SELECT pg_total_relation_size('holdfast_minutes') + pg_total_relation_size('holdfast_history')").Scan(&bytes))
	return bytes
}

// wantWeekQuick reads the last week of functions, or as much as there is, every minute of it.
func (l *life) wantWeekQuick(t *testing.T, where string) {
	t.Helper()
	from := max(0, l.now-7*1440)
	var took []time.Duration
	for i := range 41 {
		q := history.Query{Function: fmt.Sprintf("function-%04d", i%len(l.services)), From: at(from), To: at(l.now), Step: time.Minute}
		begin := time.Now()
		points, err := l.h.Range(t.Context(), q)
		took = append(took, time.Since(begin))
		if ok(t, err); len(points) != l.now-from {
			t.Fatalf("%d points of %d minutes", len(points), l.now-from)
		}
	}
	slices.Sort(took)
	t.Logf("%d minutes of one function: median %v, longest %v", l.now-from, took[len(took)/2], took[len(took)-1])
	t.Attr("week_"+where, took[len(took)/2].Round(100*time.Microsecond).String())
	if took[len(took)/2] > mostForAWeek {
		t.Errorf("reading a week takes %v, more than %v", took[len(took)/2], mostForAWeek)
	}
}
