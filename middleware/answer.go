package middleware

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/exchange"
)

// answer makes the response Holdfast gives itself.
func (f *flight) answer(r *http.Request, step exchange.Step) *http.Response {
	a := step.Answer
	h := http.Header{"X-Request-Id": {f.in.id}}
	body := fmt.Sprintf("%d %s\n", a.Status, step.Reason)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if a.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(a.RetryAfter.Seconds()))))
	}
	if fb := a.Fallback; fb != nil {
		body = fb.Body
		for k, v := range fb.Header {
			h.Set(k, v)
		}
		if fb.Redirect != "" {
			h.Set("Location", redirectTarget(fb.Redirect, r, f.in.path))
		}
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	res := &http.Response{
		StatusCode: a.Status, Status: strconv.Itoa(a.Status) + " " + http.StatusText(a.Status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, ContentLength: int64(len(body)), Request: r,
	}
	if r.Method == http.MethodHead {
		body = ""
	}
	res.Body = io.NopCloser(strings.NewReader(body))
	return res
}

// redirectTarget appends the request's path and query to a target that ends in *.
func redirectTarget(to string, r *http.Request, path string) string {
	base, open := strings.CutSuffix(to, "*")
	if !open {
		return to
	}
	to = strings.TrimSuffix(base, "/") + path
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	return to
}

// answerError ends requests whose client is gone; nobody reads the status.
func answerError(w http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, errClientGone) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusBadGateway)
}

func writePlain(w http.ResponseWriter, status int, reason, id string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Request-Id", id)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%d %s\n", status, reason) // the client may be gone
}

// deadlineWriter gives each write to the client a deadline: a client that
// takes nothing for as long as timeouts.idle is gone.
type deadlineWriter struct {
	http.ResponseWriter
	f    *flight
	next time.Time
}

// writer returns w with a deadline per write.
func (f *flight) writer(w http.ResponseWriter) http.ResponseWriter {
	f.out = deadlineWriter{ResponseWriter: w, f: f}
	return &f.out
}

// Write implements io.Writer.
func (d *deadlineWriter) Write(p []byte) (int, error) {
	d.extend()
	return d.ResponseWriter.Write(p)
}

// extend moves the deadline at most once per quarter of idle: it costs a lock.
func (d *deadlineWriter) extend() {
	idle := d.f.x.Idle()
	if now := time.Now(); !now.Before(d.next) {
		d.next = now.Add(idle / 4)
		_ = d.f.control.SetWriteDeadline(now.Add(idle)) // where there are deadlines
	}
}

// Unwrap lets http.ResponseController reach flushing and hijacking.
func (d *deadlineWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
