package middleware

import (
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
)

// rewrite prepares the request an instance gets. httputil.ReverseProxy has
// copied it, dropped the hop-by-hop fields and all forwarding fields by then;
// the target is set per attempt.
func rewrite(p *httputil.ProxyRequest) {
	f := flightOf(p.Out)
	h := p.Out.Header
	p.Out.Host = p.In.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // the proxy would drop what it cannot parse
	dropTwins(h)
	forwarding(h, p.In, &f.in)
	h.Set("X-Request-Id", f.in.id)
	h["Via"] = append(slices.Clone(p.In.Header["Via"]), viaVersion(p.In)+" "+f.engine.via)
}

func viaVersion(r *http.Request) string {
	if r.ProtoMajor == 2 {
		return "2.0"
	}
	if r.ProtoMinor == 0 {
		return "1.0"
	}
	return "1.1"
}

// forwarding tells the instance who the client is. A trusted proxy's fields are
// continued, everybody else's are replaced.
func forwarding(h http.Header, in *http.Request, b *inbound) {
	peer := peerAddr(in.RemoteAddr)
	proto := "http"
	if in.TLS != nil {
		proto = "https"
	}
	host, chain := in.Host, ""
	if b.trusted {
		chain = strings.Join(in.Header["X-Forwarded-For"], ", ")
		proto = firstOf(in.Header.Get("X-Forwarded-Proto"), proto)
		host = firstOf(in.Header.Get("X-Forwarded-Host"), host)
		if v := in.Header["Forwarded"]; len(v) > 0 {
			h["Forwarded"] = slices.Clone(v)
		}
	}
	if peer.IsValid() {
		h.Set("X-Forwarded-For", join(chain, peer.String()))
	} else if chain != "" {
		h.Set("X-Forwarded-For", chain)
	}
	setAddr(h, "X-Real-Ip", b.client)
	h.Set("X-Forwarded-Proto", proto)
	h.Set("X-Forwarded-Host", host)
}

func setAddr(h http.Header, name string, a netip.Addr) {
	h.Del(name)
	if a.IsValid() {
		h.Set(name, a.String())
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func join(list, last string) string {
	if list == "" {
		return last
	}
	return list + ", " + last
}

// guarded are fields that servers act upon and that Holdfast or the protocol
// owns: a client may not have them removed by naming them in Connection, nor
// smuggle them past in a spelling with underscores, which CGI-like servers
// cannot tell from the real ones.
var guarded = map[string]bool{ //nolint:gochecknoglobals // a constant table
	"Host": true, "Content-Length": true, "Content-Type": true, "Transfer-Encoding": true, "Authorization": true, "Cookie": true,
	"X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true, "X-Forwarded-Port": true,
	"X-Forwarded-Prefix": true, "X-Real-Ip": true, "X-Request-Id": true, "Forwarded": true, "Via": true,
}

// guardConnection drops guarded names from Connection before the proxy obeys it.
func guardConnection(h http.Header) {
	lines := h["Connection"]
	for i, line := range lines {
		if !namesGuarded(line) {
			continue
		}
		var keep []string
		for name := range strings.SplitSeq(line, ",") {
			if !guarded[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] {
				keep = append(keep, strings.TrimSpace(name))
			}
		}
		lines[i] = strings.Join(keep, ", ")
	}
}

func namesGuarded(line string) bool {
	for name := range strings.SplitSeq(line, ",") {
		if guarded[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] {
			return true
		}
	}
	return false
}

// dropTwins removes fields like X_Forwarded_For.
func dropTwins(h http.Header) {
	for name := range h {
		if strings.IndexByte(name, '_') >= 0 && guarded[textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))] {
			delete(h, name)
		}
	}
	for _, name := range []string{"X-Forwarded-Port", "X-Forwarded-Prefix"} {
		h.Del(name) // said by nobody we asked
	}
}
