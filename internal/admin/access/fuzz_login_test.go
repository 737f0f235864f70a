package access_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

// FuzzLogin sends bodies and the fields that browsers add. Nobody gets a
// cookie but who shows the token, from a page of this origin, and no answer
// repeats what was sent.
func FuzzLogin(f *testing.F) {
	boot, secret := store.NewToken("first", store.Admin, time.Time{}, time.Now())
	tokens := access.NewTokens(access.TokensConfig{Bootstrap: boot})
	for _, body := range []string{
		"", "{}", `{"token":""}`, `{"token":"` + sample + `"}`, `{"token":"` + secret + `"}`, `{"Token":" ` + secret + ` "}`, `{"token":["` + secret + `"]}`,
		`{"token":"` + secret + `"}{}`, `{"token":"` + secret + `","x":1}`, "[", strings.Repeat(" ", 5000) + "{}", "\xff",
	} {
		f.Add(body, "application/json", "http://localhost:8081", "same-origin")
		f.Add(body, "application/json; charset=utf-8", "", "")
	}
	f.Add(`{"token":"`+secret+`"}`, "application/json", "http://evil.example", "")
	f.Add(`{"token":"`+secret+`"}`, "text/plain", "null", "cross-site")
	f.Fuzz(func(t *testing.T, body, kind, origin, site string) {
		g, err := access.New(access.Config{Tokens: tokens})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "http://localhost:8081/login", strings.NewReader(body))
		for name, value := range map[string]string{"Content-Type": kind, "Origin": origin, "Sec-Fetch-Site": site} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		g.Handler(g.Login()).ServeHTTP(w, r)
		in := w.Header().Get("Set-Cookie") != ""
		if in != (w.Code == http.StatusOK) || in && (!strings.Contains(body, secret) || site == "cross-site") {
			t.Errorf("%q from %q, %q: %d, cookie %v", body, origin, site, w.Code, in)
		}
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("the answer holds the token: %s", w.Body)
		}
		switch w.Code {
		case 200, 400, 401, 403, 415, 429, 503:
		default:
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}
