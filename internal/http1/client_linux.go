package http1

import (
	"net/netip"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// state is what a client's connection is at.
type state uint8

const (
	shaking    state = iota // hands, before TLS
	reading                 // a request, or the first byte of one
	waiting                 // as the machine said
	connecting              // to an instance
	asking                  // an instance, until its head is there
	relaying                // an answer
	draining                // after our end, until the client's
	gone
)

// bodyTime is how long the loop waits for a body that is not there yet. Most
// come with the head or right behind it; who is slower than this may be waiting
// for an early answer.
const bodyTime = 100 * time.Millisecond

// client is a client's connection. It holds a buffer and a flight only while
// there is a request.
type client struct {
	loop     *loop
	fd       int
	state    state
	secure   *secure // nil: plain TCP, or the handshake has not begun
	peer     netip.Addr
	trusted  bool // the peer is a trusted proxy
	readable bool // there may be something to read
	hup      bool // the client's side ended
	fresh    bool // bytes came that were not parsed yet
	knocks   bool // waits for its handshake
	eager    bool // in loop.eagers
	buf      []byte
	have     int // bytes in buf
	flight   *flight
	out      []byte // what the client did not take yet
	sent     int64  // bytes the socket took
	stall    stall
	timer    timer
	lastCall time.Duration // no timer is set beyond; 0: none
}

func newClient(l *loop, fd int, peer netip.Addr) *client {
	c := &client{loop: l, fd: fd, state: reading, peer: peer, trusted: peer.IsValid() && l.trusts(peer)}
	if l.config.TLS != nil {
		c.state = shaking
	}
	c.timer.fire = c.timeOut
	return c
}

func (c *client) setTimer(at time.Duration) {
	if c.lastCall > 0 {
		at = min(at, c.lastCall)
	}
	c.loop.wheel.set(&c.timer, at)
}

// guard ends a turn of the connection. A panic costs that connection alone.
func (c *client) guard() {
	if c.loop.config.Panicked == nil {
		return // it goes on, and ends the program
	}
	if cause := recover(); cause != nil {
		c.loop.config.Panicked(cause, debug.Stack())
		c.destroy()
	}
}

// destroy is abandon for a connection in nobody knows what state: what it
// holds may be in use elsewhere and is not used again.
func (c *client) destroy() {
	f := c.flight
	c.flight, c.buf, c.out = nil, nil, nil
	c.abandon()
	if f != nil {
		defer func() { _ = recover() }() // that the same exchange panics again tells nothing new
		f.client = nil
		f.abort()
	}
}

func (c *client) event(events uint32) {
	defer c.guard()
	if events&pollGone != 0 {
		c.hup = true
	}
	if events&unix.EPOLLIN != 0 || c.hup {
		c.readable = true
		if c.secure != nil {
			c.secure.woke()
		}
	}
	if c.state == shaking {
		c.knock()
		return
	}
	if events&unix.EPOLLOUT != 0 && len(c.out) > 0 {
		c.flush()
	}
	c.leaves()
	if c.state == draining {
		c.drain()
	}
	c.pump()
}

// leaves gives up what is under way for a client whose side ended: whether it
// only has no more to say cannot be told from its having gone.
func (c *client) leaves() {
	switch c.state {
	case waiting, connecting, asking, relaying:
		if c.hup {
			c.abandon()
		}
	case shaking, reading, draining, gone:
	}
}

// pump reads and parses until there is nothing left or a request is under way,
// which may have come together with the client's end. Each event ends with it;
// nothing below it calls it.
func (c *client) pump() {
	defer c.leaves()
	for step := 0; c.state == reading && len(c.out) == 0; step++ {
		switch {
		case step == maxSteps:
			c.later()
			return
		case c.fresh:
			c.fresh = false
			c.take()
		case c.readable:
			c.read()
		default:
			c.rest()
			return
		}
	}
}

// later lets the others have their turn first.
func (c *client) later() {
	if !c.eager {
		c.eager = true
		c.loop.eagers = append(c.loop.eagers, c)
	}
}

func (c *client) read() {
	if c.buf == nil {
		c.buf = c.loop.buffer()
	}
	if c.have == len(c.buf) {
		c.handOver() // a head that does not fit
		return
	}
	n, err := c.receive(c.buf[c.have:])
	switch {
	case err == unix.EAGAIN:
		c.readable = false
	case err != 0 || n == 0:
		c.abandon()
	default:
		if c.have == 0 {
			c.setTimer(c.loop.after(c.loop.config.HeaderTimeout))
		}
		c.have += n
		c.fresh = true
		c.loop.stirred()
	}
}

// receive reads what the client says, and whether there may be more of it.
func (c *client) receive(b []byte) (n int, err syscall.Errno) {
	if c.secure != nil {
		return c.decrypt(b)
	}
	n, err = readSocket(c.fd, b)
	c.readable = c.hup || n == len(b)
	return n, err
}

// rest gives back what an idle connection need not hold.
func (c *client) rest() {
	if c.have > 0 || c.buf == nil {
		return
	}
	c.loop.putBuffer(c.buf)
	c.buf = nil
	if c.flight != nil {
		c.loop.putFlight(c.flight)
		c.flight = nil
	}
}

// take parses what is in the buffer and begins an exchange once a request is
// complete.
func (c *client) take() {
	if c.flight == nil {
		c.flight = c.loop.flight(c)
	}
	f := c.flight
	if f.headLen == 0 {
		n, err := f.request.Parse(c.buf[:c.have])
		if err != nil {
			f.refuse(err)
			return
		}
		if n == 0 {
			return
		}
		f.headLen = n
		if !f.carries() {
			c.handOver()
			return
		}
	}
	if c.have >= f.requestLen() {
		f.begin()
	} else {
		c.setTimer(min(c.timer.deadline, c.loop.after(bodyTime)))
	}
}

// send writes b; what the client does not take at once is kept. False: it is
// gone, and its flight ended.
func (c *client) send(b []byte) bool {
	if c.secure != nil {
		return c.encrypt(b)
	}
	return c.put(b)
}

// put is send for what goes over the wire as it is.
func (c *client) put(b []byte) bool {
	if len(c.out) > 0 {
		c.keep(b)
		return true
	}
	n, ok := c.write(b)
	if ok && n < len(b) {
		c.keep(b[n:])
		c.stalls()
	}
	return ok
}

// flush writes what was kept.
func (c *client) flush() {
	n, ok := c.write(c.out)
	if !ok || n == 0 {
		return
	}
	c.took(n)
	switch f := c.flight; {
	case f != nil:
		f.moved()
		if len(c.out) == 0 {
			f.taken()
		}
	case c.state == draining:
		c.shut()
	}
}

// next readies the connection for the next request, of which the first bytes
// may be there.
func (c *client) next(used int) {
	c.have = copy(c.buf, c.buf[used:c.have])
	c.fresh = c.have > 0
	c.state = reading
	if c.loop.left && c.have == 0 {
		c.end()
		return
	}
	limit := c.loop.config.IdleTimeout
	if c.fresh { // its head has begun
		limit = c.loop.config.HeaderTimeout
	}
	c.setTimer(c.loop.after(limit))
}

// end says that nothing will follow, and waits for the client to say so.
func (c *client) end() {
	if c.hup {
		c.abandon()
		return
	}
	if c.secure != nil && !c.put(c.secure.farewell()) {
		return
	}
	c.state, c.have = draining, 0
	c.setTimer(c.loop.after(linger))
	c.shut()
	c.drain()
}

// shut ends our side once all is sent.
func (c *client) shut() {
	if len(c.out) == 0 && !endSocket(c.fd) {
		c.abandon()
	}
}

// drain reads what nobody wants.
func (c *client) drain() {
	for step := 0; c.readable && c.state == draining; step++ {
		if step == maxSteps {
			c.later()
			return
		}
		n, err := readSocket(c.fd, c.loop.in)
		switch {
		case err == unix.EAGAIN:
			c.readable = false
		case err != 0 || n == 0:
			c.abandon()
		default:
			c.readable = c.hup || n == len(c.loop.in)
		}
	}
}

// abandon closes the connection, whatever is under way on it.
func (c *client) abandon() {
	switch {
	case c.state == gone:
	case c.shakes():
		c.secure.shake.stop() // it has the descriptor, and is back in a moment
	default:
		c.forget()
		c.loop.drop(c.fd)
	}
}

// reset closes the connection so that the client cannot take it for the end of
// an answer.
func (c *client) reset() {
	if c.state != gone {
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // as good as it gets
		c.abandon()
	}
}

// forget frees all but the descriptor.
func (c *client) forget() {
	l := c.loop
	c.state = gone
	l.wheel.stop(&c.timer)
	if f := c.flight; f != nil {
		c.flight = nil
		f.abort()
		l.putFlight(f)
	}
	if c.buf != nil {
		l.putBuffer(c.buf)
		c.buf = nil
	}
	c.took(len(c.out))
	l.load.Add(-1)
	l.stirred()
}

func (c *client) timeOut() {
	defer c.guard()
	l := c.loop
	switch f := c.flight; {
	case c.lastCall > 0 && l.now.Sub(l.start) >= c.lastCall:
		c.abandon()
	case c.state == reading && f != nil && f.headLen > 0:
		c.handOver() // a slow upload
	case c.state == reading:
		c.dismiss()
	case c.state == shaking, c.state == draining, c.state == gone:
		c.abandon()
	default:
		f.timeOut()
	}
	c.pump()
}
