package http1

import (
	"bytes"
	"net/netip"
	"strconv"
)

// Forwarding is what a gateway adds to a request and decides about it. Strings
// are borrowed for the call.
type Forwarding struct {
	Target string // path, as it was matched; the query is the request's
	Host   string // "": the client's
	ID     string // of X-Request-Id
	Via    string // this gateway's name
	Proto  string // http or https: what the client used
	TLS    bool   // this hop's own connection
	// Peer is who the connection is with, Client who the request comes from;
	// zero where there is no address.
	Peer, Client netip.Addr
	// Trusted says that the peer may tell who its client is: its fields are
	// continued. Everybody else's are replaced.
	Trusted bool
	// Traceparent takes the place of the client's field; empty: that passes. Begins
	// says that it is of another trace, so that the client's tracestate does not
	// belong to it.
	Traceparent []byte
	Begins      bool
}

// AppendTo appends the head an instance gets: end-to-end fields as they came,
// those about the connection left out, those about the client made anew, one
// statement about the body.
func (r *Request) AppendTo(dst []byte, f *Forwarding) []byte {
	dst = append(dst, r.method.of(r.buf)...)
	dst = append(dst, ' ')
	dst = append(dst, f.Target...)
	dst = append(dst, r.Query()...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	if f.Host != "" {
		dst = append(dst, f.Host...)
	} else {
		dst = append(dst, r.host.of(r.buf)...)
	}
	dst = append(dst, '\r', '\n')
	dst = r.appendFields(dst, f)
	dst = r.appendClient(dst, f)
	dst = r.appendVia(dst, f)
	if len(f.Traceparent) > 0 {
		dst = append(append(append(dst, "Traceparent: "...), f.Traceparent...), '\r', '\n')
	}
	if r.trailers {
		dst = append(dst, "TE: trailers\r\n"...)
	}
	if up := r.Upgrade(); up != "" {
		dst = append(append(append(dst, "Connection: Upgrade\r\nUpgrade: "...), up...), '\r', '\n')
	}
	dst = r.appendFraming(dst)
	return append(dst, '\r', '\n')
}

func (r *Request) appendFields(dst []byte, f *Forwarding) []byte {
	for i := range r.fields {
		l := &r.fields[i]
		switch l.kind { //nolint:exhaustive // the others pass
		case kindHost, kindContentLength, kindTwin,
			kindXRealIP, kindXRequestID, kindXForwardedFor, kindXForwardedHost, kindXForwardedProto, kindForwarded, kindVia:
			continue
		case kindXForwarded:
			if !f.Trusted {
				continue
			}
		case kindMaxForwards:
			dst = r.appendMaxForwards(dst, l)
			continue
		case kindTraceparent:
			if len(f.Traceparent) > 0 {
				continue
			}
		case kindTracestate:
			if len(f.Traceparent) > 0 && f.Begins {
				continue
			}
		}
		if r.passes(l) {
			dst = appendField(dst, l.name.of(r.buf), l.value.of(r.buf))
		}
	}
	return dst
}

// appendMaxForwards counts down where it means something (RFC 9110, 7.6.2).
func (r *Request) appendMaxForwards(dst []byte, l *field) []byte {
	value := l.value.of(r.buf)
	if m := r.Method(); m == "OPTIONS" || m == "TRACE" {
		if n, err := strconv.ParseUint(lent(value), 10, 16); err == nil && n > 0 {
			dst = append(dst, "Max-Forwards: "...)
			return append(appendDecimal(dst, int64(n-1)), '\r', '\n')
		}
	}
	return appendField(dst, l.name.of(r.buf), value)
}

// appendClient tells the instance who the client is.
func (r *Request) appendClient(dst []byte, f *Forwarding) []byte {
	if f.Peer.IsValid() {
		dst = append(dst, "X-Forwarded-For: "...)
		if f.Trusted {
			dst = r.appendList(dst, kindXForwardedFor)
		}
		dst = append(f.Peer.AppendTo(dst), '\r', '\n')
	}
	if f.Client.IsValid() {
		dst = append(dst, "X-Real-Ip: "...)
		dst = append(f.Client.AppendTo(dst), '\r', '\n')
	}
	if host := r.forwardedHost(f); len(host) > 0 {
		dst = append(append(append(dst, "X-Forwarded-Host: "...), host...), '\r', '\n')
	}
	dst = append(append(append(dst, "X-Forwarded-Proto: "...), f.Proto...), '\r', '\n')
	dst = append(append(append(dst, "X-Request-Id: "...), f.ID...), '\r', '\n')
	if _, given := r.value(kindForwarded); given && f.Trusted {
		dst = append(dst, "Forwarded: "...)
		dst = r.appendList(dst, kindForwarded)
		dst = append(r.appendElement(dst, f), '\r', '\n')
	}
	return dst
}

// forwardedHost is the host the first trusted proxy was asked for.
func (r *Request) forwardedHost(f *Forwarding) []byte {
	if given, ok := r.value(kindXForwardedHost); ok && f.Trusted {
		if given, _ = cutList(given); len(given) > 0 && validHost(given) {
			return given
		}
	}
	return r.host.of(r.buf)
}

// appendList appends all values of a field, each with a comma behind it.
func (r *Request) appendList(dst []byte, k kind) []byte {
	for i := range r.fields {
		if l := &r.fields[i]; l.kind == k && l.value.from < l.value.to {
			dst = append(append(dst, l.value.of(r.buf)...), ", "...)
		}
	}
	return dst
}

// appendElement describes this hop as RFC 7239 writes it.
func (r *Request) appendElement(dst []byte, f *Forwarding) []byte {
	dst = append(dst, "for="...)
	if f.Peer.Is4() {
		dst = f.Peer.AppendTo(dst)
	} else {
		dst = append(f.Peer.AppendTo(append(dst, `"[`...)), `]"`...)
	}
	dst = append(append(append(dst, `;host="`...), r.host.of(r.buf)...), `";proto=http`...)
	if f.TLS {
		dst = append(dst, 's')
	}
	return dst
}

func (r *Request) appendVia(dst []byte, f *Forwarding) []byte {
	dst = append(dst, "Via: "...)
	dst = r.appendList(dst, kindVia)
	dst = append(dst, '1', '.', '0'+r.minor, ' ')
	return append(append(dst, f.Via...), '\r', '\n')
}

// appendFraming says once how long the body is, as it was understood.
func (h *head) appendFraming(dst []byte) []byte {
	switch h.framing {
	case Chunked:
		return append(dst, "Transfer-Encoding: chunked\r\n"...)
	case Sized:
		dst = append(dst, "Content-Length: "...)
		return append(appendDecimal(dst, h.length), '\r', '\n')
	case NoBody:
		if h.lengths > 0 {
			dst = append(dst, "Content-Length: "...)
			return append(appendDecimal(dst, h.length), '\r', '\n')
		}
	case UntilClose:
	}
	return dst
}

// Loops says whether the request came through the gateway via before.
func (r *Request) Loops(via string) bool {
	for i := range r.fields {
		if l := &r.fields[i]; l.kind == kindVia && bytes.Contains(l.value.of(r.buf), []byte(via)) {
			return true
		}
	}
	return false
}
