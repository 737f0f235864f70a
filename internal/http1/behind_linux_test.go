package http1_test

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"testing"

	"holdfast/internal/http1"
)

func TestATrustedProxySaysWhoTheClientIs(t *testing.T) {
	t.Parallel()
	heads := make(chan string, 1)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	r := newRig(t, setup{loops: http1.LoopsConfig{TrustedProxies: loopback}}, instance(t, func(c net.Conn, b *bufio.Reader) {
		for {
			head, _, ok := request(b)
			if !ok {
				return
			}
			heads <- head
			if _, err := c.Write([]byte(hello)); err != nil {
				return
			}
		}
	}))
	c := r.dial()
	for _, test := range []struct{ name, sent, client, proto, chain, id string }{
		{"one hop", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: HTTPS\r\nX-Request-Id: mine\r\n", "1.1.1.1", "https", "1.1.1.1, 127.0.0.1", "mine"},
		{"over trusted hops only", "X-Forwarded-For: 6.6.6.6, 1.1.1.1:80\r\nX-Forwarded-For: 10.0.0.1, [::ffff:10.0.0.2]\r\n", "1.1.1.1", "http", "6.6.6.6, 1.1.1.1:80, 10.0.0.1, [::ffff:10.0.0.2], 127.0.0.1", ""},
		{"up to what is no address", "X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.1\r\n", "10.0.0.1", "http", "1.1.1.1, unknown, 10.0.0.1, 127.0.0.1", ""},
		{"nothing", "X-Forwarded-Proto: gopher\r\nX-Request-Id: a b\r\n", "127.0.0.1", "http", "127.0.0.1", ""},
	} {
		c.send("GET / HTTP/1.1\r\nHost: a\r\n" + test.sent + "\r\n")
		res, _ := c.answer("GET")
		head := <-heads
		want := "\r\nX-Forwarded-For: " + test.chain + "\r\nX-Real-Ip: " + test.client + "\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: " + test.proto + "\r\n"
		if !strings.Contains(head, want) {
			t.Errorf("%s: %q lacks %q", test.name, head, want)
		}
		id := res.Header.Get("X-Request-Id")
		if rec := r.record(id); rec.Client.String() != test.client {
			t.Errorf("%s: record of %q: client %v", test.name, id, rec.Client)
		}
		if test.id != "" && id != test.id || len(id) < 4 {
			t.Errorf("%s: id %q", test.name, id)
		}
	}
}
