// Package grpcload makes the users of a load test that call unary methods of gRPC.
//
// A call sends a message written as JSON, or its bytes. For JSON the messages have to be known: from Config.Schema, or by
// server reflection (Client.Ready). A message without variables of package template is encoded once; one with variables
// for each call, before the service time begins. Into bytes that are not Verbatim variables are filled too; they must keep
// the length that a length prefix around them says, as {{rand}} does with its 16 bytes.
//
// Config.UsersPerConn users share a connection. A call that takes too long resets its stream and leaves the connection to
// the others.
//
// Shot.Status is the code of gRPC where the target answered with one but OK, which is 0 and counted by nobody. The classes:
// RESOURCE_EXHAUSTED is RateLimited, DEADLINE_EXCEEDED from the target Timeout, and all others BadStatus. Without an answer
// it is the class of the network, as far as it can be told: what breaks after the call was sent is Reset.
package grpcload

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/template"
)

// Config says how users speak to the target. The zero value of a field takes the default in its comment.
type Config struct {
	// Address is host:port.
	Address string
	// Calls are what Shot.Endpoint chooses from: at least one.
	Calls []Call
	// TLS secures connections: nil is plain text.
	TLS *tls.Config
	// Metadata goes with every call: none.
	Metadata []httpload.Field
	// UsersPerConn is how many users share a connection: 1.
	UsersPerConn int
	// ConnectTimeout bounds opening a connection, handshakes included: 5 s.
	ConnectTimeout time.Duration
	// ConnAge is how old a connection gets: any age. It ends with the last call on it.
	ConnAge time.Duration
	// MaxMessage bounds an answer: 4 MiB.
	MaxMessage int
	// Feed fills in variables: none.
	Feed *template.Feed
	// Schema knows the messages of calls with JSON: what Client.Ready finds out.
	Schema *Schema
	// Dial opens connections: TCP. It is called from many goroutines.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Call is a kind of request.
type Call struct {
	Name     string // in errors
	Method   string // /package.Service/Method
	JSON     string // the message
	Payload  string // or its bytes
	Verbatim bool   // no variables in either
	// Checks look at the answer as JSON without blanks where JSON is given, else at its bytes: those for status and header
	// do not fit. {Equals: ""} is not to be had: any answer with code OK is good without a check.
	Checks []check.Check
}

// Client is a loadtest.Client. Make it with New.
type Client struct {
	config Config
	calls  []call
	header metadata.MD

	mu     sync.Mutex
	groups map[int]*group
}

var _ loadtest.Client = (*Client)(nil)

// call is a Call made ready.
type call struct {
	method  string
	payload template.Template // JSON when json is set and shape does not know it as bytes
	checks  check.List
	json    bool
	shape   *shape // of JSON; nil: not known yet
	fixed   []byte // the message, when it is always the same; nil: it is made for each call
}

// New makes users for a Config, or says what is wrong with it. It does not connect.
func New(c Config) (*Client, error) { //nolint:gocritic // the copy is the point: defaults go into it
	_, port, err := net.SplitHostPort(c.Address)
	switch {
	case err != nil || port == "":
		return nil, fmt.Errorf("%q is no address to load: want HOST:PORT", c.Address)
	case len(c.Calls) == 0:
		return nil, errors.New("name at least one call to send")
	case c.UsersPerConn < 0 || c.ConnAge < 0 || c.ConnectTimeout < 0 || c.MaxMessage < 0:
		return nil, errors.New("ages, numbers and limits must not be negative")
	}
	c.UsersPerConn = max(c.UsersPerConn, 1)
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = 4 << 20
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	client := &Client{config: c, groups: map[int]*group{}, header: metadata.MD{}}
	for _, f := range c.Metadata {
		client.header.Append(f.Name, f.Value)
	}
	for i := range c.Calls {
		p, err := c.Calls[i].prepare(&c)
		if err != nil {
			return nil, fmt.Errorf("prepare call %d %s: %w", i+1, c.Calls[i].Name, err)
		}
		client.calls = append(client.calls, p)
	}
	return client, nil
}

func (c *Call) prepare(config *Config) (call, error) {
	p := call{method: c.Method, json: c.JSON != ""}
	if parts := strings.Split(c.Method, "/"); len(parts) != 3 || parts[0] != "" || parts[1] == "" || parts[2] == "" {
		return p, fmt.Errorf("%q is no method: want /package.Service/Method", c.Method)
	}
	text := c.Payload + c.JSON
	if c.JSON != "" && c.Payload != "" {
		return p, errors.New("a message is either JSON or bytes")
	}
	var err error
	if p.payload = template.Verbatim(text); !c.Verbatim {
		if p.payload, err = template.Parse(text, config.Feed, false); err != nil {
			return p, err
		}
	}
	if p.checks, err = check.CompileFor(check.Message, c.Checks); err != nil {
		return p, err
	}
	switch {
	case p.json && p.payload.Constant() && !json.Valid([]byte(text)):
		return p, fmt.Errorf("the message %q is no JSON", text)
	case p.json && config.Schema != nil:
		return p, p.know(config.Schema)
	}
	return p, nil
}

// know takes the messages of a method with JSON over from a schema.
func (c *call) know(s *Schema) error {
	found, err := s.find(c.method)
	if err != nil {
		return err
	}
	if c.payload.Constant() {
		if c.fixed, err = found.encode(c.payload.Append(nil, &loadtest.Shot{})); err != nil {
			return err
		}
		c.fixed = append([]byte{}, c.fixed...) // an empty message is one too
	}
	c.shape = found
	return nil
}

// message makes the bytes of a call.
func (c *call) message(s *loadtest.Shot) ([]byte, error) {
	switch {
	case c.fixed != nil:
		return append([]byte(nil), c.fixed...), nil // gRPC may read a message after the call has ended, so each call has its own
	case !c.json:
		return c.payload.Append(nil, s), nil
	case c.shape == nil:
		return nil, errors.New("what the message is like is not known: Client.Ready asks the target")
	}
	return c.shape.encode(c.payload.Append(nil, s))
}

// judge looks at an answer.
func (c *call) judge(answer []byte) (loadtest.Class, error) {
	if c.shape == nil || len(c.checks) == 0 {
		return c.checks.Body(answer, true), nil
	}
	text, err := c.shape.decode(answer)
	if err != nil {
		return loadtest.Malformed, err
	}
	return c.checks.Body(text, true), nil
}

// NewUser implements loadtest.Client.
func (c *Client) NewUser(n int) (loadtest.User, error) {
	number := n / c.config.UsersPerConn
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[number]
	if g == nil {
		g = &group{client: c, number: number}
		c.groups[number] = g
	}
	g.users++
	return &user{client: c, group: g}, nil
}

// leave is called for each user that goes; the last one ends the group's connection.
func (c *Client) leave(g *group) {
	c.mu.Lock()
	g.users--
	last := g.users == 0
	if last {
		delete(c.groups, g.number)
	}
	c.mu.Unlock()
	if last {
		g.close()
	}
}

// Failed says how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (c *Client) Failed() map[string]int64 {
	counts := map[string]int64{}
	for i := range c.calls {
		c.calls[i].checks.AddFailed(counts)
	}
	return counts
}
