//go:build linux

package flood_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	lasts  = 4 * time.Second // that clients come again which were thrown out
	atOnce = 500             // connections that are being made
)

// army is hostile clients.
type army struct {
	end  func() // waits until all have left
	came int    // connections that were made
	err  error  // of the last one that could not be
	mu   sync.Mutex
}

// send sends an army and returns once nobody else comes.
func (f flood) send(ctx context.Context, gateway string) *army {
	ctx, cancel := context.WithCancel(ctx)
	a, until := &army{}, time.Now().Add(lasts)
	doors := make(chan struct{}, atOnce)
	var coming, all sync.WaitGroup
	a.end = func() {
		cancel()
		all.Wait()
	}
	for n := range f.clients {
		coming.Add(1)
		all.Go(func() {
			come := func() *net.TCPConn {
				doors <- struct{}{}
				defer func() { <-doors }()
				return a.dial(gateway, n)
			}
			conn := come()
			coming.Done()
			for conn != nil {
				fight(ctx, conn, f.attack)
				if conn = nil; f.again && time.Now().Before(until) && ctx.Err() == nil {
					conn = come()
				}
			}
		})
	}
	coming.Wait()
	if f.again {
		time.Sleep(time.Until(until))
	}
	return a
}

// dial gives each client one of 200 addresses: one alone has too few ports.
func (a *army) dial(gateway string, n int) *net.TCPConn {
	d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%200))}}
	c, err := d.Dial("tcp", strings.TrimPrefix(gateway, "http://"))
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.err = err
		return nil
	}
	a.came++
	conn := c.(*net.TCPConn)
	_ = conn.SetReadBuffer(4 << 10) // the system takes what is read slowly otherwise
	return conn
}

func fight(ctx context.Context, conn *net.TCPConn, attack func(context.Context, *hostile)) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	attack(ctx, &hostile{conn})
	cancel()
	stop()
	conn.Close()
}

// hostile is one connection.
type hostile struct{ conn *net.TCPConn }

const (
	get  = "GET / HTTP/1.1\r\nHost: a\r\n"
	post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// trickleHead is slowloris: there is always a byte more to come.
func trickleHead(_ context.Context, c *hostile) {
	if c.say(get) {
		c.trickle(300*time.Millisecond, "X-A: b\r\n")
	}
}

// trickleBody is the same behind the head.
func trickleBody(_ context.Context, c *hostile) {
	if c.say(post) {
		c.trickle(100*time.Millisecond, "1\r\nx\r\n")
	}
}

// reader asks for a lot and reads a byte a second.
func reader(path string) func(context.Context, *hostile) {
	return func(ctx context.Context, c *hostile) {
		if c.say("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n") {
			c.sip(ctx)
		}
	}
}

func silent(_ context.Context, c *hostile) { c.listen() }

// sends sends it all at once and waits for the answer.
func sends(s string) func(context.Context, *hostile) {
	return func(_ context.Context, c *hostile) { c.while(func() { c.say(s) }) }
}

func endlessHead(_ context.Context, c *hostile) {
	value := strings.Repeat("y", 1000)
	c.while(func() {
		for n := 0; n > 0 || c.say(get); n++ {
			if !c.say(fmt.Sprintf("X-%d: %s\r\n", n, value)) {
				return
			}
		}
	})
}

func extensions(_ context.Context, c *hostile) {
	chunk := "1;" + strings.Repeat("a=b;", 250) + "\r\nx\r\n"
	c.while(func() {
		for ok := c.say(post); ok; {
			ok = c.say(chunk)
		}
	})
}

// pipeline asks for much and takes little.
func pipeline(ctx context.Context, c *hostile) {
	c.say(strings.Repeat(get+"\r\n", 10_000))
	c.sip(ctx)
}

// say sends; false: the connection was closed.
func (c *hostile) say(s string) bool {
	_, err := io.WriteString(c.conn, s)
	return err == nil
}

// listen returns once the connection is closed.
func (c *hostile) listen() { _, _ = io.Copy(io.Discard, c.conn) }

// while listens beside do.
func (c *hostile) while(do func()) {
	var beside sync.WaitGroup
	beside.Go(do)
	c.listen()
	c.conn.Close()
	beside.Wait()
}

// trickle sends s byte by byte, again and again, until the connection is closed.
func (c *hostile) trickle(every time.Duration, s string) {
	for n := 0; c.say(s[n%len(s) : n%len(s)+1]); n++ {
		if c.closed(every, 1<<10) {
			return
		}
	}
}

// sip reads a byte a second until the connection is closed.
func (c *hostile) sip(ctx context.Context) {
	for ctx.Err() == nil && !c.closed(time.Second, 1) {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// closed reads up to n bytes, of which it waits for the first.
func (c *hostile) closed(d time.Duration, n int) bool {
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	_, err := c.conn.Read(make([]byte, n))
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}
