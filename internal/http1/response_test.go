package http1_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/internal/http1"
)

func TestResponsesAreRefusedOrHaveOneMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		head     bool
		fault    error
		framing  http1.Framing
		length   int64
		reusable bool
	}{
		{name: "a length", in: "HTTP/1.1 200 OK\r\nContent-Length: 5", framing: http1.Sized, length: 5, reusable: true},
		{name: "chunks", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", framing: http1.Chunked, reusable: true},
		{name: "neither", in: "HTTP/1.1 200 OK", framing: http1.UntilClose},
		{name: "no reason", in: "HTTP/1.1 200\r\nContent-Length: 0", reusable: true},
		{name: "an empty reason", in: "HTTP/1.1 200 \r\nContent-Length: 0", reusable: true},
		{name: "HTTP/1.0", in: "HTTP/1.0 200 OK\r\nContent-Length: 5", framing: http1.Sized, length: 5},
		{name: "HTTP/1.0 that stays", in: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5", framing: http1.Sized, length: 5, reusable: true},
		{name: "a close", in: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5", framing: http1.Sized, length: 5},
		{name: "20: HEAD", in: "HTTP/1.1 200 OK\r\nContent-Length: 5", head: true, reusable: true},
		{name: "20: HEAD in chunks", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", head: true, reusable: true},
		{name: "20: 204", in: "HTTP/1.1 204 No Content\r\nContent-Length: 5", reusable: true},
		{name: "20: 304", in: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5", reusable: true},
		{name: "20: 103", in: "HTTP/1.1 103 Early Hints\r\nLink: a", reusable: true},
		{name: "24: 101", in: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: a"},
		{name: "HTTP/2.0", in: "HTTP/2.0 200 OK", fault: http1.ErrStatusLine},
		{name: "no version", in: "ICY 200 OK", fault: http1.ErrStatusLine},
		{name: "two digits", in: "HTTP/1.1 20 OK", fault: http1.ErrStatusLine},
		{name: "four digits", in: "HTTP/1.1 2000 OK", fault: http1.ErrStatusLine},
		{name: "a sign", in: "HTTP/1.1 +20 OK", fault: http1.ErrStatusLine},
		{name: "below 100", in: "HTTP/1.1 099 OK", fault: http1.ErrStatusLine},
		{name: "two spaces", in: "HTTP/1.1  200 OK", fault: http1.ErrStatusLine},
		{name: "a control byte in the reason", in: "HTTP/1.1 200 O\x00K", fault: http1.ErrFieldValue},
		{name: "LF", in: "HTTP/1.1 200 OK\nContent-Length: 5", fault: http1.ErrLineEnd},
		{name: "13: length and coding", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", fault: http1.ErrLengthAndCoding},
		{name: "13: length and coding, even of HEAD", head: true, in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", fault: http1.ErrLengthAndCoding},
		{name: "11: two lengths", in: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6", fault: http1.ErrLength},
		{name: "12: another coding", in: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", fault: http1.ErrCoding},
		{name: "14: a coding in HTTP/1.0", in: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", fault: http1.ErrCodingCount},
		{name: "3: a folded line", in: "HTTP/1.1 200 OK\r\nA: b\r\n c", fault: http1.ErrFieldFold},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r http1.Response
			r.Reset(http1.Limits{})
			_, err := r.Parse([]byte(c.in+"\r\n\r\n"), c.head)
			if !errors.Is(err, c.fault) {
				t.Fatalf("%v, want %v", err, c.fault)
			}
			if err == nil && (r.Framing() != c.framing || r.Length() != c.length || r.Reusable() != c.reusable) {
				t.Errorf("framing %v, length %d, reusable %v", r.Framing(), r.Length(), r.Reusable())
			}
		})
	}
}

func TestAnAnswersHeadIsMadeAnew(t *testing.T) {
	t.Parallel()
	date := http1.AppendDate(nil, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		name, in string
		head     bool
		how      http1.Relaying
		out      string
	}{
		{
			"a length", "HTTP/1.1 200 Fine\r\nContent-Length: 05\r\nServer: s\r\nX-Request-Id: 6\r\nDate: d", false,
			http1.Relaying{},
			"HTTP/1.1 200 Fine\r\nServer: s\r\nDate: d\r\nX-Request-Id: id\r\nContent-Length: 5\r\n\r\n",
		},
		{
			"fields of the connection", "HTTP/1.1 200 OK\r\nConnection: close, B\r\nA: 1\r\nB: 2\r\nKeep-Alive: 5\r\nTrailer: c\r\nTransfer-Encoding: chunked",
			false,
			http1.Relaying{Chunked: true},
			"HTTP/1.1 200 OK\r\nA: 1\r\nX-Request-Id: id\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n",
		},
		{
			"chunks for HTTP/1.0", "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked", false,
			http1.Relaying{Close: true, Old: true},
			"HTTP/1.1 200 OK\r\nDate: d\r\nX-Request-Id: id\r\nConnection: close\r\n\r\n",
		},
		{
			"a length for HTTP/1.0", "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 0", false,
			http1.Relaying{Old: true, Cookie: "c=1"},
			"HTTP/1.1 200 OK\r\nDate: d\r\nX-Request-Id: id\r\nSet-Cookie: c=1\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
		},
		{
			"HEAD", "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 9", true,
			http1.Relaying{},
			"HTTP/1.1 200 OK\r\nDate: d\r\nX-Request-Id: id\r\nContent-Length: 9\r\n\r\n",
		},
		{
			"204", "HTTP/1.1 204 No Content\r\nDate: d\r\nContent-Length: 9", false,
			http1.Relaying{},
			"HTTP/1.1 204 No Content\r\nDate: d\r\nX-Request-Id: id\r\n\r\n",
		},
		{
			"103", "HTTP/1.1 103 Early Hints\r\nLink: a", false,
			http1.Relaying{},
			"HTTP/1.1 103 Early Hints\r\nLink: a\r\nX-Request-Id: id\r\n\r\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r http1.Response
			r.Reset(http1.Limits{})
			if _, err := r.Parse([]byte(c.in+"\r\n\r\n"), c.head); err != nil {
				t.Fatal(err)
			}
			c.how.ID, c.how.Date = "id", date
			if got := string(r.AppendTo(nil, &c.how)); got != c.out {
				t.Errorf("%q, want\n%q", got, c.out)
			}
		})
	}
}

func TestALocalAnswerMeasuresItsBody(t *testing.T) {
	t.Parallel()
	a := http1.Local{Status: 503, Reason: "Service Unavailable", ID: "id", Date: []byte("d"), Fields: []byte("Retry-After: 1\r\n"), Body: "no\n"}
	const head = "HTTP/1.1 503 Service Unavailable\r\nX-Request-Id: id\r\nDate: d\r\nRetry-After: 1\r\nContent-Length: 3\r\n"
	if got := string(a.AppendTo(nil)); got != head+"\r\nno\n" {
		t.Errorf("%q", got)
	}
	a.Head, a.Close = true, true
	if got := string(a.AppendTo(nil)); got != head+"Connection: close\r\n\r\n" {
		t.Errorf("%q", got)
	}
	a.Status = 204
	if got := string(a.AppendTo(nil)); strings.Contains(got, "Content-Length") {
		t.Errorf("%q", got)
	}
}
