package postgres_test

import (
	"testing"

	"holdfast/test/postgres"
)

func TestAServerIsKilledAndComesBackWithItsData(t *testing.T) {
	t.Parallel()
	s := postgres.Start(t)
	ctx := t.Context()
	if err := s.Exec(ctx, "postgres", "CREATE TABLE kept AS SELECT 1 AS one"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Exec(ctx, "postgres", "SELECT 1"); err == nil {
			t.Fatal("a killed server answers")
		}
		if err := s.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Exec(ctx, "postgres", "SELECT one FROM kept"); err != nil {
			t.Errorf("after a kill: %v\n%s", err, s.Output())
		}
	}
}
