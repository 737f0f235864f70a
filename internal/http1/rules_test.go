package http1_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"holdfast/exchange"
	"holdfast/internal/http1"
)

// rule is one test of the rules of reference/gateway.md 4.3 that a head alone
// can break; those about bodies and connections are in other tables.
type rule struct {
	number int
	name   string
	in     string // the head, without its last empty line
	fault  error  // nil: it is accepted
	up     string // the head the instance gets, without what the gateway adds
}

func headRules() []rule {
	const host = "\r\nHost: a"
	long := strings.Repeat("a", 9000)
	return []rule{
		{1, "a method of tchars", "M!#$%&'*+-.^_`|~09 / HTTP/1.1" + host, nil, "M!#$%&'*+-.^_`|~09 / HTTP/1.1" + host},
		{1, "a method with a separator", "G(T / HTTP/1.1" + host, http1.ErrRequestLine, ""},
		{1, "a name with a separator", "GET / HTTP/1.1" + host + "\r\nA(b: c", http1.ErrFieldName, ""},
		{1, "a name beyond ASCII", "GET / HTTP/1.1" + host + "\r\n\xc3\xa4: c", http1.ErrFieldName, ""},
		{1, "an empty name", "GET / HTTP/1.1" + host + "\r\n: c", http1.ErrFieldName, ""},
		{1, "a line without colon", "GET / HTTP/1.1" + host + "\r\nabc", http1.ErrFieldName, ""},
		{2, "a space before the colon", "GET / HTTP/1.1" + host + "\r\nA : c", http1.ErrFieldName, ""},
		{2, "a tab before the colon", "GET / HTTP/1.1" + host + "\r\nContent-Length\t: 5", http1.ErrFieldName, ""},
		{3, "a folded line", "GET / HTTP/1.1" + host + "\r\nA: b\r\n c", http1.ErrFieldFold, ""},
		{3, "a folded coding", "GET / HTTP/1.1" + host + "\r\nTransfer-Encoding:\r\n chunked", http1.ErrCoding, ""},
		{3, "a folded length", "GET / HTTP/1.1" + host + "\r\nContent-Length:\r\n\t5", http1.ErrLength, ""},
		{4, "whitespace before the first field", "GET / HTTP/1.1\r\n Host: a", http1.ErrFieldFold, ""},
		{4, "an empty line before the request", "\r\nGET / HTTP/1.1" + host, http1.ErrRequestLine, ""},
		{5, "a CR in a value", "GET / HTTP/1.1" + host + "\r\nA: b\rc", http1.ErrLineEnd, ""},
		{5, "a CR before the end of a line", "GET / HTTP/1.1" + host + "\r\nA: b\r", http1.ErrLineEnd, ""},
		{5, "a CR in the target", "GET /\r HTTP/1.1" + host, http1.ErrLineEnd, ""},
		{5, "a NUL in a value", "GET / HTTP/1.1" + host + "\r\nA: b\x00c", http1.ErrFieldValue, ""},
		{5, "a DEL in a value", "GET / HTTP/1.1" + host + "\r\nA: b\x7fc", http1.ErrFieldValue, ""},
		{5, "a vertical tab before a value", "GET / HTTP/1.1" + host + "\r\nA: \vb", http1.ErrFieldValue, ""},
		{5, "tabs and spaces around a value", "GET / HTTP/1.1" + host + "\r\nA:\t b\tc \t", nil, "GET / HTTP/1.1" + host + "\r\nA: b\tc"},
		{5, "bytes beyond ASCII in a value", "GET / HTTP/1.1" + host + "\r\nA: \xff", nil, "GET / HTTP/1.1" + host + "\r\nA: \xff"},
		{6, "LF after the request line", "GET / HTTP/1.1\nHost: a", http1.ErrLineEnd, ""},
		{6, "LF after a field", "GET / HTTP/1.1" + host + "\nA: b", http1.ErrLineEnd, ""},
		{7, "two spaces", "GET  / HTTP/1.1" + host, http1.ErrRequestLine, ""},
		{7, "a space at the end", "GET / HTTP/1.1 " + host, http1.ErrRequestLine, ""},
		{7, "a space at the start", " GET / HTTP/1.1" + host, http1.ErrRequestLine, ""},
		{7, "a tab", "GET\t/ HTTP/1.1" + host, http1.ErrRequestLine, ""},
		{7, "a space in the target", "GET /a b HTTP/1.1" + host, http1.ErrRequestLine, ""},
		{7, "a version in lower case", "GET / http/1.1" + host, http1.ErrRequestLine, ""},
		{7, "a leading zero", "GET / HTTP/01.1" + host, http1.ErrRequestLine, ""},
		{7, "a trailing zero", "GET / HTTP/1.10" + host, http1.ErrRequestLine, ""},
		{7, "no version", "GET /" + host, http1.ErrRequestLine, ""},
		{7, "HTTP/0.9", "GET / HTTP/0.9" + host, http1.ErrVersion, ""},
		{7, "HTTP/2.0", "PRI * HTTP/2.0", http1.ErrVersion, ""},
		{7, "HTTP/1.2", "GET / HTTP/1.2" + host, http1.ErrVersion, ""},
		{7, "methods differ in case", "get / HTTP/1.1" + host, nil, "get / HTTP/1.1" + host},
		{8, "a line of 9000 bytes", "GET /" + long + " HTTP/1.1" + host, nil, "GET /" + long + " HTTP/1.1" + host},
		{8, "a longer line", "GET /" + long + long + " HTTP/1.1" + host, http1.ErrLineLength, ""},
		{8, "an endless line", "GET /" + strings.Repeat(long, 9), http1.ErrLineLength, ""},
		{8, "large fields", "GET / HTTP/1.1" + host + strings.Repeat("\r\nA: "+long, 8), http1.ErrHeadLength, ""},
		{8, "a large field that does not end", "GET / HTTP/1.1" + host + "\r\nA: " + strings.Repeat(long, 8), http1.ErrHeadLength, ""},
		{8, "a method nobody knows", strings.Repeat("M", 25) + " / HTTP/1.1" + host, http1.ErrMethodLength, ""},
		{9, "no Host", "GET / HTTP/1.1\r\nA: b", http1.ErrHostCount, ""},
		{9, "no Host in HTTP/1.0", "GET / HTTP/1.0", nil, "GET / HTTP/1.1\r\nHost: "},
		{9, "two Hosts", "GET / HTTP/1.1" + host + host, http1.ErrHostCount, ""},
		{9, "two Hosts in HTTP/1.0", "GET / HTTP/1.0" + host + host, http1.ErrHostCount, ""},
		{9, "a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b", http1.ErrHostValue, ""},
		{9, "a user name", "GET / HTTP/1.1\r\nHost: u@a", http1.ErrHostValue, ""},
		{9, "a path in Host", "GET / HTTP/1.1\r\nHost: a/b", http1.ErrHostValue, ""},
		{9, "a port that is none", "GET / HTTP/1.1\r\nHost: a:b", http1.ErrHostValue, ""},
		{9, "two ports", "GET / HTTP/1.1\r\nHost: a:1:2", http1.ErrHostValue, ""},
		{9, "a port alone", "GET / HTTP/1.1\r\nHost: :80", http1.ErrHostValue, ""},
		{9, "an open bracket", "GET / HTTP/1.1\r\nHost: [::1", http1.ErrHostValue, ""},
		{9, "text behind a bracket", "GET / HTTP/1.1\r\nHost: [::1]a", http1.ErrHostValue, ""},
		{9, "a name in brackets", "GET / HTTP/1.1\r\nHost: [a]", http1.ErrHostValue, ""},
		{9, "an IPv4 address in brackets", "GET / HTTP/1.1\r\nHost: [1.2.3.4]", http1.ErrHostValue, ""},
		{9, "a zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]", http1.ErrHostValue, ""},
		{9, "an escape in Host", "GET / HTTP/1.1\r\nHost: a%41", http1.ErrHostValue, ""},
		{9, "an address with a port", "GET / HTTP/1.1\r\nHost: [::1]:80", nil, "GET / HTTP/1.1\r\nHost: [::1]:80"},
		{9, "an absolute target wins over Host", "GET http://b:1/p?q HTTP/1.1" + host, nil, "GET /p?q HTTP/1.1\r\nHost: b:1"},
		{9, "an absolute target without a path", "GET HTTP://b?q HTTP/1.1" + host, nil, "GET /?q HTTP/1.1\r\nHost: b"},
		{9, "an absolute target does not replace Host", "GET http://b/ HTTP/1.1", http1.ErrHostCount, ""},
		{9, "a user name in the target", "GET http://u@b/ HTTP/1.1" + host, http1.ErrHostValue, ""},
		{9, "a target without a host", "GET http:/// HTTP/1.1" + host, http1.ErrHostValue, ""},
		{9, "another scheme", "GET ftp://b/ HTTP/1.1" + host, http1.ErrTarget, ""},
		{10, "an asterisk", "GET * HTTP/1.1" + host, http1.ErrTarget, ""},
		{10, "CONNECT", "CONNECT b:443 HTTP/1.1\r\nHost: b:443", http1.ErrConnect, ""},
		{10, "CONNECT with a path", "CONNECT / HTTP/1.1" + host, http1.ErrTarget, ""},
		{10, "an authority without CONNECT", "GET b:443 HTTP/1.1" + host, http1.ErrTarget, ""},
		{10, "a fragment", "GET /a#b HTTP/1.1" + host, http1.ErrTargetByte, ""},
		{10, "a fragment in the query", "GET /a?b#c HTTP/1.1" + host, http1.ErrTargetByte, ""},
		{10, "a NUL in the target", "GET /\x00 HTTP/1.1" + host, http1.ErrTargetByte, ""},
		{11, "a plus", "POST / HTTP/1.1" + host + "\r\nContent-Length: +5", http1.ErrLength, ""},
		{11, "a minus", "POST / HTTP/1.1" + host + "\r\nContent-Length: -5", http1.ErrLength, ""},
		{11, "an underscore", "POST / HTTP/1.1" + host + "\r\nContent-Length: 1_0", http1.ErrLength, ""},
		{11, "hexadecimal", "POST / HTTP/1.1" + host + "\r\nContent-Length: 0x5", http1.ErrLength, ""},
		{11, "a space within", "POST / HTTP/1.1" + host + "\r\nContent-Length: 5 5", http1.ErrLength, ""},
		{11, "nothing", "POST / HTTP/1.1" + host + "\r\nContent-Length:", http1.ErrLength, ""},
		{11, "too much", "POST / HTTP/1.1" + host + "\r\nContent-Length: 18446744073709551621", http1.ErrLength, ""},
		{11, "a list", "POST / HTTP/1.1" + host + "\r\nContent-Length: 5, 5", http1.ErrLength, ""},
		{11, "two that differ", "POST / HTTP/1.1" + host + "\r\nContent-Length: 5\r\nContent-Length: 6", http1.ErrLength, ""},
		{11, "two that are written differently", "POST / HTTP/1.1" + host + "\r\nContent-Length: 5\r\nContent-Length: 05", http1.ErrLength, ""},
		{11, "two that agree", "POST / HTTP/1.1" + host + "\r\nContent-Length: 5\r\nContent-Length: 5", nil, "POST / HTTP/1.1" + host + "\r\nContent-Length: 5"},
		{12, "chunked", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: Chunked", nil, "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked"},
		{12, "an unknown coding", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: xchunked", http1.ErrCoding, ""},
		{12, "identity", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: identity", http1.ErrCoding, ""},
		{12, "no coding", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding:", http1.ErrCoding, ""},
		{12, "two codings", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: gzip, chunked", http1.ErrCoding, ""},
		{12, "chunked twice", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked, chunked", http1.ErrCoding, ""},
		{12, "a vertical tab", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: \vchunked", http1.ErrFieldValue, ""},
		{12, "a form feed", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked\f", http1.ErrFieldValue, ""},
		{12, "a parameter", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked;q=1", http1.ErrCoding, ""},
		{13, "length and coding", "POST / HTTP/1.1" + host + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", http1.ErrLengthAndCoding, ""},
		{13, "coding and length", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", http1.ErrLengthAndCoding, ""},
		{14, "a coding in HTTP/1.0", "POST / HTTP/1.0" + host + "\r\nTransfer-Encoding: chunked", http1.ErrCodingCount, ""},
		{15, "two codings in two lines", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", http1.ErrCodingCount, ""},
		{18, "an announced trailer that frames", "POST / HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked\r\nTrailer: A, Content-Length", http1.ErrTrailer, ""},
		{19, "a DELETE with a body", "DELETE / HTTP/1.1" + host + "\r\nContent-Length: 3", nil, "DELETE / HTTP/1.1" + host + "\r\nContent-Length: 3"},
		{19, "a POST without one", "POST / HTTP/1.1" + host, nil, "POST / HTTP/1.1" + host},
		{19, "a POST with an empty one", "POST / HTTP/1.1" + host + "\r\nContent-Length: 0", nil, "POST / HTTP/1.1" + host + "\r\nContent-Length: 0"},
		{24, "an upgrade", "GET / HTTP/1.1" + host + "\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket", nil, "GET / HTTP/1.1" + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket"},
		{24, "an upgrade Connection does not name", "GET / HTTP/1.1" + host + "\r\nUpgrade: websocket", nil, "GET / HTTP/1.1" + host},
		{24, "an upgrade from HTTP/1.0", "GET / HTTP/1.0" + host + "\r\nConnection: upgrade\r\nUpgrade: websocket", nil, "GET / HTTP/1.1" + host},
		{25, "100-continue", "POST / HTTP/1.1" + host + "\r\nExpect: 100-Continue\r\nContent-Length: 5", nil, "POST / HTTP/1.1" + host + "\r\nExpect: 100-Continue\r\nContent-Length: 5"},
		{25, "another expectation", "POST / HTTP/1.1" + host + "\r\nExpect: gold", http1.ErrExpectation, ""},
		{26, "fields of the connection", "GET / HTTP/1.1" + host + "\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nProxy-Authorization: b\r\nProxy-Authenticate: c\r\nTrailer: d\r\nProxy: e\r\nB: c", nil, "GET / HTTP/1.1" + host + "\r\nB: c"},
		{26, "TE is made anew", "GET / HTTP/1.1" + host + "\r\nTE: gzip, Trailers", nil, "GET / HTTP/1.1" + host + "\r\nTE: trailers"},
		{26, "guarded fields cannot be named away", "GET / HTTP/1.1" + host + "\r\nConnection: Host, Authorization, Cookie, Content-Length\r\nAuthorization: a\r\nCookie: b\r\nContent-Length: 3", nil, "GET / HTTP/1.1" + host + "\r\nAuthorization: a\r\nCookie: b\r\nContent-Length: 3"},
		{27, "Max-Forwards counts down", "OPTIONS / HTTP/1.1" + host + "\r\nMax-Forwards: 3", nil, "OPTIONS / HTTP/1.1" + host + "\r\nMax-Forwards: 2"},
		{27, "Max-Forwards of others stays", "GET / HTTP/1.1" + host + "\r\nMax-Forwards: 3", nil, "GET / HTTP/1.1" + host + "\r\nMax-Forwards: 3"},
		{28, "a client's word about itself", "GET / HTTP/1.1" + host + "\r\nX-Forwarded-For: 6\r\nX-Forwarded-Host: h\r\nX-Forwarded-Proto: p\r\nX-Forwarded-Prefix: /6\r\nForwarded: for=6\r\nX-Real-Ip: 6\r\nX-Request-Id: 6", nil, "GET / HTTP/1.1" + host},
		{28, "twins with underscores", "GET / HTTP/1.1" + host + "\r\nX_Forwarded_For: 6\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\nx_forwarded-anything: 6\r\nMy_Own: kept", nil, "GET / HTTP/1.1" + host + "\r\nMy_Own: kept"},
		{29, "a path passes as it came", "GET /a//b%2Fc;d?e=%00&f=../ HTTP/1.1" + host, nil, "GET /a//b%2Fc;d?e=%00&f=../ HTTP/1.1" + host},
		{29, "dot segments", "GET /a/%2e%2E/b HTTP/1.1" + host, exchange.ErrPath, ""},
		{29, "a backslash", "GET /a\\b HTTP/1.1" + host, exchange.ErrPath, ""},
		{29, "an escaped NUL", "GET /%00 HTTP/1.1" + host, exchange.ErrPath, ""},
		{32, "many fields", "GET / HTTP/1.1" + host + strings.Repeat("\r\nA: b", 256), http1.ErrHeadLength, ""},
	}
}

// added is what the gateway adds in these tests.
const added = "X-Forwarded-For: 192.0.2.1\r\nX-Real-Ip: 192.0.2.1\r\n"

func forwarding(target string) *http1.Forwarding {
	peer := netip.MustParseAddr("192.0.2.1")
	return &http1.Forwarding{Target: target, ID: "id", Via: "me", Proto: "http", Peer: peer, Client: peer}
}

// upstream is the head of the request, as an engine makes it.
func upstream(r *http1.Request) (string, error) {
	path, err := exchange.CleanPath(r.Path())
	if err != nil {
		return "", err
	}
	return string(r.AppendTo(nil, forwarding(path))), nil
}

// without takes out what the gateway adds, which is checked on its own.
func without(t *testing.T, head, host string, minor int) string {
	t.Helper()
	lines := added
	if host != "" {
		lines += "X-Forwarded-Host: " + host + "\r\n"
	}
	lines += fmt.Sprintf("X-Forwarded-Proto: http\r\nX-Request-Id: id\r\nVia: 1.%d me\r\n", minor)
	before, after, ok := strings.Cut(head, lines)
	if !ok {
		t.Errorf("%q lacks what the gateway adds: %q", head, lines)
	}
	return before + after
}

func TestHeadsAreRefusedOrHaveOneMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range headRules() {
		t.Run(fmt.Sprintf("%d/%s", c.number, c.name), func(t *testing.T) {
			t.Parallel()
			in := c.in
			if len(in) < 80_000 {
				in += "\r\n\r\n"
			}
			var r http1.Request
			r.Reset(http1.Limits{})
			n, err := r.Parse([]byte(in))
			up := ""
			if err == nil && n > 0 {
				up, err = upstream(&r)
			}
			switch {
			case !errors.Is(err, c.fault):
				t.Fatalf("%v, want %v", err, c.fault)
			case c.fault != nil:
				return
			case n != len(in):
				t.Fatalf("read %d bytes of %d", n, len(in))
			}
			if got := without(t, up, r.Host(), r.Minor()); got != c.up+"\r\n\r\n" {
				t.Errorf("the instance gets\n%q, want\n%q", got, c.up+"\r\n\r\n")
			}
		})
	}
}

func TestATrustedProxysWordIsContinued(t *testing.T) {
	t.Parallel()
	var r http1.Request
	r.Reset(http1.Limits{})
	_, err := r.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n" +
		"X-Forwarded-Host: b, c\r\nX-Forwarded-Prefix: /p\r\nForwarded: for=1.1.1.1\r\nVia: 1.0 x\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := forwarding("/")
	f.Trusted, f.Client, f.Peer = true, netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("2001:db8::1")
	want := "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: /p\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, 2001:db8::1\r\n" +
		"X-Real-Ip: 1.1.1.1\r\nX-Forwarded-Host: b\r\nX-Forwarded-Proto: http\r\nX-Request-Id: id\r\n" +
		"Forwarded: for=1.1.1.1, for=\"[2001:db8::1]\";host=\"a\";proto=http\r\nVia: 1.0 x, 1.1 me\r\n\r\n"
	if got := string(r.AppendTo(nil, f)); got != want {
		t.Errorf("%q, want\n%q", got, want)
	}
	if r.Loops("me") || !r.Loops("x") {
		t.Error("a loop is told by the gateway's own name")
	}
}

func TestOptionsAboutTheGatewayHaveNoPath(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"*", "http://a"} {
		var r http1.Request
		r.Reset(http1.Limits{})
		if _, err := r.Parse([]byte("OPTIONS " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil || r.Path() != "*" || r.Query() != "" {
			t.Errorf("%s: %q %v", target, r.Path(), err)
		}
	}
}

func TestConnectionsAreKeptAsTheirVersionSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want bool
	}{
		{"1.1\r\nHost: a", true},
		{"1.1\r\nHost: a\r\nConnection: close", false},
		{"1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: Close", false},
		{"1.0", false},
		{"1.0\r\nConnection: Keep-Alive", true},
		{"1.0\r\nConnection: keep-alive, close", false},
	} {
		var r http1.Request
		r.Reset(http1.Limits{})
		if _, err := r.Parse([]byte("GET / HTTP/" + c.in + "\r\n\r\n")); err != nil || r.KeepAlive() != c.want {
			t.Errorf("%q: %v %v", c.in, r.KeepAlive(), err)
		}
	}
}
