package enginetest

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/middleware"
	"holdfast/retry"
)

func uploadTests() []test {
	return []test{
		{"a body is sent again as it was, with its length or chunked", replayed},
		{"a body over the limit is not sent again", tooLargeToReplay},
		{"a body of exactly the limit is sent again", exactlyTheLimit},
		{"an upload that broke off at the instance goes on elsewhere", replayedMidway},
		{"an early answer reaches a client that still uploads", earlyAnswer},
		{"an early failure during an upload is tried elsewhere", earlyFailure},
		{"an upload goes on under the early answer of a second attempt", earlyAnswerElsewhere},
		{"an early answer of an instance that closes at once is not lost", earlyAnswerOfTheLeaving},
		{"the connection ends with an early answer", earlyAnswerEndsConnection},
		{"both directions stream at once", fullDuplex},
		{"expect: 100-continue is asked of the instance", expectContinue},
		{"expect: 100-continue can be refused by the instance", expectRefused},
		{"a malformed body is the client's fault", malformedBody},
		{"an upload waits for the instance to read", backPressure},
	}
}

// flaky fails the first n requests with a status after it read them, then
// answers with what it got.
func flaky(t *testing.T, n int64, status int) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	return instance(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if asked.Add(1) <= n {
			w.WriteHeader(status)
			return
		}
		_, _ = fmt.Fprintf(w, "%d %v %x %v", r.ContentLength, r.TransferEncoding, sha256.Sum256(body), err)
	}), asked
}

func wantBody(body, length, encoding string) string {
	return fmt.Sprintf("%s %s %x <nil>", length, encoding, sha256.Sum256([]byte(body)))
}

func replayed(t *testing.T, start Start) {
	for _, size := range []int{0, 1, 4096, 40000, 65536} {
		url, asked := flaky(t, 2, 503)
		w := newWorld(t, start, config(in(url)))
		body := strings.Repeat("x", size)
		w.do(t, w.request(t, "PUT", "/", strings.NewReader(body))).is(t, 200, wantBody(body, fmt.Sprint(size), "[]"))
		if asked.Load() != 3 {
			t.Errorf("%d bytes: %d attempts", size, asked.Load())
		}
	}
	url, asked := flaky(t, 2, 503)
	w := newWorld(t, start, config(in(url)))
	body := strings.Repeat("chunked", 999)
	r := w.request(t, "PUT", "/", io.MultiReader(strings.NewReader(body))) // of no known length
	w.do(t, r).is(t, 200, wantBody(body, "-1", "[chunked]"))
	if asked.Load() != 3 {
		t.Errorf("chunked: %d attempts", asked.Load())
	}
}

func tooLargeToReplay(t *testing.T, start Start) {
	for _, limit := range []int64{0, 1000, -1} {
		url, asked := flaky(t, 1, 503)
		f := in(url)
		f.Options.ReplayLimit = limit
		w := newWorld(t, start, config(f))
		a := w.do(t, w.request(t, "PUT", "/", strings.NewReader(strings.Repeat("x", 100_000))))
		if rec := w.record(t, a); a.StatusCode != http.StatusServiceUnavailable || asked.Load() != 1 || rec.Attempts[0].Decision.Reason != retry.BodyIsGone {
			t.Errorf("limit %d: %d after %d attempts: %s", limit, a.StatusCode, asked.Load(), rec.Attempts[0].Decision.Reason)
		}
	}
}

func exactlyTheLimit(t *testing.T, start Start) {
	for _, extra := range []int{0, 1} {
		url, asked := flaky(t, 1, 503)
		f := in(url)
		f.Options.ReplayLimit = 1000
		w := newWorld(t, start, config(f))
		a := w.do(t, w.request(t, "PUT", "/", strings.NewReader(strings.Repeat("x", 1000+extra))))
		if want := int64(2 - extra); asked.Load() != want {
			t.Errorf("%d bytes: %d attempts, want %d (%d)", 1000+extra, asked.Load(), want, a.StatusCode)
		}
	}
}

// replayedMidway: the client has sent a part when the first instance breaks.
func replayedMidway(t *testing.T, start Start) {
	broken, has := make(chan struct{}), make(chan struct{})
	first := rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.CopyN(io.Discard, conn, 4)
		reset(conn)
		close(broken)
	})
	second := instance(t, func(w http.ResponseWriter, r *http.Request) {
		part := make([]byte, 6)
		_, _ = io.ReadFull(r.Body, part)
		close(has)
		rest, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s%s %v", part, rest, err)
	})
	f := in(first, second)
	f.Instances[1].Priority = 1 // asked second
	w := newWorld(t, start, config(f))
	conn, br := w.raw(t, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n1234")
	await(t, "the break", broken)
	_, _ = io.WriteString(conn, "56")
	await(t, "both parts elsewhere", has)
	_, _ = io.WriteString(conn, "78")
	readAnswer(t, br, "PUT").is(t, 200, "12345678 <nil>")
}

func earlyAnswer(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		_, _ = io.Copy(io.Discard, conn)
	}))))
	for _, head := range []string{"Content-Length: 1000000", "Content-Length: 100", "Transfer-Encoding: chunked"} {
		// The client sends no more before it has an answer.
		_, br := w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\n"+head+"\r\n\r\n")
		readAnswer(t, br, "POST").is(t, 413, "big")
	}
	w.blameless(t)
}

// earlyAnswerOfTheLeaving: what was written meanwhile breaks the connection,
// while the answer may not have been read yet. Some of these instances leave
// bytes of the body unread, so that their close is a reset.
func earlyAnswerOfTheLeaving(t *testing.T, start Start) {
	var uploads sync.WaitGroup
	defer uploads.Wait()
	for _, c := range []struct {
		name, body string
		reads      int64 // bytes of the upload, at least
	}{
		{"a reset, a short answer", "", 0},
		{"a reset, with a body", "too big", 10},
		{"a reset, with all of a body that a system takes at once", strings.Repeat("big ", 8<<10), 10},
		{"an end, a short answer", "", 2 * uploadPart},
		{"an end, with a body", "too big", 2 * uploadPart},
	} {
		talk := func(conn net.Conn, _ *http.Request) {
			_, _ = io.CopyN(io.Discard, conn, c.reads)
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(c.body), c.body)
		}
		for _, f := range []middleware.Function{in(rawInstance(t, talk)), overTLS(t, talk)} {
			f.NoRetry = true
			w := newWorld(t, start, config(f))
			for i := range 8 {
				conn, br := w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n")
				uploads.Go(func() { upload(conn) })
				a := readAnswer(t, br, "POST")
				if a.StatusCode != http.StatusRequestEntityTooLarge || a.body != c.body || a.err != nil {
					t.Fatalf("%s, %s: the answer was lost in upload %d: %d, %d bytes, %v",
						c.name, f.Instances[0].Endpoint, i, a.StatusCode, len(a.body), a.err)
				}
			}
			w.blameless(t)
		}
	}
}

// overTLS is a function whose instance is a rawInstance that uses TLS.
func overTLS(t *testing.T, talk func(conn net.Conn, r *http.Request)) middleware.Function {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	srv.Close() // only its certificate is wanted
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveRaw(t, tls.NewListener(ln, srv.TLS), talk)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	f := in("https://" + ln.Addr().String())
	f.Options.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return f
}

// uploadPart is what upload writes at a time.
const uploadPart = 16 << 10

// upload writes until nobody takes it.
func upload(conn net.Conn) {
	part := make([]byte, uploadPart)
	for {
		if _, err := conn.Write(part); err != nil {
			return
		}
	}
}

func earlyFailure(t *testing.T, start Start) {
	first := rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	asked := make(chan struct{})
	f := in(first, instance(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		gotBody(w, r)
	}))
	f.Instances[1].Priority = 1
	w := newWorld(t, start, config(f))
	conn, br := w.raw(t, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n1234")
	await(t, "a second attempt", asked)
	_, _ = io.WriteString(conn, "5678")
	readAnswer(t, br, "PUT").is(t, 200, "got 12345678")
}

// earlyAnswerElsewhere: the first attempt is given up while it waits for the
// client, the second one answers before the rest is there, and gets it all.
func earlyAnswerElsewhere(t *testing.T, start Start) {
	first := rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.CopyN(io.Discard, conn, 4)
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	second := instance(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		part := make([]byte, 4)
		_, _ = io.ReadFull(r.Body, part)
		_ = c.Flush()
		rest, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s%s %v", part, rest, err)
	})
	f := in(first, second)
	f.Instances[1].Priority = 1
	w := newWorld(t, start, config(f))
	conn, br := w.raw(t, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\n1234")
	res, err := http.ReadResponse(br, &http.Request{Method: http.MethodPut})
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", res, err)
	}
	defer res.Body.Close()
	for _, part := range []string{"56", "78", "90", "ab"} {
		_, _ = io.WriteString(conn, part)
		pause(time.Millisecond)
	}
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "1234567890ab <nil>" {
		t.Errorf("%q, %v", body, err)
	}
}

func earlyAnswerEndsConnection(t *testing.T, start Start) {
	var asked atomic.Int64
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = io.Copy(io.Discard, conn)
	}))))
	conn, br := w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n")
	a := readAnswer(t, br, "POST")
	a.is(t, 200, "ok")
	_, _ = io.WriteString(conn, "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n") // are bytes of the body
	if rest, _ := io.ReadAll(br); len(rest) > 0 || asked.Load() != 1 {
		t.Errorf("the rest of a body became a request: %q, %d requests", rest, asked.Load())
	}
	if !a.Close {
		t.Error("the client was not told that the connection ends")
	}
}

func fullDuplex(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		_ = c.Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			_, _ = fmt.Fprintf(w, "<%s>\n", lines.Text())
			_ = c.Flush()
		}
	}))))
	pr, pw := io.Pipe()
	res, err := w.client.Do(w.request(t, "POST", "/", pr))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 100 {
		_, _ = fmt.Fprintf(pw, "line %d\n", i)
		if got, err := answers.ReadString('\n'); err != nil || got != fmt.Sprintf("<line %d>\n", i) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	_ = pw.Close()
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func expectContinue(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, gotBody))))
	for range 20 { // once and only once
		conn, br := w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
		if a := readAnswer(t, br, "POST"); a.StatusCode != http.StatusContinue {
			t.Fatalf("%d, want 100", a.StatusCode)
		}
		_, _ = io.WriteString(conn, "data")
		readAnswer(t, br, "POST").is(t, 200, "got data")
	}
}

func expectRefused(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))))
	_, br := w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	readAnswer(t, br, "POST").is(t, 403, "")
}

func malformedBody(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(instance(t, gotBody))))
	a := w.rawAnswer(t, "POST", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")
	if a.StatusCode != http.StatusBadRequest || !a.Close {
		t.Errorf("%d, closing %v", a.StatusCode, a.Close)
	}
	w.gone(t)
	w.blameless(t)
}

func backPressure(t *testing.T, start Start) {
	read := make(chan struct{})
	w := newWorld(t, start, config(in(instance(t, func(w http.ResponseWriter, r *http.Request) {
		<-read
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprint(w, n)
	}))))
	const size = 64 << 20
	var sent atomic.Int64
	r := w.request(t, "POST", "/", io.TeeReader(io.LimitReader(zeros{}, size), counter{&sent}))
	r.ContentLength = size
	done := w.later(t, r)
	var before int64 = -1
	eventually(t, "an upload that stands still", func() bool {
		now := sent.Load()
		still := now > 0 && now == before
		before = now
		if !still {
			pause(100 * time.Millisecond)
		}
		return still
	})
	if sent.Load() > size/2 {
		t.Errorf("%d bytes went somewhere while nobody read", sent.Load())
	}
	close(read)
	await(t, "the answer", done).is(t, 200, fmt.Sprint(size))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
