package http2load_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/loadtest"
	"holdfast/loadtest/http2load"
	"holdfast/loadtest/httpload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a real server of HTTP/2 that counts its connections.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	conns map[string]bool
}

func (v *service) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.conns)
}

func serve(t *testing.T, secure bool, h http.HandlerFunc) *service {
	t.Helper()
	v := &service{conns: map[string]bool{}}
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.conns[r.RemoteAddr] = true
		v.mu.Unlock()
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		}
		h(w, r)
	}))
	v.EnableHTTP2 = true
	v.Config.Protocols = new(http.Protocols)
	v.Config.Protocols.SetHTTP2(true)
	v.Config.Protocols.SetUnencryptedHTTP2(true)
	if secure {
		v.StartTLS()
	} else {
		v.Start()
	}
	t.Cleanup(v.Close)
	return v
}

func (v *service) trust() *tls.Config {
	if v.Certificate() == nil {
		return nil
	}
	return v.Client().Transport.(*http.Transport).TLSClientConfig //nolint:forcetypeassert // httptest made it
}

func load(t *testing.T, c http2load.Config, users int, requests int64, timeout time.Duration) (*loadtest.Result, *http2load.Client) {
	t.Helper()
	client, err := http2load.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: users, Requests: requests, Duration: time.Minute, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return r, client
}

func TestRequestsAreSentAndChecked(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		t.Run(fmt.Sprintf("TLS %v", secure), func(t *testing.T) {
			t.Parallel()
			v := serve(t, secure, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("X-City", r.Header.Get("X-City"))
				fmt.Fprintf(w, `{"path":%q,"method":%q,"body":%q}`, r.URL.EscapedPath(), r.Method, body)
			})
			r, client := load(t, http2load.Config{Config: httpload.Config{
				TLS:  v.trust(),
				Feed: &httpload.Feed{Columns: []string{"city"}, Rows: [][]string{{"São Paulo"}}},
				Requests: []httpload.Request{{
					Method: "post", URL: v.URL + "/{{city}}", Body: "n {{seq}}", Header: []httpload.Field{{Name: "X-City", Value: "{{city}}"}},
					Checks: []httpload.Check{
						{Status: "2xx"},
						{Header: "x-city", Equals: "São Paulo"},
						{JSON: "$.path", Equals: "/S%C3%A3o%20Paulo"},
						{JSON: "$.method", Equals: "POST"},
						{JSON: "$.body", Matches: "^n [0-9]+$"},
					},
				}},
			}}, 4, 100, 10*time.Second)
			if r.Total.Counts[loadtest.OK] != 100 || r.Total.Statuses[200] != 100 || len(client.Failed()) > 0 || r.Total.BytesIn < 4000 || r.Total.BytesOut < 300 {
				t.Errorf("counted %v, checks %v, errors %v, in %d, out %d", r.Total.Counts, client.Failed(), r.Errors, r.Total.BytesIn, r.Total.BytesOut)
			}
			if v.count() != 4 {
				t.Errorf("%d connections for 4 users", v.count())
			}
		})
	}
}

func TestUsersShareConnections(t *testing.T) {
	t.Parallel()
	v := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hi") })
	for name, c := range map[string]struct {
		config          http2load.Config
		users, min, max int
	}{
		"five on each":      {http2load.Config{UsersPerConn: 5}, 10, 2, 2},
		"ten requests each": {http2load.Config{Config: httpload.Config{ConnRequests: httpload.Range{Min: 10, Max: 10}}}, 1, 10, 10},
		"one request each":  {http2load.Config{Config: httpload.Config{NoKeepAlive: true}, UsersPerConn: 2}, 2, 100, 100},
		"too old at once":   {http2load.Config{Config: httpload.Config{ConnAge: 1}}, 1, 100, 100},
	} {
		before := v.count()
		c.config.Requests = []httpload.Request{{URL: v.URL}}
		r, _ := load(t, c.config, c.users, 100, 10*time.Second)
		if n := v.count() - before; r.Total.Counts[loadtest.OK] != 100 || n < c.min || n > c.max {
			t.Errorf("%s: %d connections, want %d to %d; counted %v, %v", name, n, c.min, c.max, r.Total.Counts, r.Errors)
		}
	}
}

func TestAnswersAreClassified(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		check  httpload.Check
		class  loadtest.Class
	}{
		"not found":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, httpload.Check{}, loadtest.BadStatus},
		"wanted":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, httpload.Check{Status: "404"}, loadtest.OK},
		"too many":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, httpload.Check{}, loadtest.RateLimited},
		"wrong body": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a") }, httpload.Check{Equals: "b"}, loadtest.CheckFailed},
		"too long":   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "abcdefghijkl") }, httpload.Check{Equals: "abcdefghijkl"}, loadtest.CheckFailed},
		"no header":  {func(http.ResponseWriter, *http.Request) {}, httpload.Check{Header: "X"}, loadtest.CheckFailed},
		"reset":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, httpload.Check{}, loadtest.Reset},
		"cut in body": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "a")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, httpload.Check{}, loadtest.Reset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := serve(t, false, c.answer)
			config := httpload.Config{CheckBytes: 8, Requests: []httpload.Request{{Method: "POST", URL: v.URL}}}
			if c.check != (httpload.Check{}) {
				config.Requests[0].Checks = []httpload.Check{c.check}
			}
			if r, _ := load(t, http2load.Config{Config: config}, 1, 3, 10*time.Second); r.Total.Counts[c.class] != 3 {
				t.Errorf("counted %v, want 3 %v; %v", r.Total.Counts, c.class, r.Errors)
			}
		})
	}
}

func TestATimeoutLeavesTheConnectionToOthers(t *testing.T) {
	t.Parallel()
	v := serve(t, false, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	})
	client, err := http2load.New(http2load.Config{UsersPerConn: 4, Config: httpload.Config{Requests: []httpload.Request{{URL: v.URL + "/slow"}, {URL: v.URL + "/quick"}}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{
		Client: client, Concurrency: 4, Requests: 80, Timeout: 500 * time.Millisecond, Duration: time.Minute,
		Endpoints: []loadtest.Endpoint{{Name: "slow", Weight: 1}, {Name: "quick", Weight: 9}},
	})
	if err != nil {
		t.Fatal(err)
	}
	slow, quick := r.Endpoints[0], r.Endpoints[1]
	if slow.Counts[loadtest.Timeout] == 0 || slow.Counts[loadtest.Timeout] != slow.Planned() || quick.Counts[loadtest.OK] != quick.Planned() || v.count() != 1 {
		t.Errorf("slow %v, quick %v, %d connections, %v", slow.Counts, quick.Counts, v.count(), r.Errors)
	}
}

func TestAConnectionThatTheTargetEndsIsReplaced(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	v := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%10 == 0 {
			w.Header().Set("Connection", "close") // net/http says GOAWAY for it
		}
	})
	r, _ := load(t, http2load.Config{Config: httpload.Config{Requests: []httpload.Request{{URL: v.URL}}}}, 1, 50, 10*time.Second)
	if r.Total.Counts[loadtest.OK] != 50 || v.count() < 4 {
		t.Errorf("counted %v over %d connections, %v", r.Total.Counts, v.count(), r.Errors)
	}
}

func TestWhoIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	strange := serve(t, true, func(http.ResponseWriter, *http.Request) {})
	old := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer old.Close()
	for _, c := range []struct {
		url  string
		tls  *tls.Config
		want loadtest.Class
	}{
		{"http://" + closed.Addr().String(), nil, loadtest.Refused},
		{"http://no-such-host.invalid", nil, loadtest.NoAddress},
		{strange.URL, nil, loadtest.BadTLS},
		{old.URL, old.Client().Transport.(*http.Transport).TLSClientConfig, loadtest.BadTLS}, //nolint:forcetypeassert // httptest made it
	} {
		r, _ := load(t, http2load.Config{Config: httpload.Config{TLS: c.tls, Requests: []httpload.Request{{URL: c.url}}}}, 1, 2, 10*time.Second)
		if r.Total.Counts[c.want] != 2 {
			t.Errorf("%s: counted %v, want %v; %v", c.url, r.Total.Counts, c.want, r.Errors)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]http2load.Config{
		"name at least one request to send":    {},
		"-1 users cannot share a connection":   {UsersPerConn: -1, Config: httpload.Config{Requests: []httpload.Request{{URL: "http://a"}}}},
		`prepare request 1 : "x" is no URL`:    {Config: httpload.Config{Requests: []httpload.Request{{URL: "x"}}}},
		"prepare request 1 : there is no vari": {Config: httpload.Config{Requests: []httpload.Request{{URL: "http://a/{{x}}"}}}},
	} {
		if _, err := http2load.New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCookiesComeBack(t *testing.T) {
	t.Parallel()
	v := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("a"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	r, _ := load(t, http2load.Config{Config: httpload.Config{Cookies: true, Requests: []httpload.Request{{URL: v.URL}}}}, 1, 5, 10*time.Second)
	if r.Total.Statuses[401] != 1 || r.Total.Statuses[200] != 4 {
		t.Errorf("answered %v, %v", r.Total.Statuses, r.Errors)
	}
}
