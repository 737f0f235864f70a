package middleware_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/middleware"
)

// inFront returns a handler for one function whose instances are urls.
func inFront(tb testing.TB, change func(*middleware.Config), urls ...string) *middleware.Handler {
	tb.Helper()
	f := middleware.Function{Name: "f", Routes: []exchange.Route{{Path: "/"}}}
	for i, u := range urls {
		f.Instances = append(f.Instances, balancer.Spec{ID: fmt.Sprint("i", i), Endpoint: u})
	}
	c := middleware.Config{Functions: []middleware.Function{f}}
	if change != nil {
		change(&c)
	}
	h, err := middleware.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.Close)
	return h
}

func instance(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("did not come about: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// http2 serves h to HTTP/2 clients.
func http2(t *testing.T, h http.Handler) (*http.Client, string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.Client(), srv.URL
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("read answer: %v", err)
	}
	return res, string(got)
}

func TestHTTP2ClientsAreServed(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("X-Saw", r.Proto+" "+r.Header.Get("X-Forwarded-Proto")+" "+r.RequestURI+" "+r.Host+" "+r.Header.Get("Via")[:3])
		n, _ := io.Copy(w, r.Body)
		w.Header().Set("X-Sum", fmt.Sprint(n))
	}))
	client, url := http2(t, h)
	body := strings.Repeat("abc", 100_000)
	res, got := do(t, client, "POST", url+"/a%2Fb?x;y", strings.NewReader(body))
	host := strings.TrimPrefix(url, "https://")
	if want := "HTTP/1.1 https /a%2Fb?x;y " + host + " 2.0"; res.Header.Get("X-Saw") != want {
		t.Errorf("instance saw %q, want %q", res.Header.Get("X-Saw"), want)
	}
	if res.ProtoMajor != 2 || got != body || res.Trailer.Get("X-Sum") != fmt.Sprint(len(body)) {
		t.Errorf("%s, %d bytes, trailer %v", res.Proto, len(got), res.Trailer)
	}
	if res.Header.Get("Keep-Alive") != "" || res.Header.Get("Connection") != "" {
		t.Errorf("connection fields on HTTP/2: %v", res.Header)
	}
}

func TestAnEarlyAnswerLeavesTheOtherStreamsOfAnHTTP2ConnectionAlone(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).EnableFullDuplex() // answer without reading on
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}))
	client, url := http2(t, h)
	for range 3 {
		pr, pw := io.Pipe() // never sends a byte
		res, _ := do(t, client, "POST", url, pr)
		_ = pw.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge || res.Header.Get("Connection") != "" {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
		if res, _ := do(t, client, "GET", url, nil); res.StatusCode != http.StatusOK {
			t.Errorf("%d", res.StatusCode)
		}
	}
}

func TestAnHTTP2StreamThatIsResetCancelsTheAttempt(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}), make(chan struct{})
	h := inFront(t, nil, instance(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(ended)
	}))
	client, url := http2(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-arrived
		cancel()
	}()
	if res, err := client.Do(r); err == nil {
		res.Body.Close()
		t.Error("answered")
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the attempt went on")
	}
	eventually(t, "nothing in flight", func() bool { return h.Function("f").InFlight() == 0 })
	if s := h.Function("f").Balancer().Stats(time.Now()).Instances[0]; s.Failures != 0 {
		t.Errorf("%d failures", s.Failures)
	}
}

func TestAnAnswerThatBreaksOffResetsTheHTTP2Stream(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	client, url := http2(t, h)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(r)
	if err != nil {
		return // the reset may come first
	}
	defer res.Body.Close()
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the client took %q for the whole answer", got)
	}
}
