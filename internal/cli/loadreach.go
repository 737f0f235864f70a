package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/loadtest/anyload"
	"holdfast/loadtest/pgload"
)

// publicRate is the most that may be sent to a target whose owner may be
// somebody else, unless the user says that it is not.
const publicRate = 50

const reachTimeout = 5 * time.Second

// place is a host and port that requests go to.
type place struct {
	scheme, host, port string
	secure, http2      bool
	addresses          []netip.Addr
}

// placesOf are where the requests of a load go, each once.
func placesOf(c *anyload.Config) ([]place, error) {
	var list []place
	for i := range c.Requests {
		r := &c.Requests[i]
		found, err := placesOfOne(r)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			p.http2 = r.Kind() == anyload.GRPC || r.Kind() == anyload.HTTP && (r.HTTP2 || c.HTTP2)
			same := func(o place) bool {
				return o.scheme == p.scheme && o.host == p.host && o.port == p.port && o.http2 == p.http2
			}
			if !slices.ContainsFunc(list, same) {
				list = append(list, p)
			}
		}
	}
	return list, nil
}

func placesOfOne(r *anyload.Request) (list []place, err error) {
	if r.Kind() == anyload.Query {
		hosts, err := pgload.Hosts(r.URL)
		for _, h := range hosts {
			list = append(list, place{scheme: "postgres", host: h[0], port: h[1]})
		}
		return list, err
	}
	scheme, rest, _ := strings.Cut(r.URL, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil {
		return nil, fmt.Errorf("read the URL: %w", err)
	}
	p := place{scheme: scheme, host: u.Hostname(), port: u.Port()}
	p.secure = scheme == "https" || scheme == "wss" || scheme == "grpcs"
	if p.port == "" {
		if p.port = "80"; p.secure {
			p.port = "443"
		}
	}
	return []place{p}, nil
}

// lookUp finds the addresses of the host.
func (p *place) lookUp(ctx context.Context) error {
	if p.socket() {
		return nil
	}
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

// socket says that the host is a directory with a socket of PostgreSQL.
func (p *place) socket() bool { return strings.HasPrefix(p.host, "/") }

// private says that all addresses are.
func (p *place) private() bool {
	return !slices.ContainsFunc(p.addresses, func(a netip.Addr) bool { return !private(a) })
}

// guard keeps connections where the look at the addresses allowed them to go:
// the name that was looked up then may lead elsewhere a moment later.
type guard struct{ private atomic.Bool }

// guarded makes the client of a load. Names are looked up for each connection,
// as ever, but what they lead to is looked at again.
func (t *target) guarded() (err error) {
	places, _ := placesOf(&t.to)                                              // what is wrong with them, the client says
	if slices.ContainsFunc(places, func(p place) bool { return p.named() }) { //nolint:gocritic // a few small ones
		t.to.Transport.Dial = t.guard.dial
	}
	if t.client, err = anyload.New(t.to); err != nil {
		return err
	}
	t.load.Client = t.client
	return nil
}

// named says that addresses have to be looked up.
func (p *place) named() bool {
	_, err := netip.ParseAddr(p.host)
	return err != nil && !p.socket()
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{ControlContext: g.look}).DialContext(ctx, network, address)
}

// errLedElsewhere is told of requests.
var errLedElsewhere = errors.New("the name now leads to an address that is neither on this machine nor on a private network (--i-own-this allows that)")

// look is called with each address before it is connected to.
func (g *guard) look(_ context.Context, network, address string, _ syscall.RawConn) error {
	if !g.private.Load() || strings.HasPrefix(network, "unix") {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil || !private(to.Addr().Unmap()) {
		return errLedElsewhere
	}
	return nil
}

// private says that an address is of this machine or of networks that do not
// reach beyond their owner.
func private(a netip.Addr) bool {
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified()
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
	if p.socket() {
		return nil // logging in tells more
	}
	ctx, stop := context.WithTimeout(ctx, reachTimeout)
	defer stop()
	address := net.JoinHostPort(p.host, p.port)
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return withCode(exitUnreachable, fmt.Errorf("nobody answers at %s: %s", clean(address), whyUnreachable(err)))
	}
	defer conn.Close()
	if !p.secure {
		return p.greet(ctx, conn)
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	config.ServerName = p.host
	config.NextProtos = []string{"http/1.1"}
	if p.http2 {
		config.NextProtos = []string{"h2"}
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return withCode(exitUnreachable, p.whyNoTLS(clean(address), err))
	}
	if p.http2 && secure.ConnectionState().NegotiatedProtocol != "h2" {
		return withCode(exitUnreachable, fmt.Errorf("%s speaks no HTTP/2 over TLS", clean(address)))
	}
	return nil
}

// greet looks whether a target of HTTP/2 without TLS answers its first bytes (RFC 9113, 3.4) with settings.
func (p *place) greet(ctx context.Context, conn net.Conn) error {
	if !p.http2 {
		return nil
	}
	end, _ := ctx.Deadline()
	var head [9]byte
	err := conn.SetDeadline(end)
	if err == nil {
		_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	}
	if err == nil {
		_, err = io.ReadFull(conn, head[:])
	}
	if err != nil || head[3] != 4 {
		return withCode(exitUnreachable, fmt.Errorf("%s speaks no HTTP/2 without TLS (with prior knowledge)", clean(net.JoinHostPort(p.host, p.port))))
	}
	return nil
}

// errNoProtocol is the alert of RFC 7301.
const errNoProtocol = tls.AlertError(120)

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

func (p *place) whyNoTLS(address string, err error) error {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not good (%s): name its authority with --ca-file, or take any with --insecure",
			address, clean(bad.Err.Error()))
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok && p.http2 && alert == errNoProtocol {
		return fmt.Errorf("%s speaks no HTTP/2 over TLS", address)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("%s does not speak TLS: use %s://", address, strings.TrimSuffix(p.scheme, "s"))
	}
	return fmt.Errorf("no agreement on TLS with %s: %s", address, clean(err.Error()))
}
