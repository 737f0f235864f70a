// Package outbound keeps the admin API from being used to reach what only
// Holdfast can reach: an instance URL that came through the API may point to
// public addresses, and to others only where the operator listed them.
//
// The question "where does this name lead?" is answered once: Check answers it
// for the API, with a sentence for the user, and Dial answers it anew for each
// connection and connects to the very address it has checked. There is no
// second lookup between check and use that somebody could answer differently
// (DNS rebinding), and the socket is checked once more before it connects.
//
// Some addresses are refused even inside a listed range: unspecified and
// multicast always, the metadata services of clouds unless listed as a single
// address.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrRefused is in every error about an address or URL that is not allowed.
var ErrRefused = errors.New("address is not allowed")

// Resolver finds the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config says what is allowed besides public addresses.
type Config struct {
	Allow    []netip.Prefix // ranges the operator listed
	Resolver Resolver       // nil: the system's
	Timeout  time.Duration  // of a lookup; 0: 3 s
	Dialer   net.Dialer     // its Control is replaced
}

// Guard checks URLs and addresses. Safe for concurrent use.
type Guard struct{ config Config }

const defaultTimeout = 3 * time.Second

// New makes a Guard.
func New(c Config) *Guard {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	g := &Guard{c}
	g.config.Dialer.Control = nil
	g.config.Dialer.ControlContext = func(_ context.Context, network, address string, conn syscall.RawConn) error {
		return g.Control(network, address, conn)
	}
	return g
}

// Target is a URL that was checked.
type Target struct {
	URL       string // as it should be stored: lower case, without a trailing dot
	Host      string // without port
	Port      uint16
	Addresses []netip.Addr // what the name led to; all of them are allowed
	dialer    *net.Dialer
}

// Check reads a URL and looks up its host. All addresses must be allowed: of a
// mixed answer, somebody else chooses which one is used. The error is a
// sentence for the user of the API and wraps ErrRefused, unless the lookup
// failed.
func (g *Guard) Check(ctx context.Context, raw string) (Target, error) {
	t, err := parse(raw)
	if err != nil {
		return Target{}, err
	}
	t.Addresses, err = g.resolve(ctx, t.Host)
	if err != nil {
		return Target{}, err
	}
	t.dialer = &g.config.Dialer
	return t, nil
}

// resolve returns the addresses of a host, all allowed.
func (g *Guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, g.allowed(a)
	}
	ctx, stop := context.WithTimeout(ctx, g.config.Timeout)
	defer stop()
	all, err := g.config.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("look up %s: it has no address", host)
	}
	out := make([]netip.Addr, len(all))
	for i, a := range all {
		out[i] = a.Unmap()
		if err := g.allowed(a); err != nil {
			return nil, fmt.Errorf("%s leads to %w", host, err)
		}
	}
	return out, nil
}

// Dial is a DialContext for transports: it looks the host up, checks all
// addresses, and connects to those it has checked, in order, until one answers.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial %q: %w", address, err)
	}
	host, err = hostOf(host)
	if err != nil {
		return nil, err
	}
	all, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	return dialFirst(ctx, &g.config.Dialer, network, all, port)
}

// Dial connects to the addresses Check found, whatever its name leads to now;
// a DialContext for one target.
func (t Target) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || t.dialer == nil || !strings.EqualFold(strings.TrimSuffix(host, "."), t.Host) || port != strconv.Itoa(int(t.Port)) {
		return nil, fmt.Errorf("dial %q: %w: this connection is for %s only", address, ErrRefused, net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))))
	}
	return dialFirst(ctx, t.dialer, network, t.Addresses, port)
}

func dialFirst(ctx context.Context, d *net.Dialer, network string, all []netip.Addr, port string) (net.Conn, error) {
	var failed error
	for _, a := range all {
		c, err := d.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// Control is a net.Dialer.Control: the last look at an address, by the socket
// that is about to connect to it.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s is no TCP", ErrRefused, network)
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no address", ErrRefused, address)
	}
	return g.allowed(a.Addr())
}

// parse takes a URL apart, strictly: what two programs could read differently
// is refused.
func parse(raw string) (Target, error) {
	if i := strings.IndexFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }); i >= 0 {
		return Target{}, refused("the URL has a blank, a backslash or a letter outside of ASCII (write the name in its xn-- form)")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return Target{}, refused("the URL cannot be read") // the error would quote a password
	case u.Scheme != "http" && u.Scheme != "https":
		return Target{}, refused("the URL must begin with http:// or https://")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return Target{}, refused("the URL holds a user name or password")
	case u.Opaque != "" || u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return Target{}, refused("the URL has a part that an instance cannot have")
	}
	host, err := hostOf(u.Hostname())
	if err != nil {
		return Target{}, err
	}
	port, err := portOf(u)
	if err != nil {
		return Target{}, err
	}
	u.Host = host
	if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	if u.Port() == "" && strings.HasSuffix(raw, ":") {
		return Target{}, refused("the URL ends where a port should be")
	}
	if !usualPort(u.Scheme, port) {
		u.Host += ":" + strconv.Itoa(int(port))
	}
	return Target{URL: u.String(), Host: host, Port: port}, nil
}

func usualPort(scheme string, port uint16) bool {
	return scheme == "http" && port == 80 || scheme == "https" && port == 443
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
