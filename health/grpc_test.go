package health_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"holdfast/health"
)

const (
	serving    = grpc_health_v1.HealthCheckResponse_SERVING
	notServing = grpc_health_v1.HealthCheckResponse_NOT_SERVING
)

// grpcServer serves at addr what register adds.
func grpcServer(t *testing.T, addr string, register func(*grpc.Server)) server {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	register(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ln)
	}()
	stop := func() {
		s.Stop()
		<-done
	}
	t.Cleanup(stop)
	return server{addr: ln.Addr().String(), stop: stop}
}

func newGRPC(t *testing.T, c health.GRPCConfig) *health.GRPC {
	t.Helper()
	g, err := health.NewGRPC(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func TestGRPCFollowsTheServingStatus(t *testing.T) {
	t.Parallel()
	h := grpchealth.NewServer()
	h.SetServingStatus("shop", notServing)
	s := grpcServer(t, "127.0.0.1:0", func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, h) })
	whole := newGRPC(t, health.GRPCConfig{Address: s.addr})
	shop := newGRPC(t, health.GRPCConfig{Address: s.addr, Service: "shop"})
	other := newGRPC(t, health.GRPCConfig{Address: s.addr, Service: "other"})
	want(t, whole.Check(t.Context()), true, "grpc.health.v1 answered SERVING")
	want(t, shop.Check(t.Context()), false, "grpc.health.v1 answered NOT_SERVING")
	h.SetServingStatus("shop", serving)
	want(t, shop.Check(t.Context()), true, "grpc.health.v1 answered SERVING")
	want(t, other.Check(t.Context()), false, `grpc.health.v1: the server does not know service "other"`)
}

// scripted answers Check with a function.
type scripted struct {
	grpc_health_v1.UnimplementedHealthServer
	check func(context.Context) error
}

func (s scripted) Check(ctx context.Context, _ *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return &grpc_health_v1.HealthCheckResponse{Status: serving}, nil
}

func TestGRPCFailuresAreExplainedWithoutTheServersWords(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	echo := func(code codes.Code) func(context.Context) error {
		return func(ctx context.Context) error {
			md, _ := metadata.FromIncomingContext(ctx)
			return status.Error(code, strings.Join(md.Get("authorization"), ""))
		}
	}
	tests := []struct {
		name   string
		check  func(context.Context) error
		reason string
	}{
		{"denied", echo(codes.PermissionDenied), "grpc.health.v1: ended with code PermissionDenied"},
		{"unavailable", echo(codes.Unavailable), "grpc.health.v1: connection lost or refused by the server"},
		{"hanging", hang, "grpc.health.v1: no answer within 300ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := grpcServer(t, "127.0.0.1:0", func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, scripted{check: test.check}) })
			g := newGRPC(t, health.GRPCConfig{
				Address: s.addr, Metadata: map[string]string{"authorization": "Bearer top-secret"},
				Timeout: map[bool]time.Duration{true: 300 * time.Millisecond, false: 10 * time.Second}[test.name == "hanging"],
			})
			for range 2 {
				want(t, g.Check(t.Context()), false, test.reason)
			}
		})
	}
}

func TestAGRPCServerWithoutHealthServiceIsDown(t *testing.T) {
	t.Parallel()
	s := grpcServer(t, "127.0.0.1:0", func(*grpc.Server) {})
	want(t, newGRPC(t, health.GRPCConfig{Address: s.addr}).Check(t.Context()), false, "grpc.health.v1: the server does not offer it")
}

func TestGRPCSeesARestartedServerWithTheNextCheck(t *testing.T) {
	t.Parallel()
	register := func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, grpchealth.NewServer()) }
	s := grpcServer(t, "127.0.0.1:0", register)
	g := newGRPC(t, health.GRPCConfig{Address: s.addr, Timeout: 10 * time.Second})
	want(t, g.Check(t.Context()), true, "grpc.health.v1 answered SERVING")
	s.stop()
	// The client may learn of the end of its connection only by this check.
	if r := g.Check(t.Context()); r.OK {
		t.Errorf("OK from a stopped server: %s", r.Reason)
	}
	for range 3 { // no backoff grows meanwhile
		want(t, g.Check(t.Context()), false, "connect: connection refused")
	}
	grpcServer(t, s.addr, register)
	want(t, g.Check(t.Context()), true, "grpc.health.v1 answered SERVING")
}

func TestGRPCAgainstSomethingElseFails(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){
		"closes": func(net.Conn) {}, "http/1": answering(okAnswer), "garbage": flooding("", "\x00garbage"),
	} {
		g := newGRPC(t, health.GRPCConfig{Address: listen(t, serve), Timeout: 2 * time.Second})
		if r := g.Check(t.Context()); r.OK || !strings.HasPrefix(r.Reason, "grpc.health.v1: ") {
			t.Errorf("%s: %v %q", name, r.OK, r.Reason)
		}
	}
}

func TestAClosedGRPCCheckFails(t *testing.T) {
	t.Parallel()
	g := newGRPC(t, health.GRPCConfig{Address: "127.0.0.1:1"})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, g.Check(t.Context()), false, "connect: the check is closed")
	if err := g.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
