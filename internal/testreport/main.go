// Command testreport runs everything `make test` promises and says in plain words how it went.
//
// It owns a short plan (see plan.go): checks, which are commands that are fine or not, and suites, which are `go test
// -json` runs that are read event by event. Each package becomes one line, each failed test its whole output, each
// skipped test its reason. What a test reports with t.Attr is printed as a figure, because a measured number that
// nobody sees proves nothing.
//
// The closing line is always `N passed, N failed, N skipped`. A check counts as one; a test counts as one when it has no
// subtests, otherwise its subtests count. A package that does not compile, leaks goroutines or dies counts as one
// failure, and so does a suite in which no test ran: silence is not success.
//
// With HOLDFAST_NO_SKIP=1 (set by .ci/run) a skipped test is a failed one. A test that skips because the race detector
// distorts what it measures (need.Plain) is run again without it, and counts by that second run.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	r := &report{out: os.Stdout, noSkip: os.Getenv("HOLDFAST_NO_SKIP") == "1"}
	err := r.run(ctx, ".")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.close() {
		os.Exit(1)
	}
}
