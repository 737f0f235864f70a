package postgres

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Shared is a server that all tests of a package use. The zero value is ready for Run; the Server is nil where PostgreSQL is
// not installed, or did not start.
type Shared struct{ *Server }

// Run starts the server, runs the tests, stops it, and returns the exit code: 1 as well when goroutines are left.
func (s *Shared) Run(m *testing.M) int {
	if started, err := New(context.Background()); err == nil {
		s.Server = started
		defer s.Close()
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Database returns the address of an empty database. Where PostgreSQL is not installed the test is skipped, or fails, as
// Installed has it.
func (s *Shared) Database(tb testing.TB) string {
	tb.Helper()
	Installed(tb)
	if s.Server == nil {
		tb.Fatal("PostgreSQL is installed but did not start")
	}
	return s.Server.Database(tb)
}
