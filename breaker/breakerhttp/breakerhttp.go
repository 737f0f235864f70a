// Package breakerhttp puts a circuit breaker in front of an http.RoundTripper.
//
// A call ends when its answer's body is read to the end or closed, so a half-open breaker counts a probe as running as
// long as its body does. What counts:
//
//   - failure: a transport error, a deadline that passed, an answer the Failed rule rejects (5xx by default), a body that
//     breaks off;
//   - ignored: the client cancelled its request, at any time before the end;
//   - success: everything else, also a body that its reader closed early.
//
// The time a call took, for the slow-call rate, is the time to the answer's head: the speed at which a client reads a
// body, or the length of a stream, says nothing about the callee. A rejected answer and an upgrade (101) end at the head.
// A body that is never closed is a bug of its reader; a closed breaker does not notice, a half-open one gives the permit
// up after its HalfOpenTimeout.
package breakerhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"holdfast/breaker"
)

// ErrOpen is what errors.Is finds in the error of a refused call.
var ErrOpen = errors.New("circuit breaker is open")

// OpenError is the error of a call that the breaker refused; nothing was sent.
type OpenError struct {
	// State is Open, or HalfOpen when all probes are taken.
	State breaker.State
	// RetryAt is when the breaker lets a call try. Zero when unknown: forced open, or half-open.
	RetryAt time.Time
	// Reason is why the breaker is in that state.
	Reason string
}

// Error says what to expect.
func (e *OpenError) Error() string {
	text := "circuit breaker is " + e.State.String()
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if !e.RetryAt.IsZero() {
		text += fmt.Sprintf(" (retry at %s)", e.RetryAt.Format(time.RFC3339))
	}
	return text
}

// Is makes errors.Is(err, ErrOpen) true.
func (e *OpenError) Is(target error) bool { return target == ErrOpen }

// Config of a Transport.
type Config struct {
	// Breaker decides. Required.
	Breaker *breaker.Breaker
	// Next makes the calls. Required; http.DefaultTransport is a usual choice.
	Next http.RoundTripper
	// Failed says which answers count as failures. nil: status 500 and above. It must not read the body.
	Failed func(*http.Response) bool
}

// Transport is an http.RoundTripper guarded by a breaker, safe for concurrent use. Make one with New.
type Transport struct {
	breaker *breaker.Breaker
	next    http.RoundTripper
	failed  func(*http.Response) bool
}

var _ http.RoundTripper = (*Transport)(nil)

// New returns a Transport, or an error that names the field that is missing.
func New(cfg Config) (*Transport, error) {
	switch {
	case cfg.Breaker == nil:
		return nil, errors.New("make breaker transport: Breaker is nil")
	case cfg.Next == nil:
		return nil, errors.New("make breaker transport: Next is nil")
	case cfg.Failed == nil:
		cfg.Failed = serverError
	}
	return &Transport{breaker: cfg.Breaker, next: cfg.Next, failed: cfg.Failed}, nil
}

func serverError(resp *http.Response) bool { return resp.StatusCode >= http.StatusInternalServerError }

// RoundTrip makes the call, or returns an *OpenError at once. An answer that counts as a failure is still returned.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	permit, ok := t.breaker.Allow(start)
	if !ok {
		closeBody(req)
		return nil, t.refusal(start)
	}
	c := &call{breaker: t.breaker, permit: permit, ctx: req.Context}
	resp, err := t.next.RoundTrip(req)
	c.took = time.Since(start)
	switch {
	case err != nil:
		c.broke()
	case t.failed(resp):
		c.done(breaker.Failure)
	case resp.StatusCode == http.StatusSwitchingProtocols || resp.Body == nil || resp.Body == http.NoBody:
		c.done(breaker.Success)
	default:
		resp.Body = &body{ReadCloser: resp.Body, call: c}
	}
	return resp, err
}

// CloseIdleConnections passes on to Next, so that http.Client.CloseIdleConnections works.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *Transport) refusal(now time.Time) error {
	s := t.breaker.Snapshot(now)
	return &OpenError{State: s.State, RetryAt: s.NextAttempt, Reason: s.Reason}
}

// closeBody keeps the promise of http.RoundTripper to close the request's body, also on errors.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // nothing was read from it, so there is nothing to lose
	}
}

// call is a permit on its way back; whoever is first decides.
type call struct {
	breaker *breaker.Breaker
	permit  breaker.Permit
	ctx     func() context.Context // of the request
	took    time.Duration
	once    sync.Once
}

func (c *call) done(o breaker.Outcome) {
	c.once.Do(func() { c.breaker.Done(c.permit, o, c.took, time.Now()) })
}

// broke ends a call whose connection broke: that is the callee's doing, unless the client had left.
func (c *call) broke() {
	if errors.Is(c.ctx().Err(), context.Canceled) {
		c.done(breaker.Ignored)
		return
	}
	c.done(breaker.Failure)
}

// body ends its call at the end, at an error, or when it is closed.
type body struct {
	io.ReadCloser
	call *call
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.call.done(breaker.Success)
	default:
		b.call.broke()
	}
	return n, err
}

func (b *body) Close() error {
	if errors.Is(b.call.ctx().Err(), context.Canceled) {
		b.call.done(breaker.Ignored)
	}
	b.call.done(breaker.Success)
	return b.ReadCloser.Close()
}
