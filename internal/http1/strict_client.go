package http1

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"holdfast/exchange"
)

// homePatience is how long a connection that came from a loop waits on a server
// for its next request before it goes back.
const homePatience = time.Second

// maxAhead is what is read of a client's next requests while one is answered,
// to notice that the client leaves.
const maxAhead = 16 << 10

// maxHome is what a loop has room for of what was read of a connection.
const maxHome = 16 << 10

var errNoHalf = errors.New("this connection cannot end one direction")

// connectionStater is a connection that says what TLS it uses.
type connectionStater interface{ ConnectionState() tls.ConnectionState }

// homecomer is a connection that came from a loop.
type homecomer interface {
	// carries says whether the loop would carry a request, of whose head there
	// are n bytes.
	carries(r *Request, n int) bool
	// comeHome gives the connection back, with what was read of it; false: the
	// loop takes it no more.
	comeHome(early []byte) bool
}

// stage is what a filtered connection passes on next.
type stage uint8

const (
	atHead     stage = iota
	atBody           // of a request, or of an answer
	atAnswer         // of a request that was read as a whole
	atNothing        // the connection left, or is of no use any more
	atTheBytes       // whatever they are: it was upgraded
)

// slowError is an error of clients below the least rate.
type slowError struct{}

// Error implements error.
func (slowError) Error() string { return "the request body comes too slowly" }

// Status is what the client is told.
func (slowError) Status() int { return http.StatusRequestTimeout }

// clientConn is a client's connection as a server is to see it. One goroutine
// reads at a time, as net/http does it, and another may write.
type clientConn struct {
	net.Conn
	strict  *Strict
	home    homecomer // nil: it has none
	request Request
	flow    flow
	stage   stage
	first   bool      // request of this connection
	since   time.Time // the stage began, at the head of a request
	begun   time.Time // its first byte came
	reads   *alarm
	writes  *alarm
	in, due debt        // of the request's body, and of the answer
	told    atomic.Bool // the answer has begun
	closed  atomic.Bool
}

// debt is what a client owes: how many bytes it moved, and how long that took.
type debt struct {
	moved int64
	took  time.Duration
}

// secureConn is a clientConn of a connection that uses TLS.
type secureConn struct {
	*clientConn
	connectionStater
}

func newClientConn(s *Strict, c net.Conn) *clientConn {
	conn := &clientConn{
		Conn: c, strict: s, first: true, since: time.Now(),
		reads: newAlarm(c.SetReadDeadline), writes: newAlarm(c.SetWriteDeadline),
	}
	conn.home, _ = c.(homecomer)
	conn.request.Reset(s.config.Limits)
	return conn
}

// becomes is called by the server's own goroutine, while nobody reads.
func (c *clientConn) becomes(state http.ConnState) {
	switch state {
	case http.StateIdle:
		c.nextRequest()
	case http.StateHijacked:
		c.stage = atTheBytes
	case http.StateNew, http.StateActive, http.StateClosed:
	}
}

// nextRequest readies for it: the answer to the one before is written.
func (c *clientConn) nextRequest() {
	if c.stage != atAnswer || c.flow.read < len(c.flow.out) {
		c.stage = atNothing // the server did not read what it answered
		return
	}
	c.stage, c.first, c.since = atHead, false, time.Now()
	c.begun = time.Time{}
	if c.flow.have() > 0 {
		c.begun = c.since
	} else {
		c.due = debt{} // else what was written may still be on its way
	}
	c.in = debt{}
	c.told.Store(false)
	c.flow.slim()
	c.request.Reset(c.strict.config.Limits)
}

// Read implements net.Conn.
func (c *clientConn) Read(p []byte) (n int, err error) {
	for len(p) > 0 && n == 0 && err == nil {
		if n = c.flow.take(p); n > 0 {
			break
		}
		switch c.stage {
		case atHead:
			err = c.readHead(p)
		case atBody:
			n, err = c.readBody(p)
		case atAnswer:
			err = c.lookAhead(p)
		case atTheBytes:
			n, err = c.readOn(p)
		case atNothing:
			err = io.EOF
		}
	}
	return n, err
}

// readHead reads until a head is complete, and passes it on.
func (c *clientConn) readHead(p []byte) error {
	if c.flow.have() > 0 {
		n, err := c.request.Parse(c.flow.bytes())
		if n > 0 && err == nil && !c.request.about {
			_, err = exchange.CleanPath(c.request.Path())
		}
		switch {
		case err != nil:
			return c.refuse(err, p)
		case n > 0:
			return c.begin(n)
		}
	}
	err := c.read(p, c.headDeadline())
	switch {
	case err == nil && c.begun.IsZero():
		c.begun = time.Now()
	case errors.Is(err, os.ErrDeadlineExceeded) && c.flow.have() == 0 && c.reads.isOwn(time.Now()) && c.mayGoHome():
		if c.since.Add(homePatience).After(time.Now()) {
			return err // the limit is shorter than the patience
		}
		return c.goHome()
	}
	return err
}

// headDeadline is that of a request's first byte, or its head.
func (c *clientConn) headDeadline() time.Time {
	config := &c.strict.config
	switch {
	case !c.begun.IsZero():
		return after(c.begun, config.HeaderTimeout)
	case c.first:
		return after(c.since, config.HeaderTimeout)
	case c.mayGoHome():
		return earlier(after(c.since, config.IdleTimeout), c.since.Add(homePatience))
	}
	return after(c.since, config.IdleTimeout)
}

// after takes a limit of 0 for none.
func after(t time.Time, limit time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	return t.Add(limit)
}

// begin passes on a head of n bytes.
func (c *clientConn) begin(n int) error {
	r := &c.request
	have := c.flow.have()
	if c.mayGoHome() && have <= maxHome && int64(have) >= int64(n)+r.Length() && c.home.carries(r, n) {
		if err := c.goHome(); err != nil {
			return err
		}
	}
	c.flow.out = r.appendPlain(c.flow.out[:0])
	c.flow.begin(r.Framing(), r.Length())
	c.stage = atBody
	if r.Framing() == NoBody {
		c.stage = atAnswer
	}
	c.flow.use(n)
	return nil
}

func (c *clientConn) mayGoHome() bool { return c.home != nil && !c.first }

// goHome returns an error when the connection is not the server's any more. To
// the server it has ended.
func (c *clientConn) goHome() error {
	if !c.home.comeHome(c.flow.bytes()) {
		c.home = nil
		return nil
	}
	c.stage = atNothing
	return io.EOF
}

// readBody passes on what comes of a request's body.
func (c *clientConn) readBody(p []byte) (n int, err error) {
	f := &c.flow
	switch {
	case f.body == Chunked:
		if f.have() == 0 && f.fault == nil {
			err = f.fill(c.readOwed, p)
		}
		if err == nil {
			err = f.passChunks()
		}
		if f.chunks.Done() {
			c.stage = atAnswer
		}
		return 0, err
	case f.have() > 0:
		n = f.passSized(p)
	default:
		n, err = c.readOwed(p[:min(int64(len(p)), f.left)])
		f.left -= int64(n)
		err = unless(n, err)
	}
	if f.left == 0 {
		c.stage = atAnswer
	}
	return n, err
}

// readOwed reads bytes of a body no slower than the least rate, until the
// answer has begun: from then on both sides may take their time, as those of
// a stream do.
func (c *clientConn) readOwed(p []byte) (int, error) {
	rate, start, until := c.strict.config.MinRate, time.Now(), time.Time{}
	if rate > 0 && !c.told.Load() {
		until = start.Add(Owed(c.in.moved, rate) - c.in.took)
	}
	n, err := c.readBy(p, until)
	now := time.Now()
	c.in.moved += int64(n)
	c.in.took += now.Sub(start)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.reads.isOwn(now) {
		err = slowError{}
	}
	return n, err
}

// lookAhead waits until the request is answered. What comes meanwhile is kept.
func (c *clientConn) lookAhead(p []byte) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if c.flow.have() >= maxAhead {
		return c.reads.wait()
	}
	return c.read(p, time.Time{})
}

// readOn reads from an upgraded connection.
func (c *clientConn) readOn(p []byte) (int, error) {
	if c.flow.have() > 0 {
		n := copy(p, c.flow.bytes())
		c.flow.use(n)
		return n, nil
	}
	return c.readBy(p, time.Time{})
}

func (c *clientConn) read(p []byte, until time.Time) error {
	return c.flow.fill(func(p []byte) (int, error) { return c.readBy(p, until) }, p)
}

func (c *clientConn) readBy(p []byte, until time.Time) (int, error) {
	if err := c.reads.setOwn(until); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// refuse answers a request that is none. The server sees the connection's end.
func (c *clientConn) refuse(fault error, spare []byte) error {
	status := http.StatusBadRequest
	if e, ok := errors.AsType[SyntaxError](fault); ok {
		status = e.Status()
	}
	c.stage = atNothing
	now := time.Now()
	until := now.Add(linger)
	if c.Conn.SetWriteDeadline(until) != nil {
		return io.EOF // closed meanwhile
	}
	if _, err := c.Conn.Write(c.strict.refusal(&c.request, status, fault.Error(), now)); err == nil && closeWrite(c.Conn) == nil {
		drain(c.Conn, spare, until)
	}
	return io.EOF
}

// Write implements net.Conn. What an answer is made of must be taken no slower
// than the least rate, as far as that can be seen from here.
func (c *clientConn) Write(b []byte) (int, error) {
	if !isInterim(b) {
		c.told.Store(true)
	}
	rate := c.strict.config.MinRate
	if rate <= 0 {
		return c.Conn.Write(b)
	}
	start := time.Now()
	if err := c.writes.setOwn(start.Add(Owed(c.due.moved+int64(len(b)), rate) - c.due.took)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	c.due.moved += int64(n)
	c.due.took += time.Since(start)
	if err == nil {
		err = c.writes.setOwn(time.Time{}) // TLS also writes when nobody asks it to
	}
	return n, err
}

// isInterim says whether a write begins with an answer that is not the last one.
func isInterim(b []byte) bool {
	return len(b) > 9 && string(b[:5]) == "HTTP/" && b[9] == '1'
}

// SetDeadline implements net.Conn.
func (c *clientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *clientConn) SetReadDeadline(t time.Time) error { return c.reads.setOuter(t) }

// SetWriteDeadline implements net.Conn.
func (c *clientConn) SetWriteDeadline(t time.Time) error { return c.writes.setOuter(t) }

// Close implements net.Conn.
func (c *clientConn) Close() error {
	c.closed.Store(true)
	c.reads.stir()
	return c.Conn.Close()
}

// CloseWrite ends the side that is written.
func (c *clientConn) CloseWrite() error { return closeWrite(c.Conn) }

// SetLinger says what becomes of unsent bytes when the connection is closed.
func (c *clientConn) SetLinger(sec int) error {
	if tcp, ok := c.Conn.(interface{ SetLinger(sec int) error }); ok {
		return tcp.SetLinger(sec)
	}
	return errors.ErrUnsupported
}
