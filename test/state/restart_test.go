// Package state_test shows what the store keeps, and that the gateway does not
// need it.
package state_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	time.Sleep(2500 * time.Millisecond) // states are written within two seconds
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
