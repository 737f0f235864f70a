package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// GRPCConfig describes a gRPC check. Only Address is required.
type GRPCConfig struct {
	// Address is host:port.
	Address string
	// Service is the name asked for; "" asks for the server as a whole.
	Service string
	// Metadata is sent along. Its values never appear in reasons.
	Metadata map[string]string
	// Authority replaces Address in the :authority header and, with TLS, as
	// the name the certificate must have.
	Authority string
	// Timeout bounds a check. 0 is the context's deadline, or 2s when it has none.
	Timeout time.Duration
	// TLS secures the connection; nil is plain text.
	TLS *tls.Config
	// DialContext opens connections; nil dials directly.
	DialContext Dialer
}

// GRPC checks a target by grpc.health.v1.Health/Check. It keeps one client
// connection, which it gives up after a failure so that the next check starts
// afresh instead of waiting for a backoff to pass. Close it when done.
type GRPC struct {
	config GRPCConfig

	mu     sync.Mutex
	client *grpcClient // nil before the first check and after a failure
	closed bool
}

var (
	_ Checker   = (*GRPC)(nil)
	_ io.Closer = (*GRPC)(nil)
)

// NewGRPC returns the check, or an error naming the field that is wrong. It
// does not connect.
func NewGRPC(c GRPCConfig) (*GRPC, error) {
	if err := checkAddress(c.Address); err != nil {
		return nil, fmt.Errorf("grpc check: %w", err)
	}
	c.DialContext = directly(c.DialContext)
	g := &GRPC{config: c}
	probe, err := g.connect() // lazy: it finds wrong options, not servers
	if err != nil {
		return nil, fmt.Errorf("grpc check: %w", err)
	}
	g.client = probe
	return g, nil
}

// Close closes the connection. A check in progress ends with a failure; later
// ones fail too.
func (g *GRPC) Close() error {
	g.mu.Lock()
	client := g.client
	g.client, g.closed = nil, true
	g.mu.Unlock()
	if client == nil {
		return nil
	}
	return client.conn.Close()
}

// Check asks for the service's status.
func (g *GRPC) Check(ctx context.Context) Result {
	start := time.Now()
	deadline := deadlineOf(ctx, g.config.Timeout, start)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	client, err := g.use()
	if err != nil {
		return timed(failed("connect: "+err.Error()), start)
	}
	for key, value := range g.config.Metadata {
		ctx = metadata.AppendToOutgoingContext(ctx, key, value) //nolint:fatcontext // a handful of pairs
	}
	answer, err := client.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: g.config.Service})
	if err != nil {
		return timed(failed(g.broken(ctx, client, err, deadline.Sub(start))), start)
	}
	return timed(judgeServing(answer.GetStatus()), start)
}

func judgeServing(s grpc_health_v1.HealthCheckResponse_ServingStatus) Result {
	return Result{
		OK:     s == grpc_health_v1.HealthCheckResponse_SERVING,
		Reason: "grpc.health.v1 answered " + s.String(),
		Status: int(s),
	}
}

// grpcClient is a client connection and what its last dialling ended with.
type grpcClient struct {
	conn   *grpc.ClientConn
	health grpc_health_v1.HealthClient

	mu   sync.Mutex
	dial error
}

// use returns the kept client, or a new one.
func (g *GRPC) use() (*grpcClient, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errClosed
	}
	if g.client == nil {
		client, err := g.connect()
		if err != nil {
			return nil, err
		}
		g.client = client
	}
	return g.client, nil
}

// drop gives the client up unless another check did so already.
func (g *GRPC) drop(client *grpcClient) {
	g.mu.Lock()
	mine := g.client == client
	if mine {
		g.client = nil
	}
	g.mu.Unlock()
	if mine {
		_ = client.conn.Close() // it has failed already
	}
}

// connect makes a client without touching the network.
func (g *GRPC) connect() (*grpcClient, error) {
	client := &grpcClient{}
	security := insecure.NewCredentials()
	if g.config.TLS != nil {
		security = credentials.NewTLS(g.config.TLS.Clone())
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithContextDialer(client.dialer(g.config.DialContext)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithMaxHeaderListSize(maxHead),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxBody)),
		grpc.WithUserAgent("holdfast-health"),
	}
	if g.config.Authority != "" {
		options = append(options, grpc.WithAuthority(g.config.Authority))
	}
	// passthrough: the dialer resolves names, no resolver of gRPC's runs.
	conn, err := grpc.NewClient("passthrough:///"+g.config.Address, options...)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	client.conn, client.health = conn, grpc_health_v1.NewHealthClient(conn)
	return client, nil
}

// dialer remembers how dialling ended: gRPC's own message wraps it in a text
// that also holds what the peer said.
func (c *grpcClient) dialer(dial Dialer) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dial(ctx, "tcp", address)
		c.mu.Lock()
		c.dial = err
		c.mu.Unlock()
		return conn, err
	}
}

func (c *grpcClient) dialError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dial
}

// broken says why there was no serving status and gives up a connection that
// may be dead.
func (g *GRPC) broken(ctx context.Context, client *grpcClient, err error, budget time.Duration) string {
	code := status.Code(err)
	if code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Internal {
		g.drop(client)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return canceled
	}
	if dial := client.dialError(); dial != nil && code == codes.Unavailable {
		return "connect: " + cause(ctx, dial, budget)
	}
	if code == codes.DeadlineExceeded {
		return "grpc.health.v1: no answer within " + rounded(budget)
	}
	if code == codes.NotFound {
		return "grpc.health.v1: the server does not know service " + strconv.Quote(g.config.Service)
	}
	if code == codes.Unimplemented {
		return "grpc.health.v1: the server does not offer it"
	}
	if code == codes.Unavailable {
		return "grpc.health.v1: connection lost or refused by the server"
	}
	return "grpc.health.v1: ended with code " + code.String()
}
