package pgload_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/pgload"
	"holdfast/loadtest/template"
	server "holdfast/test/postgres"
)

// shared is the server of all tests.
var shared server.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func load(t *testing.T, client *pgload.Client, users int, requests int64, timeout time.Duration) *loadtest.Result {
	t.Helper()
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: users, Requests: requests, Duration: time.Minute, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newClient(t *testing.T, c pgload.Config) *pgload.Client {
	t.Helper()
	client, err := pgload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestEveryProtocolAsksAndChecks(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	feed := &template.Feed{Columns: []string{"name"}, Rows: [][]string{{"O'Hara"}, {`a\b"; DROP TABLE x`}}}
	for name, protocol := range map[string]pgload.Protocol{"extended": pgload.Extended, "prepared": pgload.Prepared, "simple": pgload.Simple} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, pgload.Config{URL: url, Protocol: protocol, Feed: feed, Queries: []pgload.Query{{
				SQL:  "SELECT $1::text AS name, $2::int + 1 AS next, NULL AS nothing FROM generate_series(1, 3)",
				Args: []string{"{{name}}", "{{seq}}"},
				Checks: []check.Check{
					{Rows: "3"}, {Rows: "2-4"}, {Matches: `^(O'Hara|a\\b"; DROP TABLE x)$`}, {Column: "next", Matches: "^[0-9]+$"}, {Column: "name"},
				},
			}}})
			r := load(t, client, 2, 50, 10*time.Second)
			if r.Total.Counts[loadtest.OK] != 50 || len(client.Failed()) > 0 || r.Total.BytesIn < 50*60 || r.Total.BytesOut < 50*10 {
				t.Errorf("counted %v, errors %v, checks %v, in %d, out %d", r.Total.Counts, r.Errors, client.Failed(), r.Total.BytesIn, r.Total.BytesOut)
			}
		})
	}
}

func TestWrongResultsFailTheirCheck(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	for want, c := range map[string]check.Check{
		"rows 2-3":                      {Rows: "2-3"},
		`the first column equals "2"`:   {Equals: "2"},
		`column b contains "q"`:         {Column: "b", Contains: "q"},
		"column c exists":               {Column: "c"},
		"column d exists":               {Column: "d"},
		`the first column matches "^x"`: {Matches: "^x"},
	} {
		client := newClient(t, pgload.Config{URL: url, Queries: []pgload.Query{{SQL: "SELECT 1 AS a, 'xyz' AS b, NULL AS c", Checks: []check.Check{c}}}})
		r := load(t, client, 1, 2, 10*time.Second)
		if r.Total.Counts[loadtest.CheckFailed] != 2 || client.Failed()[want] != 2 {
			t.Errorf("%s: counted %v, checks %v, errors %v", want, r.Total.Counts, client.Failed(), r.Errors)
		}
	}
}

func TestStatesHaveClasses(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	raise := "DO $$ BEGIN RAISE 'x' USING ERRCODE = '%s'; END $$"
	for state, want := range map[string]loadtest.Class{
		"53300": loadtest.RateLimited, "53400": loadtest.RateLimited, "57P03": loadtest.Refused, "57P01": loadtest.Reset,
		"08006": loadtest.Reset, "08P01": loadtest.Malformed, "40P01": loadtest.BadStatus, "57014": loadtest.BadStatus,
		"22012": loadtest.BadStatus, "42P01": loadtest.BadStatus,
	} {
		sql := fmt.Sprintf(raise, state)
		switch state {
		case "22012":
			sql = "SELECT 1/0"
		case "42P01":
			sql = "SELECT * FROM none"
		}
		client := newClient(t, pgload.Config{URL: url, Queries: []pgload.Query{{SQL: sql}}})
		r := load(t, client, 1, 3, 10*time.Second)
		if r.Total.Counts[want] != 3 || client.States()[state] != 3 {
			t.Errorf("%s: counted %v, states %v, want %v; %v", state, r.Total.Counts, client.States(), want, r.Errors)
		}
	}
}

// dials counts connections.
func dials(n *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

func TestConnectionsLiveAsLongAsTheyAreTold(t *testing.T) {
	t.Parallel()
	url := shared.Database(t) + " sslmode=disable"
	for name, c := range map[string]struct {
		config pgload.Config
		want   int64
	}{
		"one per user":      {pgload.Config{}, 1},
		"five queries each": {pgload.Config{ConnQueries: 5}, 4},
		"none for two":      {pgload.Config{ConnQueries: 1}, 20},
		"too old at once":   {pgload.Config{ConnAge: 1}, 20},
	} {
		var n atomic.Int64
		c.config.URL, c.config.Dial, c.config.Queries, c.config.Protocol = url, dials(&n), []pgload.Query{{SQL: "SELECT 1"}}, pgload.Prepared
		r := load(t, newClient(t, c.config), 1, 20, 10*time.Second)
		if r.Total.Counts[loadtest.OK] != 20 || n.Load() != c.want {
			t.Errorf("%s: %d connections, want %d; counted %v, %v", name, n.Load(), c.want, r.Total.Counts, r.Errors)
		}
	}
}

func TestALimitOfConnectionsIsARateLimit(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	name := url[strings.LastIndex(url, "=")+1:]
	if err := shared.Exec(t.Context(), "postgres", "CREATE ROLE few LOGIN CONNECTION LIMIT 1; GRANT ALL ON DATABASE "+name+" TO few"); err != nil {
		t.Fatal(err)
	}
	client := newClient(t, pgload.Config{URL: shared.Socket("few", name), Queries: []pgload.Query{{SQL: "SELECT pg_sleep(0.01)"}}})
	r := load(t, client, 4, 40, 10*time.Second)
	if r.Total.Counts[loadtest.OK] == 0 || r.Total.Counts[loadtest.RateLimited] == 0 || r.Total.Counts[loadtest.OK]+r.Total.Counts[loadtest.RateLimited] != 40 {
		t.Errorf("counted %v, states %v, errors %v", r.Total.Counts, client.States(), r.Errors)
	}
}

func TestASlowStatementTimesOutAndIsCancelled(t *testing.T) {
	t.Parallel()
	url := shared.Database(t)
	client := newClient(t, pgload.Config{URL: url, Queries: []pgload.Query{{SQL: "SELECT pg_sleep(60)"}}})
	begin := time.Now()
	r := load(t, client, 2, 4, 200*time.Millisecond)
	if r.Total.Counts[loadtest.Timeout] != 4 || time.Since(begin) > 20*time.Second {
		t.Errorf("counted %v in %v, errors %v", r.Total.Counts, time.Since(begin), r.Errors)
	}
	left := newClient(t, pgload.Config{URL: url, Queries: []pgload.Query{{
		SQL: "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()", Checks: []check.Check{{Equals: "0"}},
	}}})
	if r := load(t, left, 1, 1, 10*time.Second); r.Total.Counts[loadtest.OK] != 1 {
		t.Errorf("statements go on behind the timeouts: %v %v", r.Total.Counts, r.Errors)
	}
}

func TestWhoIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts and never answers
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for want, url := range map[loadtest.Class]string{
		loadtest.Refused:     "postgres://a@" + closed.Addr().String() + "/a?sslmode=disable",
		loadtest.Unreachable: "postgres://a@" + l.Addr().String() + "/a?sslmode=disable",
		loadtest.NoAddress:   "postgres://a@no-such-host.invalid/a?sslmode=disable",
	} {
		client := newClient(t, pgload.Config{URL: url, ConnectTimeout: 200 * time.Millisecond, Queries: []pgload.Query{{SQL: "SELECT 1"}}})
		if r := load(t, client, 1, 1, 10*time.Second); r.Total.Counts[want] != 1 {
			t.Errorf("%s: counted %v, want %v; %v", url, r.Total.Counts, want, r.Errors)
		}
	}
}

func TestAnAddressThatCannotBeReadIsNotShown(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://a@h:99999/d?password=geheim", "postgres://a:ge/heim@h:5432/d", "postgres://a@u:geheim@h/d", "host=h port=x password = geheim",
		"postgres://a:geheim@h/d?sslmode=geheim", "postgres://a@h/d?password=geheim%zz", "postgres://a@h/d?connect_timeout=geheim",
	} {
		_, err := pgload.New(pgload.Config{URL: url, Queries: []pgload.Query{{SQL: "SELECT 1"}}})
		_, alone := pgload.Hosts(url)
		for _, err := range []error{err, alone} {
			if err == nil || strings.Contains(err.Error(), "heim") || !strings.Contains(err.Error(), "want postgres://USER@HOST") {
				t.Errorf("%s: the error is %v", url, err)
			}
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]pgload.Config{
		"name at least one query to send":                          {},
		"prepare query 1 x: the query has no SQL":                  {Queries: []pgload.Query{{Name: "x"}}},
		"prepare query 1 : read argument $1: there is no variable": {Queries: []pgload.Query{{SQL: "SELECT $1", Args: []string{"{{x}}"}}}},
		"prepare query 1 : read check 1: \"a\" is no number":       {Queries: []pgload.Query{{SQL: "SELECT 1", Checks: []check.Check{{Rows: "a"}}}}},
		"prepare query 1 : read check 1: a check wants":            {Queries: []pgload.Query{{SQL: "SELECT 1", Checks: []check.Check{{Rows: "1", Equals: "a"}}}}},
		"prepare query 1 : read check 1: read the regular":         {Queries: []pgload.Query{{SQL: "SELECT 1", Checks: []check.Check{{Matches: "("}}}}},
		"read the address of PostgreSQL":                           {URL: "postgres://a:b:c/", Queries: []pgload.Query{{SQL: "SELECT 1"}}},
		"age, number of queries and timeout must not be negative":  {ConnAge: -1, Queries: []pgload.Query{{SQL: "SELECT 1"}}},
	} {
		if _, err := pgload.New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
