package health_test

import (
	"bufio"
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

	"holdfast/health"
	"holdfast/test/port"
)

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestOneConnectionServesManyChecks(t *testing.T) {
	t.Parallel()
	var d counting
	h := newHTTP(t, serve(t, 200, `{"n":1}`), func(c *health.HTTPConfig) { c.DialContext = d.dial })
	for range 20 {
		want(t, h.Check(t.Context()), true, "GET /health answered 200")
	}
	if d.count() != 1 {
		t.Errorf("%d connections for 20 checks", d.count())
	}
}

func TestAHeadCheckKeepsItsConnection(t *testing.T) {
	t.Parallel()
	var d counting
	addr := listen(t, answering(strings.Repeat("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 1), "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"))
	h := newHTTP(t, addr, func(c *health.HTTPConfig) { c.Method, c.DialContext = "HEAD", d.dial })
	for range 2 {
		want(t, h.Check(t.Context()), true, "HEAD /health answered 200")
	}
	if d.count() != 1 {
		t.Errorf("%d connections", d.count())
	}
}

func TestAConnectionThatCannotBeKeptIsReplaced(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		serve  func(net.Conn)
		change func(*health.HTTPConfig)
	}{
		{"closed after each answer", answering(okAnswer), nil},
		{"announced to close", answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), nil},
		{"HTTP/1.0", answering("HTTP/1.0 200 OK\r\n\r\nok"), nil},
		{"body up to the end", answering("HTTP/1.1 200 OK\r\n\r\nok"), nil},
		{"bytes after the answer", answering(okAnswer + "HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n"), nil},
		{"closed on the second request", answering(okAnswer, ""), nil},
		{"huge body", flooding("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n", strings.Repeat("x", 8192)), nil},
		{"never kept", answering(okAnswer, okAnswer), func(c *health.HTTPConfig) { c.Reconnect = -1 }},
		{"too old", answering(okAnswer, okAnswer), func(c *health.HTTPConfig) { c.Reconnect = 1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var d counting
			h := newHTTP(t, listen(t, test.serve), func(c *health.HTTPConfig) {
				c.DialContext = d.dial
				if test.change != nil {
					test.change(c)
				}
			})
			for i := range 4 {
				want(t, h.Check(t.Context()), true, "GET /health answered 200")
				if d.count() != i+1 {
					t.Fatalf("%d connections after %d checks", d.count(), i+1)
				}
			}
		})
	}
}

func TestAnUnaskedAnswerOnAnIdleConnectionIsNotTaken(t *testing.T) {
	t.Parallel()
	sent := make(chan struct{}, 10)
	addr := listen(t, func(c net.Conn) {
		r := bufio.NewReader(c)
		if !readRequest(r) {
			return
		}
		_, _ = io.WriteString(c, okAnswer)
		// What HAProxy does to an idle connection, a little late.
		wait := time.NewTimer(20 * time.Millisecond)
		defer wait.Stop()
		<-wait.C
		_, _ = io.WriteString(c, "HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\n\r\n")
		sent <- struct{}{}
		_, _ = r.ReadByte()
	})
	h := newHTTP(t, addr, nil)
	for range 3 {
		want(t, h.Check(t.Context()), true, "GET /health answered 200")
		<-sent
	}
}

func TestAServerRestartBetweenChecksIsNotAFailure(t *testing.T) {
	t.Parallel()
	free, err := port.Free() // and nobody else's while the server is down
	if err != nil {
		t.Fatal(err)
	}
	s := listenOn(t, fmt.Sprintf("127.0.0.1:%d", free), answering(okAnswer, okAnswer, okAnswer))
	h := newHTTP(t, s.addr, nil)
	want(t, h.Check(t.Context()), true, "GET /health answered 200")
	s.stop()
	want(t, h.Check(t.Context()), false, "connect: connection refused")
	again := listenOn(t, s.addr, answering(okAnswer, okAnswer))
	want(t, h.Check(t.Context()), true, "GET /health answered 200")
	again.stop()
	listenOn(t, s.addr, answering(okAnswer))
	want(t, h.Check(t.Context()), true, "GET /health answered 200")
}

func TestAKeptConnectionThatDiesAfterAByteIsAFailure(t *testing.T) {
	t.Parallel()
	h := newHTTP(t, listen(t, answering(okAnswer, "HTTP/1.1 2")), nil)
	want(t, h.Check(t.Context()), true, "GET /health answered 200")
	want(t, h.Check(t.Context()), false, "GET /health: connection closed within the answer's head")
}

func TestAFrozenServerIsNotAskedTwice(t *testing.T) {
	t.Parallel()
	var frozen atomic.Bool
	addr := listen(t, func(c net.Conn) {
		for r := bufio.NewReader(c); readRequest(r); {
			if !frozen.Load() {
				_, _ = io.WriteString(c, okAnswer)
			}
		}
	})
	var d counting
	h := newHTTP(t, addr, func(c *health.HTTPConfig) { c.Timeout, c.DialContext = 100*time.Millisecond, d.dial })
	// On a loaded machine answers may be late before the server freezes; afterwards none comes.
	for deadline := time.Now().Add(20 * time.Second); !h.Check(t.Context()).OK; {
		if time.Now().After(deadline) {
			t.Fatal("no check was answered")
		}
	}
	frozen.Store(true)
	before := d.count()
	want(t, h.Check(t.Context()), false, "GET /health: no answer within 100ms")
	if n := d.count() - before; n != 0 {
		t.Errorf("asked again over %d other connections", n)
	}
}

func TestOverlappingChecksDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	h := newHTTP(t, serve(t, 200, strings.Repeat("x", 20_000)), func(c *health.HTTPConfig) {
		c.BodyContains, c.Timeout = strings.Repeat("x", 20_000), 20*time.Second
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if r := h.Check(t.Context()); !r.OK {
					t.Errorf("failed: %s", r.Reason)
				}
			}
		})
	}
	wg.Wait()
}

func TestAClosedCheckFailsAndLeavesNoConnection(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	s.Start()
	defer s.Close()
	h := newHTTP(t, strings.TrimPrefix(s.URL, "http://"), nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for last := ""; last != "the check is closed"; {
				last = h.Check(t.Context()).Reason
			}
		})
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); open.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections open", open.Load())
		}
	}
}
