package httpload_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/loadtest"
	"holdfast/loadtest/httpload"
	"holdfast/test/port"
)

func TestMain(m *testing.M) {
	if serve := os.Getenv("HOLDFAST_TEST_SERVER"); serve != "" {
		server(serve)
		return
	}
	goleak.VerifyTestMain(m)
}

// raw listens and hands each connection to serve, which ends it.
func raw(t *testing.T, serve func(c net.Conn, n int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c, n)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// answering reads heads and answers each with text.
func answering(text string) func(net.Conn, int) {
	return func(c net.Conn, _ int) {
		for r := bufio.NewReader(c); readHead(r); {
			if _, err := io.WriteString(c, text); err != nil || !strings.Contains(text, "200 OK") {
				return
			}
		}
	}
}

func readHead(r *bufio.Reader) bool {
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == "\r\n" {
			return err == nil
		}
	}
}

// run sends n requests by one user.
func run(t *testing.T, c httpload.Config, n int64) *loadtest.Result {
	t.Helper()
	client, err := httpload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return runClient(t, client, n)
}

func runClient(t *testing.T, client *httpload.Client, n int64) *loadtest.Result {
	t.Helper()
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: 1, Requests: n, Duration: time.Minute, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(url string) []httpload.Request { return []httpload.Request{{URL: url}} }

func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer string
		class  loadtest.Class
		status int
	}{
		"sized":                  {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", loadtest.OK, 200},
		"empty":                  {"HTTP/1.1 204 No Content\r\n\r\n", loadtest.OK, 204},
		"not modified":           {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", loadtest.OK, 304},
		"chunked":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", loadtest.OK, 200},
		"until close":            {"HTTP/1.1 200 fine\r\n\r\nhello", loadtest.OK, 200},
		"interim":                {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 fine\r\nContent-Length: 0\r\n\r\n", loadtest.OK, 200},
		"redirect":               {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", loadtest.OK, 302},
		"not found":              {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", loadtest.BadStatus, 404},
		"broken":                 {"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", loadtest.BadStatus, 500},
		"overloaded":             {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", loadtest.BadStatus, 503},
		"overloaded for a while": {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", loadtest.RateLimited, 503},
		"too many":               {"HTTP/1.1 429 Slow Down\r\nContent-Length: 0\r\n\r\n", loadtest.RateLimited, 429},
		"cut head":               {"HTTP/1.1 200 fine\r\nContent-Le", loadtest.Truncated, 0},
		"cut body":               {"HTTP/1.1 200 fine\r\nContent-Length: 9\r\n\r\nhell", loadtest.Truncated, 200},
		"cut chunk":              {"HTTP/1.1 200 fine\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhell", loadtest.Truncated, 200},
		"broken chunk":           {"HTTP/1.1 200 fine\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", loadtest.Malformed, 200},
		"two lengths":            {"HTTP/1.1 200 fine\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", loadtest.Malformed, 0},
		"no HTTP":                {"SSH-2.0-OpenSSH\r\n", loadtest.Malformed, 0},
		"more than it says":      {"HTTP/1.1 200 fine\r\nContent-Length: 2\r\n\r\nhello", loadtest.Malformed, 200},
		"bytes without a body":   {"HTTP/1.1 204 fine\r\n\r\nhello", loadtest.Malformed, 204},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, httpload.Config{Requests: get(raw(t, answering(c.answer)))}, 2)
			if r.Total.Counts[c.class] != 2 {
				t.Errorf("counted %v, errors %v; want 2 %v", r.Total.Counts, r.Errors, c.class)
			}
			if c.status != 0 && r.Total.Statuses[c.status] != 2 {
				t.Errorf("statuses %v, want 2 of %d", r.Total.Statuses, c.status)
			}
			if want := int64(2 * len(c.answer)); r.Total.BytesIn != want {
				t.Errorf("%d bytes came in, want %d", r.Total.BytesIn, want)
			}
			if name == "overloaded for a while" && r.Total.RetryAfter != 7*time.Second {
				t.Errorf("Retry-After is %v", r.Total.RetryAfter)
			}
		})
	}
}

func TestWhatKeepsAConnectionFromBeingIsClassified(t *testing.T) {
	t.Parallel()
	plain := raw(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for name, c := range map[string]struct {
		url   string
		class loadtest.Class
	}{
		"nobody listens": {"http://" + port.Refusing(t), loadtest.Refused},
		"no such name":   {"http://nowhere.invalid/", loadtest.NoAddress},
		"TLS to plain":   {"https" + strings.TrimPrefix(plain, "http"), loadtest.BadTLS},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, httpload.Config{Requests: get(c.url), ConnectTimeout: 300 * time.Millisecond}, 1)
			if r.Total.Counts[c.class] != 1 || r.Errors[c.class] == "" || !r.Total.Unreachable() {
				t.Errorf("counted %v, errors %v; want %v", r.Total.Counts, r.Errors, c.class)
			}
		})
	}
}

func TestAConnectionThatTakesTooLongIsUnreachable(t *testing.T) {
	t.Parallel()
	r := run(t, httpload.Config{Requests: get("http://127.0.0.1:1"), ConnectTimeout: 50 * time.Millisecond, Dial: hang}, 1)
	if r.Total.Counts[loadtest.Unreachable] != 1 || r.Errors[loadtest.Unreachable] != "context deadline exceeded" {
		t.Errorf("counted %v, errors %v", r.Total.Counts, r.Errors)
	}
}

// hang is a network that says nothing.
func hang(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAConnectionCarriesAsManyRequestsAsItMay(t *testing.T) {
	t.Parallel()
	var opened, seen atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		fmt.Fprint(w, "hello", r.Close)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	for _, c := range []struct {
		name   string
		config httpload.Config
		least  int64
		most   int64
	}{
		{"all", httpload.Config{}, 1, 1},
		{"one each", httpload.Config{NoKeepAlive: true}, 60, 60},
		{"ten each", httpload.Config{ConnRequests: httpload.Range{Min: 10, Max: 10}}, 6, 6},
		{"five to fifteen each", httpload.Config{ConnRequests: httpload.Range{Min: 5, Max: 15}}, 4, 12},
		{"none grows old", httpload.Config{ConnAge: time.Nanosecond}, 60, 60},
	} {
		opened.Store(0)
		seen.Store(0)
		c.config.Requests = get(s.URL)
		r := run(t, c.config, 60)
		if r.Total.Counts[loadtest.OK] != 60 || seen.Load() != 60 {
			t.Errorf("%s: %v, the server saw %d; %v", c.name, r.Total.Counts, seen.Load(), r.Errors)
		}
		if n := opened.Load(); n < c.least || n > c.most || r.Total.Connect.Count() != n {
			t.Errorf("%s: %d connections, want %d to %d; %d were timed", c.name, n, c.least, c.most, r.Total.Connect.Count())
		}
	}
}

func TestARequestThatMeetsAClosedConnectionIsSentAgainOnlyIfItMay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method string
		class  loadtest.Class
		again  int64
	}{{"GET", loadtest.OK, 3}, {"POST", loadtest.Truncated, 0}} {
		// The server answers once per connection, without saying that it closes.
		url := raw(t, func(c net.Conn, _ int) {
			if readHead(bufio.NewReader(c)) {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		})
		r := run(t, httpload.Config{Requests: []httpload.Request{{Method: c.method, URL: url}}}, 4)
		if r.Total.Reconnects != c.again {
			t.Errorf("%s: sent again %d times, want %d", c.method, r.Total.Reconnects, c.again)
		}
		if c.class == loadtest.OK && r.Total.Counts[loadtest.OK] != 4 || c.class != loadtest.OK && r.Total.Failures() != 2 {
			t.Errorf("%s: %v, %v", c.method, r.Total.Counts, r.Errors)
		}
	}
}

// A server that ends each connection with its answer, once by saying so and once by HTTP/1.0, costs connections and no
// requests, whatever the method.
func TestAServerThatClosesAfterEachAnswerCostsNoRequest(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"} {
		url := raw(t, func(c net.Conn, _ int) {
			if readHead(bufio.NewReader(c)) {
				io.WriteString(c, answer)
			}
		})
		r := run(t, httpload.Config{Requests: []httpload.Request{{Method: "POST", URL: url}}}, 30)
		if r.Total.Counts[loadtest.OK] != 30 || r.Total.Connect.Count() != 30 || r.Total.Reconnects != 0 {
			t.Errorf("%v over %d connections, %d sent again; %v", r.Total.Counts, r.Total.Connect.Count(), r.Total.Reconnects, r.Errors)
		}
	}
}

func TestATimeoutEndsARequestWhereverItHangs(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]string{"before the answer": "", "in the head": "HTTP/1.1 200 OK\r\nCont", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := raw(t, func(c net.Conn, _ int) {
				io.WriteString(c, part)
				io.Copy(io.Discard, c) // until the client gives up
			})
			client, err := httpload.New(httpload.Config{Requests: get(url)})
			if err != nil {
				t.Fatal(err)
			}
			r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Rate: 20, Duration: time.Second, Timeout: 300 * time.Millisecond, MaxWait: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if r.Total.Counts[loadtest.Timeout] != 20 || r.Total.Response.Min() < 300*time.Millisecond {
				t.Errorf("%v, the shortest %v; want 20 timeouts of 300 ms; %v", r.Total.Counts, r.Total.Response.Min(), r.Errors)
			}
			if want := "no whole answer within 300ms"; r.Errors[loadtest.Timeout] != want {
				t.Errorf("error %q, want %q", r.Errors[loadtest.Timeout], want)
			}
		})
	}
}

func TestAStopEndsAConnectionAttempt(t *testing.T) {
	t.Parallel()
	client, err := httpload.New(httpload.Config{Requests: get("http://127.0.0.1:1"), ConnectTimeout: time.Hour, Dial: hang})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r, err := loadtest.Run(ctx, loadtest.Config{Client: client, Concurrency: 3, Duration: time.Hour, Timeout: time.Hour})
	if err != nil || r.Total.Failures() > 0 || r.Total.Counts[loadtest.Interrupted] != 3 || !r.Interrupted {
		t.Errorf("%v, %v, want to be stopped", err, r)
	}
}

func TestHTTPSIsSpoken(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 300_000)) }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it is not trusted once
	s.StartTLS()
	defer s.Close()
	transport, _ := s.Client().Transport.(*http.Transport)
	r := run(t, httpload.Config{Requests: get(s.URL), TLS: transport.TLSClientConfig}, 20)
	if r.Total.Counts[loadtest.OK] != 20 || r.Total.BytesIn < 20*300_000 || r.Total.Connect.Count() != 1 {
		t.Errorf("%v, %d bytes, %d connections; %v", r.Total.Counts, r.Total.BytesIn, r.Total.Connect.Count(), r.Errors)
	}
	untrusted := run(t, httpload.Config{Requests: get(s.URL)}, 1)
	if untrusted.Total.Counts[loadtest.BadTLS] != 1 || !strings.Contains(untrusted.Errors[loadtest.BadTLS], "unknown authority") {
		t.Errorf("%v; %v", untrusted.Total.Counts, untrusted.Errors)
	}
}
