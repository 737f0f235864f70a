package http1_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/exchange"
	"holdfast/internal/http1"
)

func TestIdleConnectionsOfAnInstanceHaveOneLimitForAllLoops(t *testing.T) {
	t.Parallel()
	const limit, loops, each = 256, 3, 110 // less than the limit per loop
	var open atomic.Int32
	var came atomic.Int32
	all := make(chan struct{})
	r := newRig(t, setup{count: loops, loops: http1.LoopsConfig{Connections: each}}, instance(t, func(c net.Conn, b *bufio.Reader) {
		open.Add(1)
		defer open.Add(-1)
		for {
			if _, _, ok := request(b); !ok {
				return
			}
			if came.Add(1) == loops*each {
				close(all)
			}
			<-all
			_, _ = io.WriteString(c, hello)
		}
	}))
	var clients []*client
	for range loops * each {
		c := r.dial()
		c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		clients = append(clients, c)
	}
	for _, c := range clients {
		if _, body := c.answer("GET"); body != "hello" {
			t.Fatalf("%q", body)
		}
	}
	answered := time.Now()
	await(t, "connections closed above the limit", func() bool { return open.Load() <= limit })
	if took := time.Since(answered); took > 3*time.Second {
		t.Errorf("it took %v, which is the end of idle connections as such", took)
	}
	if n := open.Load(); n < limit*9/10 {
		t.Errorf("%d connections are kept, want about %d", n, limit)
	}
}

// The loop is held up until the instance has closed its connection, so that it
// has not heard of it when it needs one.
func TestWhatCannotBeRepeatedIsNotSentIntoAConnectionThatEnded(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	r := newRig(t, setup{loops: http1.LoopsConfig{
		Takes: func(_, _, path string, _ exchange.Header) bool {
			if path != "/first" {
				<-ended
			}
			return true
		},
	}}, instance(t, func(c net.Conn, b *bufio.Reader) {
		if _, _, ok := request(b); ok {
			_, _ = io.WriteString(c, hello)
			c.Close()
			ended <- struct{}{}
		}
	}))
	c := r.dial()
	c.get("/first", 200, "hello")
	for range 200 {
		c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
		if res, body := c.answer("POST"); res.StatusCode != http.StatusOK || body != "hello" {
			t.Fatalf("%d %q", res.StatusCode, body)
		}
	}
}
