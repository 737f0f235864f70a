package http1

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// StrictConfig configures Strict.
type StrictConfig struct {
	Limits        Limits        // of requests
	HeaderTimeout time.Duration // for a request's head, from its first byte; 0: no limit
	IdleTimeout   time.Duration // between two requests; 0: no limit
	MinRate       int64         // bytes a second a client moves at least while it owes some, see Owed; 0: no limit
	// Problem writes the answer to a request that is none, for a client that
	// accepts these types. nil: a line of text.
	Problem func(accept []string, status int, reason, id string) (contentType, body string)
}

// linger is how long a connection is read on after our end, so that what the
// client still sends does not destroy the answer on its way.
const linger = time.Second

// Strict makes connections on which a server or a client of another make, such
// as net/http, speaks HTTP/1.1 as strictly as this package does: it reads
// nothing that the parsers here have not accepted and written anew.
//
//	client ──► Client: Request, ChunkReader ──► net/http server
//	client ◄─────────────────────────────────── net/http server
//
//	net/http transport ──────────────────────────────► instance
//	net/http transport ◄── Response, ChunkReader :Instance ◄── instance
//
// The side that sends is followed too, so that it is known at any time to which
// request the bytes belong that come back. After 101 a connection is
// transparent.
//
// On the way from a client, one request is passed on at a time: the next one
// waits in a buffer until the server says that it is done with the one before.
// So a client's connection can leave the server between two requests, and one
// that came from a loop does: with the next request that the loop carries, or
// when nothing has come for a second.
//
// Safe for concurrent use.
type Strict struct{ config StrictConfig }

// NewStrict makes a Strict.
func NewStrict(c StrictConfig) *Strict { return &Strict{c} }

// Client wraps a client's connection for a server, whose ConnState hook is
// Strict.ConnState. One that says what TLS it uses still does. HTTP/2 is none of
// its business: net/http wants to see such a connection as it is.
func (s *Strict) Client(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
		return c
	}
	conn := newClientConn(s, c)
	if secure, ok := c.(connectionStater); ok {
		return &secureConn{conn, secure}
	}
	return conn
}

// Listener returns a listener whose connections are those of ln, wrapped by
// Client.
func (s *Strict) Listener(ln net.Listener) net.Listener { return strictListener{ln, s} }

type strictListener struct {
	net.Listener
	strict *Strict
}

// Accept implements net.Listener.
func (l strictListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.strict.Client(c), nil
}

// ConnState tells a connection made by Client what its server does with it. It
// must be a part of http.Server.ConnState.
func (s *Strict) ConnState(c net.Conn, state http.ConnState) {
	conn, ok := c.(interface{ becomes(state http.ConnState) })
	if ok {
		conn.becomes(state)
	}
}

// refusal is the answer to a request that is none; where the next one begins is
// not known, so the connection ends with it.
func (s *Strict) refusal(r *Request, status int, reason string, now time.Time) []byte {
	a := Local{
		Status: status, Reason: http.StatusText(status), ID: string(appendID(nil)), Date: AppendDate(nil, now),
		Head: r.Method() == http.MethodHead, Close: true, Old: r.Minor() == 0,
	}
	kind := plainText
	if s.config.Problem != nil {
		kind, a.Body = s.config.Problem(r.values("Accept"), status, reason, a.ID)
	} else {
		a.Body = string(appendDecimal(nil, int64(status))) + " " + reason + "\n"
	}
	a.Fields = appendField(a.Fields, []byte("Cache-Control"), []byte("no-store"))
	a.Fields = appendField(a.Fields, []byte("Content-Type"), []byte(kind))
	return a.AppendTo(nil)
}

// appendID appends a new request id.
func appendID(dst []byte) []byte {
	const hex = "0123456789abcdef"
	for range 2 {
		v := rand.Uint64()
		for i := range 16 {
			dst = append(dst, hex[v>>(60-4*i)&15])
		}
	}
	return dst
}

const plainText = "text/plain; charset=utf-8"
