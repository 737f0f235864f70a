package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin"
	"holdfast/internal/admin/access"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/store"
	"holdfast/internal/store/sqlite"
	"holdfast/internal/telemetry"
)

// patient is a recorder that streams can be written to.
type patient struct{ *httptest.ResponseRecorder }

// SetWriteDeadline is what http.ResponseController looks for.
func (patient) SetWriteDeadline(time.Time) error { return nil }

// FuzzQueries asks every question with parameters, names and the place where a
// stream broke off of every kind. Nothing may panic or be a failure of the
// server, refusals are an Error with a sentence, and a stream goes on at most
// where it broke off, in lines that are of the format.
func FuzzQueries(f *testing.F) {
	f.Add(byte(0), "public", "limit=0&before=x&from=yesterday", "", "")
	f.Add(byte(9), "a/b", "since=18446744073709551616", "x-1", "text/event-stream")
	f.Add(byte(10), "%00", "from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z&step=-1s", "-", "application/json")
	f.Add(byte(11), "..", "action=status&function=%ff", "1-18446744073709551615", "text/event-stream, */*")
	f.Add(byte(12), "?", "n=1e9;&&=&a=%zz", "1-1\n2", "")
	logs := telemetry.NewLogs(discard{}, false, 0, nil)
	events := event.NewBus(5)
	for range 8 {
		events.Publish(event.Event{Kind: event.Config, Function: "public", Reason: "a\nb\r\ndata: c"})
	}
	db, err := sqlite.Open(sqlite.Config{Path: filepath.Join(f.TempDir(), "state.db"), Timeout: time.Minute})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(f.Context()); err != nil {
		f.Fatal(err)
	}
	g := gateway.New(gateway.Config{Logger: logs.For("gateway"), Access: logs.Lines("access", "exchange", nil), Events: events, Secret: make([]byte, 32)})
	s := admin.New(admin.Config{
		Gateway: g, Events: events, Logs: logs, Version: "test", Store: db, History: past{},
		StoreHealth: func() store.Health { return store.Health{} },
		Values:      func(string) []admin.ConfigValue { return nil },
	})
	var questions []string
	for path, item := range s.API().OpenAPI().Paths {
		if item.Get != nil {
			questions = append(questions, path)
		}
	}
	slices.Sort(questions)
	handler := s.Unguarded()
	f.Fuzz(func(t *testing.T, which byte, name, query, last, accept string) {
		escaped := url.PathEscape(name)
		path := strings.NewReplacer("{function}", escaped, "{instance}", escaped, "{id}", escaped).Replace(questions[int(which)%len(questions)])
		u, err := url.Parse(path)
		if err != nil {
			t.Skip("no client could send it")
		}
		u.RawQuery = query
		ctx, stop := context.WithCancel(t.Context())
		stop() // a stream ends with what there is
		id := access.Identity{Kind: access.Bearer, Name: "fuzz", Role: store.Admin}
		r := (&http.Request{
			Method: http.MethodGet, URL: u, Host: "localhost", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RequestURI: u.RequestURI(),
			Header: http.Header{"Accept": {accept}, "Last-Event-Id": {last}},
		}).WithContext(access.NewContext(ctx, id))
		w := httptest.NewRecorder()
		handler.ServeHTTP(patient{w}, r)
		checkAnswer(t, u, last, w)
	})
}

func checkAnswer(t *testing.T, u *url.URL, last string, w *httptest.ResponseRecorder) {
	t.Helper()
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream") {
		checkStream(t, last, w.Body.String())
		return
	}
	if !strings.HasPrefix(u.Path, "/api/") || w.Code < 400 {
		return
	}
	var e admin.Error
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Message == "" {
		t.Errorf("%s: %d %q: %v", u, w.Code, w.Body, err)
	}
	// Reads of the store end with the request, which is over already.
	if w.Code == http.StatusInternalServerError && !strings.Contains(e.Message, "cancel") {
		t.Errorf("%s: %d %s", u, w.Code, w.Body)
	}
}

func checkStream(t *testing.T, last, text string) {
	t.Helper()
	seq := uint64(0)
	for block := range strings.SplitSeq(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		if block == "retry: 1000" || strings.HasPrefix(block, "event: gap\ndata: {\"missed\":") {
			continue
		}
		lines := strings.Split(block, "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "id: ") || !strings.HasPrefix(lines[1], "event: ") || strings.ContainsRune(block, '\r') {
			t.Fatalf("after %q the stream has the block %q", last, block)
		}
		var e event.Event
		if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &e); err != nil || e.Seq <= seq {
			t.Fatalf("after %q and %d: %q, %v", last, seq, block, err)
		}
		seq = e.Seq
	}
}
