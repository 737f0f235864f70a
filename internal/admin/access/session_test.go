package access_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/admin/access"
	"holdfast/internal/store"
)

func TestASessionIsAsGoodAsItsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		cookie := b.login(t, store.Operator)
		if w := b.ask("GET", "/act", "", cookie); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := b.ask("GET", "/change", "", cookie); w.Code != 403 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := b.ask("GET", "/who", "", cookie); !strings.Contains(w.Body.String(), `"kind":"session","name":"the operator","role":"operator"`) {
			t.Errorf("%s", w.Body)
		}
		if err := b.tokens.Revoke(t.Context(), b.ids[store.Operator], store.Actor{}); err != nil {
			t.Fatal(err)
		}
		if w := b.ask("GET", "/read", "", cookie); w.Code != 401 || !strings.Contains(w.Body.String(), "log in again") {
			t.Errorf("revoked: %d %s", w.Code, w.Body)
		}
	})
}

func TestSessionsEndByIdlenessAndByAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		busy := b.login(t, store.Viewer)
		for begun := time.Now(); time.Since(begun) < 12*time.Hour; time.Sleep(30*time.Minute - 1) {
			if w := b.ask("GET", "/read", "", busy); w.Code != 200 {
				t.Fatalf("busy, after %v: %d", time.Since(begun), w.Code)
			}
		}
		if w := b.ask("GET", "/read", "", busy); w.Code != 401 {
			t.Errorf("after 12 h: %d", w.Code)
		}
		idle := b.login(t, store.Viewer)
		time.Sleep(30 * time.Minute)
		if w := b.ask("GET", "/read", "", idle); w.Code != 401 {
			t.Errorf("idle for 30 min: %d", w.Code)
		}
	})
}

func TestLogoutEndsTheSessionAndNotOnlyTheCookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		cookie := b.login(t, store.Viewer)
		w := b.ask("POST", "/logout", "", cookie, "Sec-Fetch-Site: same-origin")
		if w.Code != 204 || w.Result().Cookies()[0].MaxAge >= 0 {
			t.Errorf("%d %v", w.Code, w.Result().Cookies())
		}
		if w := b.ask("GET", "/read", "", cookie); w.Code != 401 {
			t.Errorf("afterwards: %d", w.Code)
		}
		if w := b.ask("POST", "/logout", "", "Sec-Fetch-Site: same-origin"); w.Code != 204 {
			t.Errorf("without a session: %d", w.Code)
		}
		if e := b.store.audited(); len(e) != 2 || e[0].Action != "session.login" || e[1].Action != "session.logout" || e[0].Actor.Name != "the viewer" || e[0].Actor.Source != "192.0.2.1" {
			t.Errorf("audit: %+v", e)
		}
	})
}

func TestANewLoginReplacesTheSessionOfTheBrowser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		old := b.login(t, store.Viewer)
		b.login(t, store.Admin, old)
		if w := b.ask("GET", "/read", "", old); w.Code != 401 {
			t.Errorf("the old one: %d", w.Code)
		}
	})
}

func TestTheOldestSessionOfATokenMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) { c.Sessions.PerToken = 2 })
		other := b.login(t, store.Admin)
		first, second := b.login(t, store.Viewer), b.login(t, store.Viewer)
		b.ask("GET", "/read", "", first) // the second is now unused for longer
		third := b.login(t, store.Viewer)
		for name, c := range map[string]struct {
			cookie string
			want   int
		}{"first": {first, 200}, "second": {second, 401}, "third": {third, 200}, "other": {other, 200}} {
			if w := b.ask("GET", "/read", "", c.cookie); w.Code != c.want {
				t.Errorf("%s: %d, want %d", name, w.Code, c.want)
			}
		}
	})
}

func TestCookiesAreAsStrictAsTheConnectionAllows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			url    string
			proxy  bool
			prefix string
			secure bool
		}{
			{"http://localhost/login", false, "holdfast=hfs_", false},
			{"https://holdfast.example/login", false, "__Host-holdfast=hfs_", true},
			{"http://holdfast.example/login", true, "__Host-holdfast=hfs_", true},
		} {
			b := newBench(t, func(a *access.Config) { a.Sessions.Secure = c.proxy })
			r := httptest.NewRequest(http.MethodPost, c.url, strings.NewReader(`{"token":"`+b.secrets[store.Viewer]+`"}`))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			b.handler.ServeHTTP(w, r)
			got := w.Header().Get("Set-Cookie")
			if !strings.HasPrefix(got, c.prefix) || strings.Contains(got, "Secure") != c.secure || strings.Contains(got, "Domain") ||
				!strings.Contains(got, "HttpOnly") || !strings.Contains(got, "SameSite=Strict") || !strings.Contains(got, "Path=/") {
				t.Errorf("%s: %d, %s", c.url, w.Code, got)
			}
		}
	})
}

// A plain cookie on a TLS listener may have been planted by plain HTTP.
func TestOnTLSOnlyTheHostCookieCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		cookie := b.login(t, store.Viewer) // plain
		r := httptest.NewRequest(http.MethodGet, "https://localhost/read", nil)
		r.Header.Set("Cookie", strings.TrimPrefix(cookie, "Cookie: "))
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		if w.Code != 401 {
			t.Errorf("%d", w.Code)
		}
	})
}

func TestWhatIsNoLoginIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *access.Config) { c.Limits.Failures = 1000 })
		good := `{"token":"` + b.secrets[store.Viewer] + `"}`
		for _, c := range []struct {
			name, body string
			headers    []string
			want       int
		}{
			{"form", "token=" + b.secrets[store.Viewer], []string{"Content-Type: application/x-www-form-urlencoded"}, 415},
			{"plain text", good, []string{"Content-Type: text/plain"}, 415},
			{"no type", good, nil, 415},
			{"no JSON", "hf_", []string{"Content-Type: application/json"}, 400},
			{"two values", good + good, []string{"Content-Type: application/json"}, 400},
			{"unknown field", `{"token":"x","next":"/"}`, []string{"Content-Type: application/json"}, 400},
			{"too long", `{"token":"` + strings.Repeat("x", 5000) + `"}`, []string{"Content-Type: application/json"}, 400},
			{"no token", `{}`, []string{"Content-Type: application/json"}, 401},
			{"wrong token", `{"token":"hf_000000000000_` + strings.Repeat("0", 64) + `"}`, []string{"Content-Type: application/json"}, 401},
			{"another site", good, []string{"Content-Type: application/json", "Sec-Fetch-Site: cross-site"}, 403},
			{"another port", good, []string{"Content-Type: application/json", "Sec-Fetch-Site: same-site"}, 403},
			{"another origin", good, []string{"Content-Type: application/json", "Origin: http://evil.example"}, 403},
			{"good", good, []string{"Content-Type: application/json; charset=utf-8"}, 200},
		} {
			w := b.ask("POST", "/login", c.body, c.headers...)
			if w.Code != c.want || c.want != 200 && w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.want)
			}
			if strings.Contains(w.Body.String(), "5000") || strings.Contains(w.Body.String(), b.secrets[store.Viewer]) {
				t.Errorf("%s: the answer quotes the body: %s", c.name, w.Body)
			}
		}
	})
}

func TestLoginNeedsNoStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.store.setDown(true)
		if w := b.ask("GET", "/read", "", b.login(t, store.Viewer)); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestOnlyOwnPagesUseTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		cookie, token := b.login(t, store.Admin), bearerOf(b.secrets[store.Admin])
		for _, c := range []struct {
			name, method string
			headers      []string
			want         int
		}{
			{"own page, modern browser", "PUT", []string{"Sec-Fetch-Site: same-origin", "Origin: http://localhost:8081"}, 200},
			{"own page, no Origin", "PUT", []string{"Sec-Fetch-Site: same-origin"}, 200},
			{"own page, old browser", "PUT", []string{"Origin: http://localhost:8081"}, 200},
			{"neither header", "PUT", nil, 403},
			{"another site", "PUT", []string{"Sec-Fetch-Site: cross-site", "Origin: http://evil.example"}, 403},
			{"another port of this host", "POST", []string{"Sec-Fetch-Site: same-site", "Origin: http://localhost:3000"}, 403},
			{"another port, old browser", "POST", []string{"Origin: http://localhost:3000"}, 403},
			{"another scheme", "POST", []string{"Origin: https://localhost:8081"}, 403},
			{"opaque origin", "POST", []string{"Origin: null"}, 403},
			{"origin with user", "POST", []string{"Origin: http://x@localhost:8081"}, 403},
			{"origin with path", "POST", []string{"Origin: http://localhost:8081/x"}, 403},
			{"headers that disagree", "POST", []string{"Sec-Fetch-Site: same-origin", "Origin: http://evil.example"}, 403},
			{"typed by the user", "POST", []string{"Sec-Fetch-Site: none"}, 403},
			{"unknown word", "POST", []string{"Sec-Fetch-Site: SAME-ORIGIN"}, 403},
			{"unknown method", "BREW", nil, 403},
			{"delete", "DELETE", nil, 403},
			{"reading, own page", "GET", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"}, 200},
			{"reading, old browser", "GET", nil, 200},
			{"reading, typed", "GET", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200},
			{"reading, a link", "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
			{"reading, a script of another port", "GET", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"}, 403},
			{"reading, another site", "HEAD", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"}, 403},
		} {
			if w := b.ask(c.method, "/change", "", append(c.headers, cookie)...); w.Code != c.want {
				t.Errorf("%s: %d %s, want %d", c.name, w.Code, w.Body, c.want)
			}
			if w := b.ask(c.method, "/change", "", append(c.headers, token)...); w.Code != 200 {
				t.Errorf("%s, with a token: %d %s", c.name, w.Code, w.Body)
			}
		}
	})
}

func TestATokenCountsBeforeACookie(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		cookie := b.login(t, store.Admin)
		if w := b.ask("GET", "/change", "", cookie, bearerOf(b.secrets[store.Viewer])); w.Code != 403 {
			t.Errorf("the stronger one was taken: %d", w.Code)
		}
		if w := b.ask("GET", "/change", "", cookie, "Authorization: Bearer nonsense"); w.Code != 401 {
			t.Errorf("a wrong token was passed over: %d", w.Code)
		}
		if w := b.ask("GET", "/change", "", cookie+"; "+strings.TrimPrefix(b.login(t, store.Viewer), "Cookie: ")); w.Code != 401 {
			t.Errorf("one of two cookies was taken: %d", w.Code)
		}
	})
}
