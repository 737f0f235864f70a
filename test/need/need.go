// Package need says, at the top of a test, which part of the outside world the test cannot do without.
//
// Holdfast is tested against real parts: a real nginx, a real PostgreSQL, a browser. Who lacks one must still be able to
// run the rest, so a missing part skips the test and says which one. In CI nothing may go missing quietly: with
// HOLDFAST_NO_SKIP=1 the same call fails the test. scripts/deps.sh installs what the calls here name; a program that is
// new to the tests is added to the table there in the same commit.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Command returns the path of the program name, or ends the test: skipped, or failed when HOLDFAST_NO_SKIP=1. It also
// looks where Debian keeps servers, which is not on everybody's PATH.
func Command(tb testing.TB, name string) string {
	tb.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	Missing(tb, name+" is not installed (scripts/deps.sh lists what tests use)")
	return ""
}

// Missing ends the test because of reason: skipped, or failed when HOLDFAST_NO_SKIP=1.
func Missing(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv("HOLDFAST_NO_SKIP") == "1" {
		tb.Fatalf("%s, and HOLDFAST_NO_SKIP forbids skipping", reason)
	}
	tb.Skip(reason)
}

// Plain skips the test in a binary built with the race detector, which changes what allocation counts and timings mean.
// `make test` runs exactly the tests skipped so a second time without it, so nothing is lost in CI either.
func Plain(tb testing.TB) {
	tb.Helper()
	if raceDetector {
		tb.Skip("the race detector distorts what is measured here")
	}
}

// Soak reports whether the long form of a test was asked for, which `make soak` does. The short form is seeded and runs
// in CI; the long one leaves its log in docs/.
func Soak() bool { return os.Getenv("HOLDFAST_SOAK") == "1" }
