package http1_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"holdfast/internal/http1"
	"holdfast/test/need"
)

const browserRequest = "GET /api/public/users/12345/orders?page=2&sort=-created HTTP/1.1\r\n" +
	"Host: api.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
	"Accept: application/json\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Referer: https://www.example.com/orders\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"

const serverResponse = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 22:42:00 GMT\r\nContent-Type: application/json\r\n" +
	"Content-Length: 512\r\nConnection: keep-alive\r\nCache-Control: private, max-age=5\r\n\r\n"

// forwarder is what one exchange needs of this package, used again and again.
type forwarder struct {
	request  http1.Request
	response http1.Response
	chunks   http1.ChunkReader
	out      []byte
	f        http1.Forwarding
}

func (f *forwarder) one(tb testing.TB, request, response []byte) {
	tb.Helper()
	f.request.Reset(http1.Limits{})
	if n, err := f.request.Parse(request); n == 0 || err != nil {
		tb.Fatal(n, err)
	}
	f.f.Target = f.request.Path()
	f.out = f.request.AppendTo(f.out[:0], &f.f)
	f.response.Reset(http1.Limits{})
	if n, err := f.response.Parse(response, false); n == 0 || err != nil {
		tb.Fatal(n, err)
	}
	f.out = f.response.AppendTo(f.out[:0], &http1.Relaying{ID: f.f.ID, Date: []byte("Sat, 21 Nov 2026 22:42:00 GMT")})
}

func newForwarder() *forwarder {
	peer := netip.MustParseAddr("192.0.2.1")
	return &forwarder{f: http1.Forwarding{ID: strings.Repeat("0", 32), Via: "holdfast", Proto: "http", Peer: peer, Client: peer}}
}

func TestAnExchangeAllocatesNothing(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	f, request, response := newForwarder(), []byte(browserRequest), []byte(serverResponse)
	f.one(t, request, response)
	if n := testing.AllocsPerRun(1000, func() { f.one(t, request, response) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	body := []byte("5;x\r\nhello\r\n0\r\nA: b\r\n\r\n")
	piece := make([]byte, len(body))
	decode := func() {
		f.chunks.Reset()
		copy(piece, body)
		if data, _, err := f.chunks.Decode(piece); err != nil || !bytes.Equal(data, []byte("hello")) || !f.chunks.Done() {
			t.Fatal(data, err)
		}
		f.out = http1.AppendLastChunk(f.out[:0], &f.chunks)
	}
	decode()
	if n := testing.AllocsPerRun(1000, decode); n != 0 {
		t.Errorf("%v allocations for a chunked body", n)
	}
}

func BenchmarkParseRequest(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"browser", browserRequest}, {"plain", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r http1.Request
			in := []byte(c.in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(http1.Limits{})
				if n, err := r.Parse(in); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkForward is both heads of an exchange, read and written.
func BenchmarkForward(b *testing.B) {
	f, request, response := newForwarder(), []byte(browserRequest), []byte(serverResponse)
	b.ReportAllocs()
	for b.Loop() {
		f.one(b, request, response)
	}
}

func BenchmarkDecodeChunks(b *testing.B) {
	body := []byte("1000\r\n" + strings.Repeat("x", 4096) + "\r\n0\r\n\r\n")
	piece := make([]byte, len(body))
	var c http1.ChunkReader
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		copy(piece, body)
		if _, _, err := c.Decode(piece); err != nil || !c.Done() {
			b.Fatal(err)
		}
	}
}
