package enginetest

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/middleware"
	"holdfast/retry"
)

func localTests() []test {
	return []test{
		{"without a route the answer is 404", noRoute},
		{"a local answer is text, or JSON for those who prefer it", localKinds},
		{"HEAD of a local answer has no body", localHead},
		{"a fallback answer is given as written", fallbackStatic},
		{"a fallback status without a body stays without", fallbackWithoutBody},
		{"a fallback redirect takes path and query along", fallbackRedirect},
		{"a fallback redirect does not lead to a host the client names", fallbackRedirectStaysHome},
		{"a fallback function answers with the body the first attempt had", fallbackFunction},
		{"an open breaker answers at once and says when to come back", openBreaker},
		{"a client's connection survives a local answer to a short upload", localKeepsConnection},
	}
}

// down is function "f" whose only instance is not there.
func down(t *testing.T) middleware.Function {
	t.Helper()
	f := in(deadEndpoint(t))
	f.NoRetry = true
	f.Breaker.FailureThreshold = -1
	return f
}

func noRoute(t *testing.T, start Start) {
	f := in(instance(t, echo))
	f.Routes[0].Path = "/here"
	w := newWorld(t, start, config(f))
	a := w.get(t, "/there")
	a.is(t, 404, "404 no route\n")
	if a.Header.Get("X-Request-Id") == "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", a.Header)
	}
}

func localKinds(t *testing.T, start Start) {
	w := newWorld(t, start, config(down(t)))
	for accept, wantJSON := range map[string]bool{
		"": false, "*/*": false, "text/html,application/xhtml+xml,*/*;q=0.8": false, "application/json": true,
		"Application/JSON, text/plain": true, "text/plain, application/json": false, "text/html;q=0.5, application/json;q=0.9": true,
		"application/problem+json": true, "application/json;q=0": false, "text/plain;q=x, application/json;q=0.1": true,
	} {
		r := w.request(t, "GET", "/", nil)
		r.Header.Set("Accept", accept)
		a := w.do(t, r)
		kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
		if !wantJSON {
			if kind != "text/plain" || a.body != "502 instance unreachable\n" {
				t.Errorf("Accept %q: %s %q", accept, kind, a.body)
			}
			continue
		}
		var p map[string]any
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || kind != "application/json" ||
			p["error"] != "instance unreachable" || p["status"] != 502.0 || p["request_id"] != a.Header.Get("X-Request-Id") || len(p) != 3 {
			t.Errorf("Accept %q: %s %q (%v)", accept, kind, a.body, err)
		}
	}
}

func localHead(t *testing.T, start Start) {
	w := newWorld(t, start, config(down(t)))
	conn, br := w.raw(t, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	a := readAnswer(t, br, "HEAD")
	if a.StatusCode != http.StatusBadGateway || a.Header.Get("Content-Length") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	_, _ = io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	if b := readAnswer(t, br, "HEAD"); b.StatusCode != http.StatusBadGateway {
		t.Errorf("the second answer is %d: the first had a body", b.StatusCode)
	}
}

func fallbackStatic(t *testing.T, start Start) {
	f := down(t)
	f.Policy.Fallback = &exchange.Fallback{
		Status: 503, Body: "<p>back soon", Header: map[string]string{"Content-Type": "text/html", "Cache-Control": "max-age=5"},
	}
	w := newWorld(t, start, config(f))
	a := w.get(t, "/")
	a.is(t, 503, "<p>back soon")
	if a.Header.Get("Content-Type") != "text/html" || a.Header.Get("Cache-Control") != "max-age=5" || a.Header.Get("X-Request-Id") == "" {
		t.Errorf("%v", a.Header)
	}
	if rec := w.record(t, a); !rec.Local || rec.Reason != exchange.ReasonUnreachable {
		t.Errorf("local %v, reason %s", rec.Local, rec.Reason)
	}
}

func fallbackWithoutBody(t *testing.T, start Start) {
	f := down(t)
	f.Policy.Fallback = &exchange.Fallback{Status: 204, Body: "never shown"}
	w := newWorld(t, start, config(f))
	w.get(t, "/").is(t, 204, "")
}

func fallbackRedirect(t *testing.T, start Start) {
	f := down(t)
	f.Policy.Fallback = &exchange.Fallback{Redirect: "https://other.test/base/*"}
	w := newWorld(t, start, config(f))
	a := w.get(t, "/a%2Fb?q=1;2")
	if got := a.Header.Get("Location"); a.StatusCode != http.StatusTemporaryRedirect || got != "https://other.test/base/a%2Fb?q=1;2" {
		t.Errorf("%d to %q", a.StatusCode, got)
	}
}

func fallbackRedirectStaysHome(t *testing.T, start Start) {
	f := down(t)
	f.Policy.Fallback = &exchange.Fallback{Redirect: "/*"}
	w := newWorld(t, start, config(f))
	if got := w.get(t, "//evil.test/x").Header.Get("Location"); got != "/evil.test/x" {
		t.Errorf("redirect to %q", got)
	}
}

func fallbackFunction(t *testing.T, start Start) {
	f := down(t)
	f.Instances[0].Endpoint = instance(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	f.Fallback = "spare"
	spare := in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "spare got "+string(body)+" as "+strconv.FormatInt(r.ContentLength, 10))
	}))
	spare.Name, spare.Routes = "spare", nil
	w := newWorld(t, start, config(f, spare))
	a := w.do(t, w.request(t, "PUT", "/", strings.NewReader("data")))
	a.is(t, 200, "spare got data as 4")
	if rec := w.record(t, a); rec.Fallback != exchange.ReasonReset || rec.N != 2 {
		t.Errorf("fallback for %s after %d attempts", rec.Fallback, rec.N)
	}
}

func openBreaker(t *testing.T, start Start) {
	f := down(t)
	f.Breaker = breaker.Config{FailureThreshold: 1, RecoveryTimeout: 90 * time.Second}
	w := newWorld(t, start, config(f))
	w.get(t, "/").is(t, 502, "502 instance unreachable\n")
	eventually(t, "an open breaker", func() bool { return w.Function("f").Breaker().State() == breaker.Open })
	a := w.get(t, "/")
	a.is(t, 503, "503 breaker open\n")
	if s, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || s < 80 || s > 90 {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
}

func localKeepsConnection(t *testing.T, start Start) {
	f := down(t)
	f.Policy.Retry = retry.Policy{}
	w := newWorld(t, start, config(f))
	conn, br := w.raw(t, "")
	var bodies []string
	for range 3 {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
		bodies = append(bodies, readAnswer(t, br, "POST").body)
	}
	if !slices.Equal(bodies, slices.Repeat([]string{"502 instance unreachable\n"}, 3)) {
		t.Errorf("%q", bodies)
	}
}
