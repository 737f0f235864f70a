// Package http2load makes the users of a load test that speak HTTP/2: over TLS for https targets, and with prior knowledge
// (h2c) for http ones.
//
// It takes the configuration of package httpload, so what can be sent over HTTP/1.1 can be sent over HTTP/2 for comparison.
// Config.UsersPerConn users share a connection to each target, as requests of one browser or one proxy do; the default is
// one for each. A request that takes too long resets its stream and leaves the connection to the others; a connection
// that answers no ping is given up.
//
// The engine is that of net/http, which costs several times what httpload does per request: the self-check of a run and
// its ceiling matter more here. Bytes are those of bodies: frames and headers of a shared connection belong to nobody.
package http2load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/template"
)

// Config says how users speak to their targets.
type Config struct {
	// Config is as in package httpload, with the same defaults. NoKeepAlive and ConnRequests are for connections: with
	// several users on one, they count the requests of all.
	httpload.Config
	// UsersPerConn is how many users share a connection: 1.
	UsersPerConn int
}

// Client is a loadtest.Client. Make it with New.
type Client struct {
	config    Config
	transport *http.Transport
	targets   []target
	requests  []request

	mu     sync.Mutex
	groups map[int]*group
}

var _ loadtest.Client = (*Client)(nil)

// target is what connections are made to.
type target struct{ scheme, address string }

// request is a httpload.Request made ready.
type request struct {
	target int
	method string
	url    template.Template
	header []field
	body   template.Template
	checks check.List
	keeps  bool // a check looks at the body
	again  bool // it may be sent again
}

type field struct {
	name  string
	value template.Template
}

// New makes users for a Config, or says what is wrong with which request.
func New(c Config) (*Client, error) { //nolint:gocritic // the copy is the point: defaults go into it
	if _, err := httpload.New(c.Config); err != nil {
		return nil, err
	}
	if c.UsersPerConn < 0 {
		return nil, fmt.Errorf("%d users cannot share a connection", c.UsersPerConn)
	}
	c.UsersPerConn = max(c.UsersPerConn, 1)
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.CheckBytes <= 0 {
		c.CheckBytes = 64 << 10
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	client := &Client{config: c, groups: map[int]*group{}}
	client.transport = client.newTransport()
	for i := range c.Requests {
		r, err := client.prepare(&c.Requests[i])
		if err != nil {
			return nil, fmt.Errorf("prepare request %d %s: %w", i+1, c.Requests[i].Name, err)
		}
		client.requests = append(client.requests, r)
	}
	return client, nil
}

// newTransport is only asked for connections: which request goes where is decided here.
func (c *Client) newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{
		Protocols:          protocols,
		DisableCompression: true, // what is counted is what was sent
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := c.config.Dial(ctx, network, address)
			if err != nil {
				return nil, check.ConnectError{Err: err}
			}
			return conn, nil
		},
		DialTLSContext: c.dialTLS,
		HTTP2:          &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
	}
}

var errNotSpoken = errors.New("the target does not speak HTTP/2")

func (c *Client) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.config.Dial(ctx, network, address)
	if err != nil {
		return nil, check.ConnectError{Err: err}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.config.TLS != nil {
		config = c.config.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	config.NextProtos = []string{"h2"}
	conn := tls.Client(raw, config)
	err = conn.HandshakeContext(ctx)
	if err == nil && conn.ConnectionState().NegotiatedProtocol != "h2" {
		err = errNotSpoken
	}
	if err != nil {
		raw.Close()
		return nil, check.HandshakeError{Err: err}
	}
	return conn, nil
}

func (c *Client) prepare(r *httpload.Request) (request, error) {
	origin, _, _ := strings.Cut(r.URL, "{{")
	u, err := url.Parse(origin)
	if err != nil {
		return request{}, fmt.Errorf("read the URL: %w", err)
	}
	p := request{target: c.target(u), method: strings.ToUpper(r.Method)}
	if p.method == "" {
		p.method = http.MethodGet
	}
	switch p.method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		p.again = true
	}
	parse := func(text string, escape bool) template.Template {
		if r.Verbatim {
			return template.Verbatim(text)
		}
		t, parseErr := template.Parse(text, c.config.Feed, escape)
		err = errors.Join(err, parseErr)
		return t
	}
	p.url, p.body = parse(r.URL, true), parse(r.Body, false)
	p.header = []field{{"User-Agent", template.Verbatim("holdfast-load")}, {"Accept", template.Verbatim("*/*")}}
	for _, f := range r.Header {
		p.header = append(p.header, field{f.Name, parse(f.Value, false)})
	}
	if err != nil {
		return request{}, err
	}
	p.checks, err = check.Compile(r.Checks)
	p.keeps = p.checks.NeedsBody()
	return p, err
}

// target finds or adds the target of a URL.
func (c *Client) target(u *url.URL) int {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	t := target{scheme: u.Scheme, address: net.JoinHostPort(u.Hostname(), port)}
	for i := range c.targets {
		if c.targets[i] == t {
			return i
		}
	}
	c.targets = append(c.targets, t)
	return len(c.targets) - 1
}

// NewUser implements loadtest.Client.
func (c *Client) NewUser(n int) (loadtest.User, error) {
	number := n / c.config.UsersPerConn
	c.mu.Lock()
	g := c.groups[number]
	if g == nil {
		g = &group{client: c, links: make([]*link, len(c.targets)), opening: make([]chan struct{}, len(c.targets))}
		c.groups[number] = g
	}
	g.users++
	c.mu.Unlock()
	return newUser(c, g)
}

// leave is called for each user that goes; the last one ends the group's connections.
func (c *Client) leave(g *group) {
	c.mu.Lock()
	g.users--
	last := g.users == 0
	for number, other := range c.groups {
		if last && other == g {
			delete(c.groups, number)
		}
	}
	c.mu.Unlock()
	if last {
		g.close()
	}
}

// Failed says how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (c *Client) Failed() map[string]int64 {
	counts := map[string]int64{}
	for i := range c.requests {
		c.requests[i].checks.AddFailed(counts)
	}
	return counts
}
