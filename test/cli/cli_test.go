// Package cli_test runs the scripts of testdata/script: every command, in
// success and in failure, against a Holdfast that really runs.
package cli_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver of SQLite

	"holdfast/internal/cli"
	server "holdfast/test/postgres"
)

// leakChecked looks for goroutines that outlive the tests.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"holdfast": holdfast})
}

// holdfast is what cmd/holdfast does.
func holdfast() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	code := cli.Main(ctx, cli.Environment{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Hangup: hangup, Interrupted: stop,
	})
	stop()
	os.Exit(code)
}

func TestScripts(t *testing.T) {
	t.Parallel()
	run(t, "../../testdata/script", func(*testscript.Env) error { return nil })
}

// Each of these scripts has an empty database of its own: $URL for the
// superuser, $DATABASE its name, $POOR the address of the role poor, who has no
// rights and the password sesame.
func TestScriptsWithPostgreSQL(t *testing.T) {
	t.Parallel()
	s := server.Start(t)
	if err := s.Exec(t.Context(), "postgres", "CREATE ROLE poor LOGIN PASSWORD 'sesame'"); err != nil {
		t.Fatal(err)
	}
	run(t, "../../testdata/script/postgres", func(e *testscript.Env) error {
		name := "script" + strconv.FormatInt(databases.Add(1), 10)
		err := s.Exec(t.Context(), "postgres", "CREATE DATABASE "+name)
		e.Setenv("DATABASE", name)
		e.Setenv("URL", s.URL("postgres", name))
		e.Setenv("POOR", fmt.Sprintf("postgres://poor:sesame@127.0.0.1:%d/%s", s.Port, name))
		return err
	})
}

var databases atomic.Int64

func run(t *testing.T, dir string, setup func(*testscript.Env) error) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOLDFAST_DATA_DIR", e.WorkDir+"/data")
			return setup(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "exits": exits, "get": get, "width": width, "sql": query,
		},
	})
}

// sql STATEMENT runs it on $URL, or on the file of the data directory, as an
// administrator would, and prints the rows, a line each. With a ! it must fail.
func query(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sql STATEMENT")
	}
	driver, at := "pgx", ts.Getenv("URL")
	if at == "" {
		driver, at = "sqlite", "file:"+ts.Getenv("HOLDFAST_DATA_DIR")+"/state.db?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, at)
	ts.Check(err)
	defer func() { ts.Check(db.Close()) }()
	err = printRows(ts.Stdout(), db, args[0])
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", args[0], err)
	}
}

func printRows(w io.Writer, db *sql.DB, statement string) error {
	rows, err := db.QueryContext(context.Background(), statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		fmt.Fprintln(w, values...)
	}
	return rows.Err()
}

const patience = 30 * time.Second

// await PATTERN COMMAND... runs a command until its output matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; <-ticker.C {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("waited %s for %q: %v\n%s%s", patience, args[0], err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}

// exits CODE COMMAND... runs a command and looks at its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v: %v", args[1:], err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v ended with %d, want %d\n%s%s", args[1:], got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// get N PATH sends requests to the gateway whose first line of output is in
// up.out. $ID is the id of the last one, $STATUS its status, $GATEWAY the
// gateway's address.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get N PATH")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	line, _, _ := strings.Cut(ts.ReadFile("up.out"), "\n")
	base := strings.TrimSpace(strings.TrimPrefix(line, "gateway"))
	ts.Setenv("GATEWAY", base)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	for range n {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, base+args[1], nil)
		ts.Check(err)
		res, err := c.Do(req)
		ts.Check(err)
		_, err = io.Copy(io.Discard, res.Body)
		ts.Check(errors.Join(err, res.Body.Close()))
		ts.Setenv("ID", res.Header.Get("X-Request-Id"))
		ts.Setenv("STATUS", strconv.Itoa(res.StatusCode))
	}
}

// width N checks that no line of the last output is longer than N characters.
func width(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: width N")
	}
	limit, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.SplitSeq(ts.ReadFile("stdout"), "\n") {
		if n := len([]rune(line)); n > limit {
			ts.Fatalf("%d characters: %s", n, line)
		}
	}
}
