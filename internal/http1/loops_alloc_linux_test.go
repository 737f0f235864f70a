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

// steady returns an exchange through a loop, between a client and an instance
// that allocate nothing themselves.
func steady(tb testing.TB) (once func()) {
	tb.Helper()
	r := newRig(tb, setup{}, instance(tb, func(c net.Conn, _ *bufio.Reader) {
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
	return func() {
		if _, err := c.Write(request); err != nil {
			tb.Fatal(err)
		}
		if n, err := c.Read(buf); err != nil || !bytes.HasSuffix(buf[:n], []byte("hello")) {
			tb.Fatal(string(buf[:n]), err)
		}
	}
}

// BenchmarkSteadyLoop is the work of all three sides.
func BenchmarkSteadyLoop(b *testing.B) {
	once := steady(b)
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
}

func TestASteadyLoopAllocatesNothing(t *testing.T) { //nolint:paralleltest // it measures the process
	need.Plain(t)
	once := steady(t)
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
