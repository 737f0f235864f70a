package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"holdfast/balancer"
	"holdfast/exchange"
)

// ErrNoLoops says that this system has none.
var ErrNoLoops = errors.New("poll loops run on Linux only")

// second is the listener of the engine behind the loops: it accepts what they
// hand over.
type second struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	close sync.Once
}

// maxHanded bounds the connections that wait for the second engine, which
// takes each within microseconds.
const maxHanded = 4096

func newSecond(addr net.Addr) *second {
	return &second{addr: addr, conns: make(chan net.Conn, maxHanded), done: make(chan struct{})}
}

// give passes a connection on without waiting; one that cannot be is closed.
func (s *second) give(c net.Conn) {
	select {
	case <-s.done:
		_ = c.Close() // nothing was answered on it
		return
	default:
	}
	select {
	case s.conns <- c:
	default:
		_ = c.Close() // as little
	}
}

// Accept implements net.Listener.
func (s *second) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	default:
	}
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *second) Close() error {
	s.close.Do(func() { close(s.done) })
	return nil
}

// Addr implements net.Listener.
func (s *second) Addr() net.Addr { return s.addr }

// front is the loops before the server; the zero value is that of a server
// that stands alone.
type front struct {
	stop   context.CancelFunc
	ended  chan error // one, once all connections of the loops are done or handed over
	secure *secureListener
}

// newFront starts the loops, if there are to be any, and returns the listener
// that is left for the server.
func (g *Gateway) newFront(ctx context.Context, ln net.Listener, c *ServeConfig) (front, net.Listener) {
	tcp, ok := ln.(*net.TCPListener)
	if c.Loops <= 0 || !ok {
		if c.TLS == nil {
			return front{}, ln
		}
		secure := newSecureListener(ln, c.TLS, c.HeaderTimeout)
		return front{secure: secure}, secure
	}
	behind := newSecond(ln.Addr())
	ctx, stop := context.WithCancel(ctx)
	f := front{stop: stop, ended: make(chan error, 1)}
	go func() {
		defer close(f.ended)
		defer func() { _ = tcp.Close() }() // loops that could not start left it open
		f.ended <- g.runLoops(ctx, tcp, behind.give, c)
	}()
	return f, behind
}

// wait returns when nothing is left of a listener that was closed.
func (f *front) wait() {
	if f.secure != nil {
		<-f.secure.ended
	}
}

// leave makes the loops end and waits for it, no longer than
// ServeConfig.Shutdown. Meanwhile the server gets connections from them, and
// lets go of those it has. It may also be called after the loops broke.
func (f *front) leave(l *leaving) error {
	if f.stop == nil {
		return nil
	}
	l.begin()
	f.stop()
	if err, ok := <-f.ended; ok && err != nil {
		return fmt.Errorf("run poll loops: %w", err)
	}
	return nil
}

// changeInstances lets the loops know before they could meet an instance they
// cannot connect to.
func (g *Gateway) changeInstances(f *function, list []*balancer.Instance, now time.Time) {
	polled := allPollable(list)
	if !polled {
		g.polled.Store(false)
		f.polled.Store(false)
	}
	f.SetInstances(list, now)
	f.polled.Store(polled)
	g.polled.Store(g.allPolled())
}

func (g *Gateway) allPolled() bool {
	for _, f := range *g.functions.Load() {
		if !f.polled.Load() {
			return false
		}
	}
	return true
}

// loopsTake says whether the loops carry a request: if they can connect to
// every instance of every function that may answer it.
func (g *Gateway) loopsTake(method, host, path string, h exchange.Header) bool {
	if g.polled.Load() {
		return true
	}
	r := g.machine.Router().Match(host, path, method, h)
	if r == nil {
		return true // the answer needs no instance
	}
	functions := *g.functions.Load()
	for fn, n := r.Function, 0; n < len(functions); n++ { // fallbacks may go in a circle
		if f := functions[fn.Name()]; f == nil || !f.polled.Load() {
			return false
		}
		p := fn.Policy()
		if p.Fallback == nil || p.Fallback.Function == nil {
			break
		}
		fn = p.Fallback.Function
	}
	return true
}

// orEndless is for limits of which 0 means none.
func orEndless(d time.Duration) time.Duration { return cmp.Or(d, 24*time.Hour) }
