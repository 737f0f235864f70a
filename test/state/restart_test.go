// Package state_test shows what the store keeps, and that the gateway does not
// need it.
package state_test

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/store"
	"holdfast/test/holdfast"
)

func status(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestAnOpenBreakerIsStillOpenAfterAKill(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(up.Close)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf("functions:\n  a:\n    routes: [{path: /}]\n    health: {path: /health}\n    retry: {attempts: 0}\n"+
		"    circuit_breaker: {failure_threshold: 3, recovery_timeout: 8s}\n    fallback: {status: 418, body: rest}\n    instances: [{id: x, url: %q}]\n", up.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	for range 3 {
		if got := status(t, p.Gateway+"/x"); got != http.StatusInternalServerError {
			t.Fatalf("answered %d", got)
		}
	}
	opened := time.Now()
	if got := status(t, p.Gateway+"/x"); got != http.StatusTeapot {
		t.Fatalf("with an open breaker: %d", got)
	}
	wantKept(t, p)
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	again := p.Again(t, "-c", file)
	again.Ready(t, 20*time.Second)
	if got := status(t, again.Gateway+"/x"); got != http.StatusTeapot {
		t.Errorf("after the restart the breaker lets a request through: %d", got)
	}
	if !strings.Contains(again.Log(), "as it was before the restart") {
		t.Error("the log does not say that the breaker was restored")
	}
	time.Sleep(time.Until(opened.Add(8500 * time.Millisecond)))
	if got := status(t, again.Gateway+"/x"); got != http.StatusInternalServerError {
		t.Errorf("at its next attempt the breaker does not probe: %d", got)
	}
}

// wantKept waits until the file of p's store says that a breaker is open.
func wantKept(t *testing.T, p *holdfast.Process) {
	t.Helper()
	s, err := openFile(p)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	holdfast.Poll(t, 20*time.Second, "an open breaker in the store", func() bool {
		list, err := s.Breakers(t.Context())
		must(t, err)
		return slices.ContainsFunc(list, func(b store.Breaker) bool { return b.State == "open" })
	})
}

// Health is kept: an instance that was up takes traffic before its first check
// is answered, one that was down takes none. Who has no memory must wait.
func TestHealthIsKeptOverAKill(t *testing.T) {
	t.Parallel()
	var silent atomic.Bool
	ended := make(chan struct{})
	instance := func(health int) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				_, _ = fmt.Fprint(w, health)
				return
			}
			if silent.Load() {
				select {
				case <-r.Context().Done():
				case <-ended:
				}
			}
			w.WriteHeader(health)
		})
	}
	up, down := instance(http.StatusOK), instance(http.StatusServiceUnavailable)
	t.Cleanup(func() { close(ended) }) // before the servers are closed, which wait for their requests
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf("functions:\n  a:\n    routes: [{path: /}]\n    retry: {attempts: 0}\n    health: {path: /health, interval: 60s, timeout: 60s}\n"+
		"    load_balancing: {strategy: round-robin}\n    instances: [{id: x, url: %q}, {id: y, url: %q}]\n", up, down)
	must(t, os.WriteFile(file, []byte(text), 0o600))
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, 20*time.Second)
	only := func(p *holdfast.Process, when string) {
		t.Helper()
		for range 10 {
			if code, body := get(t, p.Gateway+"/hello"); code != http.StatusOK || body != "200" {
				t.Errorf("%s: answered %d %s, want the instance that was up", when, code, body)
			}
		}
	}
	only(p, "before")
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.Data, "state.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	holdfast.Poll(t, 20*time.Second, "kept: one is up, one is down", func() bool {
		var up, all int
		must(t, db.QueryRowContext(t.Context(), "SELECT coalesce(sum(json_extract(data, '$.up')), 0), count(*) FROM holdfast_node_states WHERE kind = 'health'").Scan(&up, &all))
		return up == 1 && all == 2
	})
	silent.Store(true)
	must(t, p.Cmd.Process.Kill())
	only(p.Again(t, "-c", file), "after kill -9 and a restart")
	fresh := holdfast.Up(t, "-c", file)
	if code, _ := get(t, fresh.Gateway+"/hello"); code == http.StatusOK {
		t.Error("a Holdfast without memory sends a request to an instance it never checked: this test shows nothing")
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(b)
}
