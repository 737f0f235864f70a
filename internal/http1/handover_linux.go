package http1

import (
	"io"
	"net"
	"os"
	"slices"
)

// handOver gives the connection away, with what was read of it and not
// answered yet.
func (c *client) handOver() {
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
	l.config.HandOver(&earlyConn{TCPConn: tcp, early: early})
}

// earlyConn is a connection of which the first bytes were read before.
type earlyConn struct {
	*net.TCPConn
	early []byte
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
