// Package traffic sends requests to a running Holdfast the way a strict judge
// does: at planned times, whatever became of those before, each exactly once.
package traffic

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Client sends each request once, on a connection of its own choice, and
// never again: net/http's client would silently repeat a GET on a connection
// that broke.
type Client struct {
	Address string        // host:port
	Timeout time.Duration // of one request
	TLS     *tls.Config   // nil: plain

	mu   sync.Mutex
	idle []*rawConn
}

type rawConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *Client) get() (*rawConn, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		return conn, nil
	}
	c.mu.Unlock()
	conn, err := net.DialTimeout("tcp", c.Address, c.Timeout)
	if err != nil {
		return nil, err
	}
	if c.TLS != nil {
		_ = conn.SetDeadline(time.Now().Add(c.Timeout))
		conn = tls.Client(conn, c.TLS) // the first write shakes hands
	}
	return &rawConn{conn, bufio.NewReader(conn)}, nil
}

func (c *Client) put(conn *rawConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

// Close closes the connections that are not in use.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		conn.Close()
	}
	c.idle = nil
}

// Do sends one request, a POST with a small body, and reads the whole answer.
func (c *Client) Do(method, path, id string) (status int, body string, err error) {
	conn, err := c.get()
	if err != nil {
		return 0, "", err
	}
	_ = conn.SetDeadline(time.Now().Add(c.Timeout))
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: test\r\nX-Ledger-Id: %s\r\n", method, path, id)
	if method == http.MethodPost {
		head += "Content-Length: 2\r\n\r\nhi"
	} else {
		head += "\r\n"
	}
	if _, err := io.WriteString(conn, head); err != nil {
		conn.Close()
		return 0, "", err
	}
	res, err := http.ReadResponse(conn.r, &http.Request{Method: method})
	if err != nil {
		conn.Close()
		return 0, "", err
	}
	b, err := io.ReadAll(res.Body)
	if err != nil || res.Close {
		conn.Close()
		return res.StatusCode, string(b), err
	}
	c.put(conn)
	return res.StatusCode, string(b), nil
}
