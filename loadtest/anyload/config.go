package anyload

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"holdfast/loadtest/grpcload"
	"holdfast/loadtest/httpload"
	"holdfast/loadtest/pgload"
)

// Kind is what a request is.
type Kind uint8

// The kinds.
const (
	HTTP Kind = iota
	WebSocket
	GRPC
	Query // of PostgreSQL
)

// schemes are what a URL begins with.
func schemes() map[string]Kind {
	return map[string]Kind{
		"http": HTTP, "https": HTTP, "ws": WebSocket, "wss": WebSocket, "grpc": GRPC, "grpcs": GRPC, "postgres": Query, "postgresql": Query,
	}
}

// KindOf says by its scheme what a URL is for.
func KindOf(address string) (Kind, error) {
	scheme, _, ok := strings.Cut(address, "://")
	kind, known := schemes()[scheme]
	if !ok || !known {
		return 0, fmt.Errorf("%q is no URL to load: want http, https, ws, wss, grpc, grpcs or postgres before ://HOST", Redacted(address))
	}
	return kind, nil
}

// Redacted is a URL without its password: of the user, or as PostgreSQL takes it too, in the query.
func Redacted(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, tail := rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		user, _, _ := strings.Cut(host[:at], ":")
		host = user + host[at:]
	}
	if path, query, asks := strings.Cut(tail, "?"); asks && schemes()[scheme] == Query {
		kept := slices.DeleteFunc(strings.Split(query, "&"), func(setting string) bool {
			name, _, _ := strings.Cut(setting, "=")
			read, err := url.QueryUnescape(name)
			return err != nil || strings.HasSuffix(read, "password")
		})
		if tail = path; len(kept) > 0 {
			tail += "?" + strings.Join(kept, "&")
		}
	}
	return scheme + "://" + host + tail
}

// Config says how users speak to their targets. The zero value of a field takes the default in its comment.
type Config struct {
	// Requests are what Shot.Endpoint chooses from: at least one.
	Requests []Request
	// Transport is how connections are used, and the feed; its Requests are not looked at. Of WebSocket and PostgreSQL
	// ConnRequests.Max counts; NoKeepAlive is a connection per request for them and gRPC too. Cookies are HTTP's.
	Transport httpload.Config
	// HTTP2 asks for HTTP/2 in all requests of HTTP.
	HTTP2 bool
	// UsersPerConn is how many users share a connection of HTTP/2 or gRPC: 1.
	UsersPerConn int
	// Statements is how those of PostgreSQL are sent: pgload.Extended.
	Statements pgload.Protocol
	// Schema knows the messages of gRPC: what Client.Ready finds out.
	Schema *grpcload.Schema
}

// Request is a kind of request. Of its embedded fields Method is HTTP's, and Header not for queries; Body is what is sent:
// the body, the message of WebSocket, the bytes of a message of gRPC, or the SQL.
type Request struct {
	httpload.Request

	HTTP2 bool // over HTTP/2: with prior knowledge for http, by TLS for https

	Binary bool   // WebSocket: send a binary message
	Echo   bool   // WebSocket: the answer is the message itself
	Answer string // WebSocket: the answer is a message in which this expression matches

	Data string   // gRPC: the message as JSON, in place of Body
	Args []string // queries: of $1, $2
}

// Kind is what the request is; HTTP where the URL says nothing else.
func (r *Request) Kind() Kind {
	kind, err := KindOf(r.URL)
	if err != nil {
		return HTTP
	}
	return kind
}

// check refuses what does not fit the kind of a request: it would be left out in silence.
func (r *Request) check() error {
	kind, err := KindOf(r.URL)
	if err != nil {
		return err
	}
	switch {
	case kind != HTTP && (r.Method != "" || r.HTTP2):
		return errors.New("a method and the version of HTTP are for http and https")
	case kind != WebSocket && (r.Binary || r.Echo || r.Answer != ""):
		return errors.New("binary, echo and answer are for ws and wss")
	case kind != GRPC && r.Data != "":
		return errors.New("data is for grpc and grpcs")
	case kind != Query && len(r.Args) > 0:
		return errors.New("arguments are for postgres")
	case kind == Query && len(r.Header) > 0:
		return errors.New("a query has no headers")
	case kind == Query && r.Body == "":
		return errors.New("a query has SQL: give --query, or query in a scenario")
	case (kind == WebSocket || kind == GRPC) && strings.Contains(r.URL, "{{"):
		return errors.New("a connection is opened once, so the URL of WebSocket and gRPC has no variables")
	}
	return nil
}

// address takes the URL of a call apart.
func (r *Request) address() (hostPort, method string, secure bool, err error) {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return "", "", false, fmt.Errorf("read the URL: %w", err)
	case u.Port() == "" || u.Hostname() == "":
		return "", "", false, fmt.Errorf("%q names no port: want %s://HOST:PORT/package.Service/Method", r.URL, u.Scheme)
	case u.User != nil || u.RawQuery != "":
		return "", "", false, fmt.Errorf("want %s://HOST:PORT/package.Service/Method, without user and query", u.Scheme)
	}
	return u.Host, u.Path, u.Scheme == "grpcs", nil
}
