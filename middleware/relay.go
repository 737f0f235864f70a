package middleware

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

// relay makes the answer of the attempt under way the client's. It returns
// false when the answer broke off.
func (f *flight) relay(step exchange.Step) bool {
	t := f.try
	if t.response.StatusCode == http.StatusSwitchingProtocols {
		return f.tunnel(t, step)
	}
	f.answerEarly()
	f.writeHead(t.response, step)
	kind, n := f.copyAnswer(t)
	f.x.Done(t.attempt, exchange.Outcome{Kind: kind, Sent: true, Bytes: n}, time.Now())
	if kind == retry.OK {
		f.writeTrailers(t.response)
	}
	_ = t.response.Body.Close() // it was read to its end or is given up
	t.giveUp()
	return kind == retry.OK
}

func (f *flight) writeHead(res *http.Response, step exchange.Step) {
	h := f.w.Header()
	copyFields(h, res.Header)
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // keeps net/http from guessing one
	}
	h.Set("X-Request-Id", f.in.id)
	tellColdStart(h, step)
	if step.SetCookie != "" {
		http.SetCookie(f.w, f.engine.Cookie(step, f.in.proto))
	}
	for name := range res.Trailer {
		if trailerAllowed(name) {
			h.Add("Trailer", name)
		}
	}
	f.w.WriteHeader(res.StatusCode)
}

// tellColdStart says how long the request was held until an instance had started.
func tellColdStart(h http.Header, step exchange.Step) {
	if step.Cold > 0 {
		h.Set(exchange.ColdStartHeader, strconv.FormatInt(step.Cold.Milliseconds(), 10))
	}
}

// writeTrailers passes trailers on, those too that were not announced.
func (f *flight) writeTrailers(res *http.Response) {
	h := f.w.Header()
	for name, values := range res.Trailer {
		switch {
		case !trailerAllowed(name):
		case slices.Contains(h["Trailer"], name):
			h[name] = values
		default:
			h[http.TrailerPrefix+name] = values
		}
	}
}

// copyFields adds a head's end-to-end fields.
func copyFields(to, from http.Header) {
	named := connectionNames(from)
	for name, values := range from {
		if !hopByHop[name] && !slices.Contains(named, name) {
			to[name] = append(to[name], values...)
		}
	}
}

// copyAnswer streams the body. Bytes never wait for others: what is not the
// last of the body is flushed.
func (f *flight) copyAnswer(t *try) (retry.Kind, int64) {
	if t.response.ContentLength == -1 {
		_ = f.control.Flush() // a stream's head must not wait for its first event; a broken connection shows below
	}
	p := f.engine.buffers.pump(func(client bool) { t.dog.relaying(client) })
	defer p.release()
	err := p.run(flushWriter{f.w, f.control}, t.response.Body)
	switch {
	case err == nil:
		return retry.OK, p.moved
	case f.clientGone(), errors.Is(err, errWrite), errors.Is(context.Cause(t.request.Context()), errClientStalled):
		return retry.Canceled, p.moved
	default:
		f.sever(t.response)
		return retry.Reset, p.moved
	}
}

// flushWriter passes each write on at once.
type flushWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Flush lets pump tell the last write from the others.
func (w flushWriter) Flush() error {
	if err := w.control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// sever resets a connection whose close would look like the answer's end: that
// of an HTTP/1.0 client that was told no length.
func (f *flight) sever(res *http.Response) {
	if f.r.ProtoMajor != 1 || f.r.ProtoMinor != 0 || res.ContentLength >= 0 {
		return
	}
	conn, _, err := f.control.Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0) // as good as it gets
	}
	_ = conn.Close()
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }
