package http1

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// secure is the TLS side of a client's connection: crypto/tls above, the
// descriptor below, and in between a net.Conn that is one of three things.
//
//	during the handshake   blocking, in a goroutine that the loop wakes
//	in the loop            not blocking: errAgain where there is nothing; what is written is kept in out
//	handed over            blocking, on a connection of the runtime's, until it comes home
//
// A read that ends in errAgain can be repeated: crypto/tls keeps what it has and
// the error is one that it takes for temporary. An error of a write would stay
// for good, so a write into out never fails.
//
// It gives crypto/tls one record at a time. So when that returned less than was
// asked for, nothing is left in it, and all that may still come is in rest or in
// the socket: an event tells of the one, a look of the other.
type secure struct {
	*tls.Conn
	fd     int
	record recordReader
	rest   []byte       // read from the socket, not given to crypto/tls
	dry    bool         // the socket was, when it was last read
	out    []byte       // records to be sent
	shake  *shake       // the handshake a goroutine is at
	conn   *net.TCPConn // once handed over
}

// again is the error of a read that finds nothing.
type again struct{}

func (again) Error() string   { return "nothing to read" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// errAgain is an interface once and for all: converting costs an allocation.
var errAgain net.Error = again{}

func newSecure(config *tls.Config, fd int) *secure {
	s := &secure{fd: fd}
	s.Conn = tls.Server((*transport)(s), config)
	return s
}

// transport is secure as crypto/tls sees it.
type transport secure

// Read implements io.Reader.
func (t *transport) Read(b []byte) (int, error) {
	s := (*secure)(t)
	if len(s.rest) > 0 {
		n := s.record.take(b[:copy(b, s.rest)])
		if s.rest = s.rest[n:]; len(s.rest) == 0 {
			s.rest = nil
		}
		return n, nil
	}
	if s.conn != nil {
		n, err := s.conn.Read(b)
		return s.pass(b[:n]), err
	}
	if s.shake != nil {
		return s.shake.await(func() (int, error) { return s.readRecord(b) })
	}
	if s.dry {
		return 0, errAgain
	}
	return s.readRecord(b)
}

// readRecord reads no further than to the end of a record.
func (s *secure) readRecord(b []byte) (int, error) {
	n, err := readSocket(s.fd, b)
	switch {
	case err == unix.EAGAIN:
		s.dry = true
		return 0, errAgain
	case err != 0:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	s.dry = n < len(b)
	return s.pass(b[:n]), nil
}

// pass keeps what is behind the end of a record.
func (s *secure) pass(b []byte) int {
	mine := s.record.take(b)
	if mine < len(b) {
		s.rest = append(s.rest, b[mine:]...)
	}
	return mine
}

// Write implements io.Writer.
func (t *transport) Write(b []byte) (int, error) {
	s := (*secure)(t)
	switch {
	case s.conn != nil:
		if len(s.out) > 0 { // was written when the connection was still the loop's
			early := s.out
			s.out = nil
			if _, err := s.conn.Write(early); err != nil {
				return 0, err
			}
		}
		return s.conn.Write(b)
	case s.shake != nil:
		for sent := 0; ; {
			n, err := s.shake.await(func() (int, error) { return writeOn(s.fd, b[sent:]) })
			if sent += n; err != nil || sent == len(b) {
				return sent, err
			}
		}
	}
	s.out = append(s.out, b...)
	return len(b), nil
}

func writeOn(fd int, b []byte) (int, error) {
	n, err := writeSocket(fd, b)
	switch {
	case err == unix.EAGAIN:
		return 0, errAgain
	case err != 0:
		return 0, err
	}
	return n, nil
}

// Close implements net.Conn. In the loop the descriptor is the client's.
func (t *transport) Close() error {
	if t.conn != nil {
		return t.conn.Close()
	}
	return nil
}

// LocalAddr implements net.Conn.
func (t *transport) LocalAddr() net.Addr {
	if t.conn != nil {
		return t.conn.LocalAddr()
	}
	sa, _ := unix.Getsockname(t.fd) // of a socket
	return tcpAddr(sa)
}

// RemoteAddr implements net.Conn.
func (t *transport) RemoteAddr() net.Addr {
	if t.conn != nil {
		return t.conn.RemoteAddr()
	}
	sa, _ := unix.Getpeername(t.fd) // it may be gone already
	return tcpAddr(sa)
}

// SetDeadline implements net.Conn; the loop has times of its own.
func (t *transport) SetDeadline(at time.Time) error {
	if t.conn != nil {
		return t.conn.SetDeadline(at)
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (t *transport) SetReadDeadline(at time.Time) error {
	if t.conn != nil {
		return t.conn.SetReadDeadline(at)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (t *transport) SetWriteDeadline(at time.Time) error {
	if t.conn != nil {
		return t.conn.SetWriteDeadline(at)
	}
	return nil
}

// woke takes notice of an event. During the handshake the goroutine looks itself.
func (s *secure) woke() {
	if s.shake == nil {
		s.dry = false
	}
}

// take returns the records that are to be sent.
func (s *secure) take() []byte {
	out := s.out
	s.out = nil
	return out
}

// farewell returns the alert that says that nothing follows.
func (s *secure) farewell() []byte {
	_ = s.CloseWrite() // a write into out does not fail
	return s.take()
}

// proto is what the client speaks.
func (c *client) proto() string {
	if c.secure != nil {
		return "https"
	}
	return "http"
}

// decrypt reads what the client says. An answer that crypto/tls gives by itself
// is sent, to a change of keys for one.
func (c *client) decrypt(b []byte) (n int, errno syscall.Errno) {
	s := c.secure
	if c.hup {
		s.dry = false // the end is there, of which no other event tells
	}
	n, err := s.Read(b)
	c.readable = c.hup || len(s.rest) > 0 || !s.dry || n == len(b)
	if len(s.out) > 0 && !c.put(s.take()) {
		return 0, 0 // the connection is closed
	}
	switch {
	case n > 0: // what ended the connection is met again
		return n, 0
	case err == error(errAgain): //nolint:errorlint // it is never wrapped
		return 0, unix.EAGAIN
	}
	return 0, 0
}

// encrypt is send for a client that speaks TLS.
func (c *client) encrypt(b []byte) bool {
	s, l := c.secure, c.loop
	s.out = append(l.sealed[:0], s.out...)
	_, err := s.Write(b)
	records := s.take()
	l.sealed = records[:0]
	if err != nil { // the client broke the protocol and was told
		c.abandon()
		return false
	}
	return c.put(records)
}

// dismiss closes a connection on which nothing is under way, and says so.
func (c *client) dismiss() {
	if c.secure != nil && len(c.out) == 0 {
		_, _ = writeSocket(c.fd, c.secure.farewell()) // for who listens
	}
	c.abandon()
}

// handOverTLS is handOver for a client that speaks TLS.
func (c *client) handOverTLS() {
	s, early := c.secure, slices.Clone(c.buf[:c.have])
	s.out = append(slices.Clone(c.out), s.out...)
	l, peer, tcp := c.loop, c.peer, c.release()
	if tcp == nil {
		return
	}
	s.conn = tcp
	if s.ConnectionState().NegotiatedProtocol == "h2" {
		l.config.HandOver(s.Conn)
		return
	}
	l.config.HandOver(&earlySecure{secure: s, early: early, tcp: tcp, origin: origin{loop: l, peer: peer}})
}

// earlySecure is earlyConn for a client that speaks TLS. Once it is home, what
// the server still does with it must not reach what is the loop's.
type earlySecure struct {
	*secure
	early []byte
	tcp   *net.TCPConn
	origin
	mu   sync.Mutex
	over bool // it was closed, or is home
}

// comeHome implements homecomer.
func (c *earlySecure) comeHome(early []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || len(c.out) > 0 {
		return false
	}
	c.over = c.takeBack(c.tcp, arrival{secure: c.secure, early: slices.Concat(early, c.early)})
	return c.over
}

// comesHome makes the TLS side the loop's again.
func (s *secure) comesHome(fd int) { s.fd, s.conn, s.dry = fd, nil, false }

// Read implements io.Reader.
func (c *earlySecure) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.secure.Read(b)
	}
	n := copy(b, c.early)
	c.early = c.early[n:]
	return n, nil
}

// Close implements net.Conn.
func (c *earlySecure) Close() error {
	c.mu.Lock()
	was := c.over
	c.over = true
	c.mu.Unlock()
	if was {
		return net.ErrClosed
	}
	return c.secure.Close()
}

// LocalAddr implements net.Conn.
func (c *earlySecure) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *earlySecure) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *earlySecure) SetDeadline(t time.Time) error { return c.tcp.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *earlySecure) SetReadDeadline(t time.Time) error { return c.tcp.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *earlySecure) SetWriteDeadline(t time.Time) error { return c.tcp.SetWriteDeadline(t) }

// recordReader knows where in a stream of TLS records it is.
type recordReader struct {
	head [5]byte
	have int // bytes of head
	left int // bytes of the body, once head is whole
}

// take passes over b, up to the end of the record under way at most.
func (r *recordReader) take(b []byte) int {
	n := 0
	for r.have < len(r.head) {
		if n == len(b) {
			return n
		}
		r.head[r.have] = b[n]
		r.have++
		n++
		if r.have == len(r.head) {
			r.left = int(r.head[3])<<8 | int(r.head[4])
		}
	}
	body := min(r.left, len(b)-n)
	r.left -= body
	if r.left == 0 {
		r.have = 0
	}
	return n + body
}

func tcpAddr(sa unix.Sockaddr) net.Addr {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return &net.TCPAddr{}
}
