package prober_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
)

// serveChecked answers health checks until its standard input ends. It first
// prints its address.
func serveChecked() {
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Fprintln(os.Stdout, ln.Addr())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerChecks(c)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func answerChecks(c net.Conn) {
	defer c.Close()
	const body = `{"status":"ok","cpu_percent":12.5,"memory_percent":40.25,"connections":17,"event_loop_lag_ms":0.8}`
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	buf := make([]byte, 512)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}
