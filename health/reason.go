package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// canceled is the reason of a check whose caller gave up on it.
const canceled = "check canceled"

// failed returns a failed result with the reason.
func failed(reason string) Result { return Result{Reason: reason} }

// cause describes an I/O error without addresses and call names, which the
// reader of a reason knows already. budget is the time the step had.
func cause(ctx context.Context, err error, budget time.Duration) string {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return canceled
	case isTimeout(err):
		return "no answer within " + rounded(budget)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed):
		return "connection closed"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return tail("look up "+dns.Name+": "+dns.Err, 160)
	}
	return tail(certificate(err), 160)
}

// certificate returns the inner text of a TLS error, or the error's own.
func certificate(err error) string {
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e.Err.Error()
	}
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return e.Error()
	}
	return err.Error()
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// rounded shows a duration with as many digits as a reader can use.
func rounded(d time.Duration) string {
	if d >= 10*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// tail returns the last limit bytes of text that came from elsewhere, on one
// line and without control characters.
func tail(s string, limit int) string {
	s = strings.TrimSpace(s)
	if len(s) > limit {
		s = s[len(s)-limit:]
		for len(s) > 0 && !utf8.RuneStart(s[0]) {
			s = s[1:]
		}
		s = "..." + s
	}
	return strings.Map(printable, strings.ToValidUTF8(s, "?"))
}

func printable(r rune) rune {
	if r == '\n' || r == '\t' || !unicode.IsPrint(r) {
		return ' '
	}
	return r
}

// quoted cites a value of an answer, unless it carries one of the secrets: an
// endpoint that echoes requests must not get a token into the logs.
func quoted(s string, secrets []string) string {
	if mentions(s, secrets) {
		return "(a value that contains a secret of the check)"
	}
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "..."
	}
	return strconv.Quote(s)
}

// mentions says whether s contains one of the secrets. Values of under four
// bytes are no secrets and would mask everything.
func mentions(s string, secrets []string) bool {
	for _, secret := range secrets {
		if len(secret) >= 4 && strings.Contains(s, secret) {
			return true
		}
	}
	return false
}
