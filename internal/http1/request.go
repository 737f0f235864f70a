package http1

import (
	"bytes"
	"net/netip"
)

// Request is the head of a request. Reset readies it, Parse reads it. What it
// returns is borrowed from the buffer of the last Parse and valid as long as
// that is; the Request itself is used again for the next head, which costs no
// allocation.
type Request struct {
	head
	method    span
	target    span // path and query as they were sent; empty: the target has none
	path      span
	host      span // of Host, or of an absolute target, which wins
	hosts     int
	about     bool // *: about the gateway, not about a function
	absolute  bool
	continues bool // Expect: 100-continue
}

// Reset forgets the head and sets the limits of the next.
func (r *Request) Reset(l Limits) {
	r.reset(l)
	*r = Request{head: r.head}
}

// Parse reads a head from the start of buf and returns its length, or 0 when it
// is not complete; then Parse is called again with the same bytes, perhaps at
// another place, and more. An error is a SyntaxError; nothing is to be read from the
// connection after it.
func (r *Request) Parse(buf []byte) (n int, err error) {
	n, err = r.parse(buf, r.requestLine)
	if n == 0 || err != nil {
		return 0, err
	}
	return n, r.judge()
}

// requestLine reads METHOD SP target SP HTTP/d.d.
func (r *Request) requestLine(line span) error {
	b := line.of(r.buf)
	if len(b) > r.limits.Line {
		return ErrLineLength
	}
	one := bytes.IndexByte(b, ' ')
	two := bytes.LastIndexByte(b, ' ')
	if one <= 0 || two <= one+1 {
		return ErrRequestLine
	}
	if !isToken(b[:one]) {
		return ErrRequestLine
	}
	minor, fault := version(b[two+1:])
	if fault != errNone {
		return fault
	}
	if one > maxMethod {
		return ErrMethodLength
	}
	r.minor = minor
	r.method = span{line.from, line.from + uint32(one)}
	return r.readTarget(span{line.from + uint32(one) + 1, line.from + uint32(two)})
}

func (r *Request) readTarget(s span) error {
	t := s.of(r.buf)
	for _, c := range t {
		switch {
		case c == ' ' || c == '\t':
			return ErrRequestLine
		case c == '\r':
			return ErrLineEnd
		case c < ' ' || c == 0x7f || c == '#':
			return ErrTargetByte
		}
	}
	switch method := r.method.of(r.buf); {
	case string(method) == "CONNECT":
		if !validHost(t) || bytes.IndexByte(t, ':') < 0 {
			return ErrTarget
		}
		return ErrConnect
	case t[0] == '/':
		r.setTarget(s)
		return nil
	case len(t) == 1 && t[0] == '*':
		r.about = true
		if string(method) != "OPTIONS" {
			return ErrTarget
		}
		return nil
	default:
		return r.readAbsolute(s)
	}
}

func (r *Request) setTarget(s span) {
	r.target, r.path = s, s
	if q := bytes.IndexByte(s.of(r.buf), '?'); q >= 0 {
		r.path.to = s.from + uint32(q)
	}
}

// readAbsolute reads http://host/path. Its host wins over Host (RFC 9112, 3.2.2).
func (r *Request) readAbsolute(s span) error {
	t := s.of(r.buf)
	colon := bytes.Index(t, []byte("://"))
	if colon < 0 || !equalFold(t[:colon], "http") && !equalFold(t[:colon], "https") {
		return ErrTarget
	}
	from := colon + 3
	to := len(t)
	if i := bytes.IndexAny(t[from:], "/?"); i >= 0 {
		to = from + i
	}
	if to == from || !validHost(t[from:to]) {
		return ErrHostValue
	}
	r.absolute = true
	r.host = span{s.from + uint32(from), s.from + uint32(to)}
	r.setTarget(span{s.from + uint32(to), s.to})
	if to == len(t) && string(r.method.of(r.buf)) == "OPTIONS" {
		r.about = true // the last proxy would send it as * (RFC 9112, 3.2.4)
	}
	return nil
}

// judge looks at a complete head as a whole.
func (r *Request) judge() error {
	for i := range r.fields {
		f := &r.fields[i]
		switch f.kind { //nolint:exhaustive // the others do not matter here
		case kindHost:
			if r.hosts++; r.hosts > 1 {
				return ErrHostCount
			}
			if !validHost(f.value.of(r.buf)) {
				return ErrHostValue
			}
			if !r.absolute {
				r.host = f.value
			}
		case kindExpect:
			if !equalFold(f.value.of(r.buf), "100-continue") {
				return ErrExpectation
			}
			r.continues = r.minor == 1
		}
	}
	if r.hosts == 0 && r.minor == 1 {
		return ErrHostCount
	}
	return r.frame(NoBody)
}

// validHost takes a name, an IPv4 address or a bracketed IPv6 address with an
// optional port. Empty is the right of those who have no host to name.
func validHost(b []byte) bool {
	for _, c := range b {
		if !among(c, hostLow, hostHigh) {
			return false
		}
	}
	name, port := b, []byte(nil)
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return false
		}
		port = b[end+1:]
		addr, err := netip.ParseAddr(lent(b[1:end]))
		return err == nil && addr.Is6() && (len(port) == 0 || port[0] == ':') && validPort(port)
	}
	if colon := bytes.IndexByte(b, ':'); colon >= 0 {
		name, port = b[:colon], b[colon:]
	}
	return (len(name) > 0 || len(b) == 0) && !bytes.ContainsAny(name, "[]") && validPort(port)
}

// validPort takes "" and ":" with at most five digits.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) <= 6
}

// Method is the method as it was sent.
func (r *Request) Method() string { return lent(r.method.of(r.buf)) }

// Host is the host and port the request is for; "" when an HTTP/1.0 client
// named none.
func (r *Request) Host() string { return lent(r.host.of(r.buf)) }

// Path is the path as it was sent, without the query. It is "/" where an
// absolute target has none and "*" where the request is about the gateway
// itself.
func (r *Request) Path() string {
	switch {
	case r.about:
		return "*"
	case r.path.from == r.path.to:
		return "/"
	}
	return lent(r.path.of(r.buf))
}

// Query is what follows the path, with its question mark, or "".
func (r *Request) Query() string { return lent(r.buf[r.path.to:r.target.to]) }

// Continues says whether the client waits for 100 Continue before it sends the
// body.
func (r *Request) Continues() bool { return r.continues }
