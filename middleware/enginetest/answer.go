package enginetest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"holdfast/exchange"
	"holdfast/retry"
)

func answerTests() []test {
	return []test{
		{"statuses and fields arrive as they are", answersArrive},
		{"an answer without a content type stays without", noContentType},
		{"HEAD has the fields and no body", headAnswers},
		{"204 and 304 have no body", bodyless},
		{"early hints pass", earlyHints},
		{"trailers pass both ways", trailers},
		{"a body that ends with the connection arrives whole", closeDelimited},
		{"an answer that breaks off is broken for the client", truncated},
		{"an answer that breaks off is broken for an HTTP/1.0 client", truncatedForOldClient},
		{"more bytes than an answer has do not become the next answer", extraBytes},
	}
}

func answersArrive(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h.Set("Content-Type", "x/y")
		h.Set("Server", "theirs")
		h.Set("X-Request-Id", "theirs")
		h.Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
		var status int
		_, _ = fmt.Sscan(r.URL.Query().Get("s"), &status)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "body")
	}))))
	for _, status := range []int{200, 201, 206, 299, 301, 404, 418, 499, 501, 599} {
		a := w.get(t, fmt.Sprint("/?s=", status))
		a.is(t, status, "body")
		h := a.Header
		if len(h["Set-Cookie"]) != 2 || h.Get("Content-Type") != "x/y" || h.Get("Server") != "theirs" ||
			h.Get("X-Request-Id") == "theirs" || h.Get("Date") != "Thu, 01 Jan 1970 00:00:00 GMT" || len(h["Content-Length"]) != 1 {
			t.Errorf("%d: %v", status, h)
		}
	}
}

func noContentType(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<html>")
	}))))
	a := w.get(t, "/")
	a.is(t, 200, "<html>")
	if got, ok := a.Header["Content-Type"]; ok {
		t.Errorf("somebody guessed %q", got)
	}
}

func headAnswers(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "12345")
		w.Header().Set("Etag", r.Method)
	}))))
	conn, br := w.raw(t, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	for range 2 { // the second proves that nothing was left behind
		a := readAnswer(t, br, "HEAD")
		if a.Header.Get("Content-Length") != "12345" || a.Header.Get("Etag") != "HEAD" || a.body != "" {
			t.Errorf("%v %q", a.Header, a.body)
		}
		_, _ = io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
	}
}

func bodyless(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", "x")
		if r.URL.Path == "/204" {
			w.WriteHeader(http.StatusNoContent)
		} else {
			w.WriteHeader(http.StatusNotModified)
		}
	}))))
	for _, status := range []int{204, 304} {
		a := w.get(t, fmt.Sprint("/", status))
		a.is(t, status, "")
		if a.Header.Get("Content-Length") != "" || a.Header.Get("Etag") != "x" {
			t.Errorf("%v", a.Header)
		}
	}
}

func earlyHints(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			w.Header().Set("Link", fmt.Sprint("</", i, ">"))
			w.WriteHeader(http.StatusEarlyHints)
		}
		w.Header().Del("Link")
		w.Header().Set("X-Final", "yes")
		_, _ = io.WriteString(w, "done")
	}))))
	var links []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
		links = append(links, fmt.Sprint(status, h.Get("Link")))
		return nil
	}}
	r := w.request(t, "GET", "/", nil)
	a := w.do(t, r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	a.is(t, 200, "done")
	if got := strings.Join(links, " "); got != "103</0> 103</1> 103</2>" || a.Header.Get("Link") != "" || a.Header.Get("X-Final") != "yes" {
		t.Errorf("hints %q, final %v", got, a.Header)
	}
	old := w.rawAnswer(t, "GET", "GET / HTTP/1.0\r\n\r\n")
	old.is(t, 200, "done") // knows no 1xx
}

func trailers(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", fmt.Sprint(r.Trailer.Get("X-Count"), "|", r.Trailer.Get("X-Forwarded-For"), "|", r.Header.Get("Te")))
		w.Header().Set(http.TrailerPrefix+"X-Late", "unannounced")
	}))))
	a := w.rawAnswer(t, "POST", "POST / HTTP/1.1\r\nHost: h\r\nConnection: close, TE\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n"+
		"Trailer: X-Count, X-Forwarded-For\r\n\r\n5\r\nhello\r\n0\r\nX-Count: 7\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
	a.is(t, 200, "hello")
	if got := a.Trailer.Get("X-Sum"); got != "7||trailers" {
		t.Errorf("trailers both ways: %q", got)
	}
	if got := a.Trailer.Get("X-Late"); got != "unannounced" {
		t.Errorf("late trailer: %q in %v", got, a.Trailer)
	}
}

func closeDelimited(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nuntil the end")
	}))))
	w.get(t, "/").is(t, 200, "until the end")
}

// breaks are answers that end too early, by how their length was given.
var breaks = map[string]string{
	"length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
	"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	"chunk":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\nhalf",
}

func truncated(t *testing.T, start Start) {
	for how, text := range breaks {
		for name, end := range map[string]func(net.Conn){"closed": func(net.Conn) {}, "reset": reset} {
			seen := make(chan struct{}) // the client has the head
			w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
				_, _ = io.WriteString(conn, text)
				<-seen
				end(conn)
			}))))
			res, err := w.client.Do(w.request(t, "GET", "/", nil))
			close(seen)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err == nil {
				t.Errorf("%s, %s: the client took %q for the whole answer", how, name, body)
			}
			rec := w.recordOf(t, all)
			if rec.N != 1 || rec.Status != 200 || rec.Reason != exchange.ReasonTruncated {
				t.Errorf("%s, %s: %d attempts, status %d, reason %s", how, name, rec.N, rec.Status, rec.Reason)
			}
		}
	}
}

func truncatedForOldClient(t *testing.T, start Start) {
	for how, text := range breaks {
		w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
			_, _ = io.WriteString(conn, text)
		}))))
		_, br := w.raw(t, "GET / HTTP/1.0\r\n\r\n")
		got, err := io.ReadAll(br)
		whole := err == nil && !bytes.Contains(got, []byte("Content-Length: 100")) // a length tells the rest
		if whole {
			t.Errorf("%s: the client took %q for the whole answer", how, got)
		}
	}
}

func extraBytes(t *testing.T, start Start) {
	f := in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		_, _ = io.Copy(io.Discard, conn)
	}))
	f.Policy.Retry = retry.Policy{Attempts: 1}
	w := newWorld(t, start, config(f))
	for range 5 {
		w.get(t, "/").is(t, 200, "ok")
	}
}
