package grpcload_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/template"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const method = "/grpc.health.v1.Health/Check"

// serve serves real gRPC: the service of health checks, behind intercept when that is not nil.
func serve(t *testing.T, secure *tls.Config, intercept grpc.UnaryServerInterceptor) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var options []grpc.ServerOption
	if secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	if intercept != nil {
		options = append(options, grpc.UnaryInterceptor(intercept))
	}
	s := grpc.NewServer(options...)
	h := grpchealth.NewServer()
	h.SetServingStatus("shop", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s, h)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // it ends by Stop
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return l.Addr().String()
}

func load(t *testing.T, c grpcload.Config, users int, requests int64, timeout time.Duration) (*loadtest.Result, *grpcload.Client) {
	t.Helper()
	client, err := grpcload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{Client: client, Concurrency: users, Requests: requests, Duration: time.Minute, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return r, client
}

// dials counts connections.
func dials(n *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}

func TestCallsAreAnsweredAndChecked(t *testing.T) {
	t.Parallel()
	certified := httptest.NewUnstartedServer(http.NotFoundHandler())
	certified.StartTLS()
	defer certified.Close()
	trust := certified.Client().Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // httptest made it
	for name, secure := range map[string]*tls.Config{"plain": nil, "TLS": {Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}} {
		var told atomic.Int64
		address := serve(t, secure, func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if in, ok := in.(*grpc_health_v1.HealthCheckRequest); ok && in.GetService() == "shop" && len(metadata.ValueFromIncomingContext(ctx, "x-tenant")) == 1 {
				told.Add(1)
			}
			return next(ctx, in)
		})
		c := grpcload.Config{
			Address: address, Metadata: []httpload.Field{{Name: "X-Tenant", Value: "blue"}},
			Feed: &template.Feed{Columns: []string{"service"}, Rows: [][]string{{"shop"}}},
			// Field 1, a string of 4 bytes; answered with field 1, the number 1: SERVING.
			Calls: []grpcload.Call{{Method: method, Payload: "\x0a\x04{{service}}", Checks: []check.Check{{Equals: "\x08\x01"}}}},
		}
		if secure != nil {
			c.TLS = trust
		}
		r, client := load(t, c, 3, 60, 10*time.Second)
		if r.Total.Counts[loadtest.OK] != 60 || told.Load() != 60 || len(client.Failed()) > 0 || r.Total.BytesIn != 120 || r.Total.BytesOut != 360 {
			t.Errorf("%s: counted %v, %d told, checks %v, errors %v, in %d, out %d", name, r.Total.Counts, told.Load(), client.Failed(), r.Errors, r.Total.BytesIn, r.Total.BytesOut)
		}
	}
}

func TestUsersShareConnections(t *testing.T) {
	t.Parallel()
	address := serve(t, nil, nil)
	for name, c := range map[string]struct {
		config grpcload.Config
		users  int
		want   int64
	}{
		"one each":        {grpcload.Config{}, 4, 4},
		"four on one":     {grpcload.Config{UsersPerConn: 4}, 4, 1},
		"too old at once": {grpcload.Config{ConnAge: 1}, 1, 40},
	} {
		var n atomic.Int64
		c.config.Address, c.config.Dial, c.config.Calls = address, dials(&n), []grpcload.Call{{Method: method}}
		r, _ := load(t, c.config, c.users, 40, 10*time.Second)
		if r.Total.Counts[loadtest.OK] != 40 || n.Load() != c.want {
			t.Errorf("%s: %d connections, want %d; counted %v, %v", name, n.Load(), c.want, r.Total.Counts, r.Errors)
		}
	}
}

func TestCodesHaveClasses(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]loadtest.Class{
		codes.ResourceExhausted: loadtest.RateLimited, codes.DeadlineExceeded: loadtest.Timeout, codes.Unavailable: loadtest.BadStatus,
		codes.Internal: loadtest.BadStatus, codes.NotFound: loadtest.BadStatus, codes.Unauthenticated: loadtest.BadStatus,
	} {
		address := serve(t, nil, func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, status.Error(code, "as told")
		})
		r, _ := load(t, grpcload.Config{Address: address, Calls: []grpcload.Call{{Method: method}}}, 1, 2, 10*time.Second)
		if r.Total.Counts[want] != 2 || r.Total.Statuses[int(code)] != 2 {
			t.Errorf("%v: counted %v, statuses %v, want 2 %v; %v", code, r.Total.Counts, r.Total.Statuses, want, r.Errors)
		}
	}
	address := serve(t, nil, nil)
	r, client := load(t, grpcload.Config{Address: address, Calls: []grpcload.Call{{Method: method, Checks: []check.Check{{Equals: "x"}}}}}, 1, 2, 10*time.Second)
	if r.Total.Counts[loadtest.CheckFailed] != 2 || client.Failed()[`body equals "x"`] != 2 {
		t.Errorf("counted %v, checks %v", r.Total.Counts, client.Failed())
	}
}

func TestATimeoutLeavesTheConnectionToOthers(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	address := serve(t, nil, func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if in, ok := in.(*grpc_health_v1.HealthCheckRequest); ok && in.GetService() == "shop" {
			<-ctx.Done()
		}
		return next(ctx, in)
	})
	client, err := grpcload.New(grpcload.Config{
		Address: address, UsersPerConn: 4, Dial: dials(&n),
		Calls: []grpcload.Call{{Method: method, Payload: "\x0a\x04shop"}, {Method: method}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadtest.Run(t.Context(), loadtest.Config{
		Client: client, Concurrency: 4, Requests: 60, Timeout: 500 * time.Millisecond, Duration: time.Minute,
		Endpoints: []loadtest.Endpoint{{Name: "slow", Weight: 1}, {Name: "quick", Weight: 9}},
	})
	if err != nil {
		t.Fatal(err)
	}
	slow, quick := r.Endpoints[0], r.Endpoints[1]
	if slow.Planned() == 0 || slow.Counts[loadtest.Timeout] != slow.Planned() || quick.Counts[loadtest.OK] != quick.Planned() || n.Load() != 1 {
		t.Errorf("slow %v, quick %v, %d connections, %v", slow.Counts, quick.Counts, n.Load(), r.Errors)
	}
}

func TestWhoIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	strange := httptest.NewTLSServer(http.NotFoundHandler())
	defer strange.Close()
	for _, c := range []struct {
		address string
		tls     *tls.Config
		want    loadtest.Class
	}{
		{closed.Addr().String(), nil, loadtest.Refused},
		{"no-such-host.invalid:1", nil, loadtest.NoAddress},
		{strange.Listener.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS12}, loadtest.BadTLS},
		{silent.Addr().String(), nil, loadtest.Unreachable},
	} {
		r, _ := load(t, grpcload.Config{Address: c.address, TLS: c.tls, ConnectTimeout: time.Second, Calls: []grpcload.Call{{Method: method}}}, 1, 2, 10*time.Second)
		if r.Total.Counts[c.want] != 2 {
			t.Errorf("%s: counted %v, want 2 %v; %v", c.address, r.Total.Counts, c.want, r.Errors)
		}
	}
}

func TestAConnectionThatBreaksIsReplaced(t *testing.T) {
	t.Parallel()
	var last atomic.Pointer[net.Conn]
	var calls atomic.Int64
	address := serve(t, nil, func(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if calls.Add(1) == 5 {
			(*last.Load()).Close()
		}
		return next(ctx, in)
	})
	c := grpcload.Config{Address: address, Calls: []grpcload.Call{{Method: method}}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		last.Store(&conn)
		return conn, err
	}}
	if r, _ := load(t, c, 1, 20, 10*time.Second); r.Total.Counts[loadtest.Reset] != 1 || r.Total.Counts[loadtest.OK] != 19 {
		t.Errorf("counted %v, %v", r.Total.Counts, r.Errors)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	one := []grpcload.Call{{Method: method}}
	for want, c := range map[string]grpcload.Config{
		`"a" is no address to load`:                            {Address: "a", Calls: one},
		"name at least one call to send":                       {Address: "a:1"},
		"ages, numbers and limits must not be negative":        {Address: "a:1", Calls: one, ConnAge: -1},
		`prepare call 1 : "Check" is no method`:                {Address: "a:1", Calls: []grpcload.Call{{Method: "Check"}}},
		"prepare call 1 : there is no variable {{x}}":          {Address: "a:1", Calls: []grpcload.Call{{Method: method, Payload: "{{x}}"}}},
		"prepare call 1 : read check 1: a message has neither": {Address: "a:1", Calls: []grpcload.Call{{Method: method, Checks: []check.Check{{Status: "200"}}}}},
	} {
		if _, err := grpcload.New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
