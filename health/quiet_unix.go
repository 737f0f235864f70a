//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package health

import (
	"errors"
	"net"
	"syscall"
)

// quiet says whether an idle connection is still open and has nothing to
// read. A peer that closed it, or sent an unasked 408 before doing so, would
// otherwise spoil the next check.
func quiet(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return true // the exchange will show
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var peeked error
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		_, _, peeked = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return err == nil && errors.Is(peeked, syscall.EAGAIN)
}
