package httpfault_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/fault/httpfault"
)

// sized and chunked answer 1000 bytes in two framings.
func sized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, strings.Repeat("x", 1000))
}

func chunked(w http.ResponseWriter, _ *http.Request) {
	for range 10 {
		_, _ = io.WriteString(w, strings.Repeat("x", 100))
		w.(http.Flusher).Flush()
	}
}

func get(t *testing.T, c *http.Client, p *httpfault.Proxy, path string) (*http.Response, []byte, error) {
	t.Helper()
	resp, err := c.Get(url(p, path))
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func TestStatusIsAnsweredWithoutTheUpstream(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	p, c := front(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) }, "/a: status=429/1500ms; POST /b: status=503")
	resp, body, err := get(t, c, p, "/a?x=y")
	if err != nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "2" || !strings.Contains(string(body), "status=429") {
		t.Errorf("answer %v, %q, %v", resp, body, err)
	}
	if resp, _, err := get(t, c, p, "/b"); err != nil || resp.StatusCode != http.StatusOK || asked.Load() != 1 {
		t.Errorf("a GET of /b: %v, %v", resp, err)
	}
	post, err := c.Post(url(p, "/b"), "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil || post.StatusCode != http.StatusServiceUnavailable || asked.Load() != 1 {
		t.Fatalf("a POST of /b: %v, %v", post, err)
	}
	_ = post.Body.Close()
	if s := p.Stats(); s.Accepted != 1 || s.Struck != 2 {
		t.Errorf("stats %+v, want one kept connection", s)
	}
}

func TestResetAsksNobodyAndLostLosesTheAnswer(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	p, c := front(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); sized(w, r) }, "/reset: reset; /lost: lost")
	for i, path := range []string{"/reset", "/lost"} {
		resp, err := c.Post(url(p, path), "text/plain", strings.NewReader("work"))
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v, %v, want connection reset", path, resp, err)
		}
		if asked.Load() != int64(i) {
			t.Errorf("%s: the upstream was asked %d times", path, asked.Load())
		}
	}
	if s := p.Stats(); s.Failed != 0 || s.Struck != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestTruncatedBodiesAreSeenAsSuch(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{"sized": sized, "chunked": chunked} {
		for limit, want := range map[string]int{"150B": 150, "0B": 0, "1MiB": 999} {
			t.Run(name+" "+limit, func(t *testing.T) {
				t.Parallel()
				p, c := front(t, handler, "truncate="+limit)
				_, body, err := get(t, c, p, "/")
				if name == "chunked" && limit == "1MiB" {
					want = 1000 // all, but not the end
				}
				if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != want {
					t.Errorf("got %d bytes and %v, want %d and an unexpected end", len(body), err, want)
				}
			})
		}
	}
}

func TestBrokenChunksAreSeenAsSuch(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{"sized": sized, "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := front(t, handler, "broken-chunk=150B")
			resp, body, err := get(t, c, p, "/")
			if err == nil || !strings.Contains(err.Error(), "chunk") || len(body) != 150 || resp.ContentLength != -1 {
				t.Errorf("got %d bytes and %v", len(body), err)
			}
		})
	}
}

func TestWrongLengthsAreOffByWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{"sized": sized, "chunked": chunked} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := front(t, handler, "/more: wrong-length=+10; /less: wrong-length=-10")
			resp, body, err := get(t, c, p, "/more")
			if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 1000 || resp.ContentLength != 1010 {
				t.Errorf("more: got %d bytes and %v", len(body), err)
			}
			conn, r := raw(t, p)
			fmt.Fprint(conn, "GET /less HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err = http.ReadResponse(r, nil)
			if err != nil || resp.ContentLength != 990 {
				t.Fatalf("less: %v, %v", resp, err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); n != 990 || err != nil {
				t.Errorf("less: body of %d, %v", n, err)
			}
			surplus := make([]byte, 10)
			if _, err := io.ReadFull(r, surplus); err != nil || string(surplus) != "xxxxxxxxxx" {
				t.Errorf("less: behind it %q, %v", surplus, err)
			}
		})
	}
}

func TestGarbageIsInTheHeadAndTheSeeds(t *testing.T) {
	t.Parallel()
	head := func() string {
		p, c := front(t, sized, "garbage=32B")
		if _, _, err := get(t, c, p, "/"); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("net/http says %v", err)
		}
		if err := p.Set(parse(t, "garbage=32B")...); err != nil {
			t.Fatal(err)
		}
		conn, r := raw(t, p)
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		status, _ := r.ReadString('\n')
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(status, "HTTP/1.1 200") || len(line) != 34 || !strings.Contains(line, "\x00") {
			t.Errorf("%q, then %q, %v", status, line, err)
		}
		return line
	}
	if one, again := head(), head(); one != again {
		t.Errorf("the same seed wrote %q and %q", one, again)
	}
}

func TestCloseComesBehindAWholeAnswerWithoutAWord(t *testing.T) {
	t.Parallel()
	p, _ := front(t, sized, "close@1/2")
	c, r := raw(t, p)
	for range 2 {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.Close {
			t.Fatalf("answer %v, %v", resp, err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != 1000 || err != nil {
			t.Fatalf("a body of %d bytes, %v", n, err)
		}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the second answer: %v, want the end", err)
	}
}

func TestWhatHasNoBodyIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"truncate", "broken-chunk", "wrong-length=+1"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			p, c := front(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, rule)
			if resp, _, err := get(t, c, p, "/"); err != nil || resp.StatusCode != http.StatusNoContent {
				t.Errorf("answer %v, %v", resp, err)
			}
			if !noted(p, "not injected: the answer has no body") || p.Stats().Struck != 0 {
				t.Error("the log does not say that it was left alone")
			}
		})
	}
}

// spoilt returns which of n requests over kept connections were answered by a rule.
func spoilt(t *testing.T, rules string, seed uint64, n int) (hit []int) {
	t.Helper()
	p := start(t, httpfault.Config{Upstream: "127.0.0.1:1", Seed: seed, Rules: append(parse(t, rules), parse(t, "status=200")...)})
	c := client(t)
	for i := range n {
		resp, _, err := get(t, c, p, "/")
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			hit = append(hit, i)
		}
	}
	return hit
}

func TestSharesAreTheSeedsAndNthsAreExact(t *testing.T) {
	t.Parallel()
	if got := spoilt(t, "status=503@1/3", 1, 10); !slices.Equal(got, []int{2, 5, 8}) {
		t.Errorf("every third of ten: %v", got)
	}
	one, again, other := spoilt(t, "status=503@20%", 1, 300), spoilt(t, "status=503@20%", 1, 300), spoilt(t, "status=503@20%", 2, 300)
	if !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("seed 1: %v, then %v; seed 2: %v", one, again, other)
	}
	if len(one) < 35 || len(one) > 90 {
		t.Errorf("20%% of 300 are %d", len(one))
	}
}

// pipes is a listener in memory, for tests on virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipes) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func TestDelaysAddUpAndTheTimelineIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		front, back := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}, &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
		p, err := httpfault.New(httpfault.Config{
			Listener: front, Rules: parse(t, "delay=100ms, delay=50ms@1/2"),
			Dial:     func(context.Context) (net.Conn, error) { c, s := net.Pipe(); back.conns <- s; return c, nil },
			Timeline: []httpfault.Step{{At: time.Minute, For: time.Minute, Rules: parse(t, "delay=7s, status=500")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
		server := &http.Server{Handler: http.HandlerFunc(sized)}
		all.Go(func() { _ = server.Serve(back) })
		client, s := net.Pipe()
		front.conns <- s
		r := bufio.NewReader(client)
		began := time.Now()
		for _, c := range []struct {
			at, want time.Duration
			status   int
		}{{0, 100 * time.Millisecond, 200}, {time.Second, 150 * time.Millisecond, 200}, {70 * time.Second, 7100 * time.Millisecond, 500}, {130 * time.Second, 150 * time.Millisecond, 200}} {
			time.Sleep(c.at - time.Since(began))
			asked := time.Now()
			fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			if got := time.Since(asked); got != c.want || resp.StatusCode != c.status {
				t.Errorf("at %s: %s after %s, want %d after %s", c.at, resp.Status, got, c.status, c.want)
			}
		}
		_ = client.Close()
		cancel()
		_ = server.Close()
		_ = back.Close()
		all.Wait()
	})
}
