package http1

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below are raw: they do not block, and telling the scheduler of each
// would cost as much as a tenth of the call.

func readSocket(fd int, b []byte) (n int, err syscall.Errno) {
	for {
		r, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if e != unix.EINTR {
			return int(r), e
		}
	}
}

// writeSocket never raises SIGPIPE.
func writeSocket(fd int, b []byte) (n int, err syscall.Errno) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_NOSIGNAL, 0, 0)
		if e != unix.EINTR {
			return int(r), e
		}
	}
}

// acceptSocket returns a connection that does not block, and whose it is.
func acceptSocket(listener int) (fd int, peer netip.Addr, err syscall.Errno) {
	var sa unix.RawSockaddrInet6
	size := uint32(unix.SizeofSockaddrInet6)
	r, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)),
		unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	switch sa.Family {
	case unix.AF_INET:
		peer = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&sa)).Addr)
	case unix.AF_INET6:
		peer = netip.AddrFrom16(sa.Addr).Unmap()
	}
	return int(r), peer, e
}

// tuneSocket sets what all connections of clients have. They work without.
func tuneSocket(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSent)
}

// endSocket says that nothing follows; false: the connection is broken.
func endSocket(fd int) bool {
	_, _, e := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return e == 0
}

// closeSocket closes what does not linger. Whoever is to hear of it hears of it otherwise.
func closeSocket(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// silent says whether an idle connection can be used: there is nothing to read
// of it, and no end.
func silent(fd int) bool {
	for {
		var b [1]byte
		_, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if e != unix.EINTR {
			return e == unix.EAGAIN
		}
	}
}

// pollEdges are the events a connection is watched for, from its start to its
// end: edges need no call per request.
const pollEdges = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

const pollGone = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// poller is an epoll set. What it watches is named by its descriptor and a
// number, since a descriptor may be in use again before all is handled that was
// reported of its predecessor.
type poller struct {
	fd     int
	events [128]unix.EpollEvent
}

func (p *poller) watch(fd int, number, events uint32) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd), Pad: int32(number)})
}

func (p *poller) forget(fd int) { _ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) } // its close follows, or it is not watched

// look returns what has happened, without waiting.
func (p *poller) look() ([]unix.EpollEvent, error) { return p.doze(0) }

// doze returns what has happened after at most ms milliseconds, which must be
// few, without telling the scheduler: the collector interrupts it by a signal.
func (p *poller) doze(ms uint) ([]unix.EpollEvent, error) {
	n, _, err := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(ms), 0, 0)
	return p.found(n, err)
}

// wait returns what has happened after at most ms milliseconds; negative: it
// waits for ever.
func (p *poller) wait(ms int) ([]unix.EpollEvent, error) {
	n, _, err := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(ms), 0, 0)
	return p.found(n, err)
}

func (p *poller) found(n uintptr, err syscall.Errno) ([]unix.EpollEvent, error) {
	if err == unix.EINTR {
		return p.events[:0], nil
	}
	if err != 0 {
		return nil, err
	}
	return p.events[:n], nil
}

// sockaddr is what connect wants to know.
func sockaddr(a netip.AddrPort) (domain int, sa unix.Sockaddr) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
