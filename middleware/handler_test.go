package middleware_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/health"
	"holdfast/middleware"
)

func TestWrapServesItsRoutesAndPassesTheRestOn(t *testing.T) {
	t.Parallel()
	h := inFront(t, func(c *middleware.Config) {
		c.Functions[0].Routes = []exchange.Route{{Path: "/api/"}}
	}, instance(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "function "+r.URL.Path) }))
	front := instance(t, h.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "program "+r.URL.Path+" "+r.Header.Get("X-Forwarded-For"))
	})).ServeHTTP)
	for path, want := range map[string]string{
		"/api/x": "function /api/x", "/x": "program /x ", "/%2e%2e/api/": "program /../api/ ",
	} {
		if _, got := ask(t, "GET", front+path, nil); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestAHandlerInFrontMayChangeThePath(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) }))
	front := instance(t, http.StripPrefix("/mount", h).ServeHTTP)
	for path, want := range map[string]string{"/mount/a%2Fb?q": "/a%2Fb?q", "/mount/a|b": "/a%7Cb", "/mount/": "/"} {
		if _, got := ask(t, "GET", front+path, nil); got != want {
			t.Errorf("%s arrived as %q, want %q", path, got, want)
		}
	}
}

func TestABodyOverTheProgramsLimitIsTheClientsFault(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	front := instance(t, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 10)
		h.ServeHTTP(w, r)
	})
	res, _ := ask(t, "POST", front, strings.NewReader("more than ten bytes"))
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d, want 413", res.StatusCode)
	}
	if res, _ := ask(t, "GET", front, nil); res.StatusCode != http.StatusOK {
		t.Errorf("%d for no body at all", res.StatusCode)
	}
	if s := h.Function("f").Balancer().Stats(time.Now()).Instances[0]; s.Failures != 0 {
		t.Errorf("%d failures are held against the instance", s.Failures)
	}
}

func TestABrokenAnswerPanicsAlsoWithoutAServer(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer func() {
		if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // a panic's value
			t.Errorf("recovered %v", got)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	t.Error("returned as if the answer were whole")
}

func TestARecorderGetsTheAnswer(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("hello")))
	if w.Code != http.StatusOK || w.Body.String() != "hello" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	unhijackable := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	unhijackable.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"x"}}
	if w := httptest.NewRecorder(); true {
		h.ServeHTTP(w, unhijackable)
		if w.Code != http.StatusOK {
			t.Errorf("a refused upgrade gave %d", w.Code)
		}
	}
}

func TestAnUpgradeThatCannotBeCarriedOutIsSaidSo(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"x"}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNotImplemented {
		t.Errorf("%d, want 501", w.Code)
	}
	if n := h.Function("f").InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
}

func TestRunBringsInstancesInAndTakesThemOut(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	h := inFront(t, func(c *middleware.Config) {
		c.Functions[0].NoRetry = true
		c.Functions[0].HealthPath = "/health?full=1"
		c.Functions[0].Health = health.Policy{Interval: 10 * time.Millisecond, Fall: 2, Rise: 1, JitterPercent: -1}
	}, instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && (down.Load() || r.URL.RawQuery != "full=1") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	front := instance(t, h.ServeHTTP)
	status := func() int {
		res, _ := ask(t, "GET", front, nil)
		return res.StatusCode
	}
	if got := status(); got != http.StatusServiceUnavailable {
		t.Errorf("%d before the first check, want 503", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	eventually(t, "an instance", func() bool { return status() == http.StatusOK })
	down.Store(true)
	failed := func() bool {
		return h.Function("f").Balancer().Stats(time.Now()).Instances[0].Status == balancer.Failed
	}
	eventually(t, "a failed instance", failed)
	down.Store(false)
	eventually(t, "the instance is back", func() bool { return !failed() && status() == http.StatusOK })
	cancel()
	running.Wait()
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := func() middleware.Function {
		return middleware.Function{Name: "f", Instances: []balancer.Spec{{Endpoint: "http://127.0.0.1:1"}}}
	}
	for want, change := range map[string]func(*middleware.Function){
		"function name":               func(f *middleware.Function) { f.Name = "" },
		"want http://host:port":       func(f *middleware.Function) { f.Instances[0].Endpoint = "127.0.0.1:1" },
		"endpoint \"http://h/path\"":  func(f *middleware.Function) { f.Instances[0].Endpoint = "http://h/path" },
		"endpoint \"ftp://h\"":        func(f *middleware.Function) { f.Instances[0].Endpoint = "ftp://h" },
		"endpoint \"http://u@h\"":     func(f *middleware.Function) { f.Instances[0].Endpoint = "http://u@h" },
		"used twice":                  func(f *middleware.Function) { f.Instances = append(f.Instances, f.Instances[0]) },
		"no function \"none\"":        func(f *middleware.Function) { f.Fallback = "none" },
		"Fallback or Policy.Fallback": func(f *middleware.Function) { f.Fallback, f.Policy.Fallback = "g", &exchange.Fallback{Status: 503} },
		"timeouts.idle":               func(f *middleware.Function) { f.Policy.Timeouts.Idle = -1 },
		"secret":                      func(f *middleware.Function) { f.Policy.Affinity.Cookie = "c" },
		"must start with /":           func(f *middleware.Function) { f.Routes = []exchange.Route{{Path: "x"}} },
	} {
		f := good()
		change(&f)
		g := good()
		g.Name = "g"
		_, err := middleware.New(middleware.Config{Functions: []middleware.Function{f, g}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want something about %s", err, want)
		}
	}
}

func TestForgetClosesIdleConnections(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	h := inFront(t, nil, srv.URL)
	front := instance(t, h.ServeHTTP)
	ask(t, "GET", front, nil)
	h.Forget(h.Function("f"))
	select {
	case <-closed:
	case <-time.After(2 * time.Second): // sooner than idle connections end by themselves
		t.Error("the connection stayed")
	}
}

func TestTheAnswersFieldsAreThoseOfTheInstanceAndTheProgram(t *testing.T) {
	t.Parallel()
	h := inFront(t, nil, instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Vary", "Accept")
	}))
	front := instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Program", "1")
		w.Header().Add("Vary", "Origin")
		h.ServeHTTP(w, r)
	})
	res, _ := ask(t, "GET", front, nil)
	if res.Header.Get("X-Program") != "1" || len(res.Header["Vary"]) != 2 {
		t.Errorf("%v", res.Header)
	}
}

// ask sends a request over a connection of its own.
func ask(t *testing.T, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	return do(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, method, url, body)
}
