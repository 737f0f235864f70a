package http1

import (
	"io"
	"net"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// handOver gives the connection away, with what was read of it and not
// answered yet.
func (c *client) handOver() {
	if c.secure != nil {
		c.handOverTLS()
		return
	}
	early, l, peer := slices.Clone(c.buf[:c.have]), c.loop, c.peer
	if tcp := c.release(); tcp != nil {
		l.config.HandOver(&earlyConn{TCPConn: tcp, early: early, origin: origin{loop: l, peer: peer}})
	}
}

// release makes the client's descriptor a connection of the runtime's; nil: it
// is closed. The client is gone.
func (c *client) release() *net.TCPConn {
	l, fd := c.loop, c.fd
	c.forget()
	l.poll.forget(fd)
	l.slots[fd] = slot{}
	file := os.NewFile(uintptr(fd), "client")
	conn, err := net.FileConn(file)
	_ = file.Close() // the connection has a duplicate
	tcp, ok := conn.(*net.TCPConn)
	if err != nil || !ok {
		return nil
	}
	return tcp
}

// origin is where a connection came from that was handed over.
type origin struct {
	loop *loop
	peer netip.Addr
	view *flight // through which requests are looked at
}

// carries implements homecomer.
func (o *origin) carries(r *Request, n int) bool {
	if o.view == nil {
		o.view = &flight{loop: o.loop}
	}
	o.view.request, o.view.headLen = *r, n
	return o.view.carries()
}

// takeBack gives the loop that has the fewest a duplicate of the descriptor;
// nobody may read or write meanwhile. False: no loop takes it.
func (o *origin) takeBack(tcp *net.TCPConn, a arrival) bool {
	if len(a.early) > requestBuffer {
		return false
	}
	fd, err := duplicate(tcp)
	if err != nil {
		return false
	}
	a.fd, a.peer, a.back = fd, o.peer, true
	l := o.loop.idlest()
	l.load.Add(1)
	if l.full() || !l.receive(a) {
		l.load.Add(-1)
		_ = unix.Close(fd) // the connection has another
		return false
	}
	l.returned.Add(1)
	_ = tcp.Close() // the loop has the duplicate
	return true
}

// earlyConn is a connection of which the first bytes were read before, by a
// loop. Through Strict.Client it goes back there.
type earlyConn struct {
	*net.TCPConn
	early []byte
	origin
}

// comeHome implements homecomer.
func (c *earlyConn) comeHome(early []byte) bool {
	return c.takeBack(c.TCPConn, arrival{early: slices.Concat(early, c.early)})
}

// welcomeBack goes on with what was read of the connection elsewhere.
func (c *client) welcomeBack(early []byte) {
	defer c.guard()
	c.buf = c.loop.buffer()
	c.have = copy(c.buf, early)
	c.fresh = c.have > 0
	c.readable = c.secure != nil // crypto/tls may have more
	c.pump()
}

func duplicate(c *net.TCPConn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	if outer := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); outer != nil {
		return -1, outer
	}
	return fd, err
}

// Read implements io.Reader.
func (c *earlyConn) Read(b []byte) (int, error) {
	if len(c.early) == 0 {
		return c.TCPConn.Read(b)
	}
	n := copy(b, c.early)
	c.early = c.early[n:]
	return n, nil
}

// WriteTo implements io.WriterTo, which TCPConn has too.
func (c *earlyConn) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.early)
	c.early = c.early[n:]
	if err != nil {
		return int64(n), err
	}
	more, err := c.TCPConn.WriteTo(w)
	return int64(n) + more, err
}
