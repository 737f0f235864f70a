package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"holdfast/internal/http1"
)

const (
	// maxHandshakes bounds those under way; who comes then waits in the system's
	// queue. Silent clients count.
	maxHandshakes = 8192
	// lastHandshakes is how long those under way may go on once the listener is
	// closed: who connected before that is served.
	lastHandshakes = time.Second
)

// secureListener shakes hands before it gives connections away, so that it is
// known what they speak: HTTP/2 goes to net/http as it is, HTTP/1.1 through a
// filter. It is for listeners without loops, which do the same themselves.
type secureListener struct {
	net.Listener
	config  *tls.Config
	timeout time.Duration
	conns   chan net.Conn
	ended   chan struct{} // nothing is left of it, once it was closed
	err     error         // why
}

func newSecureListener(ln net.Listener, config *tls.Config, timeout time.Duration) *secureListener {
	l := &secureListener{
		Listener: ln, config: config, timeout: cmp.Or(timeout, time.Minute), conns: make(chan net.Conn), ended: make(chan struct{}),
	}
	go l.run()
	return l
}

// Accept implements net.Listener. The handshake of its connections is done.
func (l *secureListener) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, l.err
}

func (l *secureListener) run() {
	defer close(l.ended)
	ctx, cut := context.WithCancel(context.Background())
	defer cut()
	slots := make(chan struct{}, maxHandshakes)
	for {
		slots <- struct{}{} // each lasts a limited time
		c, err := l.Listener.Accept()
		if err != nil {
			if <-slots; passing(err) {
				<-time.After(acceptPause)
				continue
			}
			l.err = err
			break
		}
		go func() {
			defer func() { <-slots }()
			l.greet(ctx, c)
		}()
	}
	timer := time.AfterFunc(lastHandshakes, cut)
	defer timer.Stop()
	for range maxHandshakes { // until all are done
		slots <- struct{}{}
	}
	close(l.conns)
}

// acceptPause is how long nothing is accepted when the system has no
// descriptors left.
const acceptPause = 50 * time.Millisecond

// passing says whether accepting may work again.
func passing(err error) bool {
	e, ok := err.(net.Error)   //nolint:errorlint // as net/http asks
	return ok && e.Temporary() //nolint:staticcheck // there is no other way to know
}

// greet shakes hands and waits for somebody to accept the connection.
func (l *secureListener) greet(ctx context.Context, raw net.Conn) {
	_ = raw.SetDeadline(time.Now().Add(l.timeout)) // the handshake fails on a connection that has none
	c := tls.Server(raw, l.config)
	if err := c.HandshakeContext(ctx); err != nil {
		http1.RefusePlain(raw, err)
		_ = raw.Close() // nothing was exchanged
		return
	}
	_ = raw.SetDeadline(time.Time{}) // as above
	select {
	case l.conns <- c:
	case <-ctx.Done():
		_ = c.Close() // as little
	}
}

type tlsKey struct{}

// rememberTLS is the ConnContext of a server whose connections use TLS without
// being a *tls.Conn, by which alone net/http knows it.
func rememberTLS(ctx context.Context, c net.Conn) context.Context {
	if s, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := s.ConnectionState()
		return context.WithValue(ctx, tlsKey{}, &state)
	}
	return ctx
}

// recallTLS tells a request of it.
func recallTLS(r *http.Request) {
	if state, ok := r.Context().Value(tlsKey{}).(*tls.ConnectionState); ok && r.TLS == nil {
		r.TLS = state
	}
}
