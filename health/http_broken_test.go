package health_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"holdfast/health"
	"holdfast/test/port"
)

// stalling sends text after the request and then nothing until the peer goes.
func stalling(text string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		if !readRequest(r) {
			return
		}
		_, _ = io.WriteString(c, text)
		_, _ = r.ReadByte()
	}
}

// flooding sends head after the request, and then chunk until the peer goes.
func flooding(head, chunk string) func(net.Conn) {
	return func(c net.Conn) {
		if !readRequest(bufio.NewReader(c)) {
			return
		}
		_, err := io.WriteString(c, head)
		for err == nil {
			_, err = io.WriteString(c, chunk)
		}
	}
}

func TestBrokenAnswersAreFailuresWithAClearReason(t *testing.T) {
	t.Parallel()
	kilo := strings.Repeat("x", 1024)
	tests := []struct {
		name   string
		serve  func(net.Conn)
		reason string
	}{
		{"a greeting of two bytes", stalling("22"), "GET /health: the answer is not HTTP/1"},
		{"a line that ends early", answering("HTTP/1.1 2"), "GET /health: connection closed within the answer's head"},
		{"closed at once", func(net.Conn) {}, "GET /health: connection *"},
		{"closed after the request", answering(""), "GET /health: connection closed without an answer"},
		{"garbage", answering("\x00\x01\x02garbage\r\n\r\n"), "GET /health: the answer is not HTTP/1"},
		{"garbage without an end", stalling("SSH-2.0-OpenSSH_9.9"), "GET /health: the answer is not HTTP/1"},
		{"an HTTP/2 server", answering("\x00\x00\x12\x04\x00\x00\x00\x00\x00" + kilo), "GET /health: the answer is not HTTP/1"},
		{"a malformed status", answering("HTTP/1.1 2x0 OK\r\n\r\n"), "GET /health: the answer is not HTTP/1"},
		{"a malformed header", answering("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "GET /health: the answer is not HTTP/1"},
		{"two lengths", answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "GET /health: the answer is not HTTP/1"},
		{"half a head", answering("HTTP/1.1 200 OK\r\nContent-Le"), "GET /health: connection closed within the answer's head"},
		{"half a body", answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), "GET /health answered 200, but its body broke off: connection closed"},
		{"half a chunk", answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), "GET /health answered 200, but its body broke off: connection closed"},
		{"bad chunks", answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "GET /health answered 200, but its body broke off: *"},
		{"no answer", stalling(""), "GET /health: no answer within 200ms"},
		{"a stalled head", stalling("HTTP/1.1 200 OK\r\nA: "), "GET /health: no answer within 200ms"},
		{"a stalled body", stalling("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), "GET /health answered 200, but its body did not end within 200ms"},
		{"an endless head", flooding("HTTP/1.1 200 OK\r\n", "X-Fill: "+kilo+"\r\n"), "GET /health: the answer's head is over 64 KiB"},
		{"an endless status line", flooding("HTTP/1.1 200 ", kilo), "GET /health: the answer's head is over 64 KiB"},
		{"endless interim answers", flooding("", "HTTP/1.1 103 Early Hints\r\n\r\n"), "GET /health: only interim answers (1xx)"},
		{"a switch of protocols", answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "GET /health answered 101"},
		{"endless chunk overhead", flooding("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;"+kilo+"\r\nx\r\n"), "GET /health answered 200, but its body broke off: *"},
		{"endless trailers", flooding("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Fill: "+kilo+"\r\n"), "GET /health answered 200, but its body broke off: *"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if strings.Contains(test.reason, "200ms") {
				timeout = 200 * time.Millisecond
			}
			h := newHTTP(t, listen(t, test.serve), func(c *health.HTTPConfig) { c.Timeout = timeout })
			want(t, h.Check(t.Context()), false, test.reason)
		})
	}
}

func TestAnAnswerInDripsEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(c net.Conn) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for _, b := range []byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 4096)) {
			<-tick.C
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
	})
	h := newHTTP(t, addr, func(c *health.HTTPConfig) { c.Timeout = 150 * time.Millisecond })
	r := h.Check(t.Context())
	want(t, r, false, "GET /health: no answer within 150ms")
	if r.Took > 5*time.Second {
		t.Errorf("took %v", r.Took)
	}
}

func TestAHugeBodyIsJudgedByItsStart(t *testing.T) {
	t.Parallel()
	head := "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nready"
	addr := listen(t, flooding(head, strings.Repeat("x", 4096)))
	want(t, newHTTP(t, addr, nil).Check(t.Context()), true, "GET /health answered 200")
	tests := []struct {
		change func(*health.HTTPConfig)
		ok     bool
		reason string
	}{
		{func(c *health.HTTPConfig) { c.BodyContains = "ready" }, true, "GET /health answered 200"},
		{func(c *health.HTTPConfig) { c.BodyContains = "y!" }, false, `GET /health answered 200, but its body does not contain "y!" in its first 64 KiB`},
		{func(c *health.HTTPConfig) { c.JSON = []health.Condition{{Field: "a", Op: "=", Value: "b"}} }, false, "GET /health answered 200, but its body is over 64 KiB, too long to be read as JSON"},
	}
	for _, test := range tests {
		want(t, newHTTP(t, addr, test.change).Check(t.Context()), test.ok, test.reason)
	}
}

func TestALenientCheckNeedsOnlyTheHead(t *testing.T) {
	t.Parallel()
	addr := listen(t, stalling("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x"))
	h := newHTTP(t, addr, func(c *health.HTTPConfig) { c.Lenient, c.Timeout = true, 100*time.Millisecond })
	want(t, h.Check(t.Context()), true, "GET /health answered 200")
}

func TestInterimAnswersAreSkipped(t *testing.T) {
	t.Parallel()
	addr := listen(t, answering("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	want(t, newHTTP(t, addr, nil).Check(t.Context()), true, "GET /health answered 200")
}

func TestConnectionsThatFailAreExplained(t *testing.T) {
	t.Parallel()
	stuck := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	h := newHTTP(t, port.Refusing(t), nil)
	want(t, h.Check(t.Context()), false, "connect: connection refused")
	h = newHTTP(t, port.Refusing(t), func(c *health.HTTPConfig) { c.DialContext, c.Timeout = stuck, 50*time.Millisecond })
	want(t, h.Check(t.Context()), false, "connect: no answer within 50ms")
	h = newHTTP(t, "holdfast.invalid:80", func(c *health.HTTPConfig) {
		c.DialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: "holdfast.invalid", IsNotFound: true}
		}
	})
	want(t, h.Check(t.Context()), false, "connect: look up holdfast.invalid: no such host")
}

func TestACanceledCheckEndsAtOnce(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	addr := listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		if readRequest(r) {
			close(asked)
		}
		_, _ = r.ReadByte()
	})
	h := newHTTP(t, addr, func(c *health.HTTPConfig) { c.Timeout = time.Minute })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	r := h.Check(ctx)
	want(t, r, false, "GET /health: check canceled")
	if r.Took > 10*time.Second {
		t.Errorf("took %v", r.Took)
	}
}

func TestTheContextsDeadlineBoundsACheck(t *testing.T) {
	t.Parallel()
	h := newHTTP(t, listen(t, stalling("")), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	want(t, h.Check(ctx), false, "GET /health: no answer within 100ms")
}
