package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/breaker"
	"holdfast/exchange"
	"holdfast/health"
	"holdfast/internal/admin"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/internal/platform"
	"holdfast/internal/prober"
	"holdfast/internal/telemetry"
	"holdfast/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a gateway with the functions public (two instances, breaker) and
// private (one instance, no breaker), with an admin server beside it.
type site struct {
	t       *testing.T
	gateway *gateway.Gateway
	events  *event.Bus
	logs    *telemetry.Logs
	prober  *prober.Prober
	admin   *admin.Server
	front   string // of the gateway
	tcp     string // of the admin listener
	socket  *http.Client
	client  *http.Client
	// status is what instances answer; health what they answer to checks.
	status, health atomic.Int32
}

// open starts everything; change may adapt the admin's configuration.
func open(t *testing.T, change ...func(*admin.Config)) *site {
	t.Helper()
	s := &site{t: t, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	s.status.Store(http.StatusOK)
	s.health.Store(http.StatusOK)
	s.events = event.NewBus(100)
	s.logs = telemetry.NewLogs(io.Discard, false, slog.LevelInfo, nil)
	s.prober = prober.New(prober.Config{})
	s.gateway = gateway.New(gateway.Config{
		Logger: s.logs.For("gateway"), Access: s.logs.Lines("access", "exchange", nil), Events: s.events, Secret: make([]byte, 32),
	})
	c := admin.Config{
		Gateway: s.gateway, Events: s.events, Logs: s.logs, Version: "test",
		Probe: func(function, instance string) (prober.View, bool) { return s.prober.View(function + "/" + instance) },
		Process: func(_, instance string) (platform.Instance, bool) {
			return platform.Instance{ID: instance, State: platform.Running, PID: 42, Restarts: 3, Since: time.Now()}, instance == "public-1"
		},
	}
	for _, f := range change {
		f(&c)
	}
	s.admin = admin.New(c)
	s.run()
	return s
}

// run serves until the test ends.
func (s *site) run() {
	s.t.Helper()
	ln, tcp := listen(s.t, "tcp", "127.0.0.1:0"), listen(s.t, "tcp", "127.0.0.1:0")
	path := filepath.Join(s.t.TempDir(), "s")
	socket := listen(s.t, "unix", path)
	s.front, s.tcp = "http://"+ln.Addr().String(), "http://"+tcp.Addr().String()
	s.socket = listenClient(path)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	go func() { ended <- s.gateway.Run(ctx, ln, gateway.ServeConfig{Shutdown: time.Second}) }()
	go func() { ended <- s.admin.Run(ctx, tcp, socket) }()
	go func() { ended <- s.prober.Run(ctx) }()
	s.t.Cleanup(func() {
		stop()
		for range cap(ended) {
			if err := <-ended; err != nil {
				s.t.Errorf("end: %v", err)
			}
		}
	})
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// listenClient asks whoever listens on a unix socket.
func listenClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

// serve sets the functions up and waits until their instances are available.
func (s *site) serve() {
	s.t.Helper()
	s.apply(2)
	poll(s.t, "instances are available", func() bool {
		return !slices.ContainsFunc(s.gateway.Functions(), func(fn *exchange.Function) bool { return fn.Balancer().Stats(now()).Available == 0 })
	})
}

// apply sets the functions up with n instances of public.
func (s *site) apply(n int) {
	s.t.Helper()
	spec := func(name string, br *breaker.Config) gateway.Spec {
		p := exchange.Policy{Retry: retry.DefaultPolicy()}
		return gateway.Spec{
			Config: exchange.FunctionConfig{Name: name, Policy: p, Breaker: br, Balancer: balancer.Config{Ejection: balancer.Ejection{ConsecutiveFailures: 3}}},
			Routes: []exchange.Route{{Path: "/" + name + "/"}},
		}
	}
	specs := []gateway.Spec{spec("public", &breaker.Config{FailureThreshold: 4}), spec("private", nil)}
	if err := s.gateway.Apply(specs, time.Now()); err != nil {
		s.t.Fatal(err)
	}
	s.instances("public", n)
	s.instances("private", 1)
}

func (s *site) instances(function string, n int) {
	s.t.Helper()
	var specs []balancer.Spec
	for i := range n {
		srv := httptest.NewServer(http.HandlerFunc(s.instance))
		s.t.Cleanup(srv.Close)
		specs = append(specs, balancer.Spec{ID: function + "-" + string(rune('1'+i)), Endpoint: srv.URL})
	}
	list, err := s.gateway.SetInstances(function, specs, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, i := range list {
		s.check(function, i)
	}
}

func (s *site) check(function string, i *balancer.Instance) {
	s.t.Helper()
	c, err := health.NewHTTP(health.HTTPConfig{URL: i.Endpoint() + "/health"})
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.gateway.Function(function).Balancer()
	s.prober.Set(function+"/"+i.ID(), prober.Target{
		Check: c, Policy: health.Policy{Interval: 20 * time.Millisecond, Fall: 1},
		Report: func(r prober.Report) { b.SetHealth(i, balancer.Health(r.State), r.Result.Reason, r.At) },
	})
}

func (s *site) instance(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(s.health.Load()))
		_, _ = io.WriteString(w, `{"connections": 7}`)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(int(s.status.Load()))
	_, _ = io.WriteString(w, "hello")
}

// request sends a GET through the gateway and returns its id and status.
func (s *site) request(path string) (id string, status int) {
	s.t.Helper()
	res := s.do(s.client, http.MethodGet, s.front+path, "", nil)
	return res.header.Get("X-Request-Id"), res.status
}

// get asks the socket and decodes the answer into v, unless v is nil.
func (s *site) get(path string, v any) int { s.t.Helper(); return s.ask(http.MethodGet, path, "", v) }

func (s *site) ask(method, path, body string, v any) int {
	s.t.Helper()
	res := s.do(s.socket, method, "http://holdfast"+path, "", strings.NewReader(body))
	if v != nil {
		if err := json.Unmarshal(res.body, v); err != nil {
			s.t.Fatalf("%s %s: %v in %q", method, path, err, res.body)
		}
	}
	return res.status
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *site) do(c *http.Client, method, url, accept string, body io.Reader) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := c.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer{res.StatusCode, res.Header, bytes.TrimSpace(b)}
}

// refused asks for something that must be refused and returns the refusal.
func (s *site) refused(want int, method, path, body string) admin.Error {
	s.t.Helper()
	var e admin.Error
	if got := s.ask(method, path, body, &e); got != want || e.Message == "" {
		s.t.Errorf("%s %s: %d %+v, want %d and a sentence", method, path, got, e, want)
	}
	return e
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute) // how long a busy machine takes is nothing a test is about
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited a minute until %s", what)
		}
	}
}

// contains checks that each wanted text is in one of the lines.
func contains(t *testing.T, lines []string, wanted ...string) {
	t.Helper()
	all := strings.Join(lines, "\n")
	for _, w := range wanted {
		if !strings.Contains(all, w) {
			t.Errorf("nothing says %q in\n%s", w, all)
		}
	}
}
