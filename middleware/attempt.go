package middleware

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

var (
	errAttemptOver    = errors.New("attempt is over")
	errAttemptTimeout = errors.New("instance gave no head in time")
	errClientStalled  = errors.New("client moved no byte for timeouts.idle")
	errIdle           = errors.New("no byte moved for timeouts.idle")
	errInforms        = errors.New("instance sent 1xx answers without end")
	errUpgrade        = errors.New("instance switched to a protocol nobody asked for")
)

// try is one attempt as net/http sees it.
type try struct {
	attempt  int
	request  *http.Request
	response *http.Response
	body     *replayBody
	dog      *watchdog
	cancel   context.CancelCauseFunc
	sent     atomic.Bool   // net/http sets it from its own goroutine
	voice    chan struct{} // who holds it may write 1xx answers
	informed int           // 1xx answers so far; guarded by voice
	given    sync.Once
}

// attempt sends the request to an instance and asks the machine what to make
// of the outcome; gone: the client left.
func (f *flight) attempt(step exchange.Step) (next exchange.Step, gone bool) {
	t := f.newTry(step)
	f.try = t
	res, err := f.engine.transport(step.Function).RoundTrip(t.request)
	<-t.voice // no 1xx from now on
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols && !f.asked(upgradeOf(res.Header)) {
		_ = res.Body.Close() // errUpgrade is the one to tell
		err = errUpgrade
	}
	if err == nil && !t.dog.headCame() {
		_ = res.Body.Close() // it came too late
		err = errAttemptTimeout
	}
	if err != nil {
		return f.failed(t)
	}
	t.response = res
	return f.head(t), false
}

// asked says whether the client asked for the protocol an instance switched to,
// and has said all that belongs to the old one.
func (f *flight) asked(protocol string) bool {
	return protocol != "" && strings.EqualFold(protocol, upgradeOf(f.header)) && f.body.ended()
}

// failed reports an attempt without a head.
func (f *flight) failed(t *try) (exchange.Step, bool) {
	cause, upload := context.Cause(t.request.Context()), t.dog.forClient()
	t.giveUp()
	if f.clientGone() || errors.Is(cause, errClientStalled) {
		return exchange.Step{}, true
	}
	o := exchange.Outcome{Kind: retry.Reset, Sent: t.sent.Load(), Replayable: f.body.replayable(), Upload: upload}
	switch {
	case !o.Sent:
		o.Kind = retry.Unreachable
	case errors.Is(cause, errAttemptTimeout):
		o.Kind = retry.Timeout
	}
	return f.x.Done(t.attempt, o, time.Now()), false
}

// head reports a head; unless the machine makes it the client's, the attempt
// is over.
func (f *flight) head(t *try) exchange.Step {
	h := exchange.Head{
		Status: t.response.StatusCode, Long: isLong(t.response), Upload: t.dog.forClient(),
		RetryAfter: retry.ParseRetryAfter(t.response.Header.Get("Retry-After"), time.Now()),
	}
	var next exchange.Step
	f.body.decide(func(replayable bool) (final bool) {
		h.Replayable = replayable
		next = f.x.Head(t.attempt, h, time.Now())
		return next.Do == exchange.Relay
	})
	if next.Do != exchange.Relay {
		t.discard()
	}
	return next
}

func (f *flight) newTry(step exchange.Step) *try {
	if f.header == nil {
		f.header = f.engine.outbound(f.r, &f.in)
	}
	t := &try{attempt: step.Attempt, body: f.body, voice: make(chan struct{}, 1)}
	t.voice <- struct{}{}
	ctx, cancel := context.WithCancelCause(f.r.Context())
	t.cancel = cancel
	t.dog = newWatchdog(time.Until(step.Until), f.x.Idle(), func(cause error) { t.cut(cause, f.control) })
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:        func(httptrace.GotConnInfo) { t.sent.Store(true) },
		Got1xxResponse: func(status int, h textproto.MIMEHeader) error { return t.inform(f, status, http.Header(h)) },
	})
	t.request = f.request(step).WithContext(ctx)
	if f.body != nil {
		t.request.Body = f.body.open(t.dog, t.request.Trailer)
		// For a connection that turns out to be dead before a byte was written.
		t.request.GetBody = func() (io.ReadCloser, error) { return f.body.reopen(t.dog, t.request.Trailer) }
	}
	return t
}

// request makes what the instance gets, but for the body.
func (f *flight) request(step exchange.Step) *http.Request {
	scheme, host, _ := strings.Cut(step.Instance.Endpoint(), "://")
	host = strings.TrimSuffix(host, "/")
	out := &http.Request{
		Method: f.r.Method, URL: f.target(scheme, host), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: f.traced(step.Attempt), Host: f.r.Host, ContentLength: f.r.ContentLength, Trailer: announced(f.r.Trailer),
	}
	if f.engine.options(step.Function).InstanceHost {
		out.Host = host
	}
	return out
}

// traced returns the fields of an attempt: in a trace, each says of itself which
// span it is.
func (f *flight) traced(attempt int) http.Header {
	about := &f.x.Record().Facts
	if !about.Trace.Known() {
		return f.header
	}
	h := maps.Clone(f.header)
	h["Traceparent"] = []string{string(about.AppendTraceparent(nil, attempt))}
	if about.Trace.Begun() {
		delete(h, "Tracestate") // it belongs to the trace the client spoke of
	}
	return h
}

// target keeps the path and the query byte for byte.
func (f *flight) target(scheme, host string) *url.URL {
	path := f.x.Route().Forward(f.in.path)
	u := &url.URL{
		Scheme: scheme, Host: host, Path: path, RawPath: path,
		RawQuery: f.r.URL.RawQuery, ForceQuery: f.r.URL.ForceQuery,
	}
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path = plain
	}
	if u.EscapedPath() != path && !strings.HasPrefix(path, "//") { // | and others that browsers do not escape
		u.Opaque = path
	}
	return u
}

// announced returns the trailers that may pass, still without values.
func announced(trailer http.Header) http.Header {
	var out http.Header
	for name := range trailer {
		if trailerAllowed(name) {
			if out == nil {
				out = http.Header{}
			}
			out[name] = nil
		}
	}
	return out
}

// inform passes a 1xx answer on, which a client may be slow to take. Not 100:
// the server in front says that itself when the instance's 100 lets the body be
// read.
func (t *try) inform(f *flight, status int, h http.Header) error {
	select {
	case <-t.voice:
		defer func() { t.voice <- struct{}{} }()
	default:
		return nil // the attempt is over
	}
	if t.informed++; t.informed > exchange.MaxInforms {
		return errInforms
	}
	if status == http.StatusContinue {
		return nil
	}
	if f.r.ProtoMajor == 1 && f.r.ProtoMinor == 0 {
		return nil // knows no such thing
	}
	out := f.w.Header()
	before := maps.Clone(out)
	clear(out)
	copyFields(out, h)
	t.dog.waiting(true)
	f.w.WriteHeader(status)
	t.dog.waiting(false)
	clear(out)
	maps.Copy(out, before)
	return nil
}

// cut is the watchdog's bite. It is also what ends a read from or a write to a
// client that stalls; net/http cannot be interrupted otherwise.
func (t *try) cut(cause error, control *http.ResponseController) {
	t.cancel(cause)
	if errors.Is(cause, errClientStalled) {
		_ = control.SetReadDeadline(past) // where there are no deadlines
		_ = control.SetWriteDeadline(past)
	}
}

// giveUp ends an attempt; it may be called more than once.
func (t *try) giveUp() {
	t.given.Do(func() {
		t.dog.stop()
		t.cancel(errAttemptOver)
		t.body.shut()
	})
}

const (
	maxDrain  = 4 << 10
	drainTime = 20 * time.Millisecond
)

// discard drops an answer nobody wants. A short one that is already there is
// read to its end: the connection can be used again.
func (t *try) discard() {
	t.dog.hurry(drainTime)
	_, _ = io.CopyN(io.Discard, t.response.Body, maxDrain) // it does not matter how it ends
	_ = t.response.Body.Close()
	t.giveUp()
}

// isLong says whether an answer lasts as long as somebody listens.
func isLong(res *http.Response) bool {
	if res.StatusCode == http.StatusSwitchingProtocols {
		return true
	}
	return exchange.LongAnswer(res.Header.Get("Content-Type"))
}
