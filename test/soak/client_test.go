package soak_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	clientTimeout = 30 * time.Second // of one request
	idleAtMost    = time.Second      // far below any server's limit, so that no request meets a connection that is being closed
	requestsEach  = 200              // of one connection
)

// tier is which connections a request may use: those that the engine hands
// over to net/http stay there, and would in time be all.
type tier int

const (
	loops tier = iota
	rest
)

// client keeps connections and never sends a request twice.
type client struct {
	address string
	secure  *tls.Config // nil: no TLS

	mu     sync.Mutex
	idle   [2][]*conn // by tier, the longest idle first
	opened int
}

type conn struct {
	net.Conn
	r     *bufio.Reader
	tier  tier
	uses  int
	since time.Time
}

// take returns the connection that has been idle the longest, so that all are
// in use.
func (c *client) take(t tier) (*conn, error) {
	c.mu.Lock()
	for len(c.idle[t]) > 0 {
		k := c.idle[t][0]
		c.idle[t] = c.idle[t][1:]
		if time.Since(k.since) < idleAtMost {
			c.mu.Unlock()
			return k, k.SetDeadline(time.Now().Add(clientTimeout))
		}
		k.Close()
	}
	c.opened++
	c.mu.Unlock()
	k, err := c.dial()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: k, r: bufio.NewReader(k), tier: t}, k.SetDeadline(time.Now().Add(clientTimeout))
}

func (c *client) scheme() string {
	if c.secure == nil {
		return "http"
	}
	return "https"
}

func (c *client) dial() (net.Conn, error) {
	d := &net.Dialer{Timeout: clientTimeout}
	if c.secure == nil {
		return d.Dial("tcp", c.address)
	}
	return tls.DialWithDialer(d, "tcp", c.address, c.secure)
}

// reset makes the next Close a reset.
func (k *conn) reset() {
	under := k.Conn
	if s, is := under.(*tls.Conn); is {
		under = s.NetConn()
	}
	if tcp, is := under.(*net.TCPConn); is {
		_ = tcp.SetLinger(0) // then it ends the other way
	}
}

// put takes a connection back, unless its last answer was the last.
func (c *client) put(k *conn, a answer) {
	if k.uses++; a.last || a.cut != nil || k.uses >= requestsEach {
		k.Close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k.since = time.Now()
	c.idle[k.tier] = append(c.idle[k.tier], k)
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.idle {
		for _, k := range c.idle[t] {
			k.Close()
		}
		c.idle[t] = nil
	}
}

// answer is an answer whose head has come.
type answer struct {
	status int
	id     string
	pid    int
	length int64 // that the head states, -1: none
	body   []byte
	cut    error // how the body broke off
	last   bool  // on this connection
}

// read reads one answer; the error is that no head came.
func (k *conn) read(method string) (answer, error) {
	res, err := http.ReadResponse(k.r, &http.Request{Method: method})
	if err != nil {
		return answer{}, fmt.Errorf("no answer: %w", err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, id: res.Header.Get(headerID), length: res.ContentLength, last: res.Close}
	a.pid, _ = strconv.Atoi(res.Header.Get(headerPID)) // 0: the gateway's own
	a.body, a.cut = io.ReadAll(res.Body)
	return a, nil
}

// head writes the head of a request.
func head(method, path, id, more string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: soak\r\n" + headerID + ": " + id + "\r\n" + more + "\r\n"
}

// ask sends one request that is written at once and reads the answer.
func (c *client) ask(t tier, method, request string) (answer, error) {
	k, err := c.take(t)
	if err != nil {
		return answer{}, err
	}
	if _, err := io.WriteString(k, request); err != nil {
		k.Close()
		return answer{}, err
	}
	a, err := k.read(method)
	if err != nil {
		k.Close()
		return a, err
	}
	c.put(k, a)
	return a, nil
}
