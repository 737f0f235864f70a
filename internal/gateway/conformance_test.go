package gateway_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
	"holdfast/internal/event"
	"holdfast/internal/gateway"
	"holdfast/middleware"
	"holdfast/middleware/enginetest"
	"holdfast/retry"
	"holdfast/test/need"
)

// The suite on the engine http1: on Linux the loops, and net/http behind strict
// filters for what the loops do not carry. Where the suite runs on virtual
// time, which sockets know nothing of, net/http behind the filters carries all.
func TestTheStrictEngineConforms(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, startStrict(slices.Max(engines())))
}

// The suite with clients that use TLS.
func TestTheStrictEngineConformsOverTLS(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(t *testing.T, c middleware.Config, ln net.Listener) enginetest.Gateway {
		t.Helper()
		if _, ok := ln.(*net.TCPListener); !ok {
			return startStrict(0)(t, c, ln) // on virtual time: a handshake needs no longer there
		}
		cert, roots := certificate(t)
		n := slices.Max(engines())
		if c.Dial != nil {
			n = 0
		}
		g := serveStrict(t, c, ln, gateway.ServeConfig{
			Loops: n, TLS: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12},
		})
		g.TLS = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
		return g
	})
}

// The same without loops, as on other systems.
func TestTheSecondTierConforms(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, startStrict(0))
}

func TestTheStrictEngineCarriesHeavyLoads(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	enginetest.RunHeavy(t, startStrict(slices.Max(engines())))
}

func TestTheSecondTierCarriesHeavyLoads(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	enginetest.RunHeavy(t, startStrict(0))
}

func startStrict(loops int) enginetest.Start {
	return func(t *testing.T, c middleware.Config, ln net.Listener) enginetest.Gateway {
		t.Helper()
		n := loops
		if c.Dial != nil {
			n = 0 // loops dial themselves
		}
		return serveStrict(t, c, ln, gateway.ServeConfig{Loops: n})
	}
}

func serveStrict(t *testing.T, c middleware.Config, ln net.Listener, serve gateway.ServeConfig) enginetest.Gateway {
	t.Helper()
	g := gateway.New(gateway.Config{
		Logger: slog.New(loud{t}), Events: event.NewBus(64), Secret: c.Secret, TrustedProxies: c.TrustedProxies,
		Strict: true, Dial: c.Dial,
	})
	g.SetTracing(c.Tracing)
	var specs []gateway.Spec
	for i := range c.Functions {
		specs = append(specs, specOf(&c.Functions[i]))
	}
	apply(t, g, specs...)
	for i := range c.Functions {
		instancesOf(t, g, &c.Functions[i])
	}
	ctx, cut := context.WithCancel(context.Background()) //nolint:usetesting // ended by Cut, not by the test
	ended := make(chan error, 1)
	go func() {
		serve.HeaderTimeout, serve.IdleTimeout = time.Minute, time.Minute
		ended <- g.Run(ctx, ln, serve)
	}()
	t.Cleanup(func() {
		cut()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return enginetest.Gateway{Function: g.Function, Records: g.Records(), Cut: cut}
}

// loud fails a test over whatever is logged as an error: a panic in a loop is.
type loud struct{ t *testing.T }

func (l loud) Enabled(_ context.Context, v slog.Level) bool { return v >= slog.LevelError }
func (l loud) WithAttrs([]slog.Attr) slog.Handler           { return l }
func (l loud) WithGroup(string) slog.Handler                { return l }

func (l loud) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { l.t.Errorf("%s: %s", r.Message, a); return true })
	return nil
}

// specOf is what middleware.New makes of a function.
func specOf(f *middleware.Function) gateway.Spec {
	p := f.Policy
	switch {
	case f.NoRetry:
		p.Retry.Attempts = 0
	case p.Retry.Attempts == 0 && p.Retry.Statuses == nil:
		p.Retry = retry.DefaultPolicy()
	}
	return gateway.Spec{
		Config: exchange.FunctionConfig{Name: f.Name, Policy: p, Balancer: f.Balancer, Breaker: &f.Breaker, Budget: f.Budget},
		Routes: f.Routes, Options: f.Options, Fallback: f.Fallback,
	}
}

func instancesOf(t *testing.T, g *gateway.Gateway, f *middleware.Function) {
	t.Helper()
	specs := append([]balancer.Spec(nil), f.Instances...)
	for i := range specs {
		if u, err := url.Parse(specs[i].Endpoint); err == nil && specs[i].ID == "" {
			specs[i].ID = u.Host
		}
	}
	list, err := g.SetInstances(f.Name, specs, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if f.HealthPath == "" { // else a test says when it is up
			g.Function(f.Name).Balancer().SetHealth(i, balancer.HealthUp, "test", time.Now())
		}
	}
}
