package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/store"
	"holdfast/internal/store/postgres"
	"holdfast/internal/store/storetest"
	"holdfast/test/need"
	server "holdfast/test/postgres"
)

// childURL is the address the writing child opens.
const childURL = "HOLDFAST_POSTGRES_URL"

// shared is the server of all tests that do not break it.
var shared server.Shared

func TestMain(m *testing.M) {
	storetest.RunChild(func() (store.Store, error) { return postgres.Open(postgres.Config{URL: os.Getenv(childURL)}) })
	os.Exit(shared.Run(m))
}

// open is a store whose deadline is far away: a busy disk is nothing these tests are about.
func open(t *testing.T, url string) *postgres.Store {
	t.Helper()
	return opened(t, postgres.Config{URL: url, Timeout: time.Minute})
}

func opened(t *testing.T, c postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(c)
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
	storetest.Run(t, func(t *testing.T) store.Store { t.Helper(); return open(t, shared.Database(t)) })
}

// breakable is a store on a server of its own.
func breakable(t *testing.T) storetest.Outage {
	t.Helper()
	s := server.Start(t)
	url := s.Database(t)
	return storetest.Outage{
		Store: opened(t, postgres.Config{URL: url}), Child: []string{childURL + "=" + url},
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
	url := shared.Database(t)
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
	if versions != 4 {
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
	url := shared.Database(t)
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
	url := shared.Database(t)
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
	url := shared.Database(t)
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

// listening tells of what Listen hears until the test ends.
type listening struct {
	resets chan string
	tokens chan struct{}
	ready  chan struct{}
	broken chan error
}

func listen(t *testing.T, s *postgres.Store) *listening {
	t.Helper()
	l := &listening{make(chan string, 100), make(chan struct{}, 100), make(chan struct{}, 100), make(chan error, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.Listen(ctx, postgres.Listener{
			Reset:     func(f string, by store.Actor) { l.resets <- f + " by " + by.Name + " from " + by.Source },
			Tokens:    func() { l.tokens <- struct{}{} },
			Listening: func() { l.ready <- struct{}{} },
			Broken:    func(err error) { l.broken <- err },
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return l
}

// next waits for something to be heard.
func next[T any](t *testing.T, what string, heard <-chan T) T {
	t.Helper()
	select {
	case v := <-heard:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing is heard of %s", what)
		panic("unreachable")
	}
}

const byPostgres = "api by postgres from database"

func TestResettingABreakerReachesWhoListensAlsoAfterTheConnectionBroke(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	s := open(t, url)
	ok(t, s.Migrate(t.Context()))
	ok(t, s.SaveStates(t.Context(), []store.State{storetest.OpenBreaker("api", time.Now())}))
	reset := func() {
		var done bool
		query(t, url, "SELECT holdfast_reset_breaker('api')", &done)
		if !done {
			t.Error("there is no such breaker")
		}
	}
	reset() // before the start, of no interest any more
	l := listen(t, s)
	next(t, "the first reading of tokens", l.tokens)
	reset()
	if got := next(t, "the reset", l.resets); got != byPostgres {
		t.Errorf("heard %q, want %q", got, byPostgres)
	}
	// Nobody can connect, and meanwhile a breaker is reset twice.
	name := url[strings.LastIndexByte(url, '=')+1:]
	inside, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	ok(t, shared.Exec(t.Context(), "postgres", "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false"))
	_, err = inside.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = '`+name+`';
SELECT holdfast_reset_breaker('api'); SELECT holdfast_reset_breaker('api');`)
	ok(t, err)
	ok(t, inside.Close(t.Context()))
	if err := next(t, "the outage", l.broken); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("reported %v", err)
	}
	ok(t, shared.Exec(t.Context(), "postgres", "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true"))
	for range 2 {
		if got := next(t, "what was missed", l.resets); got != byPostgres {
			t.Errorf("heard %q, want %q", got, byPostgres)
		}
	}
	next(t, "the second reading of tokens", l.tokens)
	reset()
	next(t, "a reset afterwards", l.resets)
	if len(l.resets) > 0 {
		t.Errorf("heard of %q twice", <-l.resets)
	}
}

func TestTokensOfOtherNodesAreHeardOf(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	s, other := open(t, url), open(t, url)
	ok(t, s.Migrate(t.Context()))
	l := listen(t, s)
	next(t, "the first reading", l.tokens)
	tok, _ := store.NewToken("ci", store.Viewer, time.Time{}, time.Now())
	ok(t, other.AddToken(t.Context(), tok, store.Actor{Name: "ada"}))
	next(t, "the new token", l.tokens)
	ok(t, other.SaveStates(t.Context(), []store.State{store.TokenUse{ID: tok.ID, At: time.Now()}}))
	began := time.Now()
	ok(t, other.RevokeToken(t.Context(), tok.ID, store.Actor{Name: "ada"}))
	next(t, "the revocation", l.tokens)
	t.Logf("heard of the revocation after %v", time.Since(began))
	if len(l.tokens) > 0 {
		t.Error("the use of a token is told as if it had changed")
	}
}

func TestResettingABreakerTakesBackTheOrderThatKeepsItOpen(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	s := open(t, url)
	ok(t, s.Migrate(t.Context()))
	ok(t, s.SaveStates(t.Context(), []store.State{storetest.OpenBreaker("api", time.Now())}))
	_, _, err := s.EditFunctionConfig(t.Context(), "api", "breaker.force_open", "", store.Actor{Name: "ada"}, func(c *store.FunctionConfig) error {
		c.Recovery = json.RawMessage(`{"retry":{"attempts":1},"operator":{"forced_open":{"by":"ada"},"weights":{"a":2}}}`)
		return nil
	})
	ok(t, err)
	var done bool
	query(t, url, "SELECT holdfast_reset_breaker('api')", &done)
	c, err := s.FunctionConfig(t.Context(), "api")
	ok(t, err)
	if got := string(c.Recovery); got != `{"retry": {"attempts": 1}, "operator": {"weights": {"a": 2}}}` {
		t.Errorf("the configuration is %s", got)
	}
	log, err := s.AuditLog(t.Context(), store.Query{Kind: "breaker.reset"})
	ok(t, err)
	changes, err := s.ConfigChanges(t.Context(), store.Query{Function: "api"})
	ok(t, err)
	if len(log) != 1 || log[0].Actor.Name != "postgres" || log[0].Target != "api" || !strings.Contains(string(log[0].Before), `"forced_open": {"by": "ada"}`) {
		t.Errorf("the audit log has %+v", log)
	}
	if len(changes) != 2 || changes[0].Who != "postgres" {
		t.Errorf("the history of the configuration has %+v", changes)
	}
}

func TestAStandbyIsNotMistakenForAStore(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
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
	url := shared.Database(t)
	s := opened(t, postgres.Config{URL: url, Timeout: 300 * time.Millisecond})
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
	if took := time.Since(began); took > 15*time.Second {
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
	url := srv.Database(t)
	s := opened(t, postgres.Config{URL: url, Timeout: 500 * time.Millisecond})
	ok(t, open(t, url).Migrate(t.Context()))
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
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("six calls took %v", took)
	} else {
		t.Logf("six calls took %v", took)
	}
	thaw()
	storetest.Eventually(t, "it serves again", func() bool { return s.Ping(t.Context()) == nil })
}
