package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"holdfast/internal/store"
	"holdfast/internal/store/postgres"
	"holdfast/internal/store/storetest"
	"holdfast/test/need"
	server "holdfast/test/postgres"
)

// childURL is the address the writing child opens.
const childURL = "HOLDFAST_POSTGRES_URL"

// shared is the server of all tests that do not break it.
var shared *server.Server

func TestMain(m *testing.M) {
	storetest.RunChild(func() (store.Store, error) { return postgres.Open(postgres.Config{URL: os.Getenv(childURL)}) })
	os.Exit(run(m))
}

func run(m *testing.M) int {
	s, err := server.New(context.Background())
	if err == nil {
		shared = s
		defer s.Close()
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// database returns the address of an empty database.
func database(t *testing.T) string {
	t.Helper()
	server.Installed(t)
	if shared == nil {
		t.Fatal("PostgreSQL is installed but did not start")
	}
	return shared.Database(t)
}

func open(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(postgres.Config{URL: url})
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

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPostgreSQLConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { t.Helper(); return open(t, database(t)) })
}

// breakable is a store on a server of its own.
func breakable(t *testing.T) storetest.Outage {
	t.Helper()
	s := server.Start(t)
	url := s.Database(t)
	return storetest.Outage{
		Store: open(t, url), Child: []string{childURL + "=" + url},
		Break: func() { ok(t, s.Kill()) },
		Mend:  func() { ok(t, s.Restart(t.Context())) },
	}
}

func TestAKilledServerIsAnOutage(t *testing.T) {
	t.Parallel()
	outage := 3 * time.Second
	if need.Soak() {
		outage = time.Minute
	}
	storetest.RunOutage(t, breakable(t), outage)
}

func TestFactsSurviveKillsWhileTheServerIsDown(t *testing.T) {
	t.Parallel()
	kills := 3
	if need.Soak() {
		kills = 30
	}
	storetest.RunKills(t, breakable(t), kills)
}

func TestManyNodesMayStartAtOnce(t *testing.T) {
	t.Parallel()
	url := database(t)
	var wg sync.WaitGroup
	for range 5 {
		s := open(t, url)
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	list, err := store.Setup(t.Context(), open(t, url), nil)
	ok(t, err)
	if bad := store.Failed(list); len(bad) > 0 {
		t.Errorf("%+v", bad)
	}
	var versions int
	query(t, url, "SELECT count(*) FROM holdfast_schema_version WHERE version_id > 0", &versions)
	if versions != 2 {
		t.Errorf("%d migrations are noted, want each once", versions)
	}
}

// query reads one row as another program would.
func query(t *testing.T, url, q string, into ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	defer conn.Close(t.Context())
	ok(t, conn.QueryRow(t.Context(), q).Scan(into...))
}

func TestARoleWithoutTheRightToCreateTablesIsToldSo(t *testing.T) {
	t.Parallel()
	url := database(t)
	name := url[strings.LastIndexByte(url, '=')+1:]
	ok(t, shared.Exec(t.Context(), name, "CREATE ROLE poor_"+name+" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
	poor := open(t, shared.Socket("poor_"+name, name))
	err := poor.Migrate(t.Context())
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "role poor_"+name+" has no right to") || !strings.Contains(err.Error(), "GRANT") {
		t.Errorf("error %q, want a sentence with the way out", err)
	}
	// With tables that another role made it works.
	ok(t, open(t, url).Migrate(t.Context()))
	ok(t, shared.Exec(t.Context(), name, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO poor_"+name))
	ok(t, poor.Migrate(t.Context()))
	ok(t, poor.AppendFacts(t.Context(), []store.Fact{storetest.Action("api")}))
}

func TestTheWebRolesOfSupabaseGetNothing(t *testing.T) {
	t.Parallel()
	url := database(t)
	name := url[strings.LastIndexByte(url, '=')+1:]
	ok(t, shared.Exec(t.Context(), name, "CREATE ROLE anon; ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon"))
	ok(t, open(t, url).Migrate(t.Context()))
	var tables int
	query(t, url, `SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND has_table_privilege('anon', oid, 'SELECT')`, &tables)
	if tables != 0 {
		t.Errorf("anon may read %d tables", tables)
	}
}

func TestTheFunctionsDoWhatTheySay(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url)
	ok(t, s.Migrate(t.Context()))
	now := time.Now().UTC().Truncate(time.Microsecond)
	old := storetest.Action("api")
	old.CreatedAt = now.Add(-40 * 24 * time.Hour)
	young := storetest.Action("api")
	young.CreatedAt, young.Action = now, "failover"
	ok(t, s.AppendFacts(t.Context(), []store.Fact{old, young}))
	ok(t, s.SaveStates(t.Context(), []store.State{
		storetest.OpenBreaker("api", now.Add(time.Hour)), // by a node whose clock is ahead
		store.Instance{ID: "a1", Function: "api", Status: "active", Connections: 3, UpdatedAt: now},
		store.Instance{ID: "a2", Function: "api", Status: "failed", UpdatedAt: now},
	}))

	var action string
	query(t, url, "SELECT action FROM holdfast_recent_actions('api', 1)", &action)
	var function, breaker, last string
	var active, failed, connections int
	query(t, url, "SELECT function_name, breaker, active, failed, connections, last_action FROM holdfast_status()", &function, &breaker, &active, &failed, &connections, &last)
	if action != "failover" || function != "api" || breaker != "open" || active != 1 || failed != 1 || connections != 3 || last != "failover" {
		t.Errorf("recent %q, status %s %s %d %d %d %s", action, function, breaker, active, failed, connections, last)
	}
	var removed int
	query(t, url, "SELECT removed FROM holdfast_cleanup(interval '30 days') WHERE table_name = 'scaling_actions'", &removed)
	if removed != 1 {
		t.Errorf("removed %d actions, want the old one", removed)
	}
	var done, unknown bool
	query(t, url, "SELECT holdfast_reset_breaker('api'), holdfast_reset_breaker('nobody')", &done, &unknown)
	b, err := s.Breakers(t.Context())
	ok(t, err)
	if !done || unknown || b[0].State != "closed" || !b[0].NextAttempt.IsZero() || !b[0].UpdatedAt.After(now.Add(time.Hour)) {
		t.Errorf("reset says %t and %t, breaker %+v", done, unknown, b[0])
	}
}

func TestResettingABreakerReachesWhoListensAlsoAfterTheConnectionBroke(t *testing.T) {
	t.Parallel()
	url := database(t)
	s := open(t, url)
	ok(t, s.Migrate(t.Context()))
	ok(t, s.SaveStates(t.Context(), []store.State{storetest.OpenBreaker("api", time.Now())}))
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan string, 100)
	broken := make(chan error, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Listen(ctx, func(f string) { heard <- f }, func(err error) { broken <- err }); err != nil {
			t.Error(err)
		}
	})
	reset := func() bool {
		var done bool
		query(t, url, "SELECT holdfast_reset_breaker('api')", &done)
		select {
		case f := <-heard:
			return done && f == "api"
		case <-time.After(50 * time.Millisecond):
			return false // not listening yet
		}
	}
	storetest.Eventually(t, "the reset is heard", reset)
	name := url[strings.LastIndexByte(url, '=')+1:]
	var n int
	query(t, url, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '"+name+"' AND query LIKE 'LISTEN%'", &n)
	if err := <-broken; n != 1 || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%d connections ended, reported %v", n, err)
	}
	storetest.Eventually(t, "it is heard again", reset)
	cancel()
	wg.Wait()
}

func TestAStandbyIsNotMistakenForAStore(t *testing.T) {
	t.Parallel()
	url := database(t)
	name := url[strings.LastIndexByte(url, '=')+1:]
	ok(t, open(t, url).Migrate(t.Context()))
	ok(t, shared.Exec(t.Context(), "postgres", "ALTER DATABASE "+name+" SET default_transaction_read_only = on"))
	err := open(t, url).AppendFacts(t.Context(), []store.Fact{storetest.Action("api")})
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "primary") {
		t.Errorf("error %v, want unavailable and to name the primary", err)
	}
}

func TestALockedTableIsUnavailableInTime(t *testing.T) {
	t.Parallel()
	url := database(t)
	s, err := postgres.Open(postgres.Config{URL: url, Timeout: 300 * time.Millisecond})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	ok(t, open(t, url).Migrate(t.Context()))
	conn, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	t.Cleanup(func() { ok(t, conn.Close(context.WithoutCancel(t.Context()))) })
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE holdfast_audit, scaling_actions")
	ok(t, err)
	began := time.Now()
	for _, err := range []error{s.Audit(t.Context(), store.AuditEntry{Action: "x"}), reading(t, s)} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v, want unavailable", err)
		}
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("two calls took %v", took)
	}
}

func reading(t *testing.T, s store.Store) error {
	t.Helper()
	_, err := s.ScalingActions(t.Context(), store.Query{})
	return err
}

func TestAFrozenServerIsUnavailableInTime(t *testing.T) {
	t.Parallel()
	srv := server.Start(t)
	s, err := postgres.Open(postgres.Config{URL: srv.Database(t), Timeout: 500 * time.Millisecond})
	ok(t, err)
	t.Cleanup(func() { ok(t, s.Close()) })
	ok(t, s.Migrate(t.Context()))
	ok(t, srv.Freeze())
	thaw := sync.OnceFunc(func() { ok(t, srv.Thaw()) })
	t.Cleanup(thaw) // also when the test ends early: a frozen server cannot be stopped
	began := time.Now()
	for range 3 {
		if err := s.Audit(t.Context(), store.AuditEntry{Action: "x"}); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v, want unavailable", err)
		}
		if err := s.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("error %v, want unavailable", err)
		}
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("six calls took %v", took)
	} else {
		t.Logf("six calls took %v", took)
	}
	thaw()
	storetest.Eventually(t, "it serves again", func() bool { return s.Ping(t.Context()) == nil })
}
