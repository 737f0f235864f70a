// Package httpload makes the users of a load test that speak HTTP/1.1.
//
// A user is one client: one connection to each target, kept alive as the target allows and Config says, cookies of its
// own. It writes requests that were made ready before and reads answers with the parser of internal/http1, which is strict:
// what two programs could read differently is Malformed. In the steady state a request costs two system calls and no
// allocation; the body is counted and, where a check wants it, its first part kept.
//
// Redirects are answers like others: a 302 is what the target said. Nothing is sent twice but what met a connection that
// the target had closed while it was idle, may be repeated, and got no byte of an answer (RFC 9110, 9.2.2; RFC 9112,
// 9.3.1); such reconnections are counted.
//
// Text of a request may hold variables, which are filled in for each: see [Request].
package httpload

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"holdfast/internal/http1"
	"holdfast/loadtest"
	"holdfast/loadtest/check"
)

// Config says how users speak to their targets. The zero value of a field takes the default in its comment.
type Config struct {
	// Requests are what Shot.Endpoint chooses from: at least one.
	Requests []Request
	// TLS is for https targets: the system's authorities. Its ServerName is the target's unless set.
	TLS *tls.Config
	// ConnectTimeout bounds DNS, TCP and TLS together: 5 s. loadtest.Config.Timeout bounds it too.
	ConnectTimeout time.Duration
	// Dial opens connections: TCP. It is called from many goroutines.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// NoKeepAlive asks the target to close the connection after each answer.
	NoKeepAlive bool
	// ConnRequests is how many requests a connection carries, drawn anew for each between Min and Max: any number. A
	// target that scales out gets no load on its new instances while old connections live on.
	ConnRequests Range
	// ConnAge is how old a connection gets: any age.
	ConnAge time.Duration

	// Cookies lets each user keep the cookies it gets: no.
	Cookies bool
	// CheckBytes is how much of a body checks see: 64 KiB. What is longer fails those that need all of it.
	CheckBytes int
	// Feed fills in variables: none.
	Feed *Feed
}

// Range is from Min to Max, both included. Max 0 is no bound.
type Range struct{ Min, Max int }

// Request is a kind of request. In URL behind the host, in the values of Header and in Body, {{NAME}} is a variable:
//
//	{{seq}}     number of the request in the run, from 0
//	{{user}}    number of the user, from 0
//	{{rand}}    16 hexadecimal digits, the same for the same seq and seed
//	{{COLUMN}}  the value in that column of Config.Feed
//
// In the URL values are escaped. Verbatim takes all as it stands.
type Request struct {
	Name     string // in errors
	Method   string // GET
	URL      string // http or https
	Header   []Field
	Body     string
	Verbatim bool
	Checks   []Check
}

// Field is a header line.
type Field struct{ Name, Value string }

// Client is a loadtest.Client. Make it with New.
type Client struct {
	config   Config
	targets  []target
	requests []request
	answers  sync.Pool // of *answer
	large    sync.Pool // of *[largeBuffer]byte
}

var _ loadtest.Client = (*Client)(nil)

// target is what connections are made to.
type target struct {
	address string // host:port
	host    string // for TLS
	tls     *tls.Config
	direct  netip.AddrPort // instead of address, for user.direct; or invalid
}

// request is a Request made ready.
type request struct {
	target     int
	path       string // for cookies
	head       bool
	repeatable bool
	message    message
	checks     check.List
	keeps      bool // a check looks at the body
}

// New makes users for a Config, or says what is wrong with which request.
func New(c Config) (*Client, error) { //nolint:gocritic // the copy is the point: defaults go into it
	if len(c.Requests) == 0 {
		return nil, errors.New("name at least one request to send")
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.CheckBytes <= 0 {
		c.CheckBytes = 64 << 10
	}
	if c.ConnRequests.Min < 0 || c.ConnRequests.Max > 0 && c.ConnRequests.Max < max(c.ConnRequests.Min, 1) {
		return nil, fmt.Errorf("requests per connection are from %d to %d: want a smaller number first", c.ConnRequests.Min, c.ConnRequests.Max)
	}
	dials := c.Dial != nil
	if !dials {
		c.Dial = (&net.Dialer{}).DialContext
	}
	client := &Client{
		config:  c,
		answers: sync.Pool{New: func() any { return &answer{in: make([]byte, firstBuffer)} }},
		large:   sync.Pool{New: func() any { return new([largeBuffer]byte) }},
	}
	for i := range c.Requests {
		r, err := client.prepare(&c.Requests[i])
		if err != nil {
			return nil, fmt.Errorf("prepare request %d %s: %w", i+1, c.Requests[i].Name, err)
		}
		client.requests = append(client.requests, r)
	}
	for i := range client.targets {
		if t := &client.targets[i]; directly && !dials && t.tls == nil {
			t.direct = direct(t.address)
		}
	}
	return client, nil
}

// direct is an address that means the same to everybody; a name has to be looked up.
func direct(address string) netip.AddrPort {
	to, err := netip.ParseAddrPort(address)
	if ip := to.Addr().Unmap(); err == nil && ip.Zone() == "" && !ip.IsUnspecified() {
		return netip.AddrPortFrom(ip, to.Port())
	}
	return netip.AddrPort{}
}

func (c *Client) prepare(r *Request) (request, error) {
	u, rest, err := split(r.URL)
	if err != nil {
		return request{}, err
	}
	p := request{target: c.target(u), path: u.Path}
	method := strings.ToUpper(r.Method)
	if method == "" {
		method = "GET"
	}
	p.head = method == "HEAD"
	switch method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		p.repeatable = true
	case "CONNECT":
		return request{}, errors.New("CONNECT opens a tunnel; there is nothing to measure of it")
	}
	if p.message, err = c.compose(r, method, u.Host, rest); err != nil {
		return request{}, err
	}
	if p.checks, err = check.Compile(r.Checks); err != nil {
		return request{}, err
	}
	p.keeps = p.checks.NeedsBody()
	return p, p.message.validate()
}

// split takes a URL apart into its origin and the rest, which may hold variables.
func split(raw string) (origin *url.URL, rest string, err error) {
	scheme, after, ok := strings.Cut(raw, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil, "", fmt.Errorf("%q is no URL to load: want http://HOST or https://HOST", raw)
	}
	end := strings.IndexAny(after, "/?#")
	if end < 0 {
		end = len(after)
	}
	rest, _, _ = strings.Cut(after[end:], "#")
	if origin, err = url.Parse(scheme + "://" + after[:end]); err != nil {
		return nil, "", fmt.Errorf("read the URL: %w", err)
	}
	switch {
	case origin.User != nil:
		return nil, "", errors.New("the URL holds a password: give it as a header, where it is not shown")
	case origin.Hostname() == "":
		return nil, "", fmt.Errorf("the URL %q names no host", raw)
	}
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	origin.Path, _, _ = strings.Cut(rest, "?")
	return origin, rest, nil
}

// target finds or adds the target of a URL.
func (c *Client) target(u *url.URL) int {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	t := target{address: net.JoinHostPort(u.Hostname(), port), host: u.Hostname()}
	for i := range c.targets {
		if c.targets[i].address == t.address && (c.targets[i].tls != nil) == (u.Scheme == "https") {
			return i
		}
	}
	if u.Scheme == "https" {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.config.TLS != nil {
			t.tls = c.config.TLS.Clone()
		}
		if t.tls.ServerName == "" {
			t.tls.ServerName = t.host
		}
		t.tls.NextProtos = []string{"http/1.1"}
		if t.tls.ClientSessionCache == nil {
			t.tls.ClientSessionCache = tls.NewLRUClientSessionCache(64)
		}
	}
	c.targets = append(c.targets, t)
	return len(c.targets) - 1
}

// NewUser implements loadtest.Client.
func (c *Client) NewUser(int) (loadtest.User, error) {
	u := &user{client: c, conns: make([]conn, len(c.targets))}
	if c.config.Cookies {
		u.cookies = &cookies{}
	}
	return u, nil
}

// limits are those of an answer's head.
func limits() http1.Limits { return http1.Limits{Head: maxHead} }
