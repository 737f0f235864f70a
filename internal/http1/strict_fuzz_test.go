package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/http1"
)

// tape is a connection on which a stream of bytes comes, in pieces.
type tape struct {
	net.Conn // nil: nothing else is asked of it
	in       string
	size     int
	out      bytes.Buffer
}

func (t *tape) Read(p []byte) (int, error) {
	if t.in == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), t.size)], t.in)
	t.in = t.in[n:]
	return n, nil
}

func (t *tape) Write(p []byte) (int, error)      { return t.out.Write(p) }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// heard is what a server reads through a filter.
type heard struct {
	requests []passed
	bytes    bytes.Buffer // all it was given
	err      error        // that ended it
	told     string       // the client was
}

// serveTape reads requests as net/http does, one after another.
func serveTape(stream string, size int) (h heard) {
	strict := http1.NewStrict(http1.StrictConfig{})
	end := &tape{in: stream, size: size}
	conn := strict.Client(end)
	reader := bufio.NewReader(io.TeeReader(conn, &h.bytes))
	defer func() { h.told = end.out.String() }()
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			h.err = err
			return h
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			h.err = err
			return h
		}
		h.requests = append(h.requests, passed{
			method: r.Method, target: r.RequestURI, host: r.Host, body: string(body), length: r.ContentLength,
		})
		strict.ConnState(conn, http.StateIdle)
	}
}

// FuzzStrictClient holds for any stream of bytes, in whatever pieces it comes:
// the requests a server reads through the filter are those the parser accepts,
// in order, up to the first that it does not; the client is told of that; and
// the bytes the server was given are these requests to the oracle too.
func FuzzStrictClient(f *testing.F) {
	for _, c := range headRules() {
		if len(c.in) < 1000 {
			f.Add(c.in+"\r\n\r\nhello", uint8(7))
		}
	}
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n", uint8(1))
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n", uint8(200))
	f.Add("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 44\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n0123456789GET http://b HTTP/1.0\r\n\r\n", uint8(3))
	f.Add("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi", uint8(3))
	f.Fuzz(func(t *testing.T, stream string, size uint8) {
		h := serveTape(stream, int(size)+1)
		rest := stream
		for n := 0; ; n++ {
			p, err := pass(rest, len(rest)+1)
			if err != nil {
				if n != len(h.requests) && p.target != "*" {
					t.Fatalf("%q: the server read %d requests, want %d: %v", stream, len(h.requests), n, err)
				}
				checkTheEnd(t, stream, &h, err)
				break
			}
			if n == len(h.requests) {
				t.Fatalf("%q: the server read %d requests and %v, but not %+v", stream, n, h.err, p)
			}
			if rest = rest[p.end:]; !sameRequest(h.requests[n], p) {
				t.Fatalf("%q: the server read %+v, want %+v", stream, h.requests[n], p)
			}
		}
		checkWithOracle(t, &h)
	})
}

func sameRequest(a, b passed) bool {
	return a.method == b.method && a.target == b.target && a.host == b.host && a.body == b.body && a.length == b.length
}

// checkTheEnd holds that a client is told what is wrong with a head; of a body
// the server is told, which answers.
func checkTheEnd(t *testing.T, stream string, h *heard, err error) {
	t.Helper()
	fault, isSyntax := errors.AsType[http1.SyntaxError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		if h.told != "" {
			t.Fatalf("%q: the client is told %q, and only broke off", stream, h.told)
		}
	case isSyntax && fault >= http1.ErrChunkSize || isSyntax && h.told == "":
		if !errors.Is(h.err, fault) || h.told != "" {
			t.Fatalf("%q: the server gets %v, the client %q, want %v", stream, h.err, h.told, fault)
		}
	case isSyntax && !strings.HasPrefix(h.told, fmt.Sprint("HTTP/1.1 ", fault.Status())):
		t.Fatalf("%q: the client is told %q, want %v", stream, h.told, fault)
	}
}

func checkWithOracle(t *testing.T, h *heard) {
	t.Helper()
	list, err := oracle(h.bytes.String())
	if len(list) < len(h.requests) || len(list) > len(h.requests)+1 || err == nil && h.err == nil {
		t.Fatalf("the server was given %q: %d requests, to the oracle %d %v", h.bytes.String(), len(h.requests), len(list), err)
	}
	for i, r := range h.requests {
		if list[i].body != r.body || !strings.HasPrefix(list[i].line, r.method+" ") {
			t.Fatalf("the server was given %q: request %d is %+v, to the oracle %+v", h.bytes.String(), i, r, list[i])
		}
	}
}

// FuzzStrictInstance holds for any stream of bytes that an instance may send:
// what is read through the filter is what the parser accepts, framed the same,
// and nothing behind it is read.
func FuzzStrictInstance(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200\r\n\r\nto the end",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\nmore", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n", "HTTP/1.1 304 \r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
	} {
		f.Add(s, false, uint8(1))
		f.Add(s, true, uint8(200))
	}
	f.Fuzz(func(t *testing.T, stream string, head bool, size uint8) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		conn := http1.NewStrict(http1.StrictConfig{}).Instance(&tape{in: stream, size: int(size) + 1})
		if _, err := fmt.Fprintf(conn, "%s / HTTP/1.1\r\nHost: a\r\n\r\n", method); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(conn)
		q := &http.Request{Method: method}
		status, body, err := 0, []byte(nil), error(nil)
		for status < 200 && err == nil {
			var res *http.Response
			if res, err = http.ReadResponse(reader, q); err == nil {
				status = res.StatusCode
				body, err = io.ReadAll(res.Body)
			}
		}
		want, wantBody, wantErr := readAnswer(stream, head)
		if (err == nil) != (wantErr == nil) || err == nil && (status != want || string(body) != wantBody) {
			t.Fatalf("%q: %d %q %v, want %d %q %v", stream, status, body, err, want, wantBody, wantErr)
		}
		if rest, err := io.ReadAll(reader); err == nil && len(rest) > 0 {
			t.Fatalf("%q: %q is read behind the answer", stream, rest)
		}
	})
}

var errSwitch = errors.New("nobody asked for 101")

// readAnswer is what the parser makes of a stream.
func readAnswer(stream string, head bool) (status int, body string, err error) {
	for status < 200 {
		var r http1.Response
		r.Reset(http1.Limits{Head: 256 << 10, Fields: 1 << 10})
		n, err := r.Parse([]byte(stream), head)
		switch {
		case err != nil:
			return 0, "", err
		case n == 0:
			return 0, "", io.ErrUnexpectedEOF
		case r.Status() == 101:
			return 0, "", errSwitch
		}
		status, stream = r.Status(), stream[n:]
		switch r.Framing() {
		case http1.NoBody:
		case http1.Sized:
			if int64(len(stream)) < r.Length() {
				return status, "", io.ErrUnexpectedEOF
			}
			body = stream[:r.Length()]
		case http1.Chunked:
			data, _, c, err := chunks(stream, len(stream)+1)
			if err == nil && !c.Done() {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return status, "", err
			}
			body = data
		case http1.UntilClose:
			body = stream
		}
	}
	return status, body, nil
}
