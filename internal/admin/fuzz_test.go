package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/internal/admin"
	"holdfast/internal/admin/access"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/store"
	"holdfast/internal/telemetry"
)

// FuzzBodies sends bodies of every kind to every operation that takes one, as
// an admin. Nothing may panic, and every answer must be JSON: an Error with a
// sentence and, where a field is wrong, its name.
func FuzzBodies(f *testing.F) {
	f.Add(byte(0), `{"action":"scale","function_name":"public","scale_action":"up"}`)
	f.Add(byte(1), `{"function_name":"public","recovery_config":{"retry":null},"x":[1e999]}`)
	f.Add(byte(2), `{"path":"log.level","value":"debug"}`)
	f.Add(byte(3), `{"name":"","role":"king","lifetime_seconds":-1}`)
	f.Add(byte(4), `[]`)
	f.Add(byte(5), `{"component":"*","level":"\u0000"}`)
	f.Add(byte(6), `{"weight":1e30}`)
	f.Add(byte(7), "\xff\xfe")
	logs := telemetry.NewLogs(discard{}, false, 0, nil)
	events := event.NewBus(10)
	g := gateway.New(gateway.Config{Logger: logs.For("gateway"), Access: logs.Lines("access", "exchange", nil), Events: events, Secret: make([]byte, 32)})
	s := admin.New(admin.Config{Gateway: g, Events: events, Logs: logs, Version: "test"})
	var taking [][2]string
	for path, item := range s.API().OpenAPI().Paths {
		for method, o := range operations(item) {
			if o.RequestBody != nil && path != "/api/v1/session" {
				taking = append(taking, [2]string{method, strings.NewReplacer("{function}", "public", "{instance}", "a", "{id}", "x").Replace(path)})
			}
		}
	}
	handler := s.Unguarded()
	f.Fuzz(func(t *testing.T, which byte, body string) {
		o := taking[int(which)%len(taking)]
		r := httptest.NewRequest(o[0], o[1], strings.NewReader(body))
		r = r.WithContext(access.NewContext(r.Context(), access.Identity{Kind: access.Bearer, Name: "fuzz", Role: store.Admin}))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		var e admin.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("%v: %d %q: %v", o, w.Code, w.Body, err)
		}
		if w.Code >= 400 && e.Message == "" || w.Code == http.StatusInternalServerError {
			t.Errorf("%v %q: %d %s", o, body, w.Code, w.Body)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
