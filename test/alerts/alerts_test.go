// Package alerts_test kills the real binary while it tells people what is wrong:
// every alert and every end arrives at least once.
package alerts_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/test/holdfast"
)

const patience = 2 * time.Minute

// ledger is what a receiver was told, by the id of an alert.
type ledger struct {
	closed atomic.Bool // it answers 503

	mu    sync.Mutex
	fired map[string]int
	ended map[string]int
	ids   map[string]int // of notifications
}

// ServeHTTP implements http.Handler.
func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n struct {
		ID     string `json:"id"`
		Alerts []struct {
			ID    string    `json:"id"`
			Ended time.Time `json:"ended"`
		} `json:"alerts"`
	}
	if l.closed.Load() {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids[n.ID]++
	for _, a := range n.Alerts {
		if a.Ended.IsZero() {
			l.fired[a.ID]++
		} else {
			l.ended[a.ID]++
		}
	}
}

func (l *ledger) has(fired, ended string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return (fired == "" || l.fired[fired] > 0) && (ended == "" || l.ended[ended] > 0)
}

// instance answers its health check as the test says.
func instance(t *testing.T, well *atomic.Bool) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !well.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

type list struct {
	Alerts []struct {
		ID       string `json:"id"`
		Rule     string `json:"rule"`
		Function string `json:"function"`
		State    string `json:"state"`
		Summary  string `json:"summary"`
		Next     string `json:"next"`
		Link     string `json:"link"`
	} `json:"alerts"`
	Recent []struct {
		ID string `json:"id"`
	} `json:"recent"`
}

// firing waits until no_instance of a function fires and returns its id.
func firing(t *testing.T, p *holdfast.Process, function string) string {
	t.Helper()
	id := ""
	holdfast.Poll(t, patience, "no_instance of "+function, func() bool {
		var v list
		if err := p.API("/api/v1/alerts", &v); err != nil {
			return false
		}
		for _, a := range v.Alerts {
			if a.Rule == "no_instance" && a.Function == function && a.State == "firing" {
				id = a.ID
				if a.Summary == "" || a.Next == "" || !strings.HasSuffix(a.Link, "/admin/monitoring#/functions/"+function) {
					t.Errorf("%+v", a)
				}
			}
		}
		return id != ""
	})
	return id
}

func resolved(t *testing.T, p *holdfast.Process, id string) {
	t.Helper()
	holdfast.Poll(t, patience, "the end of "+id, func() bool {
		var v list
		if err := p.API("/api/v1/alerts", &v); err != nil {
			return false
		}
		for _, a := range v.Recent {
			if a.ID == id {
				return true
			}
		}
		return false
	})
}

func kill(t *testing.T, p *holdfast.Process) {
	t.Helper()
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait(patience) // it was killed
}

// An alert fires and the process is killed at once; it ends and the process is
// killed at once; another one fires while its receiver takes nothing, and the
// process is killed again. The receiver has heard of all of it in the end, and
// the alert that went on through a restart was not a new one.
func TestEveryAlertAndItsEndAreToldThroughKills(t *testing.T) {
	t.Parallel()
	l := &ledger{fired: map[string]int{}, ended: map[string]int{}, ids: map[string]int{}}
	receiver := httptest.NewServer(l)
	t.Cleanup(receiver.Close)
	var a, b atomic.Bool
	a.Store(true)
	b.Store(true)
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	text := fmt.Sprintf(`alerts:
  wait: 0s
  interval: 0s
  rules:
    no_instance: {for: 1ms, keep: 1ms}
    instance_failed: {enabled: false}
    panic: {enabled: false}
  channels:
    ledger: {webhook: {url: %q}}
functions:
  a: {routes: [{path: /a}], health: {path: /, interval: 200ms}, instances: [{url: %q}]}
  b: {routes: [{path: /b}], health: {path: /, interval: 200ms}, instances: [{url: %q}]}
`, receiver.URL, instance(t, &a), instance(t, &b))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := holdfast.Up(t, "-c", file)
	p.Ready(t, patience)
	a.Store(false)
	first := firing(t, p, "a")
	kill(t, p)

	p = p.Again(t, "-c", file)
	if again := firing(t, p, "a"); again != first {
		t.Errorf("after a restart %s is %s: told as a new one", first, again)
	}
	holdfast.Poll(t, patience, "the first alert at the receiver", func() bool { return l.has(first, "") })
	l.closed.Store(true)
	b.Store(false)
	second := firing(t, p, "b")
	a.Store(true)
	resolved(t, p, first)
	kill(t, p)

	l.closed.Store(false)
	p = p.Again(t, "-c", file)
	holdfast.Poll(t, patience, "the first's end and the second at the receiver", func() bool { return l.has(second, first) })
	b.Store(true)
	resolved(t, p, second)
	holdfast.Poll(t, patience, "the second's end at the receiver", func() bool { return l.has(second, second) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.fired) != 2 || len(l.ended) != 2 {
		t.Errorf("told of %v and of the ends of %v, want two of each", l.fired, l.ended)
	}
}
