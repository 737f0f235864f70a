package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/loadtest/httpload"
)

// publicRate is the most that may be sent to a target whose owner may be
// somebody else, unless the user says that it is not.
const publicRate = 50

const reachTimeout = 5 * time.Second

// place is a host and port that requests go to.
type place struct {
	scheme, host, port string
	addresses          []netip.Addr
}

// placesOf are those of all requests.
func placesOf(requests []httpload.Request) ([]place, error) {
	var list []place
	for i := range requests {
		scheme, rest, _ := strings.Cut(requests[i].URL, "://")
		if end := strings.IndexAny(rest, "/?#"); end >= 0 {
			rest = rest[:end]
		}
		u, err := url.Parse(scheme + "://" + rest)
		if err != nil {
			return nil, fmt.Errorf("read the URL: %w", err)
		}
		p := place{scheme: scheme, host: u.Hostname(), port: u.Port()}
		if p.port == "" {
			p.port = map[string]string{"http": "80", "https": "443"}[scheme]
		}
		if !slices.ContainsFunc(list, func(o place) bool { return o.scheme == p.scheme && o.host == p.host && o.port == p.port }) {
			list = append(list, p)
		}
	}
	return list, nil
}

// lookUp finds the addresses of the host.
func (p *place) lookUp(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, reachTimeout)
	defer stop()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", p.host)
	if err != nil {
		return withCode(exitUnreachable, fmt.Errorf("nobody answers: the host %s has no address that can be found", clean(p.host)))
	}
	for _, a := range list {
		p.addresses = append(p.addresses, a.Unmap())
	}
	return nil
}

// private says that all addresses are of this machine or of networks that do
// not reach beyond their owner.
func (p *place) private() bool {
	return !slices.ContainsFunc(p.addresses, func(a netip.Addr) bool {
		return !a.IsLoopback() && !a.IsPrivate() && !a.IsLinkLocalUnicast() && !a.IsUnspecified()
	})
}

func (p *place) tooMuch(peak float64) error {
	what := fmt.Sprintf("%.4g requests a second are", peak)
	if peak == 0 {
		what = "users who ask as fast as they are answered may be"
	}
	return fmt.Errorf("%s is neither on this machine nor on a private network, and %s more than the %d/s that somebody else's server is sent: "+
		"add --i-own-this if it is yours, or give a --rate up to %d", clean(p.host), what, publicRate, publicRate)
}

// reach opens one connection, as the first request would, so that a mistake is
// one sentence and not a report full of failures.
func (p *place) reach(ctx context.Context, config *tls.Config) error {
	ctx, stop := context.WithTimeout(ctx, reachTimeout)
	defer stop()
	address := net.JoinHostPort(p.host, p.port)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return withCode(exitUnreachable, fmt.Errorf("nobody answers at %s: %s", clean(address), whyUnreachable(err)))
	}
	defer conn.Close()
	if p.scheme != "https" {
		return nil
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	config.ServerName = p.host
	config.NextProtos = []string{"http/1.1"}
	if err := tls.Client(conn, config).HandshakeContext(ctx); err != nil {
		return withCode(exitUnreachable, whyNoTLS(clean(address), err))
	}
	return nil
}

func whyUnreachable(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the port is closed (connection refused)"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no connection within %v", reachTimeout)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to it"
	}
	return clean(err.Error())
}

func whyNoTLS(address string, err error) error {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not good (%s): name its authority with --ca-file, or take any with --insecure",
			address, clean(bad.Err.Error()))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("%s does not speak TLS: use http://", address)
	}
	return fmt.Errorf("no agreement on TLS with %s: %s", address, clean(err.Error()))
}
