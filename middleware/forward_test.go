package middleware

import (
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"testing"

	"holdfast/exchange"
)

func fuzzEngine() *Engine {
	return NewEngine(EngineConfig{
		Machine:        exchange.NewMachine(exchange.MachineConfig{}),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
	})
}

// FuzzForwarding: whatever a client sends, the instance is told the truth once.
func FuzzForwarding(f *testing.F) {
	f.Add("1.2.3.4:5", "X-Forwarded-For", "6.6.6.6", "close", "host.test", "https")
	f.Add("10.0.0.1:5", "X_Forwarded_For", "6.6.6.6, 10.0.0.2", "X-Forwarded-For, Host", "host.test", "http,https")
	f.Add("[fd00::1]:5", "Forwarded", "for=6.6.6.6", "x-real-ip", "", "gopher")
	f.Add("@", "x-Real_ip", "[::ffff:9.9.9.9]:80, 10.0.0.9", "upgrade", "a@b", "")
	e := fuzzEngine()
	f.Fuzz(func(t *testing.T, remote, name, value, connection, host, proto string) {
		h := http.Header{}
		h.Add(name, value) // the server's parser gives names in canonical form
		h.Add("X-Forwarded-For", value)
		h.Add("Connection", connection)
		h.Add("X-Forwarded-Proto", proto)
		h.Add("X-Forwarded-Host", value)
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, ProtoMajor: 1, ProtoMinor: 1, Header: h, Host: host, RemoteAddr: remote}
		sent := h.Clone()
		in := e.inspect(r)
		checkForwarded(t, e, r, &in, e.outbound(r, &in))
		for k := range sent {
			if !slices.Equal(sent[k], h[k]) {
				t.Errorf("the request's own %s was changed", k)
			}
		}
	})
}

func checkForwarded(t *testing.T, e *Engine, r *http.Request, in *inbound, out http.Header) {
	t.Helper()
	one := func(name, want string) {
		if want == "" && len(out[name]) > 0 || want != "" && !slices.Equal(out[name], []string{want}) {
			t.Errorf("instance sees %s %q, want %q (peer %s, client %s)", name, out[name], want, in.peer, in.client)
		}
	}
	one("X-Real-Ip", addrText(in.client))
	one("X-Request-Id", in.id)
	if !in.trusted {
		one("X-Forwarded-For", addrText(in.peer))
		one("X-Forwarded-Host", r.Host)
		one("X-Forwarded-Proto", "http")
		one("Forwarded", "")
		if in.client != in.peer {
			t.Errorf("a stranger at %s passed for %s", in.peer, in.client)
		}
	} else if chain := out.Get("X-Forwarded-For"); len(out["X-Forwarded-For"]) != 1 || !strings.HasSuffix(chain, in.peer.String()) {
		t.Errorf("chain %q does not end with %s", chain, in.peer)
	} else if want := firstUntrusted(e, chain); in.client != want {
		t.Errorf("client %s, but the first untrusted of %q is %s", in.client, chain, want)
	}
	for name := range out {
		if twin := textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-")); twin != name && isGuarded(twin) {
			t.Errorf("the twin %q got through", name)
		}
		ours := name == "Te" || upgradeOf(r.Header) != "" && (name == "Connection" || name == "Upgrade")
		if hopByHop[name] && !ours {
			t.Errorf("%q got through", name)
		}
	}
	if via := out["Via"]; len(via) == 0 || !strings.HasSuffix(via[len(via)-1], e.via) {
		t.Errorf("Via %q", via)
	}
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// firstUntrusted says it the other way round: it splits everything and walks.
func firstUntrusted(e *Engine, chain string) netip.Addr {
	list := strings.Split(chain, ",")
	slices.Reverse(list)
	var last netip.Addr
	for _, s := range list {
		a, ok := exchange.ForwardedAddr(strings.TrimSpace(s))
		if !ok {
			return last
		}
		if last = a; !e.trusts(a) {
			return a
		}
	}
	return last
}

func TestTheForwardedElementIsWrittenAsRFC7239Wants(t *testing.T) {
	t.Parallel()
	for peer, want := range map[string]string{"10.0.0.1": "10.0.0.1", "fd00::1": `"[fd00::1]"`} {
		if got := forwardedNode(netip.MustParseAddr(peer)); got != want {
			t.Errorf("%s is written %s, want %s", peer, got, want)
		}
	}
}

func TestTrailersThatFrameRouteOrAuthenticateAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Content-Length", "Content-Range", "Transfer-Encoding", "Host", "Authorization", "X-Forwarded-For", "X-Forwarded-New",
		"X_forwarded_for", "Connection", "Trailer", "Cookie", "", "a b", "x\ny",
	} {
		if trailerAllowed(name) {
			t.Errorf("%q was allowed", name)
		}
	}
	for _, name := range []string{"Grpc-Status", "X-Checksum", "Server-Timing", "Etag"} {
		if !trailerAllowed(name) {
			t.Errorf("%q was refused", name)
		}
	}
}
