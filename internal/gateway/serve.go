package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"holdfast/internal/http1"
	"holdfast/middleware"
)

// ServeConfig bounds what clients may do.
type ServeConfig struct {
	// Loops is how many poll loops carry the common kind of request, where the
	// listener is TCP; 0: net/http serves all. An error is ErrNoLoops where the
	// system has none.
	Loops int
	// TLS is spoken with clients where it is set, HTTP/2 too if its NextProtos
	// say so.
	TLS           *tls.Config
	HeaderBytes   int           // of a request's head
	HeaderTimeout time.Duration // for a request's head
	IdleTimeout   time.Duration // between two requests of a connection
	// MinRate is how many bytes a second a client moves at least while it owes
	// some; 0: no limit.
	MinRate int64
	// Shutdown is how long exchanges under way may go on once the service ends.
	Shutdown time.Duration
	// Draining is called when the service stops taking new exchanges. May be nil.
	Draining func()
	// Handed says, once ctx has ended, that another process accepts on the
	// same socket from now on: connections are then closed so gently that no
	// client notices. nil: never.
	Handed func() bool
}

// Run serves requests from ln until ctx ends, then lets exchanges under way
// finish for as long as ServeConfig.Shutdown, cuts what is left, and returns
// when all of its goroutines are gone. It does the same with an error when ln
// breaks.
//
// With loops, these take the connections, and the server gets from them those
// that they do not carry. So the loops end first and the server behind them.
func (g *Gateway) Run(ctx context.Context, ln net.Listener, c ServeConfig) error {
	logging, stopLogging := context.WithCancel(context.WithoutCancel(ctx))
	exchanges, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var logs sync.WaitGroup
	if lines := g.config.Access; lines != nil {
		logs.Go(func() { _ = lines.Run(logging) }) // it only ends
	}
	defer logs.Wait()
	defer stopLogging()

	leaving := newLeaving()
	live := &liveRequests{next: g.engine, leaving: leaving}
	strict := g.newStrict(&c)
	srv := &http.Server{
		Handler: live, MaxHeaderBytes: c.HeaderBytes, ReadHeaderTimeout: c.HeaderTimeout, IdleTimeout: c.IdleTimeout,
		BaseContext: func(net.Listener) context.Context { return exchanges },
		ConnContext: rememberTLS,
		ConnState: func(c net.Conn, s http.ConnState) {
			strict.ConnState(c, s)
			leaving.watch(c, s)
		},
		ErrorLog: slog.NewLogLogger(g.config.Logger.Handler(), slog.LevelDebug),
		// The engine answers "OPTIONS *" too, or it would lack its request id.
		DisableGeneralOptionsHandler: true,
	}
	f, ln := g.newFront(context.WithoutCancel(ctx), ln, &c)
	defer f.wait()
	if g.config.Strict {
		srv.MaxHeaderBytes = max(c.HeaderBytes, http.DefaultMaxHeaderBytes) + headGrowth // it is the filter that refuses
		srv.IdleTimeout += c.HeaderTimeout
		ln = strict.Listener(ln)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	var broken error
	select {
	case broken = <-served:
	case broken = <-f.ended:
	case <-ctx.Done():
	}
	if broken != nil {
		until, stop := context.WithTimeout(context.WithoutCancel(ctx), c.Shutdown)
		defer stop()
		_ = f.leave(leaving) // the first error is the one to tell
		g.drain(until, srv, live, cut)
		return fmt.Errorf("serve gateway: %w", broken)
	}
	if c.Draining != nil {
		c.Draining()
	}
	until, stop := context.WithTimeout(context.WithoutCancel(ctx), c.Shutdown)
	defer stop()
	if c.Handed != nil && c.Handed() {
		err := f.leave(leaving)
		_ = ln.Close()                                           // the other process goes on listening
		if ended := <-served; !errors.Is(ended, net.ErrClosed) { // every connection that was accepted is known now
			g.config.Logger.WarnContext(until, "accept until the other process did", "error", ended)
		}
		leaving.wait(until)
		g.drain(until, srv, live, cut)
		return err
	}
	err := f.leave(leaving)
	g.drain(until, srv, live, cut)
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve gateway: %w", ended))
	}
	return err
}

// headGrowth is by how much a head can grow that is written anew.
const headGrowth = 4 << 10

// newStrict makes what the server reads clients through. It holds the limits
// of heads itself: when the first byte of a head reaches the server, all of it
// has come.
func (g *Gateway) newStrict(c *ServeConfig) *http1.Strict {
	return http1.NewStrict(http1.StrictConfig{
		Limits: http1.Limits{Head: c.HeaderBytes}, HeaderTimeout: c.HeaderTimeout, IdleTimeout: c.IdleTimeout,
		MinRate: c.MinRate, Problem: middleware.Problem,
	})
}

// drain stops accepting, waits for exchanges and upgraded connections, and
// cuts those that are left.
func (g *Gateway) drain(until context.Context, srv *http.Server, live *liveRequests, cut context.CancelFunc) {
	err := srv.Shutdown(until)
	left := live.wait(until)
	if err != nil || left > 0 {
		g.config.Logger.WarnContext(until, "cut exchanges that did not finish in time", "left", left)
	}
	cut()
	_ = srv.Close() // Shutdown reported what there was to report
	last, stop2 := context.WithTimeout(context.Background(), time.Second)
	defer stop2()
	live.wait(last)
	g.engine.Close()
}

// liveRequests counts the requests inside, upgraded connections too, which
// http.Server.Shutdown does not wait for.
type liveRequests struct {
	next    http.Handler
	leaving *leaving

	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when n falls to 0, if somebody waits
}

// ServeHTTP implements http.Handler.
func (l *liveRequests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.add(1)
	defer l.add(-1)
	l.leaving.mark(w, r)
	recallTLS(r)
	l.next.ServeHTTP(w, r)
}

func (l *liveRequests) add(d int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += d
	if l.n == 0 && l.zero != nil {
		close(l.zero)
		l.zero = nil
	}
}

// wait returns how many requests are left when ctx ends, 0 as soon as none is.
func (l *liveRequests) wait(ctx context.Context) int {
	l.mu.Lock()
	if l.n == 0 {
		l.mu.Unlock()
		return 0
	}
	if l.zero == nil {
		l.zero = make(chan struct{})
	}
	zero := l.zero
	l.mu.Unlock()
	select {
	case <-zero:
		return 0
	case <-ctx.Done():
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.n
	}
}
