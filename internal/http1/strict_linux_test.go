package http1_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/http1"
)

// handed is the listener of the server behind the loops.
type handed struct {
	conns <-chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error   { h.once.Do(func() { close(h.done) }); return nil }
func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }

// behind serves what the loops hand over: it says which request it had, and
// its body.
func (r *rig) behind(c http1.StrictConfig) {
	strict := http1.NewStrict(c)
	srv := &http.Server{
		ReadHeaderTimeout: patience, ConnState: strict.ConnState,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if strings.HasPrefix(q.URL.Path, "/hinted") {
				w.WriteHeader(http.StatusEarlyHints)
			}
			body, err := io.ReadAll(q.Body)
			if strings.HasSuffix(q.URL.Path, "/late") { // what the client sends meanwhile is read ahead
				<-time.After(100 * time.Millisecond)
			}
			_, _ = fmt.Fprintf(w, "behind %s %s %v", q.URL.Path, body, err)
		}),
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := srv.Serve(strict.Listener(&handed{conns: r.given, done: make(chan struct{})})); !errors.Is(err, http.ErrServerClosed) {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(func() {
		_ = srv.Close()
		serving.Wait()
	})
}

func chunkedRequest(path, data string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, len(data), data)
}

// gets wants the next answer to have this body.
func (c *client) gets(body string) {
	c.t.Helper()
	if _, got := c.answer("POST"); got != body {
		c.t.Fatalf("%q, want %q", got, body)
	}
}

func TestAConnectionReturnsToTheLoopsWithTheRequestTheyCarry(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{count: 2}, instance(t, echo))
	r.behind(http1.StrictConfig{})
	c := r.dial()
	for n := range int64(3) {
		c.send(chunkedRequest("/1", "abc"))
		c.gets("behind /1 abc <nil>")
		c.send(chunkedRequest("/2", "de")) // which they do not
		c.gets("behind /2 de <nil>")
		if got := r.loops.Returned(); got != n {
			t.Fatalf("%d connections returned between two requests they do not carry", got-n)
		}
		c.get("/3", 200, "/3 ")
		if got := r.loops.Returned(); got != n+1 {
			t.Fatalf("returned %d times, want %d", got, n+1)
		}
		c.get("/4", 200, "/4 ")
	}
}

func TestATLSConnectionReturnsToTheLoops(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		r := newRig(t, secured(t, setup{count: 2}), instance(t, echo))
		r.behind(http1.StrictConfig{IdleTimeout: time.Minute})
		c, _ := r.secure(config)
		for n := range int64(3) {
			c.send(chunkedRequest("/1", strings.Repeat("x", 100_000)))
			c.gets("behind /1 " + strings.Repeat("x", 100_000) + " <nil>")
			c.get("/2", 200, "/2 ") // with the request
			await(t, "return", func() bool { return r.loops.Returned() == 2*n+1 })
			c.send(chunkedRequest("/3", "abc") + chunkedRequest("/4", "d"))
			c.gets("behind /3 abc <nil>")
			c.gets("behind /4 d <nil>")
			await(t, "return", func() bool { return r.loops.Returned() == 2*n+2 }) // out of silence
			c.get("/5", 200, "/5 ")
		}
	})
}

// Of what was sent at once, nothing gets lost between the tiers, in whichever
// records it came.
func TestPipelinedTLSRequestsOfBothKindsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	versions(t, func(t *testing.T, config *tls.Config) {
		t.Helper()
		for _, size := range []int{1 << 20, 100, 7} { // of a record's content, at most
			r := newRig(t, secured(t, setup{}), instance(t, echo))
			r.behind(http1.StrictConfig{})
			c, _ := r.secure(config)
			var sent strings.Builder
			var want []string
			for n := range 40 {
				fmt.Fprintf(&sent, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n)
				want = append(want, fmt.Sprintf("/%d ", n))
				if n%8 == 0 {
					sent.WriteString(chunkedRequest("/c", "xyz"))
					want = append(want, "behind /c xyz <nil>")
				}
			}
			go func() {
				for text := range slices.Chunk([]byte(sent.String()), size) {
					_, _ = c.Write(text) // else an answer is missing
				}
			}()
			for _, w := range want {
				c.gets(w)
			}
			if r.loops.Returned() == 0 {
				t.Error("it never returned")
			}
		}
	})
}

// What was read ahead of a client's requests may be more than a loop's buffer.
func TestNothingIsLostOfManyPipelinedRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	r.behind(http1.StrictConfig{})
	c := r.dial()
	const many = 1500 // 45 KB
	text := chunkedRequest("/c", strings.Repeat("x", 10_000)) + strings.Repeat("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", many)
	go func() { _, _ = io.WriteString(c, text) }()
	c.gets("behind /c " + strings.Repeat("x", 10_000) + " <nil>")
	for range many {
		if res, _ := c.answer("GET"); res.StatusCode != http.StatusOK {
			t.Fatal(res.StatusCode)
		}
	}
}

func TestASilentConnectionReturnsToTheLoops(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	r.behind(http1.StrictConfig{IdleTimeout: time.Minute})
	c := r.dial()
	c.send(chunkedRequest("/1", "abc"))
	c.gets("behind /1 abc <nil>")
	await(t, "return", func() bool { return r.loops.Returned() == 1 })
	c.get("/2", 200, "/2 ")
}

func TestPipelinedRequestsOfBothKindsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	r.behind(http1.StrictConfig{})
	c := r.dial()
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	c.send(get("/1") + chunkedRequest("/2", "x") + get("/3") + chunkedRequest("/4", "y") + chunkedRequest("/5", "z") + get("/6") + get("/%2e%2e"))
	for _, want := range []string{"/1 ", "behind /2 x <nil>", "/3 ", "behind /4 y <nil>", "behind /5 z <nil>", "/6 "} {
		c.gets(want)
	}
	if res, _ := c.answer("GET"); res.StatusCode != http.StatusBadRequest || !res.Close {
		t.Errorf("%d, close %v", res.StatusCode, res.Close)
	}
	c.closed()
}

// A request whose body is still on its way would only be handed over again.
func TestASlowUploadDoesNotGoBackAndForth(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	r.behind(http1.StrictConfig{})
	c := r.dial()
	c.send(chunkedRequest("/1", "x"))
	c.gets("behind /1 x <nil>")
	c.send("POST /hinted HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
	if res, _ := c.answer("POST"); res.StatusCode != http.StatusEarlyHints {
		t.Fatalf("%d", res.StatusCode)
	}
	c.send("bc")
	c.gets("behind /hinted abc <nil>")
	if got := r.loops.Returned(); got != 0 {
		t.Errorf("returned %d times", got)
	}
}

func TestNoConnectionReturnsToLoopsThatLeave(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{}, instance(t, echo))
	r.behind(http1.StrictConfig{})
	c := r.dial()
	c.send(chunkedRequest("/1", "x"))
	c.gets("behind /1 x <nil>")
	r.stop()
	<-r.ended
	c.get("/2", 200, "behind /2  <nil>")
	if got := r.loops.Returned(); got != 0 {
		t.Errorf("returned %d times", got)
	}
}

// The request came before the loop was told to leave, so it is answered.
func TestARequestThatReturnsWhileTheLoopsLeaveIsAnswered(t *testing.T) {
	t.Parallel()
	for range 20 {
		r := newRig(t, setup{loops: http1.LoopsConfig{Shutdown: patience}}, instance(t, echo))
		r.behind(http1.StrictConfig{})
		c := r.dial()
		c.send(chunkedRequest("/1", "x"))
		c.gets("behind /1 x <nil>")
		c.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
		r.stop()
		if _, got := c.answer("GET"); got != "/2 " && got != "behind /2  <nil>" {
			t.Fatalf("%q", got)
		}
	}
}

// What came while a request was answered may be more than a loop's buffer holds.
func TestALongPipelineOfWhichAPartCameEarlyIsAnsweredWhole(t *testing.T) {
	t.Parallel()
	const count = 700
	r := newRig(t, setup{}, instance(t, echo))
	r.behind(http1.StrictConfig{})
	c := r.dial()
	// The head decides in which steps the filter's buffer grows.
	c.send("POST /hinted/late HTTP/1.1\r\nHost: a\r\nX-Pad: " + strings.Repeat("x", 1400) + "\r\nContent-Length: 20000\r\n\r\n")
	if res, _ := c.answer("POST"); res.StatusCode != http.StatusEarlyHints {
		t.Fatalf("%d", res.StatusCode)
	}
	var all strings.Builder
	for n := range count {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", n)
	}
	body := strings.Repeat("b", 20000)
	c.send(body + all.String())
	c.gets("behind /hinted/late " + body + " <nil>")
	for n := range count {
		if _, got := c.answer("GET"); got != fmt.Sprintf("/%d ", n) && got != fmt.Sprintf("behind /%d  <nil>", n) {
			t.Fatalf("%q of %d", got, n)
		}
	}
}
