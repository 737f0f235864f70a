package pgload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"holdfast/loadtest"
	"holdfast/loadtest/check"
	"holdfast/loadtest/template"
)

// Protocol is how statements are sent.
type Protocol uint8

// The protocols.
const (
	// Extended parses, binds and executes with the unnamed statement, which any pooler carries.
	Extended Protocol = iota
	// Prepared prepares each statement once per connection under a name, which poolers by transaction have to know how
	// to carry. The first use pays for it.
	Prepared
	// Simple sends text, with parameters quoted into it.
	Simple
)

// ParseProtocol reads a protocol's name: extended ("" too), prepared or simple.
func ParseProtocol(name string) (Protocol, error) {
	switch name {
	case "", "extended":
		return Extended, nil
	case "prepared":
		return Prepared, nil
	case "simple":
		return Simple, nil
	}
	return 0, fmt.Errorf("want extended, prepared or simple for how statements are sent, not %q", name)
}

// Config says what is asked, and how. The zero value of a field takes the default in its comment.
type Config struct {
	// URL is postgres://USER@HOST:PORT/DATABASE?sslmode=disable, or the same as keywords and values. What it leaves
	// out is taken from PGHOST and its like, as psql does. Without sslmode, TLS is tried first and costs a connection
	// more where the server has none.
	URL string
	// Queries are what Shot.Endpoint chooses from: at least one.
	Queries []Query
	// Protocol is Extended.
	Protocol Protocol
	// ConnectTimeout bounds opening a connection, login included: 5 s.
	ConnectTimeout time.Duration
	// ConnAge is how old a connection gets: any age. ConnQueries is how many statements it carries: any number; with 1
	// each statement pays for its connection, as clients without a pool do.
	ConnAge     time.Duration
	ConnQueries int
	// Feed fills in variables: none.
	Feed *template.Feed
	// Dial opens connections: TCP, or the unix socket that URL names. It is called from many goroutines.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// errAddress quotes neither the address nor the parser: of an address that cannot be read nobody can say where its password is.
var errAddress = errors.New("read the address of PostgreSQL: want postgres://USER@HOST:PORT/DATABASE?sslmode=disable, " +
	"with letters like @ : / # % and spaces in a password or name written as %40 %3A %2F %23 %25 %20, " +
	"and sslmode one of disable, allow, prefer, require, verify-ca, verify-full with files that can be read")

// Query is a kind of request.
type Query struct {
	Name   string   // in errors
	SQL    string   // one statement, with $1, $2 for Args
	Args   []string // as text, with variables of package template
	Checks []check.Check
}

// Client is a loadtest.Client. Make it with New.
type Client struct {
	config  Config
	session *pgx.ConnConfig
	queries []query

	mu     sync.Mutex
	states map[string]int64
}

var _ loadtest.Client = (*Client)(nil)

// query is a Query made ready.
type query struct {
	name   string // of the prepared statement
	sql    string
	args   []template.Template
	checks check.List
}

// New makes users for a Config, or says what is wrong with it. It does not connect.
func New(c Config) (*Client, error) { //nolint:gocritic // the copy is the point: defaults go into it
	if len(c.Queries) == 0 {
		return nil, errors.New("name at least one query to send")
	}
	if c.ConnAge < 0 || c.ConnQueries < 0 || c.ConnectTimeout < 0 || c.Protocol > Simple {
		return nil, errors.New("age, number of queries and timeout must not be negative, and the protocol is one of three")
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{}).DialContext
	}
	session, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, errAddress
	}
	session.ConnectTimeout = c.ConnectTimeout
	session.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	client := &Client{config: c, session: session, states: map[string]int64{}}
	for i := range c.Queries {
		q, err := c.Queries[i].prepare(c.Feed)
		if err != nil {
			return nil, fmt.Errorf("prepare query %d %s: %w", i+1, c.Queries[i].Name, err)
		}
		q.name = fmt.Sprintf("holdfast_load_%d", i)
		client.queries = append(client.queries, q)
	}
	return client, nil
}

func (q *Query) prepare(feed *template.Feed) (query, error) {
	p := query{sql: q.SQL}
	if q.SQL == "" {
		return p, errors.New("the query has no SQL")
	}
	for i, text := range q.Args {
		arg, err := template.Parse(text, feed, false)
		if err != nil {
			return p, fmt.Errorf("read argument $%d: %w", i+1, err)
		}
		p.args = append(p.args, arg)
	}
	var err error
	p.checks, err = check.CompileFor(check.Result, q.Checks)
	return p, err
}

// NewUser implements loadtest.Client.
func (c *Client) NewUser(int) (loadtest.User, error) { return &user{client: c}, nil }

// States says how often the server answered with which SQLSTATE.
func (c *Client) States() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.states)
}

func (c *Client) count(state string) {
	c.mu.Lock()
	c.states[state]++
	c.mu.Unlock()
}

// Failed says how often each check failed, by its text. Where several checks of one answer fail, the first counts.
func (c *Client) Failed() map[string]int64 {
	counts := map[string]int64{}
	for i := range c.queries {
		c.queries[i].checks.AddFailed(counts)
	}
	return counts
}

// Ready logs in once, so that a wrong password is known before the first request.
func (c *Client) Ready(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, c.config.ConnectTimeout)
	defer stop()
	session := c.session.Copy()
	session.DialFunc = c.config.Dial
	conn, err := pgx.ConnectConfig(ctx, session)
	if err != nil {
		return fmt.Errorf("log in to PostgreSQL: %w", reason(err))
	}
	return conn.Close(ctx)
}

// reason is what a server said, without what the driver says around it; a connection's error where there is no answer.
func reason(err error) error {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("it says %q (%s)", answer.Message, answer.Code)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	return err
}

// Hosts are those that a URL names, or PGHOST where it names none, with their ports; a host that begins with / is a
// directory with a socket.
func Hosts(address string) (hosts [][2]string, err error) {
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errAddress
	}
	hosts = [][2]string{{c.Host, strconv.Itoa(int(c.Port))}}
	for _, f := range c.Fallbacks { // one host may be in it with and without TLS
		if h := [2]string{f.Host, strconv.Itoa(int(f.Port))}; !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	return hosts, nil
}
