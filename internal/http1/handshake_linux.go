package http1

import (
	"fmt"
	"net"
	"runtime/debug"
	"slices"
)

// shake is a handshake under way. crypto/tls cannot interrupt one, so it has a
// goroutine, which sleeps while the client is silent; the loop wakes it. How
// many there are is bounded: the others wait, in the order in which they spoke
// up, and no longer than LoopsConfig.HeaderTimeout. A client that says nothing
// costs no goroutine at all.
type shake struct {
	more    chan struct{} // something happened on the descriptor
	cut     chan struct{} // closed when the connection is to end
	stopped bool
	err     error // how it ended
}

// stop ends the handshake; its goroutine reports as ever.
func (h *shake) stop() {
	if !h.stopped {
		h.stopped = true
		close(h.cut)
	}
}

// stir tells the goroutine that something happened on the descriptor.
func (h *shake) stir() {
	select {
	case h.more <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// await repeats a call until it does not end in errAgain.
func (h *shake) await(call func() (int, error)) (int, error) {
	for {
		select {
		case <-h.cut:
			return 0, net.ErrClosed
		default:
		}
		if n, err := call(); err != error(errAgain) { //nolint:errorlint // it is never wrapped
			return n, err
		}
		select {
		case <-h.more:
		case <-h.cut:
		}
	}
}

// knock is an event of a connection without a handshake.
func (c *client) knock() {
	switch l := c.loop; {
	case c.shakes():
		c.secure.shake.stir()
	case !c.readable:
	case l.shaking < l.config.Handshakes && !c.knocks:
		c.shake()
	case c.hup:
		c.abandon() // it did not wait
	case !c.knocks:
		c.knocks = true
		l.queue(c)
	}
}

// queue lets a connection wait for its handshake. Those that are gone leave the
// queue when they are most of it.
func (l *loop) queue(c *client) {
	if len(l.knocking) > 2*int(l.load.Load())+8 {
		l.knocking = slices.DeleteFunc(l.knocking, func(c *client) bool { return c.state != shaking })
	}
	l.knocking = append(l.knocking, c)
}

// shake begins the handshake.
func (c *client) shake() {
	l := c.loop
	l.shaking++
	h := &shake{more: make(chan struct{}, 1), cut: make(chan struct{})}
	c.secure = newSecure(l.config.TLS, c.fd)
	c.secure.shake = h
	l.handshakes.Go(func() {
		h.err = c.secure.greet(l.config.Panicked)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.shaken = append(l.shaken, c); len(l.shaken) == 1 {
			l.ring()
		}
	})
}

// greet is the handshake.
func (s *secure) greet(panicked func(any, []byte)) (err error) {
	if panicked != nil {
		defer func() {
			if cause := recover(); cause != nil {
				panicked(cause, debug.Stack())
				err = fmt.Errorf("shake hands: %v", cause)
			}
		}()
	}
	err = s.Handshake() //nolint:noctx // shake.cut ends it
	RefusePlain((*transport)(s), err)
	return err
}

// shakes says whether a goroutine has the descriptor.
func (c *client) shakes() bool { return c.secure != nil && c.secure.shake != nil }

// shook goes on behind the handshake, on the loop's thread.
func (c *client) shook() {
	defer c.guard()
	l, h := c.loop, c.secure.shake
	l.shaking--
	l.welcomeNext()
	c.secure.shake, c.secure.dry, c.readable = nil, false, true
	l.stirred()
	switch {
	case h.stopped:
		c.abandon()
	case h.err != nil:
		c.refuse()
	case c.secure.ConnectionState().NegotiatedProtocol == "h2":
		c.handOver()
	default:
		c.state = reading
		c.setTimer(l.after(l.config.HeaderTimeout))
		c.pump()
	}
}

// refuse ends a connection whose handshake failed, so that the client gets the
// reason: what it sent and nobody read would destroy it.
func (c *client) refuse() {
	c.secure = nil
	c.end()
}

// welcomeNext begins the next handshake that waits.
func (l *loop) welcomeNext() {
	for len(l.knocking) > 0 && l.shaking < l.config.Handshakes {
		c := l.knocking[0]
		l.knocking[0] = nil
		l.knocking = l.knocking[1:]
		if c.state == shaking {
			c.shake()
		}
	}
}
