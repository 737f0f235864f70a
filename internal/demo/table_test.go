package demo

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/test/postgres"
)

// The table is made by whoever comes first, here by two at the same time.
func TestALedgerInADatabaseHasEachPostOnceAndFailsSoonWithoutIt(t *testing.T) {
	t.Parallel()
	s := postgres.Start(t)
	for _, statement := range []string{"CREATE ROLE app LOGIN PASSWORD 'app'", "CREATE DATABASE app OWNER app"} {
		if err := s.Exec(t.Context(), "postgres", statement); err != nil {
			t.Fatal(err)
		}
	}
	url := fmt.Sprintf("postgres://app:app@127.0.0.1:%d/app", s.Port)
	header := func(id string) http.Header { return http.Header{"X-Ledger-Id": {id}} }
	var group sync.WaitGroup
	instances := []*running{start(t, Config{ID: "one", Ledger: url}), start(t, Config{ID: "two", Ledger: url})}
	var kept [2]string
	for n, r := range instances {
		group.Go(func() {
			// A try that is late on a busy machine may be in the ledger or not; the one that is answered must be.
			for try := 0; kept[n] == "" && try < 20; try++ {
				id := fmt.Sprintf("id%d-%d", n, try)
				resp, err := r.try(http.MethodPost, "/ledger", header(id), nil)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					kept[n] = id
				}
			}
		})
	}
	group.Wait()

	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if a := instances[0].do(http.MethodPost, "/ledger", header("late"), nil); a.status != http.StatusServiceUnavailable || a.fields["error"] == "" {
		t.Errorf("without its database it answers %+v", a)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("and that after %s", took)
	}
	if a := instances[0].get("/x"); a.status != http.StatusOK {
		t.Errorf("what needs no database answers %+v", a)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	poll(t, "the database is back", func() bool {
		return instances[0].do(http.MethodPost, "/ledger", header("back"), nil).status == http.StatusOK
	})

	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var text string
	err = conn.QueryRow(t.Context(), "SELECT string_agg(id || ' ' || instance, ', ' ORDER BY id) FROM holdfast_demo_ledger WHERE id = ANY($1)", kept[:]).Scan(&text)
	if want := kept[0] + " one, " + kept[1] + " two"; err != nil || text != want {
		t.Errorf("the ledger says %q, want %q, %v", text, want, err)
	}
}
