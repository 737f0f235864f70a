package http1

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/balancer"
)

const (
	// idleUpstream closes idle connections before common servers do (5 s in
	// Node.js and uvicorn): a request sent into a closing connection is lost.
	idleUpstream = 4 * time.Second
	maxIdle      = 256 // idle connections per instance and loop
)

// pool holds a loop's idle connections to one instance.
type pool struct {
	loop   *loop
	host   string // of the endpoint
	domain int
	sa     unix.Sockaddr // nil: the loops cannot connect to it
	idle   []*upstream   // the longest idle first
	used   time.Time
	open   int
}

func (l *loop) pool(i *balancer.Instance) *pool {
	p := l.pools[i]
	if p == nil {
		p = &pool{loop: l, host: hostOf(i.Endpoint())}
		if addr, err := pollAddr(i.Endpoint()); err == nil {
			p.domain, p.sa = sockaddr(netip.AddrPortFrom(addr.Addr(), addr.Port()))
		}
		l.pools[i] = p
	}
	p.used = l.now
	return p
}

// take returns the connection that was used last, or nil.
func (p *pool) take() *upstream {
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	u := p.idle[n-1]
	p.idle = p.idle[:n-1]
	u.reused = true
	return u
}

// connect begins a connection. It may be complete at once or fail at once.
func (p *pool) connect() (*upstream, error) {
	if p.sa == nil {
		return nil, unix.EAFNOSUPPORT
	}
	fd, err := unix.Socket(p.domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // it works without
	u := &upstream{loop: p.loop, pool: p, fd: fd, connecting: true}
	err = unix.Connect(fd, p.sa)
	if err == nil || err == unix.EINPROGRESS { //nolint:errorlint // of a system call
		err = p.loop.add(fd, nil, u)
	}
	if err != nil {
		_ = unix.Close(fd) // the error is the one to tell
		return nil, err
	}
	p.open++
	return u, nil
}

// sweep closes what has been idle for too long.
func (p *pool) sweep() {
	n := 0
	for n < len(p.idle) && p.loop.now.Sub(p.idle[n].since) > idleUpstream {
		n++
	}
	old := p.idle[:n]
	p.idle = append([]*upstream(nil), p.idle[n:]...)
	for _, u := range old {
		u.close()
	}
}

// forgotten says whether nothing speaks for keeping the pool.
func (p *pool) forgotten() bool { return p.open == 0 && p.loop.now.Sub(p.used) > time.Minute }

// upstream is a connection to an instance; it belongs to a flight or is idle.
type upstream struct {
	loop       *loop
	pool       *pool
	fd         int
	flight     *flight // nil: idle
	connecting bool
	reused     bool // has carried a request before
	readable   bool
	hup        bool // the instance's side ended, or the connection broke
	spoiled    bool // cannot carry another request
	waits      bool // in loop.busy
	closed     bool
	since      time.Time // idle
	out        []byte    // what the instance did not take yet of the request
}

func (u *upstream) event(events uint32) {
	if u.closed {
		return
	}
	if events&pollGone != 0 {
		u.hup = true
	}
	if events&unix.EPOLLIN != 0 || u.hup {
		u.readable = true
	}
	f := u.flight
	if f == nil {
		if u.readable {
			u.discard() // whatever it says, nobody asked
		}
		return
	}
	c := f.client
	defer c.guard()
	switch {
	case u.connecting:
		f.connected(events)
	case events&unix.EPOLLOUT != 0 && len(u.out) > 0:
		f.sendMore()
	}
	f.readOn(u)
	c.pump()
}

// discard closes an idle connection.
func (u *upstream) discard() {
	for i, other := range u.pool.idle {
		if other == u {
			u.pool.idle = append(u.pool.idle[:i], u.pool.idle[i+1:]...)
			break
		}
	}
	u.close()
}

func (u *upstream) close() {
	if !u.closed {
		u.closed, u.flight = true, nil
		u.pool.open--
		u.loop.drop(u.fd)
	}
}

// free keeps the connection for another request, or closes it.
func (u *upstream) free() {
	u.flight = nil
	if u.spoiled || u.hup || u.readable || len(u.out) > 0 || u.loop.left || len(u.pool.idle) >= maxIdle {
		u.close()
		return
	}
	u.since = u.loop.now
	u.pool.idle = append(u.pool.idle, u)
}

// connectError is how a connection attempt ended.
func (u *upstream) connectError() error {
	code, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	return err
}
