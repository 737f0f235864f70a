//go:build darwin || freebsd

package access

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peerUID returns the user who opened the other end of a local socket.
func peerUID(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Xucred
	var inner error
	err = raw.Control(func(fd uintptr) { cred, inner = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED) })
	if err = errors.Join(err, inner); err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
