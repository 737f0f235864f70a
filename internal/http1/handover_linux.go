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
	early := slices.Clone(c.buf[:c.have])
	l, fd := c.loop, c.fd
	c.forget()
	l.poll.forget(fd)
	l.slots[fd] = slot{}
	file := os.NewFile(uintptr(fd), "client")
	conn, err := net.FileConn(file)
	_ = file.Close() // the connection has a duplicate
	tcp, ok := conn.(*net.TCPConn)
	if err != nil || !ok {
		return // closed with the file
	}
	l.config.HandOver(&earlyConn{TCPConn: tcp, early: early, loop: l, peer: c.peer})
}

// earlyConn is a connection of which the first bytes were read before, by a
// loop. Through Strict.Client it goes back there.
type earlyConn struct {
	*net.TCPConn
	early []byte
	loop  *loop
	peer  netip.Addr
	view  *flight // through which requests are looked at
}

// carries implements homecomer.
func (c *earlyConn) carries(r *Request, n int) bool {
	if c.view == nil {
		c.view = &flight{loop: c.loop}
	}
	c.view.request, c.view.headLen = *r, n
	return c.view.carries()
}

// comeHome implements homecomer. The loop that has the fewest gets a duplicate
// of the descriptor, and nobody else reads or writes meanwhile.
func (c *earlyConn) comeHome(early []byte) bool {
	l := c.loop.idlest()
	fd, err := duplicate(c.TCPConn)
	if err != nil {
		return false
	}
	l.load.Add(1)
	if l.full() || !l.receive(arrival{fd: fd, peer: c.peer, back: true, early: slices.Concat(early, c.early)}) {
		l.load.Add(-1)
		_ = unix.Close(fd) // the connection has another
		return false
	}
	l.returned.Add(1)
	_ = c.Close() // the loop has the duplicate
	return true
}

// welcomeBack goes on with what was read of the connection elsewhere.
func (c *client) welcomeBack(early []byte) {
	defer c.guard()
	c.buf = c.loop.buffer()
	c.have = copy(c.buf, early)
	c.fresh = true
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
