package http1

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// The limits of what passes between this program and its instances. What it
// sends itself was made of a request that kept the limits of clients.
const (
	maxAnswerHead   = 256 << 10
	maxAnswerFields = 1 << 10
	maxOwnHead      = 1 << 30
	maxOwnFields    = 1 << 20
)

var (
	errUnasked  = errors.New("the instance sent what nobody asked for")
	errProtocol = errors.New("the instance switched to a protocol nobody asked for")
	errTwice    = errors.New("a request was written before the one before was answered")
)

// Instance wraps a connection to an instance, on which a client of another
// make speaks plain HTTP, one request after another. An answer that is none is
// an error of Read, and so are bytes that belong to no request.
func (*Strict) Instance(c net.Conn) net.Conn {
	conn := &instanceConn{Conn: c}
	conn.request.Reset(Limits{Line: maxOwnHead, Head: maxOwnHead, Fields: maxOwnFields})
	conn.response.Reset(Limits{Head: maxAnswerHead, Fields: maxAnswerFields})
	return conn
}

// instanceConn is a connection to an instance. One goroutine writes and another
// reads, as net/http does it.
type instanceConn struct {
	net.Conn
	upgraded atomic.Bool

	mu  sync.Mutex
	ask ask // what is read next is the answer to

	request Request // that is written
	ours    flow
	sends   stage

	response Response // that is read
	theirs   flow
	reads    stage
}

// ask is what must be known of a request to read its answer.
type ask struct {
	open     bool // it has begun, and its answer is not complete
	head     bool // it is a HEAD
	upgrades bool
}

// Write implements net.Conn. A head is sent once it is complete.
func (c *instanceConn) Write(b []byte) (int, error) {
	if c.upgraded.Load() {
		return c.Conn.Write(b)
	}
	held := len(c.ours.raw)
	all := b
	if held > 0 {
		all = append(c.ours.raw, b...)
		c.ours.raw = nil
	}
	ready, err := c.follow(all)
	if err != nil {
		c.sends = atNothing
	}
	if err != nil || ready == 0 {
		return lenUnless(b, err), err
	}
	n, err := c.Conn.Write(all[:ready])
	if err != nil {
		return min(max(0, n-held), len(b)), err
	}
	return len(b), nil
}

func lenUnless(b []byte, err error) int {
	if err != nil {
		return 0
	}
	return len(b)
}

// follow finds out where in b requests begin and end, and how much of it may be
// sent; the others are kept.
func (c *instanceConn) follow(b []byte) (ready int, err error) {
	for ready < len(b) {
		pass := c.sendHead
		switch c.sends {
		case atHead:
		case atBody:
			pass = c.sendBody
		case atAnswer, atNothing, atTheBytes:
			return 0, net.ErrClosed
		}
		n, err := pass(b[ready:])
		if err != nil {
			return 0, err
		}
		if n == 0 {
			c.ours.raw = slices.Clone(b[ready:])
			break
		}
		ready += n
	}
	return ready, nil
}

func (c *instanceConn) sendHead(b []byte) (n int, err error) {
	r := &c.request
	if n, err = r.Parse(b); n == 0 || err != nil {
		return 0, err
	}
	c.mu.Lock()
	twice := c.ask.open
	c.ask = ask{open: true, head: r.Method() == http.MethodHead, upgrades: r.Upgrade() != ""}
	c.mu.Unlock()
	if twice {
		return 0, errTwice
	}
	c.ours.begin(r.Framing(), r.Length())
	c.sends = atBody
	c.endBody(r.Framing() == NoBody)
	return n, nil
}

func (c *instanceConn) endBody(ended bool) {
	if ended {
		c.sends = atHead
		c.request.Reset(c.request.limits)
	}
}

func (c *instanceConn) sendBody(b []byte) (n int, err error) {
	f := &c.ours
	if f.body == Sized {
		n = int(min(int64(len(b)), f.left))
		f.left -= int64(n)
		c.endBody(f.left == 0)
		return n, nil
	}
	for n < len(b) && !f.chunks.Done() {
		_, used, err := f.chunks.Next(b[n:])
		if err != nil {
			return 0, err
		}
		n += used
	}
	c.endBody(f.chunks.Done())
	return n, nil
}

// Read implements net.Conn. Together with the last byte of an answer behind
// which there is more it returns io.EOF: the connection is not to be used
// again.
func (c *instanceConn) Read(p []byte) (n int, err error) {
	for len(p) > 0 && n == 0 && err == nil {
		if n = c.theirs.take(p); n > 0 {
			break
		}
		switch c.reads {
		case atHead:
			err = c.readHead(p)
		case atBody:
			n, err = c.readBody(p)
		case atTheBytes:
			n, err = c.readOn(p)
		case atAnswer, atNothing:
			err = errUnasked
		}
	}
	if n > 0 && c.reads == atHead && len(c.theirs.out) == 0 && c.theirs.have() > 0 && !c.asked().open {
		c.reads, err = atNothing, io.EOF
	}
	return n, err
}

func (c *instanceConn) asked() ask {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ask
}

func (c *instanceConn) readHead(p []byte) error {
	for {
		if c.theirs.have() > 0 {
			passed, err := c.parseHead()
			if err != nil {
				c.reads = atNothing
			}
			if passed || err != nil {
				return err
			}
		}
		if err := c.theirs.fill(c.Conn.Read, p); err != nil {
			return err
		}
	}
}

// parseHead passes a head on once it is complete.
func (c *instanceConn) parseHead() (passed bool, err error) {
	a := c.asked()
	if !a.open {
		return false, errUnasked
	}
	n, err := c.response.Parse(c.theirs.bytes(), a.head)
	if err != nil || n == 0 {
		return false, err
	}
	return true, c.passHead(n, a)
}

// passHead passes on a head of n bytes.
func (c *instanceConn) passHead(n int, a ask) error {
	r, f := &c.response, &c.theirs
	status := r.Status()
	if status == http.StatusSwitchingProtocols && !a.upgrades {
		return errProtocol
	}
	f.out = r.appendPlain(f.out[:0])
	f.begin(r.Framing(), r.Length())
	f.use(n)
	switch {
	case status == http.StatusSwitchingProtocols:
		c.reads = atTheBytes
		c.upgraded.Store(true)
	case status < 200:
		r.Reset(r.limits)
	default:
		c.reads = atBody
		c.endAnswer(r.Framing() == NoBody)
	}
	return nil
}

func (c *instanceConn) endAnswer(ended bool) {
	if !ended {
		return
	}
	c.mu.Lock()
	c.ask.open = false
	c.mu.Unlock()
	c.reads = atHead
	c.response.Reset(c.response.limits)
	c.theirs.slim()
}

func (c *instanceConn) readBody(p []byte) (n int, err error) {
	f := &c.theirs
	if f.body == UntilClose {
		return c.readOn(p)
	}
	if f.have() == 0 && f.fault == nil && f.body == Chunked {
		err = f.fill(c.Conn.Read, p)
	}
	switch {
	case err != nil:
		return 0, err
	case f.body == Chunked:
		err = f.passChunks()
		c.endAnswer(f.chunks.Done())
		return 0, err
	case f.have() > 0:
		n = f.passSized(p)
	default:
		n, err = c.Conn.Read(p[:min(int64(len(p)), f.left)])
		f.left -= int64(n)
		err = unless(n, err)
	}
	c.endAnswer(f.left == 0)
	return n, err
}

// readOn reads bytes that have no structure here.
func (c *instanceConn) readOn(p []byte) (int, error) {
	if f := &c.theirs; f.have() > 0 {
		n := copy(p, f.bytes())
		f.use(n)
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the side that is written.
func (c *instanceConn) CloseWrite() error { return closeWrite(c.Conn) }
