package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"

	"holdfast/exchange"
	"holdfast/internal/http1"
)

// passed is a request as a gateway made of this package reads and forwards it.
type passed struct {
	method, target, host, body string
	length                     int64 // -1: in chunks
	end                        int   // in the stream
	up                         string
}

// pass reads one request from the start of a stream, in pieces of at most size
// bytes. It returns io.ErrUnexpectedEOF when more must come.
func pass(stream string, size int) (p passed, err error) {
	var r http1.Request
	r.Reset(http1.Limits{})
	n, all := 0, []byte(stream)
	for have := 0; n == 0; {
		if have == len(stream) {
			return p, io.ErrUnexpectedEOF
		}
		have = min(have+size, len(stream))
		if n, err = r.Parse(all[:have]); err != nil {
			return p, err
		}
	}
	p.method, p.target, p.host = strings.Clone(r.Method()), r.Path()+r.Query(), strings.Clone(r.Host())
	if p.up, err = upstream(&r); err != nil {
		return p, err
	}
	p.length, p.end = r.Length(), n
	if r.Framing() == http1.Chunked {
		return passChunks(p, stream, size)
	}
	p.end += int(r.Length())
	if r.Length() > int64(len(stream)-n) {
		return p, io.ErrUnexpectedEOF
	}
	p.body = stream[n:p.end]
	p.up += p.body
	return p, nil
}

func passChunks(p passed, stream string, size int) (passed, error) {
	data, rest, c, err := chunks(stream[p.end:], size)
	if err != nil {
		return p, err
	}
	if !c.Done() {
		return p, io.ErrUnexpectedEOF
	}
	p.length, p.body, p.end = -1, data, len(stream)-len(rest)
	up := []byte(p.up)
	if data != "" {
		up = append(append(http1.AppendChunkHead(up, len(data)), data...), "\r\n"...)
	}
	p.up = string(http1.AppendLastChunk(up, c))
	return p, nil
}

// FuzzRequest holds three things for any stream of bytes: it is read the same
// in whatever pieces it comes; what is accepted net/http accepts too and reads
// the same; and what is sent on is one request to the oracle and to net/http.
func FuzzRequest(f *testing.F) {
	for _, c := range headRules() {
		if len(c.in) < 1000 { // what is too long has tests of its own
			f.Add(c.in+"\r\n\r\nhello", uint8(7))
		}
	}
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n", uint8(1))
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n0123456789", uint8(3))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		for range 8 {
			p, err := pass(stream, len(stream)+1)
			again, err2 := pass(stream, int(size)+1)
			if again != p || !sameVerdict(err, err2) {
				t.Fatalf("in pieces of %d: %+v %v, as a whole %+v %v", size, again, err2, p, err)
			}
			if err != nil {
				return
			}
			compareWithNetHTTP(t, stream[:p.end], p)
			isOneRequest(t, p)
			if stream = stream[p.end:]; stream == "" {
				return
			}
		}
	})
}

func sameVerdict(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return errors.Is(a, b) || errors.Is(a, exchange.ErrPath) && errors.Is(b, exchange.ErrPath)
}

// compareWithNetHTTP holds that a request that is accepted means the same to
// net/http.
func compareWithNetHTTP(t *testing.T, in string, p passed) {
	t.Helper()
	reader := bufio.NewReader(strings.NewReader(in))
	r, err := http.ReadRequest(reader)
	if err != nil {
		t.Fatalf("%q is accepted, net/http says: %v", in, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("the body of %q is accepted, net/http says: %v", in, err)
	}
	if r.Method != p.method || r.Host != p.host || r.ContentLength != p.length || string(body) != p.body || reader.Buffered() > 0 {
		t.Fatalf("%q is %+v, to net/http %s %s %d %q", in, p, r.Method, r.Host, r.ContentLength, body)
	}
}

// isOneRequest holds that an instance takes what it is sent for one request.
func isOneRequest(t *testing.T, p passed) {
	t.Helper()
	list, err := oracle(p.up)
	if err != nil || len(list) != 1 || list[0].body != p.body || !strings.HasPrefix(list[0].line, p.method+" /") {
		t.Fatalf("an instance is sent %q: %d requests %+v, %v", p.up, len(list), list, err)
	}
	reader := bufio.NewReader(strings.NewReader(p.up))
	r, err := http.ReadRequest(reader)
	if err != nil {
		t.Fatalf("an instance is sent %q: %v", p.up, err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != p.body || r.Host != p.host || reader.Buffered() > 0 {
		t.Fatalf("an instance is sent %q: %s %q %v", p.up, r.Host, body, err)
	}
}

// FuzzResponse holds that a response is read the same in any pieces, and that
// net/http accepts what is accepted and frames it the same.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200\r\n\r\nto the end",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n", "HTTP/1.1 304 \r\nContent-Length: 7\r\n\r\n",
	} {
		f.Add(s, false, uint8(1))
		f.Add(s, true, uint8(9))
	}
	f.Fuzz(func(t *testing.T, stream string, head bool, size uint8) {
		var r, again http1.Response
		r.Reset(http1.Limits{})
		again.Reset(http1.Limits{})
		n, err := r.Parse([]byte(stream), head)
		m, err2, all := 0, error(nil), []byte(stream)
		for have := 0; have < len(stream) && m == 0 && err2 == nil; {
			have = min(have+int(size)+1, len(stream))
			m, err2 = again.Parse(all[:have], head)
		}
		if m != n || !sameVerdict(err, err2) {
			t.Fatalf("in pieces of %d: %d %v, as a whole %d %v", size, m, err2, n, err)
		}
		if err == nil && n > 0 {
			compareResponse(t, stream[:n], head, &r)
		}
	})
}

func compareResponse(t *testing.T, in string, head bool, r *http1.Response) {
	t.Helper()
	q := &http.Request{Method: http.MethodGet}
	if head {
		q.Method = http.MethodHead
	}
	std, err := http.ReadResponse(bufio.NewReader(strings.NewReader(in)), q)
	if err != nil {
		t.Fatalf("%q is accepted, net/http says: %v", in, err)
	}
	chunked := len(std.TransferEncoding) > 0
	if std.StatusCode != r.Status() || chunked && r.Framing() == http1.Sized || !chunked && r.Framing() == http1.Chunked ||
		r.Framing() == http1.Sized && std.ContentLength != r.Length() {
		t.Fatalf("%q is %d, framing %d of %d; to net/http %d %v %d", in, r.Status(), r.Framing(), r.Length(),
			std.StatusCode, std.TransferEncoding, std.ContentLength)
	}
	out := r.AppendTo(nil, &http1.Relaying{ID: "id", Date: []byte("d"), Chunked: r.Framing() == http1.Chunked || r.Framing() == http1.UntilClose})
	if _, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), q); err != nil {
		t.Fatalf("a client is sent %q: %v", out, err)
	}
}

// FuzzChunked holds that a chunked body is read the same in any pieces, and
// that net/http and the oracle find the same data in what is accepted.
func FuzzChunked(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\n\r\n", uint8(1))
	f.Add("5;a=b\r\nhello\r\n00\r\nA: b\r\n\r\nGET", uint8(3))
	f.Add("1\r\nx\n0\r\n\r\n", uint8(2))
	f.Add("ffffffffffffffff\r\n", uint8(4))
	f.Fuzz(func(t *testing.T, in string, size uint8) {
		data, rest, c, err := chunks(in, len(in)+1)
		again, rest2, c2, err2 := chunks(in, int(size)+1)
		if again != data || !sameVerdict(err, err2) || err == nil && (rest != rest2 || c.Done() != c2.Done()) {
			t.Fatalf("in pieces of %d: %q %q %v, as a whole %q %q %v", size, again, rest2, err2, data, rest, err)
		}
		if err != nil || !c.Done() {
			return
		}
		body, after, ok := oracleChunks(in)
		if !ok || body != data || after != rest {
			t.Fatalf("%q, to the oracle %q %v", data, body, ok)
		}
		std, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(in)))
		if err != nil || string(std) != data {
			t.Fatalf("%q, to net/http %q %v", data, std, err)
		}
	})
}
