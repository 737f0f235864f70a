package enginetest

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/middleware"
)

func affinityTests() []test {
	return []test{
		{"a cookie keeps a client on its instance", cookieKeeps},
		{"a cookie has the attributes it needs", cookieAttributes},
		{"a client whose instance is down moves and gets a new cookie", cookieMoves},
		{"a cookie comes with an upgrade too", cookieUpgraded},
		{"cleared sessions are void", cookieCleared},
		{"a forged cookie is worth nothing", cookieForged},
		{"a header keeps a client on its instance", headerKeeps},
	}
}

// named are instances that answer with their name.
func named(t *testing.T, n int) []string {
	t.Helper()
	var urls []string
	for i := range n {
		urls = append(urls, instance(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, string(rune('a'+i)))
		}))
	}
	return urls
}

func sticky(t *testing.T) middleware.Config {
	t.Helper()
	f := in(named(t, 3)...)
	f.Policy.Affinity = exchange.Affinity{Cookie: "hf", TTL: time.Hour}
	c := config(f)
	c.Secret = []byte("0123456789abcdef")
	return c
}

// visit sends a request with a cookie; it returns who answered and the cookie
// that was set.
func (w *world) visit(t *testing.T, cookie *http.Cookie) (string, *http.Cookie) {
	t.Helper()
	r := w.request(t, "GET", "/", nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	a := w.do(t, r)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%d %q", a.StatusCode, a.body)
	}
	for _, c := range a.Cookies() {
		if c.Name == "hf" {
			return a.body, c
		}
	}
	return a.body, nil
}

func cookieKeeps(t *testing.T, start Start) {
	w := newWorld(t, start, sticky(t))
	who, cookie := w.visit(t, nil)
	if cookie == nil {
		t.Fatal("no cookie was set")
	}
	for range 9 {
		if again, renewed := w.visit(t, cookie); again != who || renewed != nil {
			t.Errorf("%s answered instead of %s, renewed %v", again, who, renewed)
		}
	}
	others := map[string]bool{}
	for range 9 {
		other, _ := w.visit(t, nil)
		others[other] = true
	}
	if len(others) != 3 {
		t.Errorf("clients without a cookie met %v", others)
	}
}

func cookieAttributes(t *testing.T, start Start) {
	c := sticky(t)
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	w := newWorld(t, start, c)
	_, k := w.visit(t, nil)
	if k.Path != "/" || k.MaxAge != 3600 || !k.HttpOnly || k.Secure != (w.TLS != nil) || k.SameSite != http.SameSiteLaxMode {
		t.Errorf("plain: %+v", k)
	}
	r := w.request(t, "GET", "/", nil)
	r.Header.Set("X-Forwarded-Proto", "https")
	if k := w.do(t, r).Cookies()[0]; !k.Secure {
		t.Errorf("behind TLS: %+v", k)
	}
	c.Functions[0].Options.SameSite = http.SameSiteNoneMode
	w = newWorld(t, start, c)
	if _, k := w.visit(t, nil); !k.Secure || k.SameSite != http.SameSiteNoneMode {
		t.Errorf("SameSite=None: %+v", k)
	}
}

func cookieMoves(t *testing.T, start Start) {
	w := newWorld(t, start, sticky(t))
	who, cookie := w.visit(t, nil)
	b := w.Function("f").Balancer()
	for _, i := range b.Instances() {
		if i.ID() == "i"+string(who[0]-'a'+'0') {
			b.SetHealth(i, balancer.HealthDown, "test", time.Now())
		}
	}
	other, moved := w.visit(t, cookie)
	if other == who || moved == nil {
		t.Fatalf("%s answered after %s went down, cookie %v", other, who, moved)
	}
	if again, renewed := w.visit(t, moved); again != other || renewed != nil {
		t.Errorf("%s answered instead of %s, renewed %v", again, other, renewed)
	}
}

func cookieCleared(t *testing.T, start Start) {
	w := newWorld(t, start, sticky(t))
	_, cookie := w.visit(t, nil)
	if n := w.Function("f").ClearSessions(time.Now()); n != 1 {
		t.Errorf("%d sessions cleared, want 1", n)
	}
	if _, renewed := w.visit(t, cookie); renewed == nil || renewed.Value == cookie.Value {
		t.Errorf("the old cookie still holds: %v", renewed)
	}
}

func cookieForged(t *testing.T, start Start) {
	w := newWorld(t, start, sticky(t))
	_, cookie := w.visit(t, nil)
	cookie.Value = cookie.Value[:len(cookie.Value)-2] + "AA"
	if _, renewed := w.visit(t, cookie); renewed == nil {
		t.Error("a forged cookie was taken")
	}
}

func headerKeeps(t *testing.T, start Start) {
	f := in(named(t, 3)...)
	f.Policy.Affinity = exchange.Affinity{Header: "X-Session"}
	w := newWorld(t, start, config(f))
	first := map[string]string{}
	for range 5 {
		for _, session := range []string{"s1", "s2", "s3", "s4"} {
			r := w.request(t, "GET", "/", nil)
			r.Header.Set("X-Session", session)
			a := w.do(t, r)
			if who := first[session]; who != "" && who != a.body {
				t.Errorf("%s met %s after %s", session, a.body, who)
			}
			first[session] = a.body
			if len(a.Cookies()) > 0 {
				t.Error("a cookie was set")
			}
		}
	}
}

func cookieUpgraded(t *testing.T, start Start) {
	f := in(rawInstance(t, func(conn net.Conn, _ *http.Request) { _, _ = io.WriteString(conn, switched) }))
	f.Policy.Affinity = exchange.Affinity{Cookie: "hf", TTL: time.Hour}
	c := config(f)
	c.Secret = []byte("0123456789abcdef")
	w := newWorld(t, start, c)
	_, br := w.raw(t, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n")
	a := readAnswer(t, br, "GET")
	if cookies := a.Cookies(); a.StatusCode != http.StatusSwitchingProtocols || len(cookies) != 1 || cookies[0].Name != "hf" {
		t.Errorf("%d with cookies %v", a.StatusCode, a.Cookies())
	}
}
