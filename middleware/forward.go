package middleware

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// hopByHop are fields that concern one connection (RFC 9110, 7.6.1). Proxy is
// none of them: it is dropped because CGI servers take it for HTTP_PROXY.
var hopByHop = map[string]bool{ //nolint:gochecknoglobals // a constant table
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true,
	"Proxy-Authorization": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Proxy": true,
}

// guarded are fields that servers act upon and that Holdfast or the protocol
// owns, besides all that begin with X-Forwarded-: a client may not have them
// removed by naming them in Connection, nor smuggle them past in a spelling
// with underscores, which CGI-like servers cannot tell from the real ones, nor
// send them as trailers.
var guarded = map[string]bool{ //nolint:gochecknoglobals // a constant table
	"Host": true, "Content-Length": true, "Content-Type": true, "Content-Encoding": true, "Transfer-Encoding": true,
	"Authorization": true, "Cookie": true, "Cache-Control": true, "Idempotency-Key": true, "Max-Forwards": true,
	"X-Real-Ip": true, "X-Request-Id": true, "Forwarded": true, "Via": true,
}

func isGuarded(name string) bool {
	return guarded[name] || strings.HasPrefix(name, "X-Forwarded-")
}

// owned are fields whose content the engine decides, whoever sent them.
func owned(name string, trusted bool) bool {
	switch name {
	case "X-Real-Ip", "X-Request-Id", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded":
		return true
	}
	return !trusted && strings.HasPrefix(name, "X-Forwarded-")
}

// isTwin says whether a name is a guarded one with underscores.
func isTwin(name string) bool {
	return strings.IndexByte(name, '_') >= 0 &&
		isGuarded(textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-")))
}

// outbound returns the fields an instance gets. Values are shared with r: both
// sides only read them.
func (e *Engine) outbound(r *http.Request, in *inbound) http.Header {
	h := make(http.Header, len(r.Header)+8)
	named := connectionNames(r.Header)
	for name, values := range r.Header {
		if hopByHop[name] || owned(name, in.trusted) || isTwin(name) || slices.Contains(named, name) && !isGuarded(name) {
			continue
		}
		h[name] = values
	}
	if hasToken(r.Header["Te"], "trailers") {
		h["Te"] = []string{"trailers"}
	}
	if up := upgradeOf(r.Header); up != "" && r.ProtoMajor == 1 && r.ProtoMinor > 0 { // HTTP/1.0 knows no upgrades
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{up}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // keeps net/http from adding its own
	}
	ownRetries(h)
	countDown(h, r.Method)
	in.forward(h, r)
	h["X-Request-Id"] = []string{in.id}
	h["Via"] = append(slices.Clone(r.Header["Via"]), receivedProtocol(r)+" "+e.via)
	return h
}

// ownRetries keeps net/http from sending a request again by itself, over a
// connection that died, because of a field its own client knows: whether a
// request may be processed twice is the machine's decision. In another spelling,
// which means the same to instances, net/http does not find the fields.
func ownRetries(h http.Header) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := h[name]; ok {
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
}

// forward tells the instance who the client is. A trusted proxy's fields are
// continued, everybody else's are replaced.
func (in *inbound) forward(h http.Header, r *http.Request) {
	host, chain := r.Host, ""
	if in.trusted {
		chain = strings.Join(r.Header["X-Forwarded-For"], ", ")
		first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ",")
		if first = strings.TrimSpace(first); first != "" && validHost(first) {
			host = first
		}
		if lines := r.Header["Forwarded"]; len(lines) > 0 {
			h["Forwarded"] = []string{join(strings.Join(lines, ", "), in.forwardedElement(r))}
		}
	}
	if in.peer.IsValid() {
		h["X-Forwarded-For"] = []string{join(chain, in.peer.String())}
	}
	if in.client.IsValid() {
		h["X-Real-Ip"] = []string{in.client.String()}
	}
	if host != "" {
		h["X-Forwarded-Host"] = []string{host}
	}
	h["X-Forwarded-Proto"] = []string{in.proto}
}

// forwardedElement describes this hop as RFC 7239 writes it.
func (in *inbound) forwardedElement(r *http.Request) string {
	proto := "http"
	if r.TLS != nil {
		proto = "https"
	}
	return "for=" + forwardedNode(in.peer) + ";host=" + strconv.Quote(r.Host) + ";proto=" + proto
}

func forwardedNode(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return `"[` + a.String() + `]"`
}

func join(list, last string) string {
	if list == "" {
		return last
	}
	return list + ", " + last
}

// connectionNames returns the fields that Connection declares hop-by-hop.
func connectionNames(h http.Header) []string {
	var names []string
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return names
}

// hasToken finds a token in a comma-separated list, in any case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// upgradeOf returns the protocol a message offers or switches to, or "".
func upgradeOf(h http.Header) string {
	if !hasToken(h["Connection"], "upgrade") {
		return ""
	}
	return h.Get("Upgrade")
}

func receivedProtocol(r *http.Request) string {
	return strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}

// lastHop answers OPTIONS and TRACE whose Max-Forwards is used up
// (RFC 9110, 7.6.2). TRACE is not offered: it would show what proxies add.
func lastHop(r *http.Request) *refusal {
	switch n, given, err := forwardsLeft(r.Header); {
	case err != nil:
		return &refusal{http.StatusBadRequest, "Max-Forwards is not a number"}
	case !given || n > 0:
		return nil
	case r.Method == http.MethodTrace:
		return &refusal{http.StatusMethodNotAllowed, "TRACE is not offered here"}
	default:
		return &refusal{http.StatusNoContent, ""}
	}
}

func countDown(h http.Header, method string) {
	if method != http.MethodOptions && method != http.MethodTrace {
		return
	}
	if n, given, err := forwardsLeft(h); given && err == nil && n > 0 {
		h["Max-Forwards"] = []string{strconv.FormatUint(n-1, 10)}
	}
}

func forwardsLeft(h http.Header) (n uint64, given bool, err error) {
	v := h.Get("Max-Forwards")
	if v == "" {
		return 0, false, nil
	}
	n, err = strconv.ParseUint(v, 10, 16)
	return n, true, err
}

// trailerAllowed says whether a trailer may pass: none that frames, routes or
// authenticates (RFC 9110, 6.5.1), and no name net/http would refuse to send.
func trailerAllowed(name string) bool {
	return isToken(name) && !hopByHop[name] && !isGuarded(name) && !isTwin(name) && !strings.HasPrefix(name, "Content-")
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
