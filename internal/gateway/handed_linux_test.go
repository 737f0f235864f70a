package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"holdfast/balancer"
	"holdfast/internal/gateway"
)

// Another process accepts on the same socket from now on: connections of this
// one end with an answer that says so, and new ones wait for the other.
func TestAHandedSocketLosesNoRequest(t *testing.T) {
	t.Parallel()
	for _, n := range engines() {
		t.Run(fmt.Sprint(n, " loops"), func(t *testing.T) { t.Parallel(); handed(t, n) })
	}
}

func handed(t *testing.T, loops int) {
	t.Helper()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer up.Close()
	g := newGateway()
	apply(t, g, spec("a", "/"))
	setInstances(t, g, "a", balancer.Spec{ID: "1", Endpoint: up.URL})
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	successor := duplicate(t, ln)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	draining, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- g.Run(ctx, ln, gateway.ServeConfig{
			Shutdown: 20 * time.Second, Draining: func() { close(draining) }, Handed: func() bool { return true }, Loops: loops,
		})
	}()
	polled, behind := keepAlive{t, dial(t, ln)}, keepAlive{t, dial(t, ln)}
	polled.post("Content-Length: 2\r\n\r\nhi", "hi", false)
	behind.post("Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "hi", false)
	stop()
	<-draining
	<-time.After(100 * time.Millisecond) // neither is closed meanwhile
	polled.post("Content-Length: 3\r\n\r\nbye", "bye", true)
	behind.post("Content-Length: 3\r\n\r\nbye", "bye", true)
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	dial(t, successor)
	if c, err := successor.Accept(); err != nil {
		t.Errorf("the other process does not accept: %v", err)
	} else {
		c.Close()
	}
}

func duplicate(t *testing.T, ln *net.TCPListener) net.Listener {
	t.Helper()
	file, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	other, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return other
}

func dial(t *testing.T, ln net.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

type keepAlive struct {
	t    *testing.T
	conn net.Conn
}

// post sends a request and wants this answer, the last one or not.
func (k keepAlive) post(rest, want string, last bool) {
	k.t.Helper()
	if _, err := io.WriteString(k.conn, "POST / HTTP/1.1\r\nHost: h\r\n"+rest); err != nil {
		k.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(k.conn), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); string(b) != want || err != nil || res.Close != last {
		k.t.Errorf("%q %v, last %v, want %q, %v", b, err, res.Close, want, last)
	}
}
