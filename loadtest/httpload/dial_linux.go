package httpload

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"holdfast/loadtest/check"
)

// directly says that direct is there.
const directly = true

// direct connects to an address of which no name has to be looked up. A Dialer would do the same on a stack twice as deep as
// all else that a user does, which ten thousand users who wait for their connection would each have. A connection that
// the system makes at once, as on the loopback, is not waited for at all.
//
// It is used where the Config has no Dial of its own and the target no TLS.
func (u *user) direct(c *conn, to netip.AddrPort) error {
	s, err := newSocket(to)
	if err == nil {
		err = u.hold(s, nil)
	}
	if err == nil {
		err = s.connect(time.Now().Add(u.client.config.ConnectTimeout))
	}
	if err != nil {
		if s != nil {
			_ = s.Close() // or Interrupt did
		}
		return check.ConnectError{Err: err}
	}
	*c = conn{Conn: newWire(s, s.sys), raw: s, since: time.Now(), left: u.carries()}
	return nil
}

// socket is a TCP connection of the runtime's poller, without what package net keeps for each.
type socket struct {
	*os.File

	sys syscall.RawConn
	to  netip.AddrPort
}

var _ net.Conn = (*socket)(nil)

func newSocket(to netip.AddrPort) (*socket, error) {
	family := syscall.AF_INET
	if to.Addr().Is6() {
		family = syscall.AF_INET6
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, dialError(to, "socket", err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // costs time, if anything
	s := &socket{File: os.NewFile(uintptr(fd), ""), to: to}                    //nolint:gosec // a file descriptor is none below 0
	s.sys, err = s.SyscallConn()
	return s, err
}

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.to) }

// LocalAddr implements net.Conn. It is not known.
func (s *socket) LocalAddr() net.Addr { return nil }

// connect begins with the connection and waits for it.
func (s *socket) connect(until time.Time) error {
	begun, err := false, error(nil)
	waited := s.sys.Write(func(fd uintptr) bool {
		if begun {
			err = connected(int(fd)) //nolint:gosec // see above
		} else {
			begun, err = true, syscall.Connect(int(fd), sockaddr(s.to)) //nolint:gosec // see above
			if err == syscall.EINPROGRESS {                             //nolint:errorlint // it is an Errno
				_ = s.SetWriteDeadline(until) // a poller has them
			}
		}
		return err != syscall.EINPROGRESS //nolint:errorlint // it is an Errno
	})
	switch {
	case errors.Is(waited, os.ErrDeadlineExceeded):
		return dialError(s.to, "connect", os.ErrDeadlineExceeded)
	case waited != nil:
		return net.ErrClosed // by Interrupt
	case err == nil && s.itself():
		err = syscall.ECONNREFUSED
	}
	if err != nil {
		return dialError(s.to, "connect", err)
	}
	return s.SetWriteDeadline(time.Time{})
}

// connected says how a connection that was begun came out, or EINPROGRESS.
func connected(fd int) error {
	code, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	switch {
	case err != nil:
		return err
	case code != 0:
		return syscall.Errno(code) //nolint:gosec // the system's own number
	}
	if _, err := syscall.Getpeername(fd); err != nil {
		return syscall.EINPROGRESS
	}
	return nil
}

// itself says that nobody listens and the socket has got the very port it asked for, and so speaks to itself.
func (s *socket) itself() (same bool) {
	if !s.to.Addr().IsLoopback() {
		return false
	}
	err := s.sys.Control(func(fd uintptr) {
		name, _ := syscall.Getsockname(int(fd)) //nolint:gosec // see above
		switch a := name.(type) {
		case *syscall.SockaddrInet4:
			same = a.Port == int(s.to.Port()) && a.Addr == s.to.Addr().As4()
		case *syscall.SockaddrInet6:
			same = a.Port == int(s.to.Port()) && a.Addr == s.to.Addr().As16()
		}
	})
	return err == nil && same
}

func sockaddr(to netip.AddrPort) syscall.Sockaddr {
	if to.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// dialError says what went wrong in the words of package net.
func dialError(to netip.AddrPort, call string, err error) error {
	if _, code := errors.AsType[syscall.Errno](err); code {
		err = os.NewSyscallError(call, err)
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}
