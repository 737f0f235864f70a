package dashboard_test

import (
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
)

// throughProvider is the configuration that goes with a provider: its staff may
// look, its group sre may act.
const throughProvider = `
admin:
  oidc: {issuer: %q, client_id: %q, client_secret: %q, scopes: [profile, email, groups], roles: {viewer: [staff], operator: [sre]}}
`

// provider starts an OpenID Connect provider whose page asks who one is. It is
// known as localhost, which to a browser is another site than 127.0.0.1.
func provider(t *testing.T) *mockoidc.MockOIDC {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddMiddleware(func(next http.Handler) http.Handler { return whoIsThere(m, next) }); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(l, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Server.Close() }) // the browser keeps connections open
	m.Server.Addr = fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
	return m
}

// whoIsThere puts a page with people before the provider's answer. One of them
// is chosen by a link, and one link says no.
func whoIsThere(m *mockoidc.MockOIDC, next http.Handler) http.Handler {
	groups := map[string][]string{"vera": {"staff"}, "otto": {"staff", "sre"}, "gus": {"guests"}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		who := q.Get("who")
		switch {
		case r.URL.Path != mockoidc.AuthorizationEndpoint:
			next.ServeHTTP(w, r)
		case groups[who] != nil:
			m.QueueUser(&mockoidc.MockUser{Subject: who, Email: who + "@example.com", EmailVerified: true, Groups: groups[who]})
			next.ServeHTTP(w, r)
		case who == "nobody":
			back := url.Values{"error": {"access_denied"}, "state": {q.Get("state")}}
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, `<!DOCTYPE html><html lang="en"><title>Provider</title><link rel="icon" href="data:,"><h1>Who are you?</h1>`)
			for _, name := range []string{"vera", "otto", "gus", "nobody"} {
				q.Set("who", name)
				fmt.Fprintf(w, `<p><a href="%s">%s</a></p>`, html.EscapeString("?"+q.Encode()), name)
			}
		}
	})
}
