package http1

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	tailBuffer = headroom + answerBuffer + tailroom
	maxTails   = 32 // that are kept for later
)

// stall is how a client takes what is kept for it. What it took is known from
// its acknowledgements: the system reports room to write only once much of its
// own buffer is free, which may take a client longer than it may be slow.
type stall struct {
	since time.Duration // when what is measured began, since the loop's start
	base  int64         // acknowledged by then
	last  int64         // acknowledged when somebody last looked
	moved time.Duration // when that was last found grown
}

// notSent bounds what the system keeps for a client behind what is on its way:
// megabytes for each slow one are a weapon, and memory for sockets is shared by
// the whole machine.
const notSent = 128 << 10

// stalls notes that something is kept from now on.
func (c *client) stalls() {
	now := c.loop.after(0)
	acked := c.acked()
	c.stall = stall{now, acked, acked, now}
	if c.state == relaying {
		c.setTimer(c.patience(c.flight.x.Idle()))
	}
}

// acked is how much of what was sent has arrived on the client's side.
func (c *client) acked() int64 {
	var queued int32
	_, _, err := unix.RawSyscall(unix.SYS_IOCTL, uintptr(c.fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&queued)))
	if err != 0 {
		return c.sent // what is on its way is not known
	}
	return c.sent - int64(queued)
}

// patience is when somebody has to look after an answer that moved just now.
func (c *client) patience(idle time.Duration) time.Duration {
	at := c.loop.after(idle)
	if s := &c.stall; len(c.out) > 0 {
		s.moved = c.loop.after(0)
		at = c.due(at)
	}
	return at
}

// due is the earlier of at and the end of what is measured.
func (c *client) due(at time.Duration) time.Duration {
	if c.loop.config.MinRate > 0 {
		at = min(at, c.stall.since+rateGrace)
	}
	return at
}

// hurry closes the connection of a client that took nothing for the time idle
// allows, or less than LoopsConfig.MinRate since somebody last looked: what its
// own system took at first is no credit.
func (c *client) hurry(idle time.Duration) {
	s, now := &c.stall, c.loop.after(0)
	if acked := c.acked(); acked > s.last {
		s.last, s.moved = acked, now
	}
	if now >= s.since+rateGrace && now-s.since <= Owed(s.last-s.base, c.loop.config.MinRate) {
		s.since, s.base = now, s.last
	}
	at := c.due(s.moved + idle)
	if now >= at {
		c.tooSlow()
		return
	}
	c.setTimer(at)
}

// tooSlow does not let the system keep the answer any longer.
func (c *client) tooSlow() {
	c.flight.slow = true
	c.reset()
}

// keep holds b until the client takes it.
func (c *client) keep(b []byte) {
	if c.out == nil {
		c.out = c.loop.tail(len(b))
	}
	c.out = append(c.out, b...)
}

// took lets go of n bytes that were kept, and of the space where that is worth
// it: many clients may be slow.
func (c *client) took(n int) {
	if c.out == nil {
		return
	}
	l, rest := c.loop, c.out[n:]
	if len(rest) > 0 && (cap(c.out) <= requestBuffer || len(rest) > requestBuffer) {
		c.out = append(c.out[:0], rest...)
		return
	}
	old := c.out
	c.out = nil
	if len(rest) > 0 {
		c.keep(rest)
	}
	l.putTail(old)
}

// tail returns space for n bytes.
func (l *loop) tail(n int) []byte {
	if n <= requestBuffer {
		return l.buffer()[:0]
	}
	if n <= tailBuffer {
		if b, found := l.tails.take(); found {
			return b[:0]
		}
	}
	return make([]byte, 0, max(n, tailBuffer))
}

func (l *loop) putTail(b []byte) {
	switch {
	case cap(b) == requestBuffer:
		l.putBuffer(b[:requestBuffer])
	case cap(b) == tailBuffer:
		l.tails.put(b, maxTails)
	}
}

// write gives the socket what it takes; false: the client is gone, and its
// flight ended.
func (c *client) write(b []byte) (n int, ok bool) {
	n, err := writeSocket(c.fd, b)
	switch {
	case err == unix.EAGAIN:
		return 0, true
	case err != 0:
		c.abandon()
		return 0, false
	}
	c.sent += int64(n)
	return n, true
}
