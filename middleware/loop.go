package middleware

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

// loop is the transport of the reverse proxy: it does what the machine says
// until there is an answer for the client.
type loop struct{}

var _ http.RoundTripper = loop{}

var errClientGone = errors.New("client is gone")

// RoundTrip implements http.RoundTripper.
func (loop) RoundTrip(r *http.Request) (*http.Response, error) {
	f := flightOf(r)
	step := f.begin(r)
	for {
		switch step.Do {
		case exchange.Wait:
			if !f.wait(r.Context(), step.Until) {
				return nil, f.abort()
			}
			step = f.x.Next(time.Now())
		case exchange.Attempt:
			res, next := f.attempt(r, step)
			if res != nil {
				return res, nil
			}
			if r.Context().Err() != nil {
				return nil, f.abort()
			}
			step = next
		case exchange.Answer:
			return f.answer(r, step), nil
		case exchange.Relay, exchange.Finished:
			return nil, f.abort()
		}
	}
}

func (f *flight) begin(r *http.Request) exchange.Step {
	f.begun = true
	q := exchange.Request{
		ID: f.in.id, Method: r.Method, Host: f.in.host, Path: f.in.path,
		Header: r.Header, Client: f.in.client, Draw: rand.Uint64(),
	}
	step := f.engine.machine.Begin(&f.x, &q, f, time.Now())
	if r.Body != nil && r.Body != http.NoBody && step.Function != nil {
		limit := f.engine.options(step.Function).ReplayLimit
		if limit == 0 {
			limit = defaultReplayLimit
		}
		f.body = newReplayBody(r.Body, limit, f.x.Idle(), f.control)
	}
	return step
}

// wait returns false when the client left.
func (f *flight) wait(ctx context.Context, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-f.woken:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

func (f *flight) abort() error {
	f.x.Abort(time.Now())
	return errClientGone
}

// attempt sends the request to an instance. It returns the answer to relay, or
// the next step.
func (f *flight) attempt(r *http.Request, step exchange.Step) (*http.Response, exchange.Step) {
	try := f.newTry(r, step)
	res, err := f.engine.transport(step.Function).RoundTrip(try.request)
	if err != nil {
		next := f.x.Done(step.Attempt, try.outcome(r.Context(), err), time.Now())
		try.giveUp()
		return nil, next
	}
	head := exchange.Head{
		Status: res.StatusCode, Replayable: f.replayable(), Long: isLong(res),
		RetryAfter: retry.ParseRetryAfter(res.Header.Get("Retry-After"), time.Now()),
	}
	next := f.x.Head(step.Attempt, head, time.Now())
	if next.Do != exchange.Relay || !try.timer.Stop() && try.late() {
		_ = res.Body.Close() // its error says nothing about an answer nobody wants
		if next.Do == exchange.Relay {
			next = f.x.Done(step.Attempt, exchange.Outcome{Kind: retry.Timeout, Sent: true}, time.Now())
		}
		try.giveUp()
		return nil, next
	}
	f.relay(res, try, next)
	return res, next
}

func (f *flight) replayable() bool { return f.body == nil || f.body.replayable() }

// try is one attempt as net/http sees it.
type try struct {
	f       *flight
	client  context.Context //nolint:containedctx // the server's; it says whether the client left
	request *http.Request
	view    *bodyView
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	sent    atomic.Bool // GotConn runs in net/http's goroutine
}

var errAttemptTimeout = errors.New("no head in time")

func (f *flight) newTry(r *http.Request, step exchange.Step) *try {
	t := &try{f: f, client: r.Context()}
	ctx, cancel := context.WithCancelCause(r.Context())
	t.cancel = cancel
	t.timer = time.AfterFunc(time.Until(step.Until), func() { cancel(errAttemptTimeout) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { t.sent.Store(true) },
	})
	t.request = r.WithContext(ctx)
	f.target(t.request, r, step)
	if f.body != nil {
		t.view = f.body.view()
		t.request.Body = t.view
	}
	return t
}

// target points the request at the instance; the header map is the one all
// attempts share, the URL is not.
func (f *flight) target(out, r *http.Request, step exchange.Step) {
	base, err := url.Parse(step.Instance.Endpoint())
	if err != nil {
		base = &url.URL{Scheme: "http", Host: "invalid"} // refused by the configuration
	}
	path := f.x.Route().Forward(f.in.path)
	plain, err := url.PathUnescape(path)
	if err != nil {
		plain = path
	}
	out.URL = &url.URL{Scheme: base.Scheme, Host: base.Host, Path: plain, RawPath: path, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	if f.engine.options(step.Function).InstanceHost {
		out.Host = base.Host
	}
}

// giveUp ends an attempt whose answer is not wanted.
func (t *try) giveUp() {
	t.timer.Stop()
	t.cancel(errAttemptOver)
	if t.view != nil {
		_ = t.view.Close() // never fails
	}
}

// late says whether the timeout has struck.
func (t *try) late() bool {
	return errors.Is(context.Cause(t.request.Context()), errAttemptTimeout)
}

// outcome classifies what net/http made of the attempt.
func (t *try) outcome(client context.Context, err error) exchange.Outcome {
	o := exchange.Outcome{Kind: retry.Reset, Sent: t.sent.Load(), Replayable: t.f.replayable()}
	switch {
	case client.Err() != nil, t.f.body != nil && t.f.body.failed() != nil:
		o.Kind = retry.Canceled
	case t.late():
		o.Kind = retry.Timeout
	case isDial(err):
		o.Kind, o.Sent = retry.Unreachable, false
	}
	return o
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// isLong says whether an answer lasts as long as somebody listens.
func isLong(res *http.Response) bool {
	if res.StatusCode == http.StatusSwitchingProtocols {
		return true
	}
	kind := res.Header.Get("Content-Type")
	return hasPrefixFold(kind, "text/event-stream") || hasPrefixFold(kind, "application/grpc")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}

func equalFold(a, lower string) bool {
	for i := range len(a) {
		c := a[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// relay makes a head the client's and watches its body.
func (f *flight) relay(res *http.Response, t *try, step exchange.Step) {
	res.Header.Set("X-Request-Id", f.in.id)
	if step.SetCookie != "" {
		res.Header.Add("Set-Cookie", f.cookie(step).String())
	}
	b := &relayBody{from: res.Body, t: t, attempt: step.Attempt, idle: f.x.Idle()}
	if rw, ok := res.Body.(io.ReadWriteCloser); ok && res.StatusCode == http.StatusSwitchingProtocols {
		res.Body = &relayStream{relayBody: b, to: rw}
		return
	}
	res.Body = b
}

func (f *flight) cookie(step exchange.Step) *http.Cookie {
	o := f.engine.options(step.Function)
	a := step.Function.Policy().Affinity
	same := o.SameSite
	if same == 0 {
		same = http.SameSiteLaxMode
	}
	return &http.Cookie{
		Name: a.Cookie, Value: step.SetCookie, Path: "/", MaxAge: int(a.TTL / time.Second),
		HttpOnly: true, SameSite: same, Secure: f.secure || o.SecureCookie,
	}
}

func flightOf(r *http.Request) *flight {
	f, ok := r.Context().Value(flightKey{}).(*flight)
	if !ok {
		panic("middleware: request did not come through Engine.ServeHTTP")
	}
	return f
}
