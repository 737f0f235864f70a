package middleware

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"holdfast/exchange"
)

// inbound is what the engine found out about a request before the first rule.
type inbound struct {
	id      string
	host    string // without port, lower case
	path    string // matched and forwarded alike; "" when there is none to match
	proto   string // http or https: what the client used
	peer    netip.Addr
	client  netip.Addr
	trusted bool // the peer is a trusted proxy
	refused *refusal
}

// refusal is a request that is answered before any rule is asked.
type refusal struct {
	status int
	reason string
}

// inspect checks a request and finds out who the client is.
func (e *Engine) inspect(r *http.Request) inbound {
	in := inbound{peer: peerAddr(r.RemoteAddr), proto: "http", host: hostOnly(r.Host)}
	if r.TLS != nil {
		in.proto = "https"
	}
	in.client, in.trusted = in.peer, e.trusts(in.peer)
	if in.trusted {
		in.client = e.clientBehind(r.Header, in.peer)
		in.proto = protoBehind(r.Header, in.proto)
	}
	in.id = requestID(r.Header.Get("X-Request-Id"), in.trusted)
	in.path, in.refused = targetOf(r)
	if in.refused == nil {
		in.refused = e.refuse(r)
	}
	return in
}

// targetOf returns the path to match, or why there is none.
func targetOf(r *http.Request) (string, *refusal) {
	switch {
	case r.Method == http.MethodConnect:
		return "", &refusal{http.StatusMethodNotAllowed, "CONNECT is not offered here"}
	case r.URL.Path == "*" && r.Method == http.MethodOptions:
		return "", &refusal{http.StatusNoContent, ""} // about the gateway, not about a function
	case r.URL.Path == "*" || r.URL.Opaque != "":
		return "", &refusal{http.StatusBadRequest, "the request target is not a path"}
	}
	path, err := exchange.CleanPath(pathOf(r))
	if err != nil {
		return "", &refusal{http.StatusBadRequest, err.Error()}
	}
	return path, nil
}

// refuse holds the rules for requests that have a path.
func (e *Engine) refuse(r *http.Request) *refusal {
	switch {
	case !validHost(r.Host):
		return &refusal{http.StatusBadRequest, "Host is not a host name with an optional port"}
	case e.loops(r.Header):
		return &refusal{http.StatusLoopDetected, "the request came through this gateway before: an instance points back at it"}
	case r.Method == http.MethodOptions || r.Method == http.MethodTrace:
		return lastHop(r)
	}
	return nil
}

// pathOf returns the request's path as it was sent. When a handler in front of
// the engine changed URL.Path (http.StripPrefix), its word counts.
func pathOf(r *http.Request) string {
	if raw := rawPath(r.RequestURI); raw != "" && (r.URL.RawPath == "" || r.URL.RawPath == raw) {
		if plain, err := url.PathUnescape(raw); err == nil && plain == r.URL.Path {
			return raw
		}
	}
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/" // an absolute target may have none
}

// rawPath cuts the path out of a request target in origin or absolute form.
func rawPath(target string) string {
	target, _, _ = strings.Cut(target, "?")
	if target == "" || target[0] == '/' {
		return target
	}
	_, rest, _ := strings.Cut(target, "://")
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return ""
}

func peerAddr(remote string) netip.Addr {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{} // not an IP connection (unix socket, in-memory)
}

func (e *Engine) trusts(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, p := range e.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// clientBehind walks X-Forwarded-For from the right, over the proxies that are
// trusted, to the first that is not: the client. What stands left of it is the
// client's own word.
func (e *Engine) clientBehind(h http.Header, peer netip.Addr) netip.Addr {
	client := peer
	for _, list := range slices.Backward(h["X-Forwarded-For"]) {
		for list != "" {
			cut := strings.LastIndexByte(list, ',')
			addr, ok := exchange.ForwardedAddr(strings.TrimSpace(list[cut+1:]))
			if !ok {
				return client
			}
			client = addr
			if !e.trusts(addr) {
				return client
			}
			list = list[:max(cut, 0)]
		}
	}
	return client
}

// protoBehind returns what the first trusted proxy says the client used.
func protoBehind(h http.Header, own string) string {
	first, _, _ := strings.Cut(h.Get("X-Forwarded-Proto"), ",")
	switch p := strings.ToLower(strings.TrimSpace(first)); p {
	case "http", "https":
		return p
	default:
		return own
	}
}

// hostOnly returns the host without port in lower case.
func hostOnly(hostport string) string {
	host := hostport
	if strings.IndexByte(hostport, ':') >= 0 {
		if h, _, err := net.SplitHostPort(hostport); err == nil {
			host = h
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// validHost refuses what is no host: user names, paths, lists, and bytes that
// net/http would refuse to send on, which must not look like an instance's
// fault. An empty host is an HTTP/1.0 client's right.
func validHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; !isAlnum(c) && strings.IndexByte("-._~:[]%!$&'()*+;=", c) < 0 {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// requestID keeps the id a trusted proxy gave and makes one otherwise.
func requestID(given string, trusted bool) string {
	if trusted && exchange.ValidID(given) {
		return given
	}
	return hexOf(rand.Uint64()) + hexOf(rand.Uint64())
}

// loops finds this engine's own name in Via.
func (e *Engine) loops(h http.Header) bool {
	for _, v := range h["Via"] {
		if strings.Contains(v, e.via) {
			return true
		}
	}
	return false
}
