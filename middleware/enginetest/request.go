package enginetest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"holdfast/exchange"
	"holdfast/middleware"
)

func requestTests() []test {
	return []test{
		{"path and query arrive byte for byte", targetsArrive},
		{"escaped letters in a path are decoded for matching and for the instance alike", escapesAreDecodedOnce},
		{"ambiguous paths are refused", ambiguousPathsAreRefused},
		{"a prefix is stripped from the bytes of the path", prefixIsStripped},
		{"an absolute target is routed by its own host", absoluteTarget},
		{"the client's Host arrives, or the instance's where wanted", hostArrives},
		{"a Host that is none is refused", hostIsChecked},
		{"CONNECT is refused", connectIsRefused},
		{"OPTIONS of the server is answered by the gateway", optionsOfTheServer},
		{"Max-Forwards is counted down and ends at zero", maxForwards},
		{"a request that went in a circle is refused", loopIsRefused},
		{"an HTTP/1.0 client is served", oldClient},
		{"a request without a User-Agent stays without", noUserAgent},
	}
}

// echo answers with the request line, Host and fields as they arrived.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Target", r.RequestURI)
	w.Header().Set("X-Host", r.Host)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, v := range r.Header[name] {
			_, _ = fmt.Fprintf(w, "%s: %s\n", name, v)
		}
	}
}

// field returns all values of a field in echo's answer.
func (a answer) field(name string) []string {
	var values []string
	for line := range strings.Lines(a.body) {
		if k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); k == name {
			values = append(values, v)
		}
	}
	return values
}

// sees fails the test unless the instance saw exactly these values of a field.
func (a answer) sees(t *testing.T, name string, want ...string) {
	t.Helper()
	if got := a.field(name); !slices.Equal(got, want) {
		t.Errorf("instance saw %s %q, want %q", name, got, want)
	}
}

func targetsArrive(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	for _, target := range []string{
		"/", "/a/b", "/a%2Fb", "/a%2fb;v=1", "//a//b/", "/a;x=1/b", "/!$&'()*+,;=:@-._~[]", `/a|b"c{d}^`, "/%C3%A9",
		"/?a=1;b&%zz", "/x?", "/x??y=/../", "/x?q=a+b%20c&empty=&=", `/x?"<>{}|`, "/%e2%82%ac?%e2",
	} {
		a := w.rawAnswer(t, "GET", "GET "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if got := a.Header.Get("X-Target"); got != target || a.StatusCode != http.StatusOK {
			t.Errorf("%s arrived as %q, %d %s", target, got, a.StatusCode, a.body)
		}
	}
}

func escapesAreDecodedOnce(t *testing.T, start Start) {
	f := in(instance(t, echo))
	f.Routes = []exchange.Route{{Path: "/admin"}}
	w := newWorld(t, start, config(f))
	a := w.rawAnswer(t, "GET", "GET /%61dmin/%7Ex%2541 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if got := a.Header.Get("X-Target"); got != "/admin/~x%2541" {
		t.Errorf("arrived as %q (%d)", got, a.StatusCode)
	}
}

func ambiguousPathsAreRefused(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	for _, path := range []string{"/a/../b", "/%2e%2e/b", "/a/..;/b", "/./a", `/a\b`, "/a%5cb", "/a%00", "/a#b", "/a%2f..%2fb", "/%c0%ae%c0%ae/b"} {
		a := w.rawAnswer(t, "GET", "GET "+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("X-Target") != "" {
			t.Errorf("%s: %d, want 400 from the gateway", path, a.StatusCode)
		}
	}
}

func prefixIsStripped(t *testing.T, start Start) {
	f := in(instance(t, echo))
	f.Routes = []exchange.Route{{Path: "/api/", StripPrefix: true}}
	w := newWorld(t, start, config(f))
	for target, want := range map[string]string{"/api/": "/", "/api/a%2Fb?q": "/a%2Fb?q", "/api//x": "//x"} {
		if got := w.get(t, target).Header.Get("X-Target"); got != want {
			t.Errorf("%s arrived as %q, want %q", target, got, want)
		}
	}
}

func absoluteTarget(t *testing.T, start Start) {
	f := in(instance(t, echo))
	f.Routes = []exchange.Route{{Host: "one.test"}}
	w := newWorld(t, start, config(f))
	a := w.rawAnswer(t, "GET", "GET http://one.test/x%2Fy?q HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n")
	if a.Header.Get("X-Target") != "/x%2Fy?q" || a.Header.Get("X-Host") != "one.test" {
		t.Errorf("arrived as %q for %q (%d)", a.Header.Get("X-Target"), a.Header.Get("X-Host"), a.StatusCode)
	}
}

func hostArrives(t *testing.T, start Start) {
	url := instance(t, echo)
	own := in(url)
	own.Name, own.Options.InstanceHost = "own", true
	own.Routes = []exchange.Route{{Path: "/own"}}
	w := newWorld(t, start, config(in(url), own))
	for path, want := range map[string]string{"/": "Some.Host:8123", "/own": strings.TrimPrefix(url, "http://")} {
		r := w.request(t, "GET", path, nil)
		r.Host = "Some.Host:8123"
		if got := w.do(t, r).Header.Get("X-Host"); got != want {
			t.Errorf("%s: instance saw host %q, want %q", path, got, want)
		}
	}
}

func hostIsChecked(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	for _, host := range []string{"user@host", "a,b", "host/path", "a b"} {
		a := w.rawAnswer(t, "GET", "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		if a.StatusCode != http.StatusBadRequest {
			t.Errorf("host %q: %d, want 400", host, a.StatusCode)
		}
	}
	w.blameless(t)
}

func connectIsRefused(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	a := w.rawAnswer(t, "CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nConnection: close\r\n\r\n")
	if a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("X-Request-Id") == "" {
		t.Errorf("%d, id %q", a.StatusCode, a.Header.Get("X-Request-Id"))
	}
}

func optionsOfTheServer(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	a := w.rawAnswer(t, "OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if a.StatusCode/100 != 2 || a.Header.Get("X-Target") != "" {
		t.Errorf("%d, instance saw %q", a.StatusCode, a.Header.Get("X-Target"))
	}
}

func maxForwards(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	for _, c := range []struct {
		method, given, arrives string
		status                 int
	}{
		{"OPTIONS", "5", "4", 200},
		{"OPTIONS", "0", "", 204},
		{"OPTIONS", "x", "", 400},
		{"TRACE", "0", "", 405},
		{"TRACE", "1", "0", 200},
		{"GET", "0", "0", 200},
	} {
		r := w.request(t, c.method, "/", nil)
		r.Header.Set("Max-Forwards", c.given)
		a := w.do(t, r)
		if got := strings.Join(a.field("Max-Forwards"), ","); a.StatusCode != c.status || got != c.arrives || a.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s with %s: %d, arrives %q, want %d, %q", c.method, c.given, a.StatusCode, got, c.status, c.arrives)
		}
	}
}

func loopIsRefused(t *testing.T, start Start) {
	var w *world
	asked := 0
	url := instance(t, func(rw http.ResponseWriter, r *http.Request) {
		asked++
		again := w.request(t, "GET", "/", nil) //nolint:contextcheck // the test's context will do
		again.Header["Via"] = r.Header["Via"]
		a := w.do(t, again)
		rw.WriteHeader(a.StatusCode)
		_, _ = io.WriteString(rw, a.body)
	})
	w = newWorld(t, start, config(in(url)))
	if a := w.get(t, "/"); a.StatusCode != http.StatusLoopDetected || asked != 1 {
		t.Errorf("%d after %d rounds, want 508 after 1", a.StatusCode, asked)
	}
}

func oldClient(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, " "+r.Header.Get("Via")[:3])
	}))))
	a := w.rawAnswer(t, "GET", "GET / HTTP/1.0\r\n\r\n")
	a.is(t, 200, "hello 1.0")
	if len(a.TransferEncoding) > 0 {
		t.Errorf("an HTTP/1.0 client got %v", a.TransferEncoding)
	}
}

func noUserAgent(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	r := w.request(t, "GET", "/", nil)
	r.Header["User-Agent"] = nil
	w.do(t, r).sees(t, "User-Agent")
}

func forwardingTests() []test {
	return []test{
		{"a stranger's word on who it is does not arrive", strangersAreNotHeard},
		{"a trusted proxy's word is continued", trustedIsContinued},
		{"the client is the first untrusted from the right", clientBehindProxies},
		{"hop-by-hop fields stay on their hop", hopByHop},
		{"Connection cannot remove what servers act upon", connectionIsGuarded},
		{"twins with underscores do not arrive", twins},
		{"every request has an id", requestIDs},
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}

func strangersAreNotHeard(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, echo))))
	r := w.request(t, "GET", "/", nil)
	r.Host = "real.test"
	for _, name := range []string{
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Anything", "X-Real-Ip", "Forwarded", "X-Request-Id", "Proxy",
	} {
		r.Header[name] = []string{"6.6.6.6", "https"}
	}
	a := w.do(t, r)
	a.sees(t, "X-Forwarded-For", "127.0.0.1")
	a.sees(t, "X-Forwarded-Host", "real.test")
	a.sees(t, "X-Forwarded-Proto", w.proto())
	a.sees(t, "X-Real-Ip", "127.0.0.1")
	for _, name := range []string{"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Anything", "Forwarded", "Proxy"} {
		a.sees(t, name)
	}
	if strings.Contains(a.body, "6.6.6.6") {
		t.Errorf("the stranger was heard:\n%s", a.body)
	}
}

func trustedIsContinued(t *testing.T, start Start) {
	c := config(in(instance(t, echo)))
	c.TrustedProxies = loopback
	w := newWorld(t, start, c)
	r := w.request(t, "GET", "/", nil)
	r.Header["X-Forwarded-For"] = []string{"9.9.9.9, 10.0.0.1", "10.0.0.2"}
	r.Header.Set("X-Forwarded-Proto", "HTTPS, http")
	r.Header.Set("X-Forwarded-Host", "public.test, inner.test")
	r.Header.Set("X-Forwarded-Port", "443")
	r.Header.Set("X-Request-Id", "given-by.the/proxy")
	r.Header.Set("Forwarded", "for=9.9.9.9;proto=https")
	r.Header.Set("Via", "1.1 edge")
	a := w.do(t, r)
	a.sees(t, "X-Forwarded-For", "9.9.9.9, 10.0.0.1, 10.0.0.2, 127.0.0.1")
	a.sees(t, "X-Forwarded-Proto", "https")
	a.sees(t, "X-Forwarded-Host", "public.test")
	a.sees(t, "X-Forwarded-Port", "443")
	a.sees(t, "X-Real-Ip", "9.9.9.9")
	a.sees(t, "X-Request-Id", "given-by.the/proxy")
	a.sees(t, "Forwarded", `for=9.9.9.9;proto=https, for=127.0.0.1;host="`+w.addr+`";proto=`+w.proto())
	// Two lines or one list are the same to everybody (RFC 9110, 5.3).
	if via := strings.Split(strings.Join(a.field("Via"), ", "), ", "); len(via) != 2 || via[0] != "1.1 edge" || !strings.HasPrefix(via[1], "1.1 ") {
		t.Errorf("instance saw Via %q", via)
	}
	if got := w.record(t, a).Client; got != netip.MustParseAddr("9.9.9.9") {
		t.Errorf("the record names client %s", got)
	}
}

func clientBehindProxies(t *testing.T, start Start) {
	c := config(in(instance(t, echo)))
	c.TrustedProxies = loopback
	w := newWorld(t, start, c)
	for given, want := range map[string]string{
		"":                            "127.0.0.1",
		"1.2.3.4":                     "1.2.3.4",
		"6.6.6.6, 1.2.3.4":            "1.2.3.4",
		"6.6.6.6, 1.2.3.4, 10.1.1.1":  "1.2.3.4",
		"10.1.1.1, 10.2.2.2":          "10.1.1.1",
		"1.2.3.4:5678":                "1.2.3.4",
		"[2001:db9::1]:443, 10.1.1.1": "2001:db9::1",
		"[2001:db9::1]":               "2001:db9::1",
		"2001:db9::1, 2001:db8::7":    "2001:db9::1",
		"::ffff:1.2.3.4":              "1.2.3.4",
		"1.2.3.4, garbage":            "127.0.0.1",
		"1.2.3.4, garbage, 10.1.1.1":  "10.1.1.1",
		"1.2.3.4,, 10.1.1.1":          "10.1.1.1",
		"1.2.3.4, 10.1.1.1, unknown":  "127.0.0.1",
		"[1.2.3.4, 10.1.1.1":          "10.1.1.1",
		"999.1.1.1":                   "127.0.0.1",
		strings.Repeat("5.5.5.5, ", 50) + "7.7.7.7": "7.7.7.7",
	} {
		r := w.request(t, "GET", "/", nil)
		if given != "" {
			r.Header.Set("X-Forwarded-For", given)
		}
		a := w.do(t, r)
		if got := a.field("X-Real-Ip"); !slices.Equal(got, []string{want}) {
			t.Errorf("X-Forwarded-For %q: client %q, want %s", given, got, want)
		}
	}
}

func hopByHop(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("Proxy-Authenticate", "Basic")
		w.Header().Set("X-Hop", "1")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-End", "2")
		echo(w, r)
	}))))
	a := w.rawAnswer(t, "GET", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Mine, TE\r\nX-Mine: 1\r\nKeep-Alive: 3\r\n"+
		"Proxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nTE: trailers, gzip\r\nUpgrade: h2c\r\nX-Other: 2\r\n\r\n")
	for _, name := range []string{"X-Mine", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Upgrade", "Connection"} {
		a.sees(t, name)
	}
	a.sees(t, "Te", "trailers")
	a.sees(t, "X-Other", "2")
	for name, want := range map[string]string{"Keep-Alive": "", "Proxy-Authenticate": "", "X-Hop": "", "X-End": "2"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("client saw %s %q, want %q", name, got, want)
		}
	}
}

func connectionIsGuarded(t *testing.T, start Start) {
	c := config(in(instance(t, echo)))
	w := newWorld(t, start, c)
	a := w.rawAnswer(t, "GET", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, x-forwarded-for, Authorization ,COOKIE, host, X-Request-Id, X-Gone\r\n"+
		"Authorization: Bearer a\r\nCookie: b=c\r\nX-Gone: 1\r\n\r\n")
	a.sees(t, "X-Forwarded-For", "127.0.0.1")
	a.sees(t, "Authorization", "Bearer a")
	a.sees(t, "Cookie", "b=c")
	a.sees(t, "X-Gone")
	if len(a.field("X-Request-Id")) != 1 || a.Header.Get("X-Host") != "h" {
		t.Errorf("instance saw\n%s", a.body)
	}
}

func twins(t *testing.T, start Start) {
	c := config(in(instance(t, echo)))
	c.TrustedProxies = loopback
	w := newWorld(t, start, c)
	a := w.rawAnswer(t, "GET", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\n"+
		"x_real_ip: 6.6.6.6\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\nX_Request_Id: 6\r\nX_Forwarded_Prefix: /6\r\nMy_Own: kept\r\n\r\n")
	a.sees(t, "My_own", "kept")
	for line := range strings.Lines(a.body) {
		if name, _, _ := strings.Cut(line, ":"); strings.Contains(name, "_") && name != "My_own" {
			t.Errorf("instance saw %s", line)
		}
	}
}

func requestIDs(t *testing.T, start Start) {
	c := config(in(instance(t, echo)), middleware.Function{Name: "empty", Routes: []exchange.Route{{Path: "/empty"}}})
	w := newWorld(t, start, c)
	seen := map[string]bool{}
	for target, status := range map[string]int{"/": 200, "/%2e%2e": 400, "/empty": 503} {
		a := w.get(t, target)
		id := a.Header.Get("X-Request-Id")
		if a.StatusCode != status || id == "" || seen[id] {
			t.Errorf("%s: %d with id %q", target, a.StatusCode, id)
		}
		seen[id] = true
		if status == 200 {
			a.sees(t, "X-Request-Id", id)
		}
	}
	f := in(instance(t, echo))
	f.Routes[0].Path = "/only"
	c = config(f)
	c.TrustedProxies = loopback
	w = newWorld(t, start, c)
	r := w.request(t, "GET", "/none", nil)
	r.Header.Set("X-Request-Id", "from-proxy")
	if a := w.do(t, r); a.StatusCode != http.StatusNotFound || a.Header.Get("X-Request-Id") != "from-proxy" {
		t.Errorf("%d with id %q", a.StatusCode, a.Header.Get("X-Request-Id"))
	}
	r.Header.Set("X-Request-Id", "bad id\u00e9")
	if id := w.do(t, r).Header.Get("X-Request-Id"); !validHex(id) {
		t.Errorf("a malformed id was kept: %q", id)
	}
}

func validHex(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}
