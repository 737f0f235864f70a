package http1_test

import (
	"bufio"
	"bytes"
	"net"
	"runtime"
	"testing"
	"time"

	"holdfast/test/need"
)

// TestASteadyLoopAllocatesNothing drives a loop with a client and an instance
// that allocate nothing themselves.
func TestASteadyLoopAllocatesNothing(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	r := newRig(t, setup{}, instance(t, func(c net.Conn, _ *bufio.Reader) {
		buf, answer := make([]byte, 4096), []byte(hello)
		for {
			n, err := c.Read(buf)
			if err != nil || !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}))
	c := r.dial()
	_ = c.SetDeadline(time.Now().Add(6 * patience))
	request, buf := []byte(browserRequest), make([]byte, 4096)
	once := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], []byte("hello")) {
			t.Fatal(string(buf[:n]), err)
		}
	}
	const rounds = 2000
	for range rounds {
		once()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		once()
	}
	runtime.ReadMemStats(&after)
	// The machine's ring of records takes its pages as they come: one per 256
	// records or so, until it is full.
	if n := after.Mallocs - before.Mallocs; n > rounds/50 {
		t.Errorf("%d allocations in %d exchanges", n, rounds)
	}
}
