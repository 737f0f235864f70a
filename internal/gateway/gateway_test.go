package gateway_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newGateway() *gateway.Gateway {
	return gateway.New(gateway.Config{
		Logger: slog.New(slog.DiscardHandler), Events: event.NewBus(64), Secret: make([]byte, 32),
	})
}

// engines are numbers of loops: without any, net/http serves alone.
func engines() []int {
	if runtime.GOOS == "linux" {
		return []int{0, 2}
	}
	return []int{0}
}

func spec(name, path string) gateway.Spec {
	return gateway.Spec{
		Config: exchange.FunctionConfig{Name: name, Policy: exchange.Policy{Retry: retry.DefaultPolicy()}},
		Routes: []exchange.Route{{Path: path}},
	}
}

func apply(t *testing.T, g *gateway.Gateway, specs ...gateway.Spec) {
	t.Helper()
	if err := g.Apply(specs, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func setInstances(t *testing.T, g *gateway.Gateway, name string, specs ...balancer.Spec) []*balancer.Instance {
	t.Helper()
	list, err := g.SetInstances(name, specs, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		g.Function(name).Balancer().SetHealth(i, balancer.HealthUp, "test", time.Now())
	}
	return list
}

func TestApplyKeepsWhatDidNotChange(t *testing.T) {
	t.Parallel()
	g := newGateway()
	apply(t, g, spec("a", "/a"), spec("b", "/b"))
	before := g.Function("a")
	list := setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: "http://127.0.0.1:1"}, balancer.Spec{ID: "2", Endpoint: "http://127.0.0.1:2"})
	apply(t, g, spec("a", "/moved"))
	if g.Function("a") != before {
		t.Error("function a was made anew: what it learnt is lost")
	}
	if g.Function("b") != nil {
		t.Error("function b is still there")
	}
	again := setInstances(t, g, "a", balancer.Spec{ID: "2", Endpoint: "http://127.0.0.1:2"}, balancer.Spec{ID: "3", Endpoint: "http://127.0.0.1:3"})
	if again[0] != list[1] {
		t.Error("instance 2 was made anew")
	}
}

func TestAFaultySpecLeavesTheRoutesAsTheyWere(t *testing.T) {
	t.Parallel()
	g := newGateway()
	apply(t, g, spec("a", "/a"))
	router := g.Router()
	bad := spec("a", "/b")
	bad.Config.Policy.Timeouts.Attempt = -1
	if err := g.Apply([]gateway.Spec{bad}, time.Now()); err == nil {
		t.Fatal("a negative timeout was accepted")
	}
	if g.Router() != router {
		t.Error("the routes changed")
	}
}

func TestAFallbackFunctionAnswersWhenNobodyIsLeft(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "b here") }))
	defer up.Close()
	g := newGateway()
	a := spec("a", "/a")
	a.Fallback = "b"
	apply(t, g, a, spec("b", "/b"))
	setInstances(t, g, "b", balancer.Spec{ID: "b1", Endpoint: up.URL})
	setInstances(t, g, "a", balancer.Spec{ID: "a1", Endpoint: "http://127.0.0.1:1"})
	rec := httptest.NewRecorder()
	g.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/a/x", http.NoBody))
	if rec.Code != http.StatusOK || rec.Body.String() != "b here" {
		t.Errorf("got %d %q, want the fallback's answer", rec.Code, rec.Body)
	}
}

// A request under way when the service ends still gets its answer.
func TestRunLetsExchangesFinishAndThenReturns(t *testing.T) {
	t.Parallel()
	for _, n := range engines() {
		t.Run(fmt.Sprint(n, " loops"), func(t *testing.T) { t.Parallel(); letsExchangesFinish(t, n) })
	}
}

func letsExchangesFinish(t *testing.T, loops int) {
	t.Helper()
	inside, finish := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(inside)
		<-finish
		_, _ = io.WriteString(w, "done")
	}))
	defer up.Close()
	g := newGateway()
	apply(t, g, spec("a", "/"))
	setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: up.URL})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	draining, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, ln, gateway.ServeConfig{Shutdown: 10 * time.Second, Draining: func() { close(draining) }, Loops: loops})
	}()
	answer := make(chan string, 1)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	go func() {
		res, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		answer <- string(b)
	}()
	<-inside
	stop()
	<-draining
	close(finish)
	if got := <-answer; got != "done" {
		t.Errorf("the exchange under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunCutsWhatDoesNotFinishInTime(t *testing.T) {
	t.Parallel()
	for _, n := range engines() {
		t.Run(fmt.Sprint(n, " loops"), func(t *testing.T) { t.Parallel(); cutsWhatDoesNotFinish(t, n) })
	}
}

func cutsWhatDoesNotFinish(t *testing.T, loops int) {
	t.Helper()
	inside := make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
	}))
	defer up.Close()
	g := newGateway()
	apply(t, g, spec("a", "/"))
	setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: up.URL})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, ln, gateway.ServeConfig{Shutdown: 50 * time.Millisecond, Loops: loops}) }()
	failed := make(chan error, 1)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	go func() {
		res, err := client.Get("http://" + ln.Addr().String())
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	<-inside
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Run does not end")
	}
	if err := <-failed; err == nil {
		t.Error("an exchange that was cut looks complete")
	}
}

func TestARecoveryIsToldOnceTheInstanceIsBack(t *testing.T) {
	t.Parallel()
	bus := event.NewBus(64)
	g := gateway.New(gateway.Config{Logger: slog.New(slog.DiscardHandler), Events: bus, Secret: make([]byte, 32)})
	apply(t, g, spec("a", "/a"))
	i := setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: "http://127.0.0.1:1"}, balancer.Spec{ID: "2", Endpoint: "http://127.0.0.1:2"})[0]
	b := g.Function("a").Balancer()
	recoveries := func() (n int) {
		for _, e := range bus.Since(0) {
			if e.Kind == event.Recovery {
				n++
			}
		}
		return n
	}
	b.SetLifecycle(i, balancer.Gone, "killed", time.Now())
	b.SetHealth(i, balancer.HealthUnknown, "a new process", time.Now())
	b.SetLifecycle(i, balancer.Starting, "started", time.Now())
	b.SetLifecycle(i, balancer.Running, "listens", time.Now())
	if n := recoveries(); n != 0 {
		t.Errorf("%d recoveries before the first check", n)
	}
	b.SetHealth(i, balancer.HealthUp, "fine", time.Now())
	if n := recoveries(); n != 1 {
		t.Errorf("%d recoveries, want 1", n)
	}
}

// A listener that breaks ends the service, but not the answers under way.
func TestRunLetsExchangesFinishWhenItsListenerBreaks(t *testing.T) {
	t.Parallel()
	inside, finish := make(chan struct{}), make(chan struct{})
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(inside)
		<-finish
		_, _ = io.WriteString(w, "done")
	}))
	defer up.Close()
	release := sync.OnceFunc(func() { close(finish) })
	defer release()
	g := newGateway()
	apply(t, g, spec("a", "/"))
	setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: up.URL})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(t.Context(), ln, gateway.ServeConfig{Shutdown: 10 * time.Second}) }()
	answer := make(chan string, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		res, err := client.Get("http://" + ln.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answer <- string(b)
	}()
	<-inside
	_ = ln.Close()
	select {
	case err := <-ended:
		t.Fatalf("Run left an exchange under way: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if got := <-answer; got != "done" {
		t.Errorf("the exchange under way got %q", got)
	}
	if err := <-ended; err == nil {
		t.Error("Run does not tell that it could not accept")
	}
}
