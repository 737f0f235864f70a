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
// would have it done, every six hours of that time. The largest sizes ever seen count. The short form is a sample: its
// chunks grow with functions and days, the minutes that wait to be folded with functions only.
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
	chunks, minutes := peak{conn: conn, table: "holdfast_history"}, peak{conn: conn, table: "holdfast_minutes"}

	l := newLife(t, s, functions)
	began := time.Now()
	for quarter := range days * 4 {
		l.liveMinutes(t, 360)
		chunks.look(t)
		minutes.look(t)
		if need.Soak() && quarter%8 == 7 {
			t.Logf("day %d: at most %.1f MB after %v", quarter/4+1, float64(chunks.bytes+minutes.bytes)/1e6, time.Since(began).Round(time.Second))
		}
	}
	each, waiting := float64(chunks.bytes)/float64(functions*days), float64(minutes.bytes)/float64(functions)
	whole := (each*budgetDays + waiting) * budgetOf
	t.Logf("%d functions, %d days in %v: %.0f bytes for each function and day, %.0f for each function's minutes; %.0f MB in all",
		functions, days, time.Since(began).Round(time.Second), each, waiting, whole/1e6)
	if whole > budgetBytes {
		t.Errorf("%d days of %d functions take %.0f MB, more than %d", budgetDays, budgetOf, whole/1e6, budgetBytes/1_000_000)
	}
	t.Attr("history_postgres_mb", fmt.Sprintf("%.0f", whole/1e6))
	l.wantWeekQuick(t, "postgres")
}

// peak is the most a table ever took, with its indexes, TOAST and dead rows.
type peak struct {
	conn  *pgx.Conn
	table string
	bytes int64
}

// look measures, and then lets the database clean up.
func (p *peak) look(t *testing.T) {
	t.Helper()
	var bytes int64
	ok(t, p.conn.QueryRow(t.Context(), "SELECT pg_total_relation_size($1::text::regclass)", p.table).Scan(&bytes))
	p.bytes = max(p.bytes, bytes)
	_, err := p.conn.Exec(t.Context(), "VACUUM (ANALYZE) "+p.table)
	ok(t, err)
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
