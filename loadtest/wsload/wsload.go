// Package wsload makes the users of a load test that speak WebSocket (RFC 6455).
//
// A user is one client with one connection, which it opens for its first request. A request is one message and its answer:
// the next message that comes, or the next that Message.Answer says is one; what comes in between counts as bytes only. So
// a service that pushes messages of its own can be measured too.
//
// Nothing is sent twice. A connection that the target ended is Reset or Truncated for the request that meets its end, and
// the next one opens another: 1013 (try again later) and a handshake answered 429 or 503 with Retry-After are RateLimited,
// 1002, 1003 and 1007 (protocol, type, text) Malformed, other handshakes that fail by their status BadStatus.
package wsload

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/template"
)

// Config says how users speak to the target. The zero value of a field takes the default in its comment.
type Config struct {
	// URL is ws://HOST/PATH or wss://HOST/PATH, without variables.
	URL string
	// Messages are what Shot.Endpoint chooses from: at least one.
	Messages []Message
	// Header goes with the handshake, Subprotocols are offered in it: none.
	Header       []httpload.Field
	Subprotocols []string
	// TLS is for wss: the system's authorities.
	TLS *tls.Config
	// ConnectTimeout bounds opening a connection, handshakes included: 5 s.
	ConnectTimeout time.Duration
	// ConnAge is how old a connection gets: any age. ConnMessages is how many requests it carries: any number.
	ConnAge      time.Duration
	ConnMessages int
	// MaxMessage bounds a message that comes: 1 MiB. A longer one is Malformed.
	MaxMessage int64
	// Feed fills in variables: none.
	Feed *template.Feed
	// Dial opens connections: TCP. It is called from many goroutines.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Message is a kind of request.
type Message struct {
	Name     string // in errors
	Text     string // with variables of package template
	Verbatim bool   // without
	Binary   bool   // sent as a binary message
	// Echo: the answer is the message itself. Answer: it is a message in which this expression of package regexp
	// matches. Neither: it is the next message.
	Echo   bool
	Answer string
	// Checks look at the answer: those for status and header do not fit.
	Checks []check.Check
}

// Client is a loadtest.Client. Make it with New.
type Client struct {
	config   Config
	messages []message
	http     *http.Client
	header   http.Header
}

var _ loadtest.Client = (*Client)(nil)

// message is a Message made ready.
type message struct {
	text   template.Template
	binary bool
	echo   bool
	answer *regexp.Regexp
	checks check.List
}

// New makes users for a Config, or says what is wrong with it. It does not connect.
func New(c Config) (*Client, error) { //nolint:gocritic // the copy is the point: defaults go into it
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the URL: %w", err)
	case u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "":
		return nil, fmt.Errorf("%q is no URL to load: want ws://HOST or wss://HOST", c.URL)
	case len(c.Messages) == 0:
		return nil, errors.New("name at least one message to send")
	case c.ConnAge < 0 || c.ConnMessages < 0 || c.ConnectTimeout < 0 || c.MaxMessage < 0:
		return nil, errors.New("ages, numbers and limits must not be negative")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = 1 << 20
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	client := &Client{config: c, header: http.Header{"User-Agent": {"holdfast-load"}}}
	client.http = client.newHTTP()
	for _, f := range c.Header {
		client.header.Add(f.Name, f.Value)
	}
	for i := range c.Messages {
		m, err := c.Messages[i].prepare(c.Feed)
		if err != nil {
			return nil, fmt.Errorf("prepare message %d %s: %w", i+1, c.Messages[i].Name, err)
		}
		client.messages = append(client.messages, m)
	}
	return client, nil
}

// newHTTP is for handshakes: it keeps no connection and follows nowhere, since a redirect is an answer like others.
func (c *Client) newHTTP() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: false, // it would ask to close what the handshake is to keep
			MaxIdleConns:      1,
			IdleConnTimeout:   time.Millisecond,
			TLSClientConfig:   c.config.TLS,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := c.config.Dial(ctx, network, address)
				if err != nil {
					return nil, check.ConnectError{Err: err}
				}
				return conn, nil
			},
		},
	}
}

func (m *Message) prepare(feed *template.Feed) (message, error) {
	p := message{text: template.Verbatim(m.Text), binary: m.Binary, echo: m.Echo}
	var err error
	if !m.Verbatim {
		if p.text, err = template.Parse(m.Text, feed, false); err != nil {
			return p, err
		}
	}
	if m.Answer != "" {
		if p.answer, err = regexp.Compile(m.Answer); err != nil {
			return p, fmt.Errorf("read the regular expression for the answer: %w", err)
		}
	}
	if m.Echo && m.Answer != "" {
		return p, errors.New("the answer is an echo or matches an expression: leave one of them out")
	}
	p.checks, err = check.CompileFor(check.Message, m.Checks)
	return p, err
}

// NewUser implements loadtest.Client.
func (c *Client) NewUser(int) (loadtest.User, error) { return &user{client: c}, nil }

// Failed says how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (c *Client) Failed() map[string]int64 {
	counts := map[string]int64{}
	for i := range c.messages {
		c.messages[i].checks.AddFailed(counts)
	}
	return counts
}
