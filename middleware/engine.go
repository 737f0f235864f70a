package middleware

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"holdfast/exchange"
)

// EngineConfig configures an Engine.
type EngineConfig struct {
	// Machine decides; required.
	Machine *exchange.Machine
	// TrustedProxies may tell who the client is (X-Forwarded-* and Forwarded)
	// and give the request its id. Everybody else's word on it is dropped.
	TrustedProxies []netip.Prefix
	// Options returns what the engine needs to know of a function beyond its
	// rules; it is asked per request. nil: the zero Options for all.
	Options func(*exchange.Function) Options
	// Dial connects to instances; nil: TCP. The context ends after the
	// function's timeouts.connect.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Conn wraps a connection to an instance once HTTP/1.1 can be spoken on it:
	// a plain one when Dial made it, one with TLS after the handshake. nil: none is.
	Conn func(net.Conn) net.Conn
}

// Options are the settings of one function that only an engine needs.
type Options struct {
	// ReplayLimit is how many bytes of a request body are kept for a retry;
	// 0: 64 KiB, negative: none.
	ReplayLimit int64
	// InstanceHost sends the instance's own host in Host instead of the client's.
	InstanceHost bool
	// TLS is for instances whose endpoint is https; nil: the system's roots.
	// Connections made under an earlier value stay until they are idle.
	TLS *tls.Config
	// SecureCookie marks the affinity cookie Secure also on plain connections,
	// for gateways behind something that speaks TLS.
	SecureCookie bool
	// SameSite of the affinity cookie; 0: Lax. None makes it Secure too.
	SameSite http.SameSite
}

const defaultReplayLimit = 64 << 10

// BodyLimit returns the ReplayLimit in force, 0 for none.
func (o *Options) BodyLimit() int64 {
	if o.ReplayLimit == 0 {
		return defaultReplayLimit
	}
	return max(o.ReplayLimit, 0)
}

// Engine is an http.Handler that sends requests to instances as a machine
// decides. Safe for concurrent use.
type Engine struct {
	machine *exchange.Machine
	options func(*exchange.Function) Options
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	wrap    func(net.Conn) net.Conn
	trusted []netip.Prefix
	via     string // this engine's name in Via
	flights sync.Pool
	buffers buffers

	mu         sync.RWMutex // guards transports
	transports map[*exchange.Function]*http.Transport
}

var _ http.Handler = (*Engine)(nil)

// NewEngine makes an engine; Close frees its idle connections.
func NewEngine(c EngineConfig) *Engine {
	e := &Engine{
		machine: c.Machine, options: c.Options, dial: c.Dial, wrap: c.Conn, trusted: c.TrustedProxies,
		via:        "holdfast-" + hexOf(rand.Uint64()),
		transports: map[*exchange.Function]*http.Transport{},
	}
	if e.options == nil {
		e.options = func(*exchange.Function) Options { return Options{} }
	}
	if e.wrap == nil {
		e.wrap = func(c net.Conn) net.Conn { return c }
	}
	if e.dial == nil {
		e.dial = new(net.Dialer).DialContext
	}
	e.flights.New = func() any { return &flight{engine: e, woken: make(chan struct{}, 1)} }
	return e
}

// ServeHTTP serves one request. It panics with http.ErrAbortHandler when the
// answer breaks off or the client is gone, as handlers do to have net/http cut
// the connection.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.serve(w, r, nil) //nolint:contextcheck // attempts take the request's context
}

// Wrap returns a handler that serves the requests a route matches and passes
// the others to next, untouched.
func (e *Engine) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.serve(w, r, next) //nolint:contextcheck // attempts take the request's context
	})
}

func (e *Engine) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	in := e.inspect(r)
	switch {
	case next != nil && (in.path == "" || e.machine.Router().Match(in.host, in.path, r.Method, r.Header) == nil):
		next.ServeHTTP(w, r)
	case in.refused != nil:
		in.refused.write(w, r, in.id)
	case !e.exchange(w, r, &in):
		panic(http.ErrAbortHandler)
	}
}

// exchange returns false when the client must see a broken connection.
func (e *Engine) exchange(w http.ResponseWriter, r *http.Request, in *inbound) bool {
	f := e.takeoff(w, r, in)
	defer e.land(f)
	return f.run()
}

// takeoff readies the state of one exchange.
func (e *Engine) takeoff(w http.ResponseWriter, r *http.Request, in *inbound) *flight {
	f := e.flights.Get().(*flight) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	f.in, f.w, f.r, f.control = *in, w, r, http.NewResponseController(w)
	select {
	case <-f.woken: // a late wake of the last exchange
	default:
	}
	return f
}

// land ends the exchange, also when net/http panics under it, and keeps the
// state for the next one.
func (e *Engine) land(f *flight) {
	f.body.close()
	if f.try != nil {
		f.try.giveUp()
	}
	f.x.End(time.Now())
	f.in, f.w, f.r, f.control, f.header, f.body, f.try = inbound{}, nil, nil, nil, nil, nil, nil
	e.flights.Put(f)
}

// Via is this engine's name in Via. Engines that serve together share one, so
// that each knows the requests of the others when they come back.
func (e *Engine) Via() string { return e.via }

// Forget closes the idle connections of a function that is no longer routed.
// Requests under way go on.
func (e *Engine) Forget(fn *exchange.Function) {
	e.mu.Lock()
	t := e.transports[fn]
	delete(e.transports, fn)
	e.mu.Unlock()
	if t != nil {
		t.CloseIdleConnections()
	}
}

// Close closes all idle connections. Requests under way go on; the engine can
// still be used.
func (e *Engine) Close() {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, t := range e.transports {
		t.CloseIdleConnections()
	}
}

func hexOf(v uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	return hex.EncodeToString(b[:])
}
