package breakerhttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/breaker"
	"holdfast/breaker/breakerhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a client behind a breaker, and a server that answers as the path says.
type rig struct {
	t       *testing.T
	breaker *breaker.Breaker
	client  *http.Client
	server  *httptest.Server
	hits    atomic.Int32
	holding chan struct{} // says that a slow answer waits
	release chan struct{} // lets slow answers go on
}

func newRig(t *testing.T, cfg breaker.Config, failed func(*http.Response) bool) *rig {
	t.Helper()
	b, err := breaker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, breaker: b, holding: make(chan struct{}, 1), release: make(chan struct{})}
	r.server = httptest.NewServer(http.HandlerFunc(r.answer))
	base := &http.Transport{}
	transport, err := breakerhttp.New(breakerhttp.Config{Breaker: b, Next: base, Failed: failed})
	if err != nil {
		t.Fatal(err)
	}
	r.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		r.server.Close()
	})
	return r
}

func (r *rig) answer(w http.ResponseWriter, req *http.Request) {
	r.hits.Add(1)
	switch req.URL.Path {
	case "/ok":
		_, _ = io.WriteString(w, "fine")
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/missing":
		http.Error(w, "no such thing", http.StatusNotFound)
	case "/busy":
		http.Error(w, "busy", http.StatusTooManyRequests)
	case "/broken":
		http.Error(w, "broken", http.StatusInternalServerError)
	case "/short":
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "only this")
	case "/silent":
		r.hold(req)
	case "/slow-body":
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		r.hold(req)
		_, _ = io.WriteString(w, "second")
	case "/upgrade":
		upgrade(w)
	}
}

func (r *rig) hold(req *http.Request) {
	r.holding <- struct{}{}
	select {
	case <-r.release:
	case <-req.Context().Done():
	}
}

// upgrade answers 101 and echoes one line.
func upgrade(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_ = rw.Flush()
	line, err := rw.ReadString('\n')
	if err != nil {
		return
	}
	_, _ = rw.WriteString(line)
	_ = rw.Flush()
}

func (r *rig) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, r.server.URL+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if path == "/upgrade" {
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
	}
	return r.client.Do(req)
}

// get reads a whole answer and returns its status, 0 when there was none or it broke.
func (r *rig) get(path string) int {
	r.t.Helper()
	resp, err := r.do(r.t.Context(), http.MethodGet, path, nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

func (r *rig) failures() int { return r.breaker.Snapshot(time.Now()).FailureCount }

// halfOpen lets one probe through at a time, and one success closes.
func (r *rig) halfOpen() {
	r.t.Helper()
	if err := r.breaker.Restore(breaker.Snapshot{State: breaker.HalfOpen, Reason: "probing"}, time.Now()); err != nil {
		r.t.Fatal(err)
	}
}

func TestWhatCounts(t *testing.T) {
	t.Parallel()
	rows := []struct {
		path     string
		status   int
		failures int
	}{
		{"/ok", 200, 0},
		{"/empty", 204, 0},
		{"/missing", 404, 0},
		{"/busy", 429, 0},
		{"/broken", 500, 4},
		{"/short", 0, 4},
	}
	for _, row := range rows {
		t.Run(row.path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, breaker.Config{}, nil)
			if row.failures == 0 {
				r.get("/broken") // a success clears this one
			}
			for range 4 {
				if got := r.get(row.path); got != row.status {
					t.Fatalf("status %d, want %d", got, row.status)
				}
			}
			if got := r.failures(); got != row.failures {
				t.Errorf("%d failures counted, want %d", got, row.failures)
			}
		})
	}
}

func TestFiveBadAnswersOpenAndNothingIsSentAnyMore(t *testing.T) {
	t.Parallel()
	r := newRig(t, breaker.Config{}, nil)
	for range 5 {
		if got := r.get("/broken"); got != 500 {
			t.Fatalf("status %d: the caller must still get the answer", got)
		}
	}
	body := &closeWatcher{Reader: strings.NewReader("payload")}
	resp, err := r.do(t.Context(), http.MethodPost, "/ok", body)
	if err == nil {
		resp.Body.Close()
		t.Fatal("the call was made")
	}
	open, ok := errors.AsType[*breakerhttp.OpenError](err)
	if !ok || !errors.Is(err, breakerhttp.ErrOpen) {
		t.Fatalf("error %v", err)
	}
	wait := time.Until(open.RetryAt)
	if open.State != breaker.Open || wait < 50*time.Second || wait > 60*time.Second {
		t.Errorf("state %s, retry in %s", open.State, wait)
	}
	for _, part := range []string{"circuit breaker is open", "5 consecutive failures", "retry at"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if r.hits.Load() != 5 || !body.closed.Load() {
		t.Errorf("server saw %d calls, body closed %v", r.hits.Load(), body.closed.Load())
	}
}

type closeWatcher struct {
	io.Reader
	closed atomic.Bool
}

func (c *closeWatcher) Close() error {
	c.closed.Store(true)
	return nil
}

func TestAServerThatIsGoneCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t, breaker.Config{}, nil)
	r.server.Close()
	for range 5 {
		r.get("/ok")
	}
	if r.breaker.State() != breaker.Open {
		t.Errorf("state %s after five refused connections", r.breaker.State())
	}
}

func TestAClientThatLeavesBeforeTheHeadCountsForNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, breaker.Config{}, nil)
	r.get("/broken")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-r.holding
		cancel()
	}()
	resp, err := r.do(ctx, http.MethodGet, "/silent", nil)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || r.failures() != 1 {
		t.Errorf("error %v, %d failures, want the one before", err, r.failures())
	}
}

func TestAClientThatLeavesWithinTheBodyCountsForNothing(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*http.Response, context.CancelFunc){
		"reading": func(resp *http.Response, cancel context.CancelFunc) {
			cancel()
			_, _ = io.Copy(io.Discard, resp.Body)
		},
		"closing": func(resp *http.Response, cancel context.CancelFunc) {
			cancel()
			resp.Body.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, breaker.Config{}, nil)
			r.get("/broken")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := r.do(ctx, http.MethodGet, "/slow-body", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			leave(resp, cancel)
			if got := r.failures(); got != 1 {
				t.Errorf("%d failures, want the one before", got)
			}
		})
	}
}

func TestADeadlineCountsAsAFailure(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/silent", "/slow-body"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, breaker.Config{}, nil)
			r.client.Timeout = 50 * time.Millisecond
			if got := r.get(path); got != 0 {
				t.Fatalf("status %d", got)
			}
			if got := r.failures(); got != 1 {
				t.Errorf("%d failures, want 1", got)
			}
		})
	}
}

func TestAProbeRunsAsLongAsItsBody(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*rig, *http.Response){
		"read to the end": func(r *rig, resp *http.Response) {
			close(r.release)
			_, _ = io.Copy(io.Discard, resp.Body)
		},
		"closed early": func(_ *rig, resp *http.Response) { resp.Body.Close() },
		"closed twice": func(_ *rig, resp *http.Response) { resp.Body.Close(); resp.Body.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, breaker.Config{HalfOpenMaxCalls: 1}, nil)
			r.halfOpen()
			resp, err := r.do(t.Context(), http.MethodGet, "/slow-body", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			_, err = r.do(t.Context(), http.MethodGet, "/ok", nil)
			open, ok := errors.AsType[*breakerhttp.OpenError](err)
			if !ok || open.State != breaker.HalfOpen || !open.RetryAt.IsZero() {
				t.Fatalf("the second call while the first body is open: %v", err)
			}
			end(r, resp)
			if got := r.breaker.State(); got != breaker.Closed {
				t.Errorf("state %s, want closed", got)
			}
		})
	}
}

func TestAnswersWithoutABodyEndAtOnce(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodHead, http.MethodDelete} {
		r := newRig(t, breaker.Config{HalfOpenMaxCalls: 1}, nil)
		r.halfOpen()
		path := map[string]string{http.MethodHead: "/ok", http.MethodDelete: "/empty"}[method]
		resp, err := r.do(t.Context(), method, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.breaker.State(); got != breaker.Closed {
			t.Errorf("%s: state %s before the body is closed", method, got)
		}
		resp.Body.Close()
	}
}

func TestAnUpgradeStaysWritable(t *testing.T) {
	t.Parallel()
	r := newRig(t, breaker.Config{HalfOpenMaxCalls: 1}, nil)
	r.halfOpen()
	resp, err := r.do(t.Context(), http.MethodGet, "/upgrade", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if r.breaker.State() != breaker.Closed {
		t.Errorf("state %s after 101", r.breaker.State())
	}
	stream, ok := resp.Body.(io.ReadWriter)
	if !ok {
		t.Fatalf("body is a %T", resp.Body)
	}
	if _, err := io.WriteString(stream, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stream).ReadString('\n'); err != nil || line != "hello\n" {
		t.Errorf("echo %q, %v", line, err)
	}
}

func TestTheCallerSaysWhatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, breaker.Config{}, func(resp *http.Response) bool { return resp.StatusCode == http.StatusTooManyRequests })
	r.get("/broken")
	if got := r.failures(); got != 0 {
		t.Errorf("a 500 counted %d failures", got)
	}
	r.get("/busy")
	if got := r.failures(); got != 1 {
		t.Errorf("a 429 counted %d failures", got)
	}
}

func TestSlownessIsTheTimeToTheHead(t *testing.T) {
	t.Parallel()
	window := breaker.Window{
		Kind: breaker.WindowCount, Calls: 1, SlowCallRatePercent: 100, SlowCallDuration: 10 * time.Second,
	}
	r := newRig(t, breaker.Config{Window: window}, nil)
	if got := r.get("/ok"); got != 200 {
		t.Fatal(got)
	}
	if w := r.breaker.Snapshot(time.Now()).Window; w != (breaker.Tally{Calls: 1}) {
		t.Errorf("window %+v", w)
	}
	window.SlowCallDuration = time.Nanosecond
	if err := r.breaker.Update(breaker.Config{Window: window}); err != nil {
		t.Fatal(err)
	}
	r.get("/ok")
	if s := r.breaker.Snapshot(time.Now()); s.Rule != breaker.RuleSlowCallRate {
		t.Errorf("snapshot %+v", s)
	}
}

func TestAMissingPartIsNamed(t *testing.T) {
	t.Parallel()
	b, err := breaker.New(breaker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := breakerhttp.New(breakerhttp.Config{Next: &http.Transport{}}); err == nil || !strings.Contains(err.Error(), "Breaker") {
		t.Errorf("without a breaker: %v", err)
	}
	if _, err := breakerhttp.New(breakerhttp.Config{Breaker: b}); err == nil || !strings.Contains(err.Error(), "Next") {
		t.Errorf("without a transport: %v", err)
	}
}
