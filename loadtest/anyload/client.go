package anyload

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"holdfast/loadtest"
	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/http2load"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/pgload"
	"holdfast/loadtest/wsload"
)

// Client is a loadtest.Client. Make it with New.
type Client struct {
	parts  []loadtest.Client
	routes []route // by endpoint
	ready  []func(context.Context) error
}

var _ loadtest.Client = (*Client)(nil)

// route is where requests of an endpoint go.
type route struct{ part, endpoint int }

// New makes users for a Config, or says what is wrong with which request. It does not connect.
func New(c Config) (*Client, error) { //nolint:gocritic // the copy is kept
	if len(c.Requests) == 0 {
		return nil, errors.New("name at least one request to send")
	}
	client := &Client{routes: make([]route, len(c.Requests))}
	for _, g := range c.groups() {
		part, err := g.client(&c)
		if err != nil {
			return nil, c.name(&g, err)
		}
		for i, endpoint := range g.requests {
			client.routes[endpoint] = route{len(client.parts), i}
		}
		client.parts = append(client.parts, part)
		switch p := part.(type) {
		case *grpcload.Client:
			client.ready = append(client.ready, p.Ready)
		case *pgload.Client:
			client.ready = append(client.ready, p.Ready)
		}
	}
	return client, nil
}

// name says which request an error is about, when it can be only one of several. The client of a group counts its own.
func (c *Config) name(g *group, err error) error {
	if len(g.requests) > 1 {
		return err
	}
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), "prepare ") {
		err = inner
	}
	if len(c.Requests) == 1 {
		return err
	}
	return fmt.Errorf("prepare request %d %s: %w", g.requests[0]+1, c.Requests[g.requests[0]].Name, err)
}

// Ready looks before the first request whether targets that can say so take it: messages of gRPC that are written as JSON
// are asked for by reflection, and PostgreSQL is logged in to once.
func (c *Client) Ready(ctx context.Context) error {
	for _, ready := range c.ready {
		if err := ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// group is requests that one client sends.
type group struct {
	key      string
	kind     Kind
	http2    bool
	requests []int
}

// groups puts together what can share a client: requests of HTTP by version; of the others, whose clients know one target,
// by target and headers.
func (c *Config) groups() []group {
	var list []group
	at := map[string]int{}
	for i := range c.Requests {
		r := &c.Requests[i]
		g := group{kind: r.Kind(), http2: r.HTTP2 || c.HTTP2}
		switch g.kind {
		case HTTP:
			g.key = fmt.Sprint("http ", g.http2)
		case GRPC:
			address, _, secure, _ := r.address() // whoever makes the client tells the error
			g.key = fmt.Sprint("grpc ", address, secure, r.Header)
		case WebSocket, Query:
			g.key = fmt.Sprint(r.URL, r.Header)
		}
		n, ok := at[g.key]
		if !ok {
			n = len(list)
			at[g.key], list = n, append(list, g)
		}
		list[n].requests = append(list[n].requests, i)
	}
	return list
}

func (g *group) client(c *Config) (loadtest.Client, error) {
	for _, i := range g.requests {
		if err := c.Requests[i].check(); err != nil {
			return nil, fmt.Errorf("prepare request %d %s: %w", i+1, c.Requests[i].Name, err)
		}
	}
	switch g.kind {
	case WebSocket:
		return g.webSocket(c)
	case GRPC:
		return g.grpc(c)
	case Query:
		return g.queries(c)
	case HTTP:
	}
	config := c.Transport
	config.Requests = nil
	for _, i := range g.requests {
		config.Requests = append(config.Requests, c.Requests[i].Request)
	}
	if g.http2 {
		return http2load.New(http2load.Config{Config: config, UsersPerConn: c.UsersPerConn})
	}
	return httpload.New(config)
}

// carries is how many requests a connection has; 0: any number.
func carries(t *httpload.Config) int {
	if t.NoKeepAlive {
		return 1
	}
	return t.ConnRequests.Max
}

func (g *group) webSocket(c *Config) (loadtest.Client, error) {
	t := &c.Transport
	config := wsload.Config{
		URL: c.Requests[g.requests[0]].URL, Header: c.Requests[g.requests[0]].Header, TLS: t.TLS, ConnectTimeout: t.ConnectTimeout,
		ConnAge: t.ConnAge, ConnMessages: carries(t), Feed: t.Feed, Dial: t.Dial,
	}
	for _, i := range g.requests {
		r := &c.Requests[i]
		config.Messages = append(config.Messages, wsload.Message{
			Name: r.Name, Text: r.Body, Verbatim: r.Verbatim, Binary: r.Binary, Echo: r.Echo, Answer: r.Answer, Checks: r.Checks,
		})
	}
	return wsload.New(config)
}

func (g *group) grpc(c *Config) (loadtest.Client, error) {
	t := &c.Transport
	config := grpcload.Config{
		Metadata: c.Requests[g.requests[0]].Header, UsersPerConn: c.UsersPerConn, ConnectTimeout: t.ConnectTimeout, ConnAge: t.ConnAge,
		Feed: t.Feed, Schema: c.Schema, Dial: t.Dial,
	}
	switch {
	case t.NoKeepAlive:
		config.ConnAge = 1 // a connection ends with the first call on it
	case t.ConnRequests.Max > 0:
		return nil, errors.New("connections of gRPC can be bounded by age, not by the number of requests")
	}
	for _, i := range g.requests {
		r := &c.Requests[i]
		address, method, secure, err := r.address()
		if err != nil {
			return nil, fmt.Errorf("prepare request %d %s: %w", i+1, r.Name, err)
		}
		if config.Address = address; secure {
			config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			if t.TLS != nil {
				config.TLS = t.TLS
			}
		}
		config.Calls = append(config.Calls, grpcload.Call{
			Name: r.Name, Method: method, JSON: r.Data, Payload: r.Body, Verbatim: r.Verbatim, Checks: r.Checks,
		})
	}
	return grpcload.New(config)
}

func (g *group) queries(c *Config) (loadtest.Client, error) {
	t := &c.Transport
	config := pgload.Config{
		URL: c.Requests[g.requests[0]].URL, Protocol: c.Statements, ConnectTimeout: t.ConnectTimeout, ConnAge: t.ConnAge, ConnQueries: carries(t),
		Feed: t.Feed, Dial: t.Dial,
	}
	for _, i := range g.requests {
		r := &c.Requests[i]
		if r.Verbatim && strings.Contains(strings.Join(r.Args, ""), "{{") {
			return nil, fmt.Errorf("prepare request %d %s: the arguments of a query are never verbatim", i+1, r.Name)
		}
		config.Queries = append(config.Queries, pgload.Query{Name: r.Name, SQL: r.Body, Args: r.Args, Checks: r.Checks})
	}
	return pgload.New(config)
}

// NewUser implements loadtest.Client.
func (c *Client) NewUser(n int) (loadtest.User, error) {
	if len(c.parts) == 1 {
		return c.parts[0].NewUser(n)
	}
	u := &user{client: c}
	for _, part := range c.parts {
		one, err := part.NewUser(n)
		if err != nil {
			u.Close()
			return nil, err
		}
		u.users = append(u.users, one)
	}
	return u, nil
}
