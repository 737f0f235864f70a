package enginetest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/exchange"
	"holdfast/retry"
)

func blameTests() []test {
	return []test{
		{"a refused connection lets another instance answer, a POST too", refusedConnection},
		{"a failed TLS handshake lets another instance answer, a POST too", failedHandshake},
		{"an instance over TLS with a certificate of its own authority answers", privateAuthority},
		{"a reset before the head is tried again for a GET", resetGET},
		{"a reset before the head is not tried again for a POST", resetPOST},
		{"a POST with an idempotency key is tried again", idempotencyKey},
		{"a POST is never sent twice over a connection that died", deadConnection},
		{"an answer that is no HTTP is a broken one", noHTTP},
		{"1xx answers without end are a broken answer", endlessInforms},
		{"a switch of protocols nobody asked for is a broken answer", unaskedSwitch},
		{"a client that leaves before the head cancels the attempt", gonePending},
		{"a client that leaves while the body flows cancels the attempt", goneReading},
		{"a client that leaves while it uploads cancels the attempt", goneUploading},
		{"a client that leaves between tries is not served", goneBackingOff},
		{"cutting the server ends what is under way", cutEndsAll},
	}
}

// statistics waits until an instance has this many failures in all.
func (w *world) failures(t *testing.T, id string, want uint64) {
	t.Helper()
	var got uint64
	eventually(t, "the attempt is counted", func() bool {
		for _, i := range w.Function("f").Balancer().Stats(time.Now()).Instances {
			if i.ID == id {
				got = i.Failures
			}
		}
		return got >= want
	})
	if got != want {
		t.Errorf("instance %s has %d failures, want %d", id, got, want)
	}
}

// elsewhere sends POSTs until one met instance i0 first, and wants each to be
// answered by i1.
func (w *world) elsewhere(t *testing.T) exchange.Record {
	t.Helper()
	var rec exchange.Record
	for n := 0; rec.N != 2; n++ {
		if n == 10 {
			t.Fatal("no request met the bad instance")
		}
		a := w.post(t, "/", "data")
		a.is(t, 200, "got data")
		rec = w.record(t, a)
	}
	return rec
}

func gotBody(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, _ = io.WriteString(w, "got "+string(body))
}

func refusedConnection(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(deadEndpoint(t), instance(t, gotBody))))
	rec := w.elsewhere(t)
	if a := rec.Attempts[0]; a.Kind != retry.Unreachable || a.Sent || a.Instance.ID() != "i0" {
		t.Errorf("first attempt on %s: %s, sent %v", a.Instance.ID(), a.Kind, a.Sent)
	}
	w.failures(t, "i1", 0)
}

func failedHandshake(t *testing.T, start Start) {
	srv := httptest.NewTLSServer(nil)
	srv.Close() // only its certificate is wanted, which nobody knows
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveRaw(t, tls.NewListener(ln, srv.TLS), func(net.Conn, *http.Request) { t.Error("the handshake went through") })
	w := newWorld(t, start, config(in("https://"+ln.Addr().String(), instance(t, gotBody))))
	rec := w.elsewhere(t)
	if a := rec.Attempts[0]; a.Kind != retry.Unreachable || a.Sent {
		t.Errorf("first attempt: %s, sent %v", a.Kind, a.Sent)
	}
}

func privateAuthority(t *testing.T, start Start) {
	srv := httptest.NewTLSServer(http.HandlerFunc(gotBody))
	t.Cleanup(srv.Close)
	f := in(srv.URL)
	client, ok := srv.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	f.Options.TLS = &tls.Config{RootCAs: client.TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS13}
	w := newWorld(t, start, config(f))
	w.post(t, "/", "data").is(t, 200, "got data")
}

// resetting is an instance that reads a request and resets the connection.
func resetting(t *testing.T, asked *atomic.Int64) string {
	t.Helper()
	return rawInstance(t, func(conn net.Conn, r *http.Request) {
		asked.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		reset(conn)
	})
}

func resetGET(t *testing.T, start Start) {
	var asked atomic.Int64
	w := newWorld(t, start, config(in(resetting(t, &asked), instance(t, gotBody))))
	for range 4 {
		w.get(t, "/").is(t, 200, "got ")
	}
	if asked.Load() == 0 {
		t.Error("nobody met the bad instance")
	}
	rec := w.recordOf(t, func(f *exchange.Facts) bool { return f.N == 2 })
	if a := rec.Attempts[0]; a.Kind != retry.Reset || !a.Sent {
		t.Errorf("first attempt: %s, sent %v", a.Kind, a.Sent)
	}
}

func resetPOST(t *testing.T, start Start) {
	var asked atomic.Int64
	w := newWorld(t, start, config(in(resetting(t, &asked))))
	a := w.post(t, "/", "data")
	a.is(t, 502, "502 connection reset by instance\n")
	if asked.Load() != 1 {
		t.Errorf("the instance was asked %d times", asked.Load())
	}
	if rec := w.record(t, a); rec.Attempts[0].Decision.Reason != retry.MayHaveBeenDone {
		t.Errorf("not tried again because %s", rec.Attempts[0].Decision.Reason)
	}
	w.failures(t, "i0", 1)
}

func idempotencyKey(t *testing.T, start Start) {
	var asked atomic.Int64
	w := newWorld(t, start, config(in(resetting(t, &asked), resetting(t, &asked), instance(t, gotBody))))
	r := w.request(t, "POST", "/", strings.NewReader("data"))
	r.Header.Set("Idempotency-Key", "k")
	r.Header.Set("Connection", "Idempotency-Key") // which is not the client's to remove
	w.do(t, r).is(t, 200, "got data")
}

// deadConnection: an instance answers one request per connection and closes it
// without saying so after it has read the next.
func deadConnection(t *testing.T, start Start) {
	for _, c := range []struct{ body, header, value string }{
		{"", "", ""},
		{"data", "", ""},
		{"", "X-Idempotency-Key", "k"}, // means nothing here, but something to Go's client
		{"data", "X-Idempotency-Key", "k"},
		{"data", "Idempotency-Key", ""},
	} {
		var processed atomic.Int64
		f := in(rawInstance(t, func(conn net.Conn, r *http.Request) {
			br := bufio.NewReader(conn)
			for n := 0; ; n++ {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return
				}
				if r.Method == http.MethodPost {
					processed.Add(1)
				}
				if n > 0 {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				var err error
				if r, err = http.ReadRequest(br); err != nil {
					return
				}
			}
		}))
		f.Breaker.FailureThreshold = -1
		f.Balancer.Ejection.Disabled = true
		w := newWorld(t, start, config(f))
		posts := 0
		for range 20 {
			w.get(t, "/").is(t, 200, "ok")
			r := w.request(t, "POST", "/", strings.NewReader(c.body))
			if c.header != "" {
				r.Header[c.header] = []string{c.value}
			}
			if a := w.do(t, r); a.StatusCode != http.StatusOK && a.StatusCode != http.StatusBadGateway {
				t.Fatalf("%d %q", a.StatusCode, a.body)
			}
			posts++
		}
		if n := processed.Load(); n > int64(posts) {
			t.Errorf("body %q, %s: %d POSTs were processed %d times", c.body, c.header, posts, n)
		}
	}
}

func noHTTP(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "220 mail.test ESMTP\r\n")
	}))))
	w.post(t, "/", "x").is(t, 502, "502 connection reset by instance\n")
}

func endlessInforms(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		for {
			if _, err := io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
				return
			}
		}
	}))))
	_, br := w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	a := readAnswer(t, br, "POST")
	for n := 0; a.StatusCode == http.StatusEarlyHints; n++ {
		if n == 1000 {
			t.Fatal("they are passed on without end")
		}
		a = readAnswer(t, br, "POST")
	}
	a.is(t, 502, "502 connection reset by instance\n")
	w.failures(t, "i0", 1)
}

func unaskedSwitch(t *testing.T, start Start) {
	w := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	}))))
	w.post(t, "/", "x").is(t, 502, "502 connection reset by instance\n")
	silent := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n") // to nothing
		_, _ = io.Copy(io.Discard, conn)
	}))))
	silent.post(t, "/", "x").is(t, 502, "502 connection reset by instance\n")
	silent.failures(t, "i0", 1)
	early := newWorld(t, start, config(in(rawInstance(t, func(conn net.Conn, _ *http.Request) {
		_, _ = io.WriteString(conn, switched) // with the rest of the request still to come
		_, _ = io.Copy(io.Discard, conn)
	}))))
	_, br := early.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: raw\r\nContent-Length: 9\r\n\r\nsome")
	readAnswer(t, br, "POST").is(t, 502, "502 connection reset by instance\n")
	_, br = w.raw(t, "POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n")
	readAnswer(t, br, "POST").is(t, 502, "502 connection reset by instance\n")
}

// held is an instance that tells when a request arrives and when its context
// ends, and does nothing else.
func held(t *testing.T, before func(http.ResponseWriter, *http.Request)) (url string, arrived, ended chan struct{}) {
	t.Helper()
	arrived, ended = make(chan struct{}, 8), make(chan struct{}, 8)
	return instance(t, func(w http.ResponseWriter, r *http.Request) {
		before(w, r)
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	}), arrived, ended
}

func gonePending(t *testing.T, start Start) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
	} {
		url, arrived, ended := held(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		w := newWorld(t, start, config(in(url)))
		conn, _ := w.raw(t, text)
		await(t, "the request at the instance", arrived)
		_ = conn.Close()
		await(t, "the end of the attempt", ended)
		if rec := w.gone(t); rec.N != 1 || rec.Attempts[0].Kind != retry.Canceled {
			t.Errorf("%d attempts, %s", rec.N, rec.Attempts[0].Kind)
		}
		w.blameless(t)
	}
}

func goneReading(t *testing.T, start Start) {
	url, arrived, ended := held(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
	})
	w := newWorld(t, start, config(in(url)))
	conn, br := w.raw(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	await(t, "the request at the instance", arrived)
	if _, err := br.ReadString('t'); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	await(t, "the end of the attempt", ended)
	w.gone(t)
	w.blameless(t)
}

func goneUploading(t *testing.T, start Start) {
	for _, head := range []string{"Content-Length: 1000000\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"} {
		broken := make(chan error, 1)
		url := instance(t, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			broken <- err
		})
		w := newWorld(t, start, config(in(url)))
		conn, _ := w.raw(t, "PUT / HTTP/1.1\r\nHost: h\r\n"+head)
		eventually(t, "an attempt", func() bool { return w.Function("f").Stats().Attempts.Load() == 1 })
		_ = conn.Close()
		if err := await(t, "the end of the upload", broken); err == nil {
			t.Error("the instance took half a body for the whole")
		}
		w.gone(t)
		w.blameless(t)
	}
}

func goneBackingOff(t *testing.T, start Start) {
	var asked atomic.Int64
	f := in(instance(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "4")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"} {
		asked.Store(0)
		w := newWorld(t, start, config(f))
		conn, _ := w.raw(t, text)
		eventually(t, "a first attempt", func() bool { return asked.Load() == 1 })
		began := time.Now()
		_ = conn.Close()
		w.gone(t)
		if took := time.Since(began); took > 3*time.Second || asked.Load() != 1 {
			t.Errorf("gave up after %v and %d attempts", took, asked.Load())
		}
	}
}

func cutEndsAll(t *testing.T, start Start) {
	url, arrived, ended := held(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
		}
	})
	f := in(url)
	f.Policy.MaxInFlight, f.Policy.QueueSize, f.Policy.QueueTimeout = 2, 5, time.Minute
	w := newWorld(t, start, config(f))
	for _, path := range []string{"/stream", "/silent"} {
		w.raw(t, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		await(t, "a request at the instance", arrived)
	}
	w.raw(t, "GET /queued HTTP/1.1\r\nHost: h\r\n\r\n")
	fn := w.Function("f")
	eventually(t, "a queue", func() bool { n, _ := fn.Waiting(time.Now()); return n == 1 })
	w.Cut()
	await(t, "the end of one attempt", ended)
	await(t, "the end of the other", ended)
	eventually(t, "nobody inside", func() bool { n, _ := fn.Waiting(time.Now()); return n+fn.InFlight() == 0 })
}
