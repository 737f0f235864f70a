package middleware

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// lastWords is how long an instance may be silent that takes no more of a
// request.
const lastWords = time.Second

// hearOut is a connection to an instance. One that answers in the middle of an
// upload and closes makes the next write fail, while its answer may not have
// been read yet; net/http then gives the connection up, and the answer with it.
// So a write only fails once there is nothing more to read. Until then it waits,
// as it would for an instance that does not read.
//
// What TCP itself lost is not to be had: a reset discards what the instance's
// system had not sent, and on some systems what ours had received.
type hearOut struct {
	net.Conn
	broken atomic.Bool // a write failed
	over   chan struct{}
	ending sync.Once // closes over
}

func newHearOut(c net.Conn) *hearOut { return &hearOut{Conn: c, over: make(chan struct{})} }

// Write implements net.Conn.
func (c *hearOut) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		c.broken.Store(true)
		_ = c.SetReadDeadline(time.Now().Add(lastWords)) // of a read under way; where it cannot be, attempts have an end of their own
		<-c.over
	}
	return n, err
}

// Read implements net.Conn.
func (c *hearOut) Read(p []byte) (int, error) {
	if c.broken.Load() {
		_ = c.SetReadDeadline(time.Now().Add(lastWords)) // as in Write
	}
	n, err := c.Conn.Read(p)
	if n == 0 && err != nil { // what comes with bytes is reported too early: they have not been looked at
		c.end()
	}
	return n, err
}

// Close implements net.Conn.
func (c *hearOut) Close() error {
	defer c.end()
	return c.Conn.Close()
}

func (c *hearOut) end() { c.ending.Do(func() { close(c.over) }) }

// CloseWrite ends the side that is written.
func (c *hearOut) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
