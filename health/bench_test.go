package health_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"holdfast/health"
)

const benchBody = `{"status":"ok","cpu_percent":12.5,"memory_percent":40.25,"connections":17,"event_loop_lag_ms":0.8}`

// BenchmarkHTTPCheck makes checks over loopback TCP with a server that does
// the least possible; its CPU time is part of ns/op. For the prober's share
// alone see the measurement in internal/prober.
func BenchmarkHTTPCheck(b *testing.B) {
	b.Run("kept", func(b *testing.B) { benchmarkHTTP(b, time.Hour) })
	b.Run("new", func(b *testing.B) { benchmarkHTTP(b, -1) })
}

func benchmarkHTTP(b *testing.B, reconnect time.Duration) {
	b.Helper()
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(benchBody), benchBody)
	ln, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { echoAnswer(c, answer) })
		}
	})
	h, err := health.NewHTTP(health.HTTPConfig{URL: "http://" + ln.Addr().String() + "/health", Reconnect: reconnect})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := h.Check(b.Context()); !r.OK || len(r.Numbers) != 4 {
			b.Fatal(r)
		}
	}
	h.Close()
	ln.Close()
	wg.Wait()
}

// echoAnswer takes each read for a request.
func echoAnswer(c net.Conn, answer []byte) {
	defer c.Close()
	buf := make([]byte, 1024)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}
