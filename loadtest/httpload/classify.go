package httpload

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/http1"
	"holdfast/loadtest"
)

// connectError is one of opening a connection, handshakeError of TLS on it.
type (
	connectError   struct{ error }
	handshakeError struct{ error }
)

func (e connectError) Unwrap() error   { return e.error }
func (e handshakeError) Unwrap() error { return e.error }

// Error implements error.
func (e handshakeError) Error() string { return "agree on TLS: " + e.error.Error() }

// classify says what kind of failure an error is.
func classify(err error, s *loadtest.Shot) loadtest.Class {
	_, connecting := errors.AsType[connectError](err)
	_, handshaking := errors.AsType[handshakeError](err)
	_, syntax := errors.AsType[http1.SyntaxError](err)
	dns, named := errors.AsType[*net.DNSError](err)
	timeout, waited := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return loadtest.OutOfPorts
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return loadtest.OutOfFiles
	case handshaking:
		return loadtest.BadTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return loadtest.Refused
	case named && !dns.IsTimeout:
		return loadtest.NoAddress
	case connecting:
		return loadtest.Unreachable // no route, no answer in time
	case syntax, errors.Is(err, errSurplus):
		return loadtest.Malformed
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return loadtest.Reset
	case errors.Is(err, io.EOF):
		return loadtest.Truncated
	case waited && timeout.Timeout():
		return loadtest.Timeout
	case errors.Is(err, context.Canceled), s.Written == 0:
		return loadtest.Unreachable
	}
	return loadtest.OtherFailure
}

// stale says that a connection was closed by the target before it could read a request.
func stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// judgeHead looks at the status and at what checks want of the header.
func (u *user) judgeHead(s *loadtest.Shot, r *request) loadtest.Class {
	if s.Status == http.StatusTooManyRequests || s.Status == http.StatusServiceUnavailable {
		s.RetryAfter = retryAfter(u.response.Get("Retry-After"))
	}
	if u.cookies != nil {
		u.cookies.take(r, &u.response)
	}
	class := loadtest.OK
	switch {
	case s.Status == http.StatusTooManyRequests || s.Status == http.StatusServiceUnavailable && s.RetryAfter > 0:
		class = loadtest.RateLimited
	case !r.statuses && s.Status >= 400:
		class = loadtest.BadStatus
	}
	for i := range r.checks {
		k := &r.checks[i]
		if k.needsBody() {
			continue
		}
		switch ok := k.head(&u.response); {
		case !ok && class == loadtest.OK:
			k.failed.Add(1)
			class = loadtest.CheckFailed
		case ok && k.part == partStatus && class == loadtest.RateLimited:
			class = loadtest.OK // it was asked for
		}
	}
	return class
}

// judgeBody looks at what checks want of the body.
func (u *user) judgeBody(_ *loadtest.Shot, r *request, class loadtest.Class) loadtest.Class {
	if class != loadtest.OK || !r.keeps {
		return class
	}
	for i := range r.checks {
		if k := &r.checks[i]; k.needsBody() && !k.body(u.kept, u.whole) {
			k.failed.Add(1)
			return loadtest.CheckFailed
		}
	}
	return class
}

// maxRetryAfter keeps what an answer asks for within what a Duration can say.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads Retry-After: seconds or a date (RFC 9110, 10.2.3). What is neither is 0.
func retryAfter(value string) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(strings.Clone(value)); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}
