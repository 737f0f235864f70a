package middleware

import (
	"context"
	"net"
	"net/http"
	"time"

	"holdfast/exchange"
)

const (
	maxIdlePerInstance = 256
	// idleUpstream closes idle connections before common servers do (5 s in
	// Node.js and uvicorn): a request sent into a closing connection is lost,
	// and a POST that was lost cannot be sent again.
	idleUpstream     = 4 * time.Second
	maxAnswerHeaders = 256 << 10
)

// transport returns the connections of a function's instances.
func (e *Engine) transport(fn *exchange.Function) *http.Transport {
	e.mu.RLock()
	t := e.transports[fn]
	e.mu.RUnlock()
	if t != nil {
		return t
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.transports[fn]; t != nil {
		return t
	}
	t = newTransport(fn)
	e.transports[fn] = t
	return t
}

func newTransport(fn *exchange.Function) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			d := net.Dialer{Timeout: fn.Policy().Timeouts.Connect}
			return d.DialContext(ctx, network, addr)
		},
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConnsPerHost:    maxIdlePerInstance,
		IdleConnTimeout:        idleUpstream,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		DisableCompression:     true, // answers pass as they are
		WriteBufferSize:        4 << 10,
		ReadBufferSize:         4 << 10,
	}
}
