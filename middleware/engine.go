package middleware

import (
	"context"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
	"time"

	"holdfast/exchange"
)

// EngineConfig configures an Engine.
type EngineConfig struct {
	// Machine decides; required.
	Machine *exchange.Machine
	// TrustedProxies may tell who the client is (X-Forwarded-For and its like).
	// Everybody else's word on it is dropped.
	TrustedProxies []netip.Prefix
	// Options returns what the engine needs to know of a function beyond its
	// rules; nil: the zero Options for all.
	Options func(*exchange.Function) Options
	// Logger gets what net/http complains about; nil: nothing is logged.
	Logger *slog.Logger
}

// Options are the settings of one function that only an engine needs.
type Options struct {
	// ReplayLimit is how many bytes of a request body are kept for a retry;
	// 0: 64 KiB, negative: none.
	ReplayLimit int64
	// InstanceHost sends the instance's own host in Host instead of the client's.
	InstanceHost bool
	// SecureCookie marks the affinity cookie Secure also on plain connections,
	// for gateways behind something that speaks TLS.
	SecureCookie bool
	// SameSite of the affinity cookie; 0: Lax.
	SameSite http.SameSite
}

const defaultReplayLimit = 64 << 10

// Engine is an http.Handler that sends requests to instances as a machine
// decides. Safe for concurrent use.
type Engine struct {
	machine *exchange.Machine
	options func(*exchange.Function) Options
	trusted []netip.Prefix
	logger  *slog.Logger
	via     string
	proxy   *httputil.ReverseProxy
	flights sync.Pool

	mu         sync.RWMutex
	transports map[*exchange.Function]*http.Transport
}

// NewEngine makes an engine; Close frees its idle connections.
func NewEngine(c EngineConfig) *Engine {
	e := &Engine{
		machine: c.Machine, options: c.Options, trusted: c.TrustedProxies, logger: c.Logger,
		via:        "holdfast-" + hexOf(rand.Uint64()),
		transports: map[*exchange.Function]*http.Transport{},
	}
	if e.options == nil {
		e.options = func(*exchange.Function) Options { return Options{} }
	}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	e.flights.New = func() any { return &flight{engine: e, woken: make(chan struct{}, 1)} }
	e.proxy = &httputil.ReverseProxy{
		Rewrite:      rewrite,
		Transport:    loop{},
		BufferPool:   &bufferPool{},
		ErrorHandler: answerError,
		ErrorLog:     slog.NewLogLogger(c.logHandler(), slog.LevelDebug),
	}
	return e
}

func (c EngineConfig) logHandler() slog.Handler {
	if c.Logger == nil {
		return slog.DiscardHandler
	}
	return c.Logger.Handler()
}

// ServeHTTP serves one request; see the package comment.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.serve(w, r, nil)
}

// Wrap returns a handler that serves the requests a route matches and passes
// the others to next.
func (e *Engine) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(w, r, next) })
}

func (e *Engine) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	in, refusal := e.inspect(r)
	if next != nil && (refusal != nil || e.machine.Router().Match(in.host, in.path, r.Method, r.Header) == nil) {
		next.ServeHTTP(w, r)
		return
	}
	if refusal != nil {
		refusal.write(w, in.id)
		return
	}
	guardConnection(r.Header)
	f := e.takeoff(w, r, in)
	defer e.land(f)
	if r.Method == http.MethodOptions || r.Method == http.MethodTrace {
		if answered := maxForwards(w, r); answered {
			return
		}
	}
	e.proxy.ServeHTTP(f.writer(w), r.WithContext(context.WithValue(r.Context(), flightKey{}, f)))
}

// takeoff readies the state of one exchange.
func (e *Engine) takeoff(w http.ResponseWriter, r *http.Request, in inbound) *flight {
	f := e.flights.Get().(*flight) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	f.in, f.control, f.body, f.secure = in, http.NewResponseController(w), nil, r.TLS != nil
	select {
	case <-f.woken: // a late wake of the last exchange
	default:
	}
	return f
}

// land ends the exchange, also when the handler panics because the answer
// broke off, and keeps the state for the next one.
func (e *Engine) land(f *flight) {
	if f.begun {
		f.x.End(time.Now())
	}
	if f.body != nil {
		f.body.close()
	}
	f.begun, f.control, f.body, f.in = false, nil, nil, inbound{}
	e.flights.Put(f)
}

// Forget closes the idle connections of a function that is no longer routed.
func (e *Engine) Forget(fn *exchange.Function) {
	e.mu.Lock()
	t := e.transports[fn]
	delete(e.transports, fn)
	e.mu.Unlock()
	if t != nil {
		t.CloseIdleConnections()
	}
}

// Close closes all idle connections. Requests under way go on.
func (e *Engine) Close() {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, t := range e.transports {
		t.CloseIdleConnections()
	}
}

type flightKey struct{}

// flight is the engine's state of one exchange.
type flight struct {
	engine  *Engine
	x       exchange.Exchange
	woken   chan struct{}
	in      inbound
	control *http.ResponseController
	body    *replayBody
	out     deadlineWriter
	begun   bool
	secure  bool // the client came over TLS
}

// Wake implements exchange.Waker.
func (f *flight) Wake() {
	select {
	case f.woken <- struct{}{}:
	default:
	}
}

func hexOf(v uint64) string {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}

type bufferPool struct{ pool sync.Pool }

const copyBuffer = 32 << 10

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, copyBuffer)
}

func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }
