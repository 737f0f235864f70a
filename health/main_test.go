package health_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"holdfast/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen serves each accepted connection with serve and returns the address.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	return listenOn(t, "127.0.0.1:0", serve).addr
}

type server struct {
	addr string
	stop func()
}

// listenOn is like listen at a given address; stop ends the server and all its
// connections, and is called at the end of the test at the latest.
func listenOn(t *testing.T, addr string, serve func(net.Conn)) server {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	stop := sync.OnceFunc(func() {
		ln.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	t.Cleanup(stop)
	return server{addr: ln.Addr().String(), stop: stop}
}

// answering answers each request on a connection with the next of the texts,
// and closes the connection after the last one.
func answering(texts ...string) func(net.Conn) {
	return func(c net.Conn) {
		r := bufio.NewReader(c)
		for _, text := range texts {
			if !readRequest(r) {
				return
			}
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

// readRequest reads a request without a body.
func readRequest(r *bufio.Reader) bool {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}

// newHTTP makes a check of http://addr/health that is closed with the test.
func newHTTP(t *testing.T, addr string, change func(*health.HTTPConfig)) *health.HTTP {
	t.Helper()
	c := health.HTTPConfig{URL: "http://" + addr + "/health"}
	if change != nil {
		change(&c)
	}
	h, err := health.NewHTTP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}

// want checks a result's verdict and reason. A reason ending in "*" is a prefix.
func want(t *testing.T, got health.Result, ok bool, reason string) {
	t.Helper()
	prefix, open := strings.CutSuffix(reason, "*")
	if got.OK != ok || !open && got.Reason != reason || !strings.HasPrefix(got.Reason, prefix) {
		t.Errorf("got OK %v, reason %q; want %v, %q", got.OK, got.Reason, ok, reason)
	}
	if got.Took <= 0 {
		t.Errorf("Took is %v", got.Took)
	}
}

// counting dials and counts.
type counting struct {
	mu sync.Mutex
	n  int
}

func (d *counting) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.n++
	d.mu.Unlock()
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (d *counting) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}
