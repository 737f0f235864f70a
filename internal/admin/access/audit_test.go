package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

func someone(t *testing.T) context.Context {
	t.Helper()
	return access.NewContext(t.Context(), access.Identity{Kind: access.Bearer, TokenID: "0123456789ab", Name: "ci", Role: store.Operator})
}

func TestAChangeHasItsEntryBeforeItIsMade(t *testing.T) {
	t.Parallel()
	m := &memory{}
	err := access.NewAudit(m, nil).Do(someone(t), access.Change{Action: "function.scale", Target: "public", Before: 1, After: 2, Reason: "sale, see http://u:secret@10.0.0.1/"}, func(context.Context) error {
		if len(m.audited()) != 1 {
			t.Error("the change came before its entry")
		}
		return nil
	})
	e := m.audited()
	if err != nil || len(e) != 1 || e[0].Action != "function.scale" || e[0].Target != "public" || string(e[0].Before) != "1" || string(e[0].After) != "2" || e[0].Reason != "sale, see http://u:***@10.0.0.1/" ||
		e[0].Actor != (store.Actor{Name: "ci", Role: store.Operator, Source: "local"}) || e[0].At.IsZero() || e[0].Error != "" {
		t.Errorf("%v, %+v", err, e)
	}
}

func TestWithoutAnEntryThereIsNoChange(t *testing.T) {
	t.Parallel()
	m := &memory{down: true}
	err := access.NewAudit(m, nil).Do(someone(t), access.Change{Action: "function.stop"}, func(context.Context) error {
		t.Error("the change was made")
		return nil
	})
	if !errors.Is(err, store.ErrUnavailable) || access.AsError(err).Status != http.StatusServiceUnavailable || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("%v", err)
	}
}

func TestAFailedChangeAndAnOutcomeHaveAnEntryOfTheirOwn(t *testing.T) {
	t.Parallel()
	m := &memory{}
	ctx, stop := context.WithCancel(someone(t))
	broken := errors.New("dial http://u:secret@10.0.0.1/: refused")
	err := access.NewAudit(m, nil).Do(ctx, access.Change{Action: "function.failover", After: "b2"}, func(context.Context) error {
		stop() // the client leaves
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("the error of the change is lost: %v", err)
	}
	if err := access.NewAudit(m, nil).DoTelling(someone(t), access.Change{Action: "function.clear-sessions"}, func(context.Context) (any, error) {
		return map[string]int{"cleared": 7}, nil
	}); err != nil {
		t.Error(err)
	}
	e := m.audited()
	if len(e) != 4 || e[0].ID == e[1].ID || e[1].Error != "dial http://u:***@10.0.0.1/: refused" || string(e[1].After) != `"b2"` || string(e[3].After) != `{"cleared":7}` {
		t.Errorf("%+v", e)
	}
}

func TestAForgottenEntryIsWrittenAndComplainedAbout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for _, c := range []struct {
			method string
			do     func(http.ResponseWriter, *http.Request)
			want   int
		}{
			{"PUT", func(http.ResponseWriter, *http.Request) {}, 1},
			{"GET", func(http.ResponseWriter, *http.Request) {}, 0},
			{"PUT", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, 0},
			{"POST", func(_ http.ResponseWriter, r *http.Request) { access.Covered(r.Context()) }, 0},
			{"POST", func(w http.ResponseWriter, r *http.Request) {
				err := b.audit.Do(r.Context(), access.Change{Action: "x"}, func(context.Context) error { return nil })
				if err != nil {
					t.Error(err)
				}
				w.WriteHeader(http.StatusNoContent)
			}, 1},
		} {
			before, complaints := len(b.store.audited()), strings.Count(b.logs.String(), "change without audit entry")
			b.handler = b.guard.Handler(b.audit.Handler(http.HandlerFunc(c.do)))
			b.ask(c.method, "/x", "", bearerOf(b.secrets[store.Admin]))
			if n := len(b.store.audited()) - before; n != c.want {
				t.Errorf("%s: %d entries, want %d", c.method, n, c.want)
			}
			forgotten := c.method == "PUT" && c.want == 1
			if got := strings.Count(b.logs.String(), "change without audit entry") - complaints; (got == 1) != forgotten {
				t.Errorf("%s: %d complaints", c.method, got)
			}
		}
		if e := b.store.audited()[0]; e.Action != "http.PUT" || e.Target != "/x" || e.Actor.Name != "the admin" {
			t.Errorf("%+v", e)
		}
	})
}

func TestTheAuditHandlerLetsAnswersStream(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	access.NewAudit(&memory{}, nil).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if !w.Flushed {
		t.Error("not flushed")
	}
}

func TestSecretsInEntriesAreMasked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   any
		want string
	}{
		{"nothing", nil, ""},
		{"plain", map[string]any{"retry": map[string]any{"attempts": 2}}, `{"retry":{"attempts":2}}`},
		{
			"by key",
			map[string]any{"password": "x", "api_key": 7, "Authorization": []string{"a"}, "deep": map[string]any{"client_secret": map[string]string{"a": "b"}}},
			`{"Authorization":"***","api_key":"***","deep":{"client_secret":"***"},"password":"***"}`,
		},
		{"empty ones stay empty", map[string]any{"password": "", "token": nil}, `{"password":"","token":null}`},
		{"ids and settings stay", map[string]any{"token_id": "0123456789ab", "hash_on": "client_ip", "hash_balance_factor": 1.25}, `{"hash_balance_factor":1.25,"hash_on":"client_ip","token_id":"0123456789ab"}`},
		{"by form", []string{sample, "Bearer " + sample, "postgres://u:p4ss@h/db"}, `["hf_0123456789ab_***","Bearer ***","postgres://u:***@h/db"]`},
		{"name and value", []map[string]string{{"name": "X-Api-Key", "value": "x"}, {"name": "Accept", "value": "y"}}, `[{"name":"X-Api-Key","value":"***"},{"name":"Accept","value":"y"}]`},
		{"large numbers", map[string]any{"n": json.Number("12345678901234567890")}, `{"n":12345678901234567890}`},
		{"a key", map[string]int{sample: 1}, `{"hf_0123456789ab_***":1}`},
		{"raw", json.RawMessage(`{"dsn":"x"}`), `{"dsn":"***"}`},
		{"no JSON", func() {}, `"not representable"`},
		{"a token row", store.Token{ID: "x", Hash: []byte("h")}, `{"created_at":"0001-01-01T00:00:00Z","created_by":"","id":"x","name":"","role":""}`},
	} {
		if got := string(access.MaskJSON(c.in)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
