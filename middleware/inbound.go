package middleware

import (
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"holdfast/exchange"
)

// inbound is what the engine found out about a request before the first rule.
type inbound struct {
	id      string
	host    string // without port, lower case
	path    string // matched and forwarded alike
	client  netip.Addr
	trusted bool // the peer is a trusted proxy
}

// refusal is a request that is not even looked at.
type refusal struct {
	status int
	reason string
}

func (r *refusal) write(w http.ResponseWriter, id string) {
	writePlain(w, r.status, r.reason, id)
}

// inspect checks a request and finds out who the client is.
func (e *Engine) inspect(r *http.Request) (inbound, *refusal) {
	peer := peerAddr(r.RemoteAddr)
	in := inbound{trusted: e.trusts(peer), client: peer, host: hostOnly(r.Host)}
	if in.trusted {
		in.client = e.clientBehind(r.Header, peer)
	}
	in.id = requestID(r.Header.Get("X-Request-Id"), in.trusted)
	switch {
	case r.Method == http.MethodConnect:
		return in, &refusal{http.StatusMethodNotAllowed, "CONNECT is not offered here"}
	case r.URL.Path == "*" || r.URL.Opaque != "":
		return in, &refusal{http.StatusBadRequest, "the request target is not a path"}
	case e.loops(r.Header):
		return in, &refusal{http.StatusLoopDetected, "the request came through this gateway before: an instance points back at it"}
	}
	path, err := exchange.CleanPath(pathOf(r))
	if err != nil {
		return in, &refusal{http.StatusBadRequest, err.Error()}
	}
	in.path = path
	return in, nil
}

// pathOf returns the request's path in its escaped form; an absolute target
// may have none.
func pathOf(r *http.Request) string {
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

func peerAddr(remote string) netip.Addr {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap()
	}
	return netip.Addr{} // not an IP connection (unix socket, in-memory)
}

func (e *Engine) trusts(a netip.Addr) bool {
	for _, p := range e.trusted {
		if a.IsValid() && p.Contains(a) {
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
	lines := h["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for list := lines[i]; list != ""; {
			cut := strings.LastIndexByte(list, ',')
			addr, ok := forwardedAddr(strings.TrimSpace(list[cut+1:]))
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

// forwardedAddr reads an address with or without port, brackets or quotes.
func forwardedAddr(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap(), err == nil
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

// requestID keeps the id a trusted proxy gave and makes one otherwise.
func requestID(given string, trusted bool) string {
	if trusted && validID(given) {
		return given
	}
	return hexOf(rand.Uint64()) + hexOf(rand.Uint64())
}

func validID(s string) bool {
	if s == "" || len(s) > 63 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.:+/=", c) >= 0) {
			return false
		}
	}
	return true
}

// loops finds this gateway's own name in Via.
func (e *Engine) loops(h http.Header) bool {
	for _, v := range h["Via"] {
		if strings.Contains(v, e.via) {
			return true
		}
	}
	return false
}

// maxForwards counts Max-Forwards down for OPTIONS and TRACE and answers when
// it is used up (RFC 9110, 7.6.2).
func maxForwards(w http.ResponseWriter, r *http.Request) (answered bool) {
	v := r.Header.Get("Max-Forwards")
	if v == "" {
		return false
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	if n == 0 {
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	r.Header.Set("Max-Forwards", strconv.FormatUint(n-1, 10))
	return false
}
