package http1

import (
	"net/netip"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/balancer"
	"holdfast/exchange"
)

// pool holds a loop's idle connections to one instance.
type pool struct {
	loop     *loop
	instance *balancer.Instance
	at       endpoint
	foreign  error     // why the loops cannot connect to it
	name     *hostname // nil: the endpoint is an address
	seen     *found    // what addrs are made of
	addrs    []netip.AddrPort
	first    int              // of addrs: a connection was made to it last
	waiting  map[*flight]bool // until the name is found
	idle     []*upstream      // the longest idle first
	places   *places
	held     int // of places, at least as many as are idle
	most     int // idle at once since the last sweep
	used     time.Time
	open     int
}

// pool returns the loop's pool of an instance, which is asked for per request.
func (l *loop) pool(i *balancer.Instance) *pool {
	p := l.pools[i]
	if p == nil {
		p = l.newPool(i)
		l.pools[i] = p
	}
	p.used = l.now
	return p
}

func (l *loop) newPool(i *balancer.Instance) *pool {
	p := &pool{loop: l, instance: i, places: l.idle.of(i)}
	switch p.at, p.foreign = parseEndpoint(i.Endpoint()); {
	case p.foreign != nil:
	case p.at.name != "":
		p.name = l.names.use(p.at.name)
		p.refresh()
	default:
		p.addrs = []netip.AddrPort{p.at.addr}
	}
	return p
}

// take returns the connection that was used last, or nil. surely: it is one on
// which nothing has happened until now, not even what the loop is still to hear
// of.
func (p *pool) take(surely bool) *upstream {
	for n := len(p.idle); n > 0; n-- {
		u := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if !surely || silent(u.fd) {
			u.reused = true
			return u
		}
		u.close()
	}
	return nil
}

// connect begins a connection. It may be complete at once or fail at once.
func (p *pool) connect(to netip.AddrPort) (*upstream, error) {
	domain, sa := sockaddr(to)
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // it works without
	u := &upstream{loop: p.loop, pool: p, fd: fd, to: to, connecting: true}
	err = unix.Connect(fd, sa)
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

// sweep runs once a second: it closes what has been idle for too long, gives
// back places that were not needed, and keeps the addresses fresh.
func (p *pool) sweep() {
	n := 0
	for n < len(p.idle) && p.loop.now.Sub(p.idle[n].since) > exchange.IdleUpstream {
		n++
	}
	old := p.idle[:n]
	p.idle = append([]*upstream(nil), p.idle[n:]...)
	for _, u := range old {
		u.close()
	}
	p.places.giveBack(p.held - p.most)
	p.held, p.most = p.most, len(p.idle)
	if p.name != nil {
		p.refresh()
		p.renew()
	}
}

// forget lets go of a pool that nothing speaks for keeping; false: there is
// something.
func (p *pool) forget() bool {
	if p.open > 0 || len(p.waiting) > 0 || p.loop.now.Sub(p.used) <= time.Minute {
		return false
	}
	if p.name != nil {
		p.loop.names.drop(p.name)
	}
	p.places.giveBack(p.held)
	p.loop.idle.drop(p.instance)
	return true
}

// upstream is a connection to an instance; it belongs to a flight or is idle.
type upstream struct {
	loop       *loop
	pool       *pool
	fd         int
	to         netip.AddrPort
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
		f.connected(u, events)
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
	if u.spoiled || u.hup || u.readable || len(u.out) > 0 || u.loop.left || !u.pool.keep(u) {
		u.close()
	}
}

// keep takes a connection among the idle ones; false: it is to be closed.
func (p *pool) keep(u *upstream) bool {
	n := len(p.idle)
	if p.name != nil && !slices.Contains(p.addrs, u.to) || n == p.held && !p.hold() {
		return false
	}
	u.since = p.loop.now
	p.idle = append(p.idle, u)
	p.most = max(p.most, n+1)
	return true
}

func (p *pool) hold() bool {
	if !p.places.take() {
		return false
	}
	p.held++
	return true
}

// connectError is how a connection attempt ended.
func (u *upstream) connectError() error {
	code, err := unix.GetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	return err
}
