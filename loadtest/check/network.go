package check

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

	"holdfast/loadtest"
)

// ConnectError is an error of opening a connection.
type ConnectError struct{ Err error }

// HandshakeError is an error of TLS on a new connection.
type HandshakeError struct{ Err error }

// Error implements error.
func (e ConnectError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e ConnectError) Unwrap() error { return e.Err }

// Error implements error.
func (e HandshakeError) Error() string { return "agree on TLS: " + e.Err.Error() }

// Unwrap returns the cause.
func (e HandshakeError) Unwrap() error { return e.Err }

// Network says what kind of failure an error of a connection is. Errors of a protocol are for its client to tell first.
func Network(err error, s *loadtest.Shot) loadtest.Class {
	_, connecting := errors.AsType[ConnectError](err)
	_, handshaking := errors.AsType[HandshakeError](err)
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
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return loadtest.Reset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return loadtest.Truncated
	case waited && timeout.Timeout():
		return loadtest.Timeout
	case errors.Is(err, context.Canceled), s.Written == 0:
		return loadtest.Unreachable
	}
	return loadtest.OtherFailure
}

// Stale says that a connection was closed by the target before it could read a request.
func Stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// maxRetryAfter keeps what an answer asks for within what a Duration can say.
const maxRetryAfter = 24 * time.Hour

// RetryAfter reads Retry-After: seconds or a date (RFC 9110, 10.2.3). What is neither is 0.
func RetryAfter(value string) time.Duration {
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
