// Package cli_test runs the scripts of testdata/script: every command, in
// success and in failure, against a Holdfast that really runs.
package cli_test

import (
	"context"
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
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"holdfast/internal/cli"
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
	testscript.Run(t, testscript.Params{
		Dir:   "../../testdata/script",
		Setup: func(e *testscript.Env) error { e.Setenv("HOLDFAST_DATA_DIR", e.WorkDir+"/data"); return nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "exits": exits, "get": get, "width": width,
		},
	})
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
// up.out. $ID is the id of the last one, $STATUS its status.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get N PATH")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	line, _, _ := strings.Cut(ts.ReadFile("up.out"), "\n")
	base := strings.TrimSpace(strings.TrimPrefix(line, "gateway"))
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
