package health

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// conn is a connection to the target that may serve several checks.
type conn struct {
	net.Conn // TLS included
	raw      net.Conn
	born     time.Time
	used     bool // has served a check before
}

// take returns the kept connection if it can be used again.
func (h *HTTP) take(now time.Time) *conn {
	c := h.idle.Swap(nil)
	if c == nil {
		return nil
	}
	if now.Sub(c.born) >= h.plan.reconnect || !quiet(c.raw) {
		_ = c.Close() // it is replaced, whatever it has to say
		return nil
	}
	return c
}

// put keeps c for the next check. Another one that is kept already stays.
func (h *HTTP) put(c *conn) {
	c.used = true
	if h.plan.reconnect < 0 || !h.idle.CompareAndSwap(nil, c) {
		_ = c.Close() // nothing is in flight on it
		return
	}
	if h.closed.Load() { // Close came between
		_ = h.Close()
	}
}

// dial opens a connection, or says in a reason why it could not.
func (h *HTTP) dial(ctx context.Context, start, deadline time.Time) (*conn, string) {
	if h.closed.Load() {
		return nil, errClosed.Error()
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	budget := deadline.Sub(start)
	raw, err := h.plan.dial(ctx, "tcp", h.plan.address)
	if err != nil {
		return nil, "connect: " + cause(ctx, err, budget)
	}
	if h.plan.tls == nil {
		return &conn{Conn: raw, raw: raw, born: start}, ""
	}
	secure := tls.Client(raw, h.plan.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake has failed already
		return nil, "TLS handshake: " + tlsCause(ctx, err, budget)
	}
	return &conn{Conn: secure, raw: raw, born: start}, ""
}

func tlsCause(ctx context.Context, err error, budget time.Duration) string {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS"
	}
	return cause(ctx, err, budget)
}
