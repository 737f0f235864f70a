package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

var errSocketClosed = errors.New("the socket is closed")

// Socket is a listening socket kept for a successor while others accept on it.
// The net.Listener it came from may be closed meanwhile: of those the runtime
// hears whenever somebody connects, also where nobody accepts on them. Safe for
// concurrent use.
type Socket struct {
	mu sync.Mutex
	fd int // -1: closed
}

// Keep duplicates the socket of a listener.
func Keep(l net.Listener) (*Socket, error) {
	c, ok := l.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be handed over", l)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &Socket{fd: -1}
	if outer := raw.Control(func(fd uintptr) { s.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); outer != nil {
		return nil, outer
	}
	return s, err
}

// File returns the socket as a file of the caller's.
func (s *Socket) File() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil, errSocketClosed
	}
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "listener"), nil
}

// Close may be called again, and of a nil Socket.
func (s *Socket) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd >= 0 {
		_ = unix.Close(s.fd) // nothing was written to it
		s.fd = -1
	}
}
