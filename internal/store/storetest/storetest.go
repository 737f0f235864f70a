// Package storetest is the conformance suite of store.Store: what every database must do, in one place. Each database's
// own tests call Run, and RunOutage with its own way of breaking and mending.
package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"holdfast/internal/store"
)

// Open returns an empty store that is closed with the test.
type Open func(t *testing.T) store.Store

// Run runs the suite on empty stores.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, part := range []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"setup can run again", testSetup},
		{"migrations run once however many start", testMigrations},
		{"facts are stored once", testFactsOnce},
		{"facts are stored all or nothing", testFactsAtomic},
		{"facts of every kind come back whole", testFactsWhole},
		{"odd text is kept as far as it can be", testOddText},
		{"logs are read in pages", testPages},
		{"many write facts at once", testFactsConcurrent},
		{"a newer state stays", testStatesNewest},
		{"states of every kind come back whole", testStatesWhole},
		{"only one of many concurrent states stays", testStatesConcurrent},
		{"the tables refuse what is not allowed", testChecks},
		{"a configuration is edited with history and audit", testConfigEdit},
		{"concurrent edits lose nothing", testConfigConcurrent},
		{"overrides are set and unset", testOverrides},
		{"tokens are kept by their hash", testTokens},
		{"the audit log keeps what others did", testAudit},
		{"sessions count generations", testSessions},
		{"history is folded once", testHistory},
		{"cleanup removes what is old", testCleanup},
		{"a call without time is unavailable", testDeadline},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			part.run(t, s)
		})
	}
}

// moment is a time every store keeps exactly.
func moment() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 891234000, time.UTC) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must returns v, or ends the test.
func must[T any](t *testing.T) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantError(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("error %v, want %v", err, kind)
	}
}

// same compares as JSON values: PostgreSQL writes documents its own way.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := plain(t, got), plain(t, want); !reflect.DeepEqual(g, w) {
		t.Errorf("%s\n got %v\nwant %v", what, g, w)
	}
}

func plain(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	ok(t, err)
	var out any
	ok(t, json.Unmarshal(b, &out))
	return out
}

func by() store.Actor {
	return store.Actor{Name: "ada", Role: store.Admin, Source: "127.0.0.1"}
}
