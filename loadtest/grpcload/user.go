package grpcload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

// raw is the codec that leaves bytes as they are. Its name goes into the content type, which has to say what they are.
type raw struct{}

// Name implements encoding.Codec.
func (raw) Name() string { return "proto" }

// Marshal implements encoding.Codec.
func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("send a %T, which is no message made ready", v)
	}
	return *b, nil
}

// Unmarshal implements encoding.Codec. The bytes are gRPC's and go back to its pool.
func (raw) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("read into a %T, which holds no message", v)
	}
	*b = append((*b)[:0], data...)
	return nil
}

// group is users that share a connection.
type group struct {
	client *Client
	number int
	users  int // guarded by Client.mu

	mu   sync.Mutex
	link *link
}

// link is a connection. Its fields are guarded by group.mu, but for dial.
type link struct {
	conn  *grpc.ClientConn
	since time.Time
	open  int  // calls on it
	used  bool // by one call at least
	gone  bool // it is to be closed when open is 0

	mu   sync.Mutex
	dial error // what opening it ended with
}

// take returns the connection for one call; give it back.
func (g *group) take() (*link, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	age := g.client.config.ConnAge
	if g.link != nil && g.link.used && age > 0 && time.Since(g.link.since) >= age {
		g.retire()
	}
	if g.link == nil {
		l, err := g.client.connect()
		if err != nil {
			return nil, err
		}
		g.link = l
	}
	g.link.used = true
	g.link.open++
	return g.link, nil
}

// give takes a connection back. A broken one is given up, so that the next call starts afresh instead of waiting for a
// backoff to pass.
func (g *group) give(l *link, broken bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.open--
	switch {
	case broken && g.link == l:
		g.retire()
	case l.gone && l.open == 0:
		_ = l.conn.Close() // nobody calls any more
	}
}

func (g *group) retire() {
	l := g.link
	g.link, l.gone = nil, true
	if l.open == 0 {
		_ = l.conn.Close() // nobody calls any more
	}
}

// close ends the connection. No call is under way.
func (g *group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.link != nil {
		g.retire()
	}
}

// connect makes a connection without touching the network: the first call opens it.
func (c *Client) connect() (*link, error) {
	l := &link{since: time.Now()}
	security := insecure.NewCredentials()
	if c.config.TLS != nil {
		security = credentials.NewTLS(c.config.TLS.Clone())
	}
	conn, err := grpc.NewClient("passthrough:///"+c.config.Address, // no resolver of gRPC's runs
		grpc.WithTransportCredentials(security),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := c.config.Dial(ctx, "tcp", address)
			l.mu.Lock()
			l.dial = err
			l.mu.Unlock()
			return conn, err
		}),
		// Who waits for it gives up first, and knows that nobody answered; gRPC would only say that it failed.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 2 * c.config.ConnectTimeout}),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithIdleTimeout(0),
		grpc.WithUserAgent("holdfast-load"),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(c.config.MaxMessage)))
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	l.conn = conn
	return l, nil
}

// ready waits until the connection is open, or until the first attempt to open it has failed.
func (l *link) ready(ctx context.Context) (opened bool, err error) {
	l.conn.Connect()
	for {
		switch state := l.conn.GetState(); state {
		case connectivity.Ready:
			return opened, nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.dial != nil {
				return false, check.ConnectError{Err: l.dial}
			}
			return false, check.HandshakeError{Err: errUnspoken}
		case connectivity.Idle, connectivity.Connecting:
			opened = true
			if !l.conn.WaitForStateChange(ctx, state) {
				return false, check.ConnectError{Err: ctx.Err()}
			}
			l.conn.Connect() // it is idle after a connection was lost
		}
	}
}

var errUnspoken = errors.New("the target speaks no gRPC, or not with this TLS")

// user is one client. Do is called by one goroutine at a time, Interrupt by another meanwhile.
type user struct {
	loadtest.Interrupter

	client *Client
	group  *group
	in     []byte
}

var _ loadtest.User = (*user)(nil)

// Do implements loadtest.User.
func (u *user) Do(ctx context.Context, s *loadtest.Shot) {
	ctx, end := u.Begin(ctx)
	defer end()
	l, err := u.group.take()
	if err != nil {
		s.Class, s.Err = loadtest.OtherFailure, err
		return
	}
	err = u.connect(ctx, s, l)
	broken := err != nil
	if err == nil {
		err = u.call(ctx, s, l)
		broken = l.conn.GetState() == connectivity.TransientFailure
	}
	s.Done = s.Now()
	if err != nil {
		s.Class, s.Err = classify(err, s), err
	}
	u.group.give(l, broken)
}

func (u *user) connect(ctx context.Context, s *loadtest.Shot, l *link) error {
	ctx, cancel := context.WithTimeout(ctx, u.client.config.ConnectTimeout)
	defer cancel()
	opened, err := l.ready(ctx)
	if opened {
		s.Connected = max(s.Now(), 1)
	}
	return err
}

func (u *user) call(ctx context.Context, s *loadtest.Shot, l *link) error {
	c := &u.client.calls[s.Endpoint]
	out, err := c.message(s)
	if err != nil {
		return messageError{err}
	}
	s.Written, s.BytesOut = max(s.Now(), 1), int64(len(out))
	err = l.conn.Invoke(metadata.NewOutgoingContext(ctx, u.client.header), c.method, &out, &u.in)
	if err != nil {
		return err
	}
	s.BytesIn = int64(len(u.in))
	s.Class, s.Err = c.judge(u.in)
	return nil
}

// messageError is a message that could not be made; nothing was sent.
type messageError struct{ error }

// classify says what kind of failure an error is: see the comment of the package.
func classify(err error, s *loadtest.Shot) loadtest.Class {
	if _, ok := errors.AsType[messageError](err); ok {
		return loadtest.OtherFailure
	}
	answer, ok := status.FromError(err)
	if !ok {
		return check.Network(err, s)
	}
	s.Status = int(answer.Code())
	switch answer.Code() { //nolint:exhaustive // the others say that the call failed
	case codes.ResourceExhausted:
		return loadtest.RateLimited
	case codes.DeadlineExceeded:
		return loadtest.Timeout
	case codes.Unavailable:
		if lost(answer.Message()) {
			s.Status = 0 // gRPC's own: nobody answered
			return loadtest.Reset
		}
	}
	return loadtest.BadStatus
}

// lost says by its words whether a status was made here because the connection broke: gRPC has no other sign of it.
func lost(message string) bool {
	return slices.ContainsFunc([]string{"error reading from server", "connection error", "transport is closing", "connection is draining", "closing transport"},
		func(words string) bool { return strings.Contains(message, words) })
}

// Close implements loadtest.User.
func (u *user) Close() { u.client.leave(u.group) }
