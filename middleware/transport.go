package middleware

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"holdfast/exchange"
)

const maxAnswerHeaders = 256 << 10

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
	t = e.newTransport(fn)
	if len(fn.Balancer().Instances()) == 0 { // it was forgotten during the exchange, and nobody would do so again
		t.DisableKeepAlives = true
		return t
	}
	e.transports[fn] = t
	return t
}

func (e *Engine) newTransport(fn *exchange.Function) *http.Transport {
	d := dialer{e, fn}
	return &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.tls,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConnsPerHost:    exchange.MaxIdleUpstream,
		IdleConnTimeout:        exchange.IdleUpstream,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		DisableCompression:     true, // answers pass as they are
	}
}

// dialer connects to the instances of a function by the settings in force.
type dialer struct {
	engine *Engine
	fn     *exchange.Function
}

func (d dialer) plain(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.fn.Policy().Timeouts.Connect)
	defer cancel()
	conn, err := d.engine.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return d.engine.wrap(newHearOut(conn)), nil
}

// tls counts the handshake as part of connecting.
func (d dialer) tls(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.fn.Policy().Timeouts.Connect)
	defer cancel()
	raw, err := d.engine.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, d.config(addr))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error is the one to tell
		return nil, err
	}
	return d.engine.wrap(newHearOut(conn)), nil
}

func (d dialer) config(addr string) *tls.Config {
	c := d.engine.options(d.fn).TLS.Clone() // nil stays nil
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.ServerName == "" {
		c.ServerName, _, _ = net.SplitHostPort(addr) // net/http added the port
	}
	return c
}
