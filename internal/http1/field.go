package http1

// span is a piece of the buffer a head was read from. Offsets, not slices: the
// buffer may move while the head is still coming in.
type span struct{ from, to uint32 }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// field is one header line.
type field struct {
	name, value span
	kind        kind
}

// kind says which of the fields the engine acts upon a name is.
type kind uint8

const (
	plain kind = iota
	// Hop-by-hop, from here to kindProxy: they concern one connection (RFC 9110,
	// 7.6.1). Proxy is none of them but dropped like them: CGI servers take it
	// for HTTP_PROXY.
	kindConnection
	kindKeepAlive
	kindProxyConnection
	kindProxyAuthenticate
	kindProxyAuthorization
	kindTE
	kindTrailer
	kindTransferEncoding
	kindUpgrade
	kindProxy
	// Guarded, from here on: servers act upon them, and Holdfast or the protocol
	// owns them. A client may not have them removed by naming them in Connection,
	// nor smuggle them past with underscores, nor send them as trailers.
	kindHost
	kindContentLength
	kindContentType
	kindContentEncoding
	kindAuthorization
	kindCookie
	kindCacheControl
	kindIdempotencyKey
	kindMaxForwards
	kindXRealIP
	kindXRequestID
	kindForwarded
	kindVia
	kindXForwardedFor
	kindXForwardedHost
	kindXForwardedProto
	kindXForwarded // any other X-Forwarded-
	// kindTwin is a guarded name spelt with underscores, which CGI-like servers
	// cannot tell from the real one.
	kindTwin
	// Neither, from here on.
	kindExpect
	kindDate
	kindRetryAfter
	kindTraceparent
	kindTracestate
)

func (k kind) hopByHop() bool { return kindConnection <= k && k <= kindProxy }
func (k kind) guarded() bool  { return kindHost <= k && k < kindTwin || k == kindTransferEncoding }

// kindOf finds a name in any case. Names differ most in length, so that hardly
// any is compared with more than two others.
func kindOf(name []byte) kind {
	switch len(name) {
	case 2:
		if equalFold(name, "te") {
			return kindTE
		}
	case 3:
		if equalFold(name, "via") {
			return kindVia
		}
	case 4:
		switch {
		case equalFold(name, "host"):
			return kindHost
		case equalFold(name, "date"):
			return kindDate
		}
	case 5:
		if equalFold(name, "proxy") {
			return kindProxy
		}
	case 6:
		switch {
		case equalFold(name, "cookie"):
			return kindCookie
		case equalFold(name, "expect"):
			return kindExpect
		}
	case 7:
		switch {
		case equalFold(name, "upgrade"):
			return kindUpgrade
		case equalFold(name, "trailer"):
			return kindTrailer
		}
	case 9:
		switch {
		case equalFold(name, "x-real-ip"):
			return kindXRealIP
		case equalFold(name, "forwarded"):
			return kindForwarded
		}
	case 10:
		switch {
		case equalFold(name, "connection"):
			return kindConnection
		case equalFold(name, "keep-alive"):
			return kindKeepAlive
		case equalFold(name, "tracestate"):
			return kindTracestate
		}
	case 11:
		switch {
		case equalFold(name, "retry-after"):
			return kindRetryAfter
		case equalFold(name, "traceparent"):
			return kindTraceparent
		}
	case 12:
		switch {
		case equalFold(name, "content-type"):
			return kindContentType
		case equalFold(name, "x-request-id"):
			return kindXRequestID
		case equalFold(name, "max-forwards"):
			return kindMaxForwards
		}
	case 13:
		switch {
		case equalFold(name, "cache-control"):
			return kindCacheControl
		case equalFold(name, "authorization"):
			return kindAuthorization
		}
	case 14:
		if equalFold(name, "content-length") {
			return kindContentLength
		}
	case 15:
		switch {
		case equalFold(name, "x-forwarded-for"):
			return kindXForwardedFor
		case equalFold(name, "idempotency-key"):
			return kindIdempotencyKey
		}
	case 16:
		switch {
		case equalFold(name, "proxy-connection"):
			return kindProxyConnection
		case equalFold(name, "x-forwarded-host"):
			return kindXForwardedHost
		case equalFold(name, "content-encoding"):
			return kindContentEncoding
		}
	case 17:
		switch {
		case equalFold(name, "transfer-encoding"):
			return kindTransferEncoding
		case equalFold(name, "x-forwarded-proto"):
			return kindXForwardedProto
		}
	case 18:
		if equalFold(name, "proxy-authenticate") {
			return kindProxyAuthenticate
		}
	case 19:
		if equalFold(name, "proxy-authorization") {
			return kindProxyAuthorization
		}
	}
	if len(name) > len(forwardedPrefix) && equalFold(name[:len(forwardedPrefix)], forwardedPrefix) {
		return kindXForwarded
	}
	return plain
}

const forwardedPrefix = "x-forwarded-"

// kindOfTwin is kindOf for a name with underscores.
func kindOfTwin(name []byte) kind {
	var dashed [32]byte
	if len(name) > len(dashed) {
		name = name[:len(dashed)] // only a prefix is that long
	}
	n := copy(dashed[:], name)
	for i, c := range dashed[:n] {
		if c == '_' {
			dashed[i] = '-'
		}
	}
	if kindOf(dashed[:n]).guarded() {
		return kindTwin
	}
	return plain
}
