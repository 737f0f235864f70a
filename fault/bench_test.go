package fault_test

import (
	"context"
	"io"
	"net"
	"testing"

	"holdfast/fault"
)

// BenchmarkRoundTrip is what the proxy adds to one question and answer with no fault in force.
func BenchmarkRoundTrip(b *testing.B) {
	for _, through := range []bool{false, true} {
		name := map[bool]string{false: "direct", true: "proxy"}[through]
		b.Run(name, func(b *testing.B) {
			server, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer server.Close()
			go func() {
				for {
					c, err := server.Accept()
					if err != nil {
						return
					}
					go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
				}
			}()
			address := server.Addr().String()
			if through {
				front, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				p, err := fault.New(fault.Config{Listener: front, Upstream: address})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan error, 1)
				go func() { done <- p.Run(ctx) }()
				defer func() { cancel(); <-done }()
				address = front.Addr().String()
			}
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			for b.Loop() {
				if err := ask(c, "hello"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
